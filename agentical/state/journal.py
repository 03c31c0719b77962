"""One way into the journals: entries are chained, committed in groups, verified when read.

Whoever records while a commit is under way goes with the next one, so the number of commits falls as load rises and a
lone execution waits for nobody. An answer moves progress only after its commit; what rides along counts at once.

Why one task writes for all where commits take time: whoever waits for a commit may be cancelled, also by asyncio itself,
which no shield stops; the commit then goes on, and its outcome is still taken in.
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

INTERRUPTED = "the commit was interrupted; resume the execution"
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
        self._under_way = False

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
        await self._commit()
        return entry.seq

    async def flush(self) -> None:
        """Commit what rides along, and wait for what is being committed."""
        if self._pending or self._under_way:
            await self._commit()

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
        self._committed, self._under_way = (self._seq, self._hash), True
        return append, pending

    def settle(self, entries: list[Pending], failed: StoreError | None) -> None:
        """Take in what became of what was taken."""
        self._under_way = False
        if failed is not None:
            self.broken = self.broken or failed
            return
        try:
            for _, entry, moved in entries:
                if not moved:
                    self.progress.advance(entry.seq, entry.at, entry.event)
        except Exception as error:  # it must not harm the others of the group; its owner is told
            self.broken = StoreError(f"what was committed could not be taken in: {type(error).__name__}: {error}")
            self.broken.__cause__ = error

    async def _commit(self) -> None:
        await self._journal.commit(self)
        if self.broken is not None:
            raise self.broken

    def _add(self, event: ev.Event, *, moved: bool) -> Entry:
        if self.broken is not None:
            raise self.broken
        entry = Entry(self._seq + 1, self._clock.now(), event)  # type: ignore[arg-type]
        line = encode_entry(entry)  # what cannot be written moves nothing
        self._seq, self._hash = entry.seq, chain(self._hash, line)
        self._status = _STATUS.get(type(event), self._status)
        self._pending.append((line, entry, moved))
        return entry


class Journal:
    """All executions' commits, one group at a time; in `tasks` runs whoever writes, until it is closed.

    A store that is not durable needs no writer: its appends do not suspend.
    """

    def __init__(self, store: Store, tasks: TaskGroup, monitors: Sequence[Monitor] = ()) -> None:
        self._store, self._monitors = store, monitors
        self._waiting: dict[JournalRecorder, None] = {}
        self._waiters: list[asyncio.Future[None]] = []
        self._called, self._closed = asyncio.Event(), False
        if store.durable:
            tasks.start_soon(self._write_on)

    def close(self) -> None:
        """Write for those who wait now, and then no more."""
        self._closed = True
        self._called.set()

    async def commit(self, *recorders: JournalRecorder) -> None:
        """Commit all they hold in one group, with whatever else waits. A recorder that is `broken` then says why."""
        if not self._store.durable:
            await self._write(recorders)
            return
        if self._closed:
            raise StoreError("the store is closed; nothing more is written to it")
        done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.update(dict.fromkeys(recorders))
        self._waiters.append(done)
        self._called.set()
        await done

    async def _write_on(self) -> None:
        try:
            with anyio.CancelScope(shield=True):
                while self._waiting or not self._closed:
                    await self._called.wait()
                    self._called.clear()
                    await self._write_group()
        finally:
            self._closed = True
            _wake(self._waiters, INTERRUPTED)

    async def _write_group(self) -> None:
        group, self._waiting = self._waiting, {}
        waiters, self._waiters = self._waiters, []
        try:
            await self._write(group)
        finally:
            _wake(waiters)

    async def _write(self, group: Iterable[JournalRecorder]) -> None:
        """One commit; each recorder is told its outcome. Whatever a store fails with, it is a StoreError of this group."""
        taken = [(recorder, *part) for recorder in group if (part := recorder.take()) is not None]
        if not taken:
            return
        failed: StoreError | None = StoreError(INTERRUPTED)
        why: dict[str, StoreError] = {}
        try:
            if refused := await self._store.append([append for _, append, _ in taken]):
                why = await self._why(refused, {recorder.execution: recorder.epoch for recorder, *_ in taken})
            failed = None
        except StoreError as error:
            failed = error
        except Exception as error:
            failed = StoreError(f"the store failed: {type(error).__name__}: {error}")
            failed.__cause__ = error
        finally:
            for recorder, _, entries in taken:
                self._settle(recorder, entries, failed or why.get(recorder.execution))

    async def _why(self, refused: Sequence[Refused], epochs: dict[str, int]) -> dict[str, StoreError]:
        """One that is refused although it is still ours holds something that the store cannot keep."""
        why: dict[str, StoreError] = {}
        for one in refused:
            row = await self._store.row(one.execution)
            ours = row is not None and row.epoch == epochs.get(one.execution)
            why[one.execution] = StoreError(one.reason) if ours else OwnershipLost(one.execution)
        return why

    def _settle(self, recorder: JournalRecorder, entries: list[Pending], failed: StoreError | None) -> None:
        recorder.settle(entries, failed)
        if failed is not None:
            return
        for monitor in self._monitors:
            try:
                for _, entry, _ in entries:
                    monitor.see(recorder.execution, entry.at, entry.event)
            except Exception:  # a monitor never changes what it watches
                _LOG.exception(
                    "monitor %s failed; what it had still to see of this commit is lost to it", type(monitor).__name__
                )


def _wake(waiters: Iterable[asyncio.Future[None]], interrupted: str = "") -> None:
    for done in waiters:
        if done.done():
            continue
        if interrupted:
            done.set_exception(StoreError(interrupted))
        else:
            done.set_result(None)


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
