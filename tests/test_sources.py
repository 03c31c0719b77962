"""Items: recorded before they are used, drawn when wanted, skipped after a crash, and a source that fails."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from cases import ID, Case, run_case
from crews import Crew
from journals import SlowStore, cut, entries_of
from virtual import run

import agentical
from agentical import events as ev
from agentical.ports import Ask, Item, Team
from agentical.stores.memory import MemoryStore


def source(
    items: list[Any], drawn: list[Any], *, fails: bool = False, pause: float = 0.01, timeout: float | None = None
) -> Any:
    def make(crew: Crew) -> Any:
        async def numbers(skip: int) -> Any:
            for item in items[skip:]:
                drawn.append(item)
                await asyncio.sleep(pause)
                yield item
            if fails:
                raise ValueError("the file is torn")

        return agentical.agent(name="numbers", timeout=timeout)(numbers)

    return make


def members(crew: Crew) -> list[Any]:
    return [crew.member("work", lambda item: item * 2, takes=0.05, replicas=2)]


def case(items: list[Any], drawn: list[Any], strategy: str = "scatter-gather", **options: Any) -> Case:
    fails = options.pop("fails", False)
    return Case("source", strategy, members, None, source=source(items, drawn, fails=fails), options=options)


def test_items_are_recorded_before_they_are_used_and_their_end_too() -> None:
    async def main() -> None:
        store, drawn = SlowStore(), list[Any]()
        done = await run_case(case([1, 2, 3], drawn), Crew(), store)
        assert done.outputs == {"result": [2, 4, 6]}
        names = [type(e.event).__name__ for e in await entries_of(store, ID)]
        assert names.count("ItemTaken") == 3
        assert names.index("ItemTaken") < names.index("TaskAsked")
        assert names.count("ItemsEnded") == 1

    run(main())


def test_a_source_is_drawn_from_only_as_items_are_wanted() -> None:
    async def main() -> None:
        drawn: list[Any] = []
        await run_case(case(list(range(100)), drawn, complete="first(3)"), Crew(), MemoryStore())
        assert len(drawn) <= 6

    run(main())


def test_after_a_crash_a_source_is_told_how_many_items_are_recorded() -> None:
    async def main() -> None:
        store, again, drawn = MemoryStore(), MemoryStore(), list[Any]()
        await run_case(case([1, 2, 3, 4], drawn), Crew(), store)
        entries = await entries_of(store, ID)
        second = [n for n, e in enumerate(entries) if isinstance(e.event, ev.ItemTaken)][1]
        await cut(store, ID, second + 1, again)
        drawn.clear()
        done = await run_case(case([1, 2, 3, 4], drawn), Crew(), again)
        assert (drawn, done.outputs) == ([3, 4], {"result": [2, 4, 6, 8]})

    run(main())


def test_a_source_that_fails_fails_the_step_and_says_after_how_many_items() -> None:
    done = run(run_case(case([1, 2], [], fails=True), Crew(), SlowStore()))
    assert done.error["code"] == "SOURCE_FAILED"
    assert "after 2 items" in done.error["message"]
    assert "the file is torn" in done.error["message"]


def test_a_source_that_yields_nothing_gives_an_empty_result() -> None:
    assert run(run_case(case([], []), Crew(), MemoryStore())).outputs == {"result": []}


def test_an_agent_that_cannot_yield_is_no_source() -> None:
    def plain(crew: Crew) -> Any:
        return crew.member("plain", lambda payload: [1, 2])

    done = run(run_case(Case("source", "scatter-gather", members, None, source=plain), Crew(), MemoryStore()))
    assert done.error["code"] == "SOURCE_FAILED"
    assert "generator" in done.error["message"]


def test_an_item_that_is_not_json_is_the_source_s_failure() -> None:
    done = run(run_case(case([1, float("nan")], []), Crew(), MemoryStore()))
    assert done.error["code"] == "SOURCE_FAILED"


def test_secrets_do_not_reach_the_journal_through_items(monkeypatch: pytest.MonkeyPatch) -> None:
    from journals import lines_of
    from msgspec.structs import replace

    monkeypatch.setenv("THE_SECRET", "hunter2!")

    class WithSecret(Case):
        def prepared(self, crew: Crew) -> Any:
            made = super().prepared(crew)
            spec = replace(made.graph.agents["numbers"], options={"key": "${{ secrets.key }}"})
            agents = {**made.graph.agents, "numbers": spec}
            made.graph = replace(made.graph, agents=agents, secrets={"key": "env:THE_SECRET"})
            return made

    async def main() -> None:
        store, its = MemoryStore(), source(["hunter2! is it"], [])
        done = await run_case(WithSecret("source", "scatter-gather", members, None, source=its), Crew(), store)
        journal = b"".join(await lines_of(store, ID))
        assert done.outputs == {"result": ["*** is it*** is it"]}
        assert b"hunter2!" not in journal

    run(main())


async def counting(team: Team, payload: Any) -> Any:
    """What the strategy could know of the number of items, after each thing it is told."""
    known = [team.item_count]
    team.start(Ask("work", 1, "slow"))
    for _ in range(2):
        got = await team.next(or_item=True)
        known.append(["item" if isinstance(got, Item) else "outcome", team.item_count])
    known.append([await team.next(or_item=True) is None, team.item_count])
    return known


def test_how_many_items_there_are_is_known_live_and_on_replay_at_the_same_moment() -> None:
    async def main() -> None:
        store = MemoryStore()
        done = await run_case(Functional(counting, [7]), Crew(), store)
        assert done.outputs == {"result": [None, ["item", None], ["outcome", 1], [True, 1]]}
        entries = await entries_of(store, ID)
        for count in range(2, len(entries)):
            again = MemoryStore()
            await cut(store, ID, count, again)
            assert (await run_case(Functional(counting, [7]), Crew(), again)).outputs == done.outputs

    run(main())


class Functional:
    """A strategy function over a source."""

    def __init__(self, strategy: Any, items: list[Any]) -> None:
        self.strategy, self._case = strategy, case(items, [])

    def prepared(self, crew: Crew) -> Any:
        made = self._case.prepared(crew)
        made.strategy = self.strategy
        return made


def test_a_source_that_yields_too_late_is_timed_out() -> None:
    async def main() -> None:
        slow = source([1], [], pause=9.0, timeout=2.0)
        done = await run_case(Case("source", "scatter-gather", members, None, source=slow), Crew(), MemoryStore())
        assert done.error is not None
        assert (done.error["code"], done.error["class"]) == ("SOURCE_FAILED", "transient")
        assert "no item within 2 s" in done.error["message"]

    run(main())
