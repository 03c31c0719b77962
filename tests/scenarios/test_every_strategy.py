"""Each strategy: failures at every ask, a crash after every entry, replay, tampering."""

from __future__ import annotations

import asyncio

import pytest
from cases import CASES, ID, Case, run_case
from crews import Crew
from journals import SlowStore, answered, cut, entries_of
from virtual import run

from agentical import events as ev
from agentical.stores.memory import MemoryStore

every_case = pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)


async def full(case: Case, seed: int = 0) -> tuple[MemoryStore, object]:
    store = SlowStore(seed)
    done = await run_case(case, Crew(seed), store)
    assert done.status == "completed", done.error
    return store, done.outputs


@every_case
def test_it_completes_and_its_replay_asks_nobody(case: Case) -> None:
    async def main() -> None:
        for seed in range(3):
            await full(case, seed)

    run(main())


@every_case
def test_run_again_from_every_prefix_of_its_journal_it_asks_nothing_answered_and_ends_the_same(case: Case) -> None:
    async def main() -> None:
        source, outputs = await full(case)
        entries = await entries_of(source, ID)
        for count in range(len(entries)):
            known, crew, store = answered(entries[:count]), Crew(seed=count + 1), MemoryStore()
            await cut(source, ID, count, store)
            done = await run_case(case, crew, store)
            assert done.status == "completed", (count, done.error)
            assert not known & set(crew.calls), f"asked again after entry {count}"
            assert len(set(crew.calls)) == len(crew.calls)
            assert (await entries_of(store, ID))[:count] == entries[:count]
            if case.same:
                assert case.same(done.outputs) == case.same(outputs), f"after entry {count}"

    run(main())


@every_case
def test_a_failure_at_any_ask_ends_it_cleanly_and_costs_no_sibling_its_answer(case: Case) -> None:
    async def main() -> None:
        first = Crew()
        await run_case(case, first, MemoryStore())
        for asked in dict.fromkeys(first.calls):
            crew, store = Crew(failing={asked}), SlowStore()
            async with asyncio.timeout(1_000):
                done = await run_case(case, crew, store)
            entries = await entries_of(store, ID)
            assert done.status in ("completed", "failed")
            assert done.status == "completed" or done.error["code"]
            failed = {(e.event.visit, e.event.key) for e in entries if isinstance(e.event, ev.TaskFailed)}
            assert failed <= {asked}
            lost = {(e.event.visit, e.event.key) for e in entries if isinstance(e.event, ev.TaskCancelled)}
            assert set(crew.calls) <= answered(entries) | lost

    run(main())


@every_case
def test_failures_come_back_from_the_record_like_answers(case: Case) -> None:
    async def main() -> None:
        first = Crew()
        await run_case(case, first, MemoryStore())
        for asked in list(dict.fromkeys(first.calls))[::3]:
            source = MemoryStore()
            done = await run_case(case, Crew(failing={asked}), source)
            entries = await entries_of(source, ID)
            for count in range(2, len(entries), 3):
                store, crew = MemoryStore(), Crew(failing={asked})
                await cut(source, ID, count, store)
                again = await run_case(case, crew, store)
                assert not answered(entries[:count]) & set(crew.calls)
                if case.same and not case.options.get("complete"):
                    assert again.status == done.status, (asked, count)

    run(main())
