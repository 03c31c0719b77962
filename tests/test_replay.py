"""Replay asks nobody and finds whatever comes out otherwise than it is recorded."""

from __future__ import annotations

from typing import Any

import pytest
from cases import CASES, ID, Case, graph_of, run_case, run_prepared
from crews import Crew
from journals import SlowStore, entries_of, put
from msgspec import Raw
from msgspec.structs import replace
from virtual import run

from agentical import events as ev
from agentical.errors import AgenticalError, JournalDamaged, StrategyDiverged
from agentical.graph import Step
from agentical.ports import Ask, Team
from agentical.sdk import Agentical
from agentical.stores.memory import MemoryStore

BY_NAME = {case.name: case for case in CASES}


async def tampered(case: Case, change: Any) -> MemoryStore:
    """A store in which one entry of the finished case says something else, its hashes made to fit."""
    source, store = MemoryStore(), MemoryStore()
    await run_case(case, Crew(), source)
    entries = await entries_of(source, ID)
    changed = [change(entry) for entry in entries]
    assert changed != entries
    await put(source, ID, [ev.encode_entry(entry) for entry in changed], store)
    return store


async def replayed(store: MemoryStore, strategy: Any = None) -> Any:
    async with Agentical(store=store) as app:
        return await app.replay(ID, strategy=strategy)


def of(kind: type[ev.Event], **fields: Any) -> Any:
    """Changes fields of the last entry of that kind."""

    def change(entry: ev.Entry) -> ev.Entry:
        return replace(entry, event=replace(entry.event, **fields)) if isinstance(entry.event, kind) else entry

    return change


SEQUENTIAL = BY_NAME["sequential"]
CHANGES = {
    "an answer": (SEQUENTIAL, of(ev.TaskAnswered, answer=Raw(b"41"))),
    "a payload's hash": (SEQUENTIAL, of(ev.TaskAnswered, payload="0" * 64)),
    "an output": (SEQUENTIAL, of(ev.StepCompleted, output=Raw(b"41"))),
    "an outcome": (SEQUENTIAL, of(ev.StepCompleted, outcome="other")),
    "a visit's payload": (SEQUENTIAL, of(ev.VisitStarted, payload=Raw(b"17"))),
    "the outputs": (SEQUENTIAL, of(ev.ExecutionCompleted, outputs=Raw(b'{"result": 41}'))),
    "a member's answer in a vote": (BY_NAME["consensus"], of(ev.TaskAnswered, answer=Raw(b'"green"'))),
    "an item": (BY_NAME["pipeline-source"], of(ev.ItemTaken, item=Raw(b"99"))),
    "the choice of adaptive": (BY_NAME["adaptive-items"], of(ev.Remembered, value=Raw(
        b'{"choice":"sequential","reason":"","features":{},"suited":[],"tallies":{}}'))),
    "a failure": (SEQUENTIAL, lambda e: e if not isinstance(e.event, ev.TaskAnswered) else replace(e, event=ev.TaskFailed(
        e.event.visit, e.event.key, e.event.member, e.event.payload, ev.Failure("bug", "no")))),
}  # fmt: skip


@pytest.mark.parametrize("name", CHANGES)
def test_something_else_in_the_journal_is_found(name: str) -> None:
    async def main() -> None:
        store = await tampered(*CHANGES[name])
        with pytest.raises(StrategyDiverged):
            await replayed(store)

    run(main())


def test_an_entry_that_is_gone_is_found() -> None:
    async def main() -> None:
        source, store = MemoryStore(), MemoryStore()
        await run_case(SEQUENTIAL, Crew(), source)
        entries = await entries_of(source, ID)
        without = [
            entry for entry in entries if not isinstance(entry.event, ev.TaskAnswered) or entry.event.key != "m2"
        ]
        await put(source, ID, [ev.encode_entry(entry) for entry in without], store)
        with pytest.raises(JournalDamaged, match="says it is entry"):
            await replayed(store)
        moved = [ev.encode_entry(replace(entry, seq=n + 1)) for n, entry in enumerate(without)]
        store = MemoryStore()
        await put(source, ID, moved, store)
        with pytest.raises(StrategyDiverged, match="m2"):
            await replayed(store)

    run(main())


