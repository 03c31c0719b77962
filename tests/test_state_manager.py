"""Claiming, recovering, letting go: nothing is held by nobody, and nothing is run by two."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from cases import CASES, ID, run_case
from crews import Crew
from journals import FailingStore, SlowStore, cut, entries_of
from msgspec import Raw
from virtual import VirtualClock, run

from agentical import events as ev
from agentical.errors import CallInvalid, ExecutionOwned, ExecutionUnknown, JournalDamaged, OwnershipLost, StoreError
from agentical.graph import Graph, encode_graph
from agentical.jsonvalues import digest
from agentical.state_manager import StateManager
from agentical.stores.memory import MemoryStore

CASE = next(case for case in CASES if case.name == "sequential")
GRAPH = encode_graph(Graph("hello", ()))
STARTED = ev.ExecutionStarted("hello", digest(b""), digest(GRAPH), Raw(b"{}"))
BLOBS = {digest(b""): b"", digest(GRAPH): GRAPH}


def manager(store: Any) -> StateManager:
    return StateManager(store, VirtualClock())


def test_an_execution_begins_with_its_first_entry_and_its_blobs() -> None:
    async def main() -> None:
        store = MemoryStore()
        async with manager(store) as state:
            opened = await state.start(ID, STARTED, BLOBS)
            assert opened.progress.status == "running"
            assert await store.blob(digest(GRAPH)) == GRAPH
            assert [e.event for e in await entries_of(store, ID)] == [STARTED]

    run(main())


def test_beginning_again_goes_on_where_it_is() -> None:
    async def main() -> None:
        async with manager(MemoryStore()) as state:
            opened = await state.start(ID, STARTED, BLOBS)
            opened.recorder.note(ev.ExecutionPaused("lunch"))
            await state.release(opened)
            again = await state.start(ID, STARTED, BLOBS)
            assert (again.progress.seq, again.progress.status) == (2, "paused")

    run(main())


def test_what_is_held_here_cannot_be_claimed_again_until_it_is_let_go() -> None:
    async def main() -> None:
        async with manager(SlowStore()) as state:
            opened = await state.start(ID, STARTED, BLOBS)
            for claim in (state.recover(ID), state.start(ID, STARTED, BLOBS)):
                with pytest.raises(ExecutionOwned):
                    await claim
            await state.release(opened)
            await state.recover(ID)

    run(main())


def test_a_start_whose_commit_fails_holds_nothing() -> None:
    async def main() -> None:
        async with manager(FailingStore(lambda n: n == 1)) as state:
            with pytest.raises(StoreError):
                await state.start(ID, STARTED, BLOBS)
            assert (await state.row(ID)).owner is None
            assert (await state.start(ID, STARTED, BLOBS)).progress.seq == 1

    run(main())


def test_a_release_whose_commit_fails_lets_go_all_the_same() -> None:
    async def main() -> None:
        async with manager(FailingStore(lambda n: n == 2)) as state:
            opened = await state.start(ID, STARTED, BLOBS)
            opened.recorder.note(ev.ExecutionPaused("lunch"))
            with pytest.raises(StoreError):
                await state.release(opened)
            assert (await state.recover(ID)).progress.seq == 1

    run(main())


@pytest.mark.parametrize("moment", [0.0, 0.001, 0.005, 0.02])
def test_a_start_that_is_cancelled_holds_nothing(moment: float) -> None:
    async def main() -> None:
        async with manager(SlowStore()) as state:
            task = asyncio.create_task(state.start(ID, STARTED, BLOBS))
            await asyncio.sleep(moment)
            if task.done():
                await state.release(await task)
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
            again = await state.start(ID, STARTED, BLOBS)
            assert again.progress.started == STARTED
            assert state._live == {again.recorder}

    run(main())


def test_a_start_that_is_cancelled_while_it_is_committed_has_begun_and_is_paused() -> None:
    async def main() -> None:
        async with manager(SlowStore(slowest=0.1)) as state:
            task = asyncio.create_task(state.start(ID, STARTED, BLOBS))
            await asyncio.sleep(0.001)
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
            row = await state.row(ID)
            assert (row.status, row.owner, row.head_seq) == ("paused", None, 2)

    run(main())


def test_what_cannot_be_handed_out_is_not_kept_alive() -> None:
    async def main() -> None:
        source, store = MemoryStore(), MemoryStore()
        await run_case(CASE, Crew(), source)
        await cut(source, ID, 5, store)
        store._kept[ID].appends.pop()
        async with manager(store) as state:
            for _ in range(3):
                with pytest.raises(JournalDamaged):
                    await state.recover(ID)
            assert (state._live, state._held) == (set(), set())
        async with manager(FailingStore(lambda n: n == 1)) as state:
            with pytest.raises(StoreError):
                await state.start(ID, STARTED, BLOBS)
            assert (state._live, state._held) == (set(), set())

    run(main())


def test_what_an_execution_began_with_is_read_from_its_first_entry_alone() -> None:
    async def main() -> None:
        source, store = MemoryStore(), MemoryStore()
        await run_case(CASE, Crew(), source)
        await cut(source, ID, 5, store)
        del store._kept[ID].appends[2:], store._kept[ID].ends[2:]
        store._blobs.clear()
        async with manager(store) as state:
            assert await state.started(ID) == (await entries_of(source, ID))[0].event
            with pytest.raises(ExecutionUnknown):
                await state.started("nobody")

    run(main())


def test_a_claim_that_was_given_up_half_way_is_not_taken_for_another_owner() -> None:
    class Thoughtful(MemoryStore):
        """Has claimed before it says so, as a store on another thread has."""

        async def claim(self, *args: Any, **how: Any) -> Any:
            claimed = await super().claim(*args, **how)
            await asyncio.sleep(0.01)
            return claimed

    async def main() -> None:
        async with manager(Thoughtful()) as state:
            task = asyncio.create_task(state.start(ID, STARTED, BLOBS))
            await asyncio.sleep(0.005)
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
            assert (await state.row(ID)).owner == state.ownership.token
            assert (await state.start(ID, STARTED, BLOBS)).progress.status == "running"

    run(main())


def test_a_claim_that_was_refused_can_be_tried_again() -> None:
    async def main() -> None:
        async with manager(MemoryStore()) as state:
            with pytest.raises(ExecutionUnknown):
                await state.recover(ID)
            assert (await state.start(ID, STARTED, BLOBS)).progress.status == "running"

    run(main())


def test_what_was_claimed_and_never_written_has_to_be_run_again() -> None:
    async def main() -> None:
        source, store = MemoryStore(), MemoryStore()
        await run_case(CASE, Crew(), source)
        await cut(source, ID, 0, store)
        async with manager(store) as state:
            for look in (state.recover(ID), state.look(ID)):
                with pytest.raises(CallInvalid, match="nothing was recorded"):
                    await look
            with pytest.raises(ExecutionUnknown):
                await state.recover("nobody")
            assert (await state.start(ID, STARTED, BLOBS)).progress.seq == 1

    run(main())


def test_a_graph_that_is_missing_is_damage() -> None:
    async def main() -> None:
        source, store = MemoryStore(), MemoryStore()
        await run_case(CASE, Crew(), source)
        await cut(source, ID, 5, store)
        store._blobs.clear()
        async with manager(store) as state:
            for look in (state.recover(ID), state.look(ID)):
                with pytest.raises(JournalDamaged, match="its playbook"):
                    await look
            assert (await state.row(ID)).owner is None

    run(main())


def test_where_it_stands_is_the_same_seen_from_inside_and_from_outside() -> None:
    async def main() -> None:
        for case in CASES:
            store = SlowStore(1)
            done = await run_case(case, Crew(), store)
            async with manager(store) as state:
                seen = await state.look(ID)
            live = done.progress
            assert (seen.status, seen.seq, seen.outputs, seen.ran) == (
                live.status,
                live.seq,
                live.outputs,
                pytest.approx(live.ran),
            )
            for name in ("asked", "answered", "failed", "retried", "usage", "started", "ended"):
                assert getattr(seen.receipt, name) == getattr(live.receipt, name), (case.name, name)

    run(main())


def test_what_rides_along_is_committed_once_nothing_more_comes() -> None:
    async def main() -> None:
        store = SlowStore()
        async with manager(store) as state:
            opened = await state.start(ID, STARTED, BLOBS)
            opened.recorder.note(ev.ExecutionPaused("lunch"))
            await state.flush_idle()
            assert len(await entries_of(store, ID)) == 1
            await state.flush_idle()
            assert len(await entries_of(store, ID)) == 2

    run(main())


def test_all_that_ride_along_are_committed_at_once_and_one_that_fails_is_told_later() -> None:
    async def main() -> None:
        store = SlowStore()
        async with manager(store) as state:
            opened = [await state.start(f"e{n}", STARTED, BLOBS) for n in range(50)]
            await state.flush_idle()
            for one in opened:
                one.recorder.note(ev.ExecutionPaused("lunch"))
            await store.claim("e7", "another", lambda _: False)
            await state.flush_idle()
            before = store.commits
            await state.flush_idle()
            assert store.commits == before + 1
            assert [(await state.row(f"e{n}")).head_seq for n in range(50)] == [2] * 7 + [1] + [2] * 42
            with pytest.raises(OwnershipLost):
                opened[7].recorder.note(ev.ExecutionPaused("tea"))

    run(main())


def test_a_loss_is_accepted_only_at_the_entry_that_is_damaged() -> None:
    class Torn(MemoryStore):
        torn = False

        async def journal(self, execution: str, *, after: int = 0) -> Any:
            async for one in super().journal(execution, after=after):
                if self.torn and one.first == 6:
                    raise JournalDamaged(execution, 6, "torn")
                yield one

    async def main() -> None:
        source, store = MemoryStore(), Torn()
        await run_case(CASE, Crew(), source)
        await cut(source, ID, 9, store)
        store.torn = True
        async with manager(store) as state:
            with pytest.raises(JournalDamaged):
                await state.recover(ID)
            with pytest.raises(CallInvalid, match="not damaged at entry 3"):
                await state.recover(ID, accept_loss=3)
            opened = await state.recover(ID, accept_loss=6)
            assert opened.progress.seq == 6
            await state.release(opened)

    run(main())
