"""The store without a disk: for tests, and for runs that need not survive their process.

Why nothing here awaits: an append that never suspends costs a run in memory no turn of the event loop.
"""

from __future__ import annotations

import hashlib
from bisect import bisect_right
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from operator import attrgetter
from pathlib import Path

from msgspec.structs import replace

from agentical.errors import CallInvalid, ExecutionOwned, ExecutionUnknown, OwnershipLost, StoreError
from agentical.events import ExecutionRow, Tally
from agentical.ports import Append, Claim, Refused, Written


class _Kept:
    """One execution: its row as claimed, where it stands since, and what was appended."""

    __slots__ = ("appends", "aside", "ends", "epoch", "head", "head_seq", "owner", "row", "status", "updated")

    def __init__(self, row: ExecutionRow) -> None:
        self.row, self.epoch, self.owner = row, row.epoch, row.owner
        self.head_seq, self.head = row.head_seq, row.head_hash
        self.status, self.updated = row.status, row.updated
        self.appends: list[Append] = []
        self.aside: list[Append] = []
        self.ends: list[int] = []

    def add(self, append: Append) -> None:
        self.status, self.updated = append.status, append.at
        if append.lines:
            self.head_seq += len(append.lines)
            self.head = append.after
            self.appends.append(append)
            self.ends.append(self.head_seq)

    def as_row(self) -> ExecutionRow:
        return replace(
            self.row,
            epoch=self.epoch,
            owner=self.owner,
            head_seq=self.head_seq,
            head_hash=self.head,
            status=self.status,
            updated=self.updated,
        )


class MemoryStore:
    """Keeps everything in this process; gone with it. Its `Append`s are kept as they were given."""

    def __init__(self) -> None:
        self._kept: dict[str, _Kept] = {}
        self._blobs: dict[str, bytes] = {}
        self._tallies: dict[str, Tally] = {}

    @property
    def folder(self) -> Path | None:
        """No files, so no other process can own anything."""
        return None

    durable = False

    async def append(self, batch: Sequence[Append]) -> Sequence[Refused]:
        """Add entries of many executions; returns who was refused. Never suspends."""
        refused: list[Refused] = []
        for append in batch:
            kept = self._kept.get(append.execution)
            reason = _why_not(kept, append)
            if reason or kept is None:
                refused.append(Refused(append.execution, reason))
                continue
            kept.add(append)
            if append.blobs:
                self._blobs.update(append.blobs)
            for name, tally in append.tallies.items():
                self._tallies.setdefault(name, Tally()).add(tally)
        return refused

    async def journal(self, execution: str, *, after: int = 0) -> AsyncIterator[Written]:
        """What was appended, oldest first, from the append that holds entry `after` + 1 on (whole appends)."""
        kept = self._kept.get(execution)
        if kept is None:
            return
        at = bisect_right(kept.ends, after)
        while at < len(kept.appends):
            append = kept.appends[at]
            yield Written(append.before_seq + 1, append.before, append.after, append.lines)
            at += 1

    async def claim(
        self, execution: str, owner: str, alive: Callable[[str], bool], *, create: ExecutionRow | None = None
    ) -> Claim:
        """Become the owner, with a new epoch. Raises ExecutionOwned, or ExecutionUnknown without `create`."""
        kept = self._kept.get(execution)
        created = kept is None
        if kept is None:
            if create is None:
                raise ExecutionUnknown(execution, "the memory store")
            kept = self._kept[execution] = _Kept(replace(create, id=execution, owner=None))
        if kept.owner is not None and alive(kept.owner):
            raise ExecutionOwned(execution, kept.owner)
        previous, kept.owner = kept.owner, owner
        kept.epoch += 1
        return Claim(kept.as_row(), created, previous)

    async def set_aside(self, execution: str, epoch: int, after: int, head: bytes) -> int:
        """Take the entries after `after` out of the journal and keep them apart."""
        kept = self._kept[execution]
        if kept.epoch != epoch:
            raise OwnershipLost(execution)
        at, lost = bisect_right(kept.ends, after), kept.head_seq - after
        kept.aside += kept.appends[at:]
        del kept.appends[at:], kept.ends[at:]
        kept.head_seq, kept.head = after, head
        return lost

    async def release(self, execution: str, epoch: int) -> None:
        """Stop being the owner, if the epoch is still this one."""
        kept = self._kept.get(execution)
        if kept is not None and kept.epoch == epoch:
            kept.owner = None

    async def row(self, execution: str) -> ExecutionRow | None:
        """Where an execution stands, or None."""
        kept = self._kept.get(execution)
        return None if kept is None else kept.as_row()

    async def executions(
        self, *, statuses: Sequence[str] = (), limit: int | None = None, children: bool = False
    ) -> Sequence[ExecutionRow]:
        """The executions, newest first; those that answer another's task only with `children`."""
        rows = [
            kept.as_row()
            for kept in reversed(self._kept.values())
            if (children or kept.row.parent is None) and (not statuses or kept.status in statuses)
        ]
        rows.sort(key=attrgetter("created"), reverse=True)
        return rows[:limit]

    async def blob(self, sha256: str) -> bytes | None:
        """The blob of this hash (hex), verified."""
        blob = self._blobs.get(sha256)
        if blob is not None and hashlib.sha256(blob).hexdigest() != sha256:
            raise StoreError(f"blob {sha256} is damaged: its bytes have another hash")
        return blob

    async def tallies(self, prefix: str) -> Mapping[str, Tally]:
        """The sums whose names begin with `prefix`, by name."""
        return {name: replace(tally) for name, tally in sorted(self._tallies.items()) if name.startswith(prefix)}

    async def aclose(self) -> None:
        """Nothing to close: what is kept goes with the object."""


def _why_not(kept: _Kept | None, append: Append) -> str:
    """Why an append cannot be made; empty when it can."""
    if kept is None:
        return "no such execution"
    if kept.epoch != append.epoch:
        return f"its epoch is {kept.epoch} by now, not {append.epoch}"
    if kept.head_seq != append.before_seq or kept.head != append.before:
        return f"its head is entry {kept.head_seq} by now, or another than entry {append.before_seq} as given"
    return ""


async def open_memory(url: str = "memory:") -> MemoryStore:
    """A new, empty store in this process."""
    if not url.startswith("memory:"):
        raise CallInvalid(f"{url!r} names no memory store: write memory:")
    return MemoryStore()