def members(crew: Crew) -> list[Any]:
    return [crew.member("a", lambda p: p + 1), crew.member("b", lambda p: p + 2)]


async def first(team: Team, payload: Any) -> Any:
    team.start(Ask("b", payload, "race"))
    answer = await team.ask("a", payload, key="one")
    return [answer, await team.remember("r", lambda: team.ask("b", answer, key="two"))]


async def asks_more(team: Team, payload: Any) -> Any:
    return [await first(team, payload), await team.ask("a", 1, key="three")]


async def asks_otherwise(team: Team, payload: Any) -> Any:
    return await team.ask("a", payload + 1, key="one")


async def gives_otherwise(team: Team, payload: Any) -> Any:
    return [*await first(team, payload), 1]


async def remembers_otherwise(team: Team, payload: Any) -> Any:
    return await team.remember("other", lambda: team.ask("a", payload, key="one"))


async def waits_for_a_loser(team: Team, payload: Any) -> Any:
    team.start(Ask("b", payload, "race"))
    await team.ask("a", payload, key="one")
    return await team.next()


async def breaks(team: Team, payload: Any) -> Any:
    raise ValueError("broken")


@pytest.mark.parametrize(
    "other", [asks_more, asks_otherwise, gives_otherwise, remembers_otherwise, waits_for_a_loser, breaks]
)
def test_another_strategy_is_found(other: Any) -> None:
    async def main() -> None:
        store = MemoryStore()
        await run_case(Case("one", first, members, 1), Crew(), store)
        await replayed(store, first)
        with pytest.raises(StrategyDiverged):
            await replayed(store, other)

    run(main())


def test_replay_leaves_no_trace_in_the_store() -> None:
    async def main() -> None:
        store = MemoryStore()
        await run_prepared(SEQUENTIAL.prepared(Crew()), store)
        before, row = await entries_of(store, ID), await store.row(ID)
        await replayed(store)
        assert (await entries_of(store, ID), await store.row(ID)) == (before, row)

    run(main())


def test_an_execution_that_still_runs_is_replayed_as_far_as_it_is() -> None:
    async def main() -> None:
        from journals import cut

        source = MemoryStore()
        await run_case(BY_NAME["hierarchical"], Crew(), source)
        for count in range(2, len(await entries_of(source, ID))):
            store = MemoryStore()
            await cut(source, ID, count, store)
            assert (await replayed(store)).status == "running"

    run(main())


def test_what_ended_by_a_failure_is_replayed_too() -> None:
    async def main() -> None:
        store = MemoryStore()
        done = await run_case(SEQUENTIAL, Crew(failing={("work#1", "m2")}), store)
        assert done.status == "failed"
        assert issubclass(StrategyDiverged, AgenticalError)

    run(main())


@pytest.mark.parametrize("by", ["an agent's clock", "its own clock"])
def test_only_what_ended_by_its_own_clock_is_not_run_again(by: str) -> None:
    async def main() -> None:
        own = by == "its own clock"
        options = {} if own else {"timeout": 1.0}
        step = Step("s", 0, 0, "agent", members=("a",), timeout=1.0 if own else None)
        source, store = SlowStore(), MemoryStore()
        late = graph_of(step, agents=[Crew().member("a", lambda _: 1, takes=9.0, **options)])
        assert (await run_prepared(late, source)).status == "failed"
        change = of(ev.StepFailed, failure=ev.Failure("bug", "?", "STEP_TIMEOUT" if own else "TIMEOUT"))
        await put(source, ID, [ev.encode_entry(change(entry)) for entry in await entries_of(source, ID)], store)
        if own:
            await replayed(store)
        else:
            with pytest.raises(StrategyDiverged):
                await replayed(store)

    run(main())
