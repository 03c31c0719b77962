"""Team, as a strategy meets it: keys, members, parts, what is remembered, and no hanging where a strategy goes astray."""

from __future__ import annotations

import asyncio
import random
from typing import Any

import pytest
from cases import ID, Case, run_case
from crews import Crew
from journals import SlowStore, cut, entries_of
from virtual import run

from agentical import events as ev
from agentical.errors import StrategyDiverged
from agentical.ports import ANY, Ask, Outcome, Team
from agentical.stores.memory import MemoryStore


def members(crew: Crew) -> list[Any]:
    return [
        crew.member("a", lambda p: p + 1),
        crew.member("b", lambda p: p + 2),
        crew.member("r", lambda p: p, replicas=2),
    ]


def tried(strategy: Any, payload: Any = 1, store: Any = None, crew: Crew | None = None) -> Any:
    return run(run_case(Case("team", strategy, members, payload), crew or Crew(), store or MemoryStore()))


def test_members_are_agents_and_replicas_by_name() -> None:
    async def names(team: Team, payload: Any) -> Any:
        return [member.name for member in team.members]

    assert tried(names).outputs == {"result": ["a", "b", "r#1", "r#2"]}


@pytest.mark.parametrize("how", ["start", "ask", "remember"])
def test_the_same_key_twice_is_refused(how: str) -> None:
    async def twice(team: Team, payload: Any) -> Any:
        for _ in range(2):
            if how == "start":
                team.start(Ask("a", 1, "k"))
            elif how == "ask":
                await team.ask("a", 1, key="k")
            else:
                await team.remember("k", lambda: asyncio.sleep(0, 1))

    error = tried(twice).error
    assert (error["code"], "twice" in error["message"]) == ("STRATEGY_MISUSED", True)


def test_a_member_nobody_knows_is_refused() -> None:
    async def wrong(team: Team, payload: Any) -> Any:
        await team.ask("zoe", 1, key="k")

    assert "zoe" in tried(wrong).error["message"]


def test_a_part_of_the_team_has_keys_of_its_own_and_only_its_members() -> None:
    async def parted(team: Team, payload: Any) -> Any:
        part, rest = team.team(["a"], key="part"), team.team(["r"], key="rest")
        found = [await part.ask(ANY, 1, key="k"), await rest.ask(ANY, 1, key="k"), await team.ask("b", 1, key="k")]
        part.start(Ask("a", 5, "again"))
        outcome = await part.next()
        try:
            await part.ask("b", 1, key="stranger")
        except Exception as error:
            found.append(type(error).__name__)
        return [*found, outcome.key, [member.name for member in rest.members]]

    store = MemoryStore()
    assert tried(parted, store=store).outputs == {"result": [2, 1, 3, "StrategyMisused", "again", ["r#1", "r#2"]]}
    keys = [e.event.key for e in run(entries_of(store, ID)) if isinstance(e.event, ev.TaskAnswered)]
    assert keys == ["part/k", "rest/k", "k", "part/again"]


def test_a_part_with_somebody_unknown_is_refused() -> None:
    async def wrong(team: Team, payload: Any) -> Any:
        team.team(["a", "zoe"], key="part")

    assert "not in this team: zoe" in tried(wrong).error["message"]


def test_what_was_remembered_is_not_decided_again() -> None:
    async def drawn(team: Team, payload: Any) -> Any:
        async def draw() -> float:
            return random.random()

        return [await team.remember("draw", draw), await team.ask("a", 1, key="k")]

    async def main() -> None:
        store, again = MemoryStore(), MemoryStore()
        case = Case("team", drawn, members, 1)
        first = await run_case(case, Crew(), store)
        await cut(store, ID, 3, again)
        assert (await run_case(case, Crew(), again)).outputs == first.outputs

    run(main())


def test_an_answer_handed_out_is_a_copy_of_the_recorded_one() -> None:
    async def spoiling(team: Team, payload: Any) -> Any:
        payload["list"].append(1)
        answer = await team.ask("echo", payload, key="one")
        answer["list"].append(2)
        return await team.ask("echo", answer, key="two")

    case = Case("team", spoiling, lambda crew: [crew.member("echo", lambda p: p)], {"list": []})
    assert run(run_case(case, Crew(), MemoryStore())).outputs == {"result": {"list": [1, 2]}}


def test_nothing_under_way_is_none_at_once() -> None:
    async def idle(team: Team, payload: Any) -> Any:
        return [await team.next(), await team.next(or_item=True), team.item_count]

    assert tried(idle).outputs == {"result": [None, None, None]}


