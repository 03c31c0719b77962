"""One way into the journals: entries are chained, committed in groups, verified when read.

Whoever records while a commit is under way goes with the next one, so the number of commits falls as load rises and a
lone execution waits for nobody. An answer moves progress only after its commit; what rides along counts at once.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Iterable, Sequence
from typing import Any

import anyio
import msgspec
from anyio.abc import TaskGroup

from agentical import events as ev
from agentical.errors import JournalDamaged, OwnershipLost, StoreError
from agentical.events import GENESIS, Entry, Tally, chain, decode_entry, encode_entry
from agentical.ports import Append, Clock, Monitor, Refused, Store
from agentical.progress import Progress

_LOG = logging.getLogger("agentical.journal")

Pending = tuple[bytes, Entry, bool]
"""An entry on its way: its bytes, itself, and whether progress has it already."""


class JournalRecorder:
    """One execution's Recorder (see ports): chains its entries and hands them to the journal."""

    def __init__(
        self, execution: str, epoch: int, head: tuple[int, bytes], journal: Journal, progress: Progress, clock: Clock
    ) -> None:
        self.execution, self.epoch, self.progress = execution, epoch, progress
        self.broken: StoreError | None = None
        self._seq, self._hash = head
        self._committed = head
        self._seen, self._status = -1, progress.status
        self._journal, self._clock = journal, clock
        self._pending: list[Pending] = []
        self._blobs: dict[str, bytes] = {}
        self._tallies: dict[str, Tally] = {}

    def idle(self) -> bool:
        """Something rides along, and nothing was added since the last time this was asked."""
        seen, self._seen = self._seen, self._seq
        return bool(self._pending) and seen == self._seq and self.broken is None

    def note(self, event: ev.Event) -> int:
        entry = self._add(event, moved=True)
        self.progress.advance(entry.seq, entry.at, event)
        return entry.seq

    async def record(self, event: ev.Event) -> int:
        entry = self._add(event, moved=False)
        await self._journal.commit(self)
        return entry.seq

    async def flush(self) -> None:
        """Commit what rides along."""
        if self._pending:
            await self._journal.commit(self)

    def keep(self, blobs: dict[str, bytes]) -> None:
        """Store these blobs with the next commit."""
        self._blobs.update(blobs)

    def tally(self, name: str, add: Tally) -> None:
        """Add to a sum of the store with the next commit."""
        self._tallies.setdefault(name, Tally()).add(add)

    def take(self) -> tuple[Append, list[Pending]] | None:
        """What is to be committed now."""
        pending = self._pending
        if not pending:
            return None
        seq, before = self._committed
        append = Append(
            self.execution, self.epoch, seq, before, tuple([line for line, _, _ in pending]), self._hash, self._status,
            pending[-1][1].at, self._blobs, self._tallies,
        )  # fmt: skip
        self._pending = []
        if self._blobs or self._tallies:
            self._blobs, self._tallies = {}, {}
        self._committed = (self._seq, self._hash)
        return append, pending

    def _add(self, event: ev.Event, *, moved: bool) -> Entry:
        if self.broken is not None:
            raise self.broken
        self._seq += 1
        entry = Entry(self._seq, self._clock.now(), event)  # type: ignore[arg-type]
        self._status = _STATUS.get(type(event), self._status)
        line = encode_entry(entry)
        self._hash = chain(self._hash, line)
        self._pending.append((line, entry, moved))
        return entry


