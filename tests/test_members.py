"""Seats: who has room, whose turn it is, and nothing lost when somebody gives up waiting."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from virtual import run

from agentical.errors import StrategyMisused
from agentical.graph import AgentSpec
from agentical.members import Asked, Seats, members_of


async def nobody(payload: Any, context: Any) -> None:
    """Never called."""


def seats(*specs: AgentSpec, limit: int = 20) -> Seats:
    return Seats({spec.id: Asked.of(spec, nobody) for spec in specs}, limit)


def test_an_agent_with_replicas_is_as_many_members() -> None:
    spec = AgentSpec("a", "python", replicas=3, capabilities=("x",), weight=2.0)
    assert [one.name for one in members_of(spec)] == ["a#1", "a#2", "a#3"]
    assert {(one.agent, one.weight, one.capabilities) for one in members_of(spec)} == {("a", 2.0, ("x",))}
    assert [one.name for one in members_of(AgentSpec("a", "python"))] == ["a"]


def test_a_name_nobody_has_is_refused_with_the_names_there_are() -> None:
    with pytest.raises(StrategyMisused, match="a, b"):
        seats(AgentSpec("a", "python"), AgentSpec("b", "python")).loads(("c",))


def test_whoever_waits_longest_for_a_member_gets_it_first() -> None:
    async def main() -> None:
        table = seats(AgentSpec("a", "python", max_parallel=1))
        order: list[int] = []

        async def sit(n: int) -> None:
            load = await table.sit(table.loads(("a",)))
            order.append(n)
            await asyncio.sleep(1.0)
            table.leave(load, 1.0, failed=False)

        await asyncio.gather(*(sit(n) for n in range(5)))
        assert order == [0, 1, 2, 3, 4]
        assert table.loads(("a",))[0].outstanding == 0

    run(main())


def test_who_waits_for_any_of_several_gets_the_one_that_is_free_first() -> None:
    async def main() -> None:
        table = seats(AgentSpec("a", "python", max_parallel=1), AgentSpec("b", "python", max_parallel=1))
        both = table.loads(("a", "b"))
        taken = [await table.sit(both), await table.sit(both)]
        assert {load.name for load in taken} == {"a", "b"}
        third = asyncio.create_task(table.sit(both))
        await asyncio.sleep(0)
        table.leave(taken[1], 1.0, failed=False)
        assert (await third).name == taken[1].name

    run(main())


@pytest.mark.parametrize("given", [False, True], ids=["still waiting", "just given"])
def test_a_member_given_to_somebody_who_gave_up_goes_to_the_next(given: bool) -> None:
    async def main() -> None:
        table = seats(AgentSpec("a", "python", max_parallel=1))
        load = await table.sit(table.loads(("a",)))
        quitter, next_one = [asyncio.create_task(table.sit(table.loads(("a",)))) for _ in range(2)]
        await asyncio.sleep(0)
        if given:
            table.leave(load, 1.0, failed=False)
            quitter.cancel()
        else:
            quitter.cancel()
            await asyncio.sleep(0)
            table.leave(load, 1.0, failed=False)
        assert (await next_one) is load
        assert load.outstanding == 1

    run(main())


@pytest.mark.parametrize("given", [False, True], ids=["still waiting", "just given"])
def test_a_slot_given_to_somebody_who_gave_up_goes_to_the_next(given: bool) -> None:
    async def main() -> None:
        table = seats(AgentSpec("a", "python"), limit=1)
        asked = table.agents["a"]
        await table.take_slot(asked, "s#1")
        quitter, next_one = [asyncio.create_task(table.take_slot(asked, "s#1")) for _ in range(2)]
        await asyncio.sleep(0)
        if given:
            table.free_slot(asked, "s#1")
            quitter.cancel()
        else:
            quitter.cancel()
            await asyncio.sleep(0)
            table.free_slot(asked, "s#1")
        async with asyncio.timeout(10):
            await next_one
        table.free_slot(asked, "s#1")
        async with asyncio.timeout(10):
            await table.take_slot(asked, "s#1")

    run(main())


def test_an_agent_that_waits_for_others_takes_no_slot_and_makes_room() -> None:
    async def main() -> None:
        parked = Asked.of(AgentSpec("p", "playbook"), nobody)
        parked.parks = True
        table, told = Seats({"p": parked}, 1), list[int]()
        table.on_room = lambda: told.append(table.waiting_elsewhere)
        async with asyncio.timeout(10):
            for n in (1, 2, 3):
                await table.take_slot(parked, f"s#{n}")
        assert told == [1, 2, 3]
        for n in (1, 2, 3):
            table.free_slot(parked, f"s#{n}")
        assert table.waiting_elsewhere == 0

    run(main())


def test_a_visit_makes_room_once_however_many_of_its_tasks_wait() -> None:
    table, told = seats(AgentSpec("a", "python")), list[int]()
    table.on_room = lambda: told.append(table.waiting_elsewhere)
    with table.parked("s#1"), table.parked("s#2"):
        with table.parked("s#1"):
            assert table.waiting_elsewhere == 2
        assert table.waiting_elsewhere == 2
    assert (table.waiting_elsewhere, told) == (0, [1, 2])


def test_code_that_cannot_be_read_is_none() -> None:
    class Gone:
        async def __call__(self, payload: Any, context: Any) -> None:
            """Never called."""

        def code(self) -> str:
            raise FileNotFoundError("gone")

    assert Asked.of(AgentSpec("a", "python"), Gone()).code == ""


def test_the_code_of_an_agent_is_looked_up_once() -> None:
    class Coded:
        looked = 0

        async def __call__(self, payload: Any, context: Any) -> None:
            """Never called."""

        def code(self) -> str:
            self.looked += 1
            return "c0de"

    asked = Asked.of(AgentSpec("a", "python"), Coded())
    assert (asked.code, asked.code, asked.run.looked) == ("c0de", "c0de", 1)
    assert Asked.of(AgentSpec("b", "python"), nobody).code == ""