def test_ask_each_takes_asks_only_as_there_is_room_and_keeps_to_its_limit() -> None:
    async def each(team: Team, payload: Any) -> Any:
        taken, heard, ahead = 0, 0, 0

        def asks() -> Any:
            nonlocal taken
            for n in range(10):
                taken += 1
                yield Ask("a", n, f"k{n}")

        async for outcome in team.ask_each(asks(), at_most=3):
            ahead = max(ahead, taken - heard)
            heard += 1
            assert outcome.ok
        return [taken, heard, ahead]

    crew = Crew()
    assert tried(each, crew=crew).outputs == {"result": [10, 10, 3]}
    assert crew.peak == 3


def test_losers_are_cancelled_and_recorded_so_and_charged_for_what_they_used() -> None:
    import agentical
    from agentical.ports import TaskContext

    @agentical.agent(name="costly")
    async def costly(payload: Any, context: TaskContext) -> None:
        context.charge(tokens_in=7, cost=0.5)
        await asyncio.sleep(100)

    async def race(team: Team, payload: Any) -> Any:
        team.start(Ask("quick", 1, "q"))
        team.start(Ask("costly", 1, "c"))
        outcome = await team.next()
        return outcome.answer

    store = MemoryStore()
    case = Case("team", race, lambda crew: [crew.member("quick", lambda p: p, takes=1.0), costly], 1)
    done = run(run_case(case, Crew(), store))
    lost = [e.event for e in run(entries_of(store, ID)) if isinstance(e.event, ev.TaskCancelled)]
    assert [(one.key, one.usage.tokens_in) for one in lost] == [("c", 7)]
    assert done.receipt.usage.cost == 0.5


async def cut_before_the_end(strategy: Any) -> MemoryStore:
    """A race whose loser is recorded, and nothing after."""
    store, again = MemoryStore(), MemoryStore()
    await run_case(Case("team", strategy, members, 1), Crew(), store)
    lost = next(n for n, e in enumerate(await entries_of(store, ID)) if isinstance(e.event, ev.TaskCancelled))
    await cut(store, ID, lost + 1, again)
    return again


def renamed(strategy: Any, name: str) -> Any:
    """Other code under the name that the execution began with."""
    strategy.__name__ = name
    return strategy


async def race(team: Team, payload: Any) -> Any:
    for name in ("a", "b"):
        team.start(Ask(name, 1, name))
    outcome = await team.next()
    assert isinstance(outcome, Outcome)
    return outcome.key


@pytest.mark.parametrize("how", ["next", "ask"])
def test_a_strategy_that_now_waits_for_a_loser_diverges_and_does_not_hang(how: str) -> None:
    async def race_on(team: Team, payload: Any) -> Any:
        if how == "ask":
            return [await team.ask("a", 1, key="a"), await team.ask("b", 1, key="b")]
        await race(team, payload)
        return await team.next()

    async def main() -> None:
        store = await cut_before_the_end(race)
        async with asyncio.timeout(100):
            with pytest.raises(StrategyDiverged, match="loser of a race"):
                await run_case(Case("team", renamed(race_on, "race"), members, 1), Crew(), store)
        stood = [type(e.event).__name__ for e in await entries_of(store, ID)]
        assert "StepFailed" not in stood
        done = await run_case(Case("team", race, members, 1), Crew(), store)
        assert done.status == "completed"

    run(main())


def test_a_strategy_that_asks_a_recorded_key_with_another_payload_diverges_and_can_be_put_right() -> None:
    async def first(team: Team, payload: Any) -> Any:
        return await team.ask("b", await team.ask("a", payload, key="one"), key="two")

    async def other(team: Team, payload: Any) -> Any:
        return await team.ask("b", await team.ask("a", payload + 1, key="one"), key="two")

    async def main() -> None:
        source, store = MemoryStore(), SlowStore()
        whole = await run_case(Case("team", first, members, 1), Crew(), source)
        answered = next(n for n, e in enumerate(await entries_of(source, ID)) if isinstance(e.event, ev.TaskAnswered))
        await cut(source, ID, answered + 1, store)
        with pytest.raises(StrategyDiverged, match="one"):
            await run_case(Case("team", renamed(other, "first"), members, 1), Crew(), store)
        done = await run_case(Case("team", first, members, 1), Crew(), store)
        assert done.outputs == whole.outputs

    run(main())