class Journal:
    """All executions' commits, one group at a time. `tasks` is where a group that nobody waits in first is written."""

    def __init__(self, store: Store, tasks: TaskGroup, monitors: Sequence[Monitor] = ()) -> None:
        self._store, self._tasks, self._monitors = store, tasks, monitors
        self._waiting: dict[JournalRecorder, list[asyncio.Future[None]]] = {}
        self._busy = False

    async def commit(self, recorder: JournalRecorder) -> None:
        """Commit all the recorder holds, with whatever else waits. Raises StoreError; then the recorder is broken."""
        if self._busy or self._waiting:
            done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
            self._waiting.setdefault(recorder, []).append(done)
            await done
            return
        await self._write((recorder,))
        if recorder.broken is not None:
            raise recorder.broken

    async def _drain(self) -> None:
        """Write for those who wait, until nobody does."""
        while self._waiting and not self._busy:
            group, self._waiting = self._waiting, {}
            await self._write(group)
            for recorder, futures in group.items():
                _wake(futures, recorder.broken)

    async def _write(self, group: Iterable[JournalRecorder]) -> None:
        """One commit. Its outcome is told to each recorder, whatever becomes of the task that waits for it."""
        taken = [(recorder, *part) for recorder in group if (part := recorder.take()) is not None]
        appends = [append for _, append, _ in taken]
        failed: StoreError | None = StoreError("the commit was interrupted; resume the execution")
        refused: Sequence[Refused] = ()
        self._busy = True
        try:
            if self._store.durable:
                with anyio.CancelScope(shield=True):
                    refused = await self._store.append(appends)
            else:
                refused = await self._store.append(appends)
            failed = None
        except StoreError as error:
            failed = error
        finally:
            self._busy = False
            for recorder, _, entries in taken:
                self._settle(recorder, entries, failed, refused)
            if self._waiting:
                self._tasks.start_soon(self._drain)

    def _settle(
        self, recorder: JournalRecorder, entries: list[Pending], failed: StoreError | None, refused: Sequence[Refused]
    ) -> None:
        if failed is None and any(one.execution == recorder.execution for one in refused):
            failed = OwnershipLost(recorder.execution)
        if failed is not None:
            recorder.broken = recorder.broken or failed
            return
        for _, entry, moved in entries:
            if not moved:
                recorder.progress.advance(entry.seq, entry.at, entry.event)
        for monitor in self._monitors:
            try:
                for _, entry, _ in entries:
                    monitor.see(recorder.execution, entry.at, entry.event)
            except Exception:  # a monitor never changes what it watches
                _LOG.exception(
                    "monitor %s failed; what it had still to see of this commit is lost to it", type(monitor).__name__
                )


def _wake(futures: list[asyncio.Future[None]], error: StoreError | None) -> None:
    for future in futures:
        if future.done():
            continue
        if error is None:
            future.set_result(None)
        else:
            future.set_exception(error)


_STATUS: dict[type[Any], str] = {
    ev.ExecutionStarted: "running", ev.ExecutionResumed: "running", ev.ExecutionPaused: "paused",
    ev.ExecutionCompleted: "completed", ev.ExecutionFailed: "failed", ev.ExecutionCancelled: "cancelled",
}  # fmt: skip


async def read(
    store: Store, execution: str, *, after: int = 0, before: bytes | None = None
) -> AsyncIterator[tuple[Entry, bytes]]:
    """The entries after `after`, each with its hash, verified. Raises JournalDamaged.

    `before` is the hash of entry `after`, where known. A cut tail shows only against the execution's row: `check_head`.
    """
    seq, head = after, before or (GENESIS if after == 0 else None)
    try:
        async for found in _read(store, execution, after, seq, head):
            seq, head = found[0].seq, found[1]
            if seq > after:
                yield found
    except JournalDamaged as damaged:
        raise JournalDamaged(execution, damaged.seq, damaged.what, head=head if seq else None) from None


async def _read(
    store: Store, execution: str, after: int, seq: int, head: bytes | None
) -> AsyncIterator[tuple[Entry, bytes]]:
    async for written in store.journal(execution, after=after):
        if head is None or written.first <= after:
            seq, head = written.first - 1, written.before
        if written.first != seq + 1 or written.before != head:
            raise JournalDamaged(execution, seq + 1, "an entry is missing or was put in another's place")
        hashes = [head := chain(head, line) for line in written.lines]
        if head != written.after:
            raise JournalDamaged(execution, written.first, "its hash is not the one that was stored")
        for line, digest in zip(written.lines, hashes, strict=True):
            seq += 1
            yield _decoded(execution, seq, line), digest


def _decoded(execution: str, seq: int, line: bytes) -> Entry:
    try:
        entry = decode_entry(line)
    except msgspec.MsgspecError as error:
        raise JournalDamaged(execution, seq, f"it cannot be read ({error})") from None
    if entry.seq != seq:
        raise JournalDamaged(execution, seq, f"it says it is entry {entry.seq}")
    return entry


def check_head(execution: str, row: ev.ExecutionRow, seq: int, head: bytes) -> None:
    """Raises JournalDamaged where the journal does not end as the execution's row says."""
    if (seq, head) != (row.head_seq, row.head_hash):
        what = f"the journal should end at entry {row.head_seq} and ends at {seq}"
        raise JournalDamaged(execution, seq + 1, what, head=head if seq else None)
