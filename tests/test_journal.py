"""Group commit, order, refusals, damage."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import anyio
import pytest
from journals import FailingStore, SlowStore, entries_of, lines_of
from recorders import STARTED, opened, paused, recorder
from virtual import run

from agentical import events as ev
from agentical.errors import JournalDamaged, OwnershipLost, StoreError
from agentical.events import GENESIS, Tally
from agentical.ports import Written
from agentical.state.journal import check_head, read
from agentical.stores.memory import MemoryStore


def test_a_thousand_at_once_need_few_commits_and_keep_their_order() -> None:
    async def main() -> None:
        store, order = SlowStore(), list[int]()
        async with opened(store) as (_, one):

            async def record(n: int) -> None:
                order.append(await one.record(paused(n)))

            async with anyio.create_task_group() as group:
                for n in range(1000):
                    group.start_soon(record, n)
            assert store.commits <= 3
            assert order == sorted(order)
            assert [e.event.reason for e in await entries_of(store, "one")] == [str(n) for n in range(1000)]

    run(main())


def test_many_executions_share_a_commit() -> None:
    async def main() -> None:
        store = SlowStore()
        async with opened(store) as (journal, one):
            others = [await recorder(journal, store, f"e{n}") for n in range(100)]
            async with anyio.create_task_group() as group:
                for other in [one, *others]:
                    group.start_soon(other.record, STARTED)
            assert store.commits <= 3
            assert all([len(await lines_of(store, f"e{n}")) == 1 for n in range(100)])

    run(main())


def test_a_chain_needs_one_commit_per_recorded_entry_and_what_is_noted_rides_along() -> None:
    async def main() -> None:
        store = SlowStore()
        async with opened(store) as (_, one):
            for n in range(10):
                one.note(paused(n))
                await one.record(paused(n))
            assert (store.commits, len(await lines_of(store, "one"))) == (10, 20)

    run(main())


def test_what_is_recorded_counts_only_once_it_is_committed_and_what_is_noted_at_once() -> None:
    async def main() -> None:
        store = SlowStore()
        async with opened(store) as (_, one):
            one.note(STARTED)
            assert one.progress.status == "running"
            ending = asyncio.create_task(one.record(paused(1)))
            await asyncio.sleep(0)
            assert one.progress.status == "running"
            await ending
            assert one.progress.status == "paused"

    run(main())


def test_monitors_see_what_is_committed_in_order_and_nothing_else() -> None:
    class Watcher:
        def __init__(self) -> None:
            self.seen: list[ev.Event] = []

        def see(self, execution: str, at: float, event: ev.Event) -> None:
            self.seen.append(event)

        def read(self) -> list[Any]:
            return []

    async def main() -> None:
        store, watcher = FailingStore(lambda number: number == 2), Watcher()
        async with opened(store, watcher) as (_, one):
            one.note(STARTED)
            await one.record(paused(1))
            with pytest.raises(StoreError):
                await one.record(paused(2))
            assert watcher.seen == [STARTED, paused(1)]

    run(main())


def test_after_a_failed_commit_nothing_more_is_written() -> None:
    async def main() -> None:
        store = FailingStore(lambda number: number == 1)
        async with opened(store) as (_, one):
            results = await asyncio.gather(*(one.record(paused(n)) for n in range(3)), return_exceptions=True)
            assert [type(result) for result in results] == [StoreError] * 3
            with pytest.raises(StoreError, match="the disk is full"):
                one.note(paused(4))
            assert await lines_of(store, "one") == []

    run(main())


def test_a_refused_append_says_who_lost_and_spares_the_others() -> None:
    async def main() -> None:
        store = SlowStore()
        async with opened(store) as (journal, one):
            two = await recorder(journal, store, "two")
            await store.claim("two", "you", lambda _: False)
            first = asyncio.create_task(one.record(STARTED))
            results = await asyncio.gather(two.record(STARTED), one.record(paused(1)), return_exceptions=True)
            await first
            assert [type(result) for result in results] == [OwnershipLost, int]

    run(main())


def test_a_task_cancelled_while_it_waits_loses_nothing_of_the_others() -> None:
    async def main() -> None:
        store = SlowStore()
        async with opened(store) as (_, one):
            tasks = [asyncio.create_task(one.record(paused(n))) for n in range(5)]
            await asyncio.sleep(0)
            tasks[2].cancel()
            results = await asyncio.gather(*tasks, return_exceptions=True)
            assert [isinstance(result, asyncio.CancelledError) for result in results] == [
                False,
                False,
                True,
                False,
                False,
            ]
            assert len(await lines_of(store, "one")) == 5

    run(main())


def test_tallies_and_blobs_go_with_the_next_commit_once() -> None:
    async def main() -> None:
        store = SlowStore()
        async with opened(store) as (_, one):
            one.tally("t", Tally(count=1))
            one.tally("t", Tally(count=2))
            await one.record(STARTED)
            await one.record(paused(1))
            assert (await store.tallies(""))["t"].count == 3

    run(main())


class Torn(MemoryStore):
    """Gives back something else than was appended."""

    def __init__(self, change: Any) -> None:
        super().__init__()
        self._change = change

    async def journal(self, execution: str, *, after: int = 0) -> AsyncIterator[Written]:
        for written in self._change([one async for one in super().journal(execution, after=after)]):
            yield written


def swapped(written: list[Written]) -> list[Written]:
    return [written[1], written[0], *written[2:]]


def changed(written: list[Written]) -> list[Written]:
    last = written[-1]
    return [*written[:-1], Written(last.first, last.before, last.after, (last.lines[0].replace(b"2", b"3"),))]


def renumbered(written: list[Written]) -> list[Written]:
    """A consistent chain whose entries say another place."""
    lines = (written[1].lines[0],)
    return [Written(1, GENESIS, ev.chain(GENESIS, lines[0]), lines)]


@pytest.mark.parametrize("change", [swapped, changed, renumbered, lambda written: written[1:]], ids=range(4))
def test_what_is_not_what_was_written_is_found_when_read(change: Any) -> None:
    async def main() -> None:
        store = Torn(change)
        async with opened(store) as (_, one):
            for n in range(3):
                await one.record(paused(n))
            with pytest.raises(JournalDamaged):
                [entry async for entry in read(store, "one")]

    run(main())


def test_reading_can_begin_anywhere_and_is_checked_against_the_hash_before() -> None:
    async def main() -> None:
        store = MemoryStore()
        async with opened(store) as (_, one):
            for n in range(4):
                await one.record(paused(n))
            whole = [found async for found in read(store, "one")]
            assert [found async for found in read(store, "one", after=2, before=whole[1][1])] == whole[2:]
            with pytest.raises(JournalDamaged):
                [found async for found in read(store, "one", after=2, before=whole[0][1])]
            row = await store.row("one")
            check_head("one", row, whole[-1][0].seq, whole[-1][1])
            with pytest.raises(JournalDamaged, match="should end at entry 4 and ends at 3"):
                check_head("one", row, whole[2][0].seq, whole[2][1])

    run(main())
