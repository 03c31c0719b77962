"""What goes wrong on the way into a journal harms whom it concerns, and nobody waits for ever."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from typing import Any

import anyio
import pytest
from journals import SlowStore, entries_of, lines_of
from recorders import STARTED, opened, paused, recorder
from virtual import run

from agentical import events as ev
from agentical.errors import OwnershipLost, StoreError
from agentical.ports import Append, Refused
from agentical.progress import Progress
from agentical.stores.memory import MemoryStore

UNWRITABLE = ev.ExecutionPaused("\udcff")


class Faulty(SlowStore):
    """Does with the commit of a number, counted from 1, what it is told."""

    def __init__(self, number: int, fault: Callable[[Sequence[Append]], Any]) -> None:
        super().__init__()
        self._number, self._fault = number, fault

    async def append(self, batch: Sequence[Append]) -> Sequence[Refused]:
        if self.commits + 1 != self._number:
            return await super().append(batch)
        self.commits += 1
        await asyncio.sleep(0.01)
        found: Sequence[Refused] = self._fault(batch)
        return found


def broken_socket(batch: Sequence[Append]) -> Any:
    raise OSError("socket gone")


@pytest.mark.parametrize("store", [MemoryStore, SlowStore])
def test_what_cannot_be_written_moves_nothing(store: Callable[[], MemoryStore]) -> None:
    async def main() -> None:
        kept = store()
        async with opened(kept) as (_, one):
            await one.record(STARTED)
            with pytest.raises(UnicodeEncodeError):
                one.note(UNWRITABLE)
            with pytest.raises(UnicodeEncodeError):
                await one.record(UNWRITABLE)
            assert (one.broken, one.progress.status, one.progress.seq) == (None, "running", 1)
            assert [one.note(STARTED), await one.record(paused(3))] == [2, 3]
            assert [entry.seq for entry in await entries_of(kept, "one")] == [1, 2, 3]
            assert (row := await kept.row("one")) is not None
            assert row.status == "paused"

    run(main())


def test_whatever_a_store_fails_with_is_told_to_all_who_wait_and_the_next_are_written() -> None:
    async def main() -> None:
        store = Faulty(2, broken_socket)
        async with opened(store) as (journal, one):
            others = [await recorder(journal, store, f"e{n}") for n in range(5)]
            first = asyncio.create_task(one.record(STARTED))
            await asyncio.sleep(0)
            second = [asyncio.create_task(other.record(STARTED)) for other in others[:4]]
            with anyio.fail_after(5):
                results = await asyncio.gather(first, *second, return_exceptions=True)
                assert await others[4].record(STARTED) == 1
            assert [str(result) for result in results] == ["1"] + ["the store failed: OSError: socket gone"] * 4
            assert isinstance(results[1], StoreError)
            assert isinstance(results[1].__cause__, OSError)

    run(main())


def test_a_store_in_memory_that_fails_is_a_store_that_fails() -> None:
    class Forgetful(MemoryStore):
        async def append(self, batch: Sequence[Append]) -> Sequence[Refused]:
            raise MemoryError

    async def main() -> None:
        async with opened(Forgetful()) as (_, one):
            with pytest.raises(StoreError, match="MemoryError"):
                await one.record(STARTED)

    run(main())


def test_one_that_is_refused_though_nobody_took_it_over_is_told_why_alone() -> None:
    def too_large(batch: Sequence[Append]) -> Sequence[Refused]:
        return [Refused(one.execution, f"{one.execution} is too large") for one in batch if one.execution != "e2"]

    async def main() -> None:
        store = Faulty(2, too_large)
        async with opened(store) as (journal, one):
            others = [await recorder(journal, store, f"e{n}") for n in range(3)]
            await one.record(STARTED)
            await store.claim("e1", "you", lambda _: False)
            results = await asyncio.gather(*(other.record(STARTED) for other in others), return_exceptions=True)
            assert [type(result) for result in results] == [StoreError, OwnershipLost, int]
            assert str(results[0]) == "e0 is too large"

    run(main())


def test_an_answer_that_cannot_be_taken_in_breaks_its_execution_alone() -> None:
    class Puzzled(Progress):
        def advance(self, seq: int, at: float, event: ev.Event) -> None:
            raise LookupError("no such step")

    async def main() -> None:
        store = SlowStore()
        async with opened(store) as (journal, one):
            two = await recorder(journal, store, "two")
            one.progress = Puzzled(one.progress.graph)
            results = await asyncio.gather(one.record(STARTED), two.record(STARTED), return_exceptions=True)
            assert [type(result) for result in results] == [StoreError, int]
            assert "no such step" in str(results[0])

    run(main())


def test_a_commit_survives_whoever_waits_for_it() -> None:
    async def main() -> None:
        store = SlowStore()
        async with opened(store) as (journal, one):
            two = await recorder(journal, store, "two")
            lost = asyncio.create_task(one.record(STARTED))
            await asyncio.sleep(0.0001)
            other = asyncio.create_task(two.record(STARTED))
            await asyncio.sleep(0)
            lost.cancel()
            with pytest.raises(asyncio.CancelledError):
                await lost
            assert one.progress.status == "pending"
            await one.flush()
            assert one.progress.status == "running"
            assert [await other, await one.record(paused(1))] == [1, 2]
            assert len(await lines_of(store, "one")) == 2

    run(main())


def test_what_waits_when_the_journal_is_closed_is_written_and_then_nothing_more() -> None:
    async def main() -> None:
        store = SlowStore()
        async with opened(store) as (journal, one):
            two = await recorder(journal, store, "two")
            tasks = [asyncio.create_task(each.record(STARTED)) for each in (one, two)]
            await asyncio.sleep(0)
            journal.close()
            with pytest.raises(StoreError, match="closed"):
                await one.record(paused(1))
            assert await asyncio.gather(*tasks) == [1, 1]

    run(main())


def test_nobody_waits_for_a_writer_that_was_ended() -> None:
    async def main() -> None:
        store = SlowStore()
        before = asyncio.all_tasks()
        async with opened(store) as (journal, one):
            two = await recorder(journal, store, "two")
            (writer,) = asyncio.all_tasks() - before
            first = asyncio.create_task(one.record(STARTED))
            await asyncio.sleep(0.0001)
            second = asyncio.create_task(two.record(STARTED))
            await asyncio.sleep(0)
            writer.cancel()
            with anyio.fail_after(5):
                results = await asyncio.gather(first, second, one.record(paused(1)), return_exceptions=True)
            assert [type(result) for result in results] == [StoreError] * 3
            assert two.progress.status == "pending"

    run(main())
