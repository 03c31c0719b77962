"""The store in a SQLite file: one writer, write-ahead log, on disk before it is acknowledged.

Two connections, each on its own thread: one writes, one reads, so that reading a long journal never holds up a commit.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from pathlib import Path

from agentical.errors import CallInvalid, JournalDamaged, StoreError
from agentical.events import ExecutionRow, Tally
from agentical.ports import Append, Claim, Refused, Written
from agentical.stores import sqlite_rows
from agentical.stores.sqlite_connection import SqliteConnection, means_damage

_PREFIX = "sqlite:///"
_IDLE = 1.0
"""Seconds without a commit after which the write-ahead log is brought into the file."""


class SqliteStore:
    """Keeps journals, blobs and tallies in one file. Open it with `open_sqlite`."""

    def __init__(self, writer: SqliteConnection, reader: SqliteConnection) -> None:
        self._writer, self._reader = writer, reader
        self._writes = sqlite_rows.Writes(writer.wrote)
        self._busy = False
        self._idle: asyncio.TimerHandle | None = None

    @property
    def folder(self) -> Path | None:
        """The folder the file lies in."""
        return Path(self._writer.path).parent

    durable = True

    async def append(self, batch: Sequence[Append]) -> Sequence[Refused]:
        """Add entries of many executions in one commit, atomic per execution; returns who was refused."""
        self._busy = True
        if self._idle is None:
            self._watch_for_idleness()
        return await self._writer.run(self._writes.append, batch)

    async def journal(self, execution: str, *, after: int = 0) -> AsyncIterator[Written]:
        """What was written, oldest first, from the append that holds entry `after` + 1 on (whole appends).

        Raises JournalDamaged where it cannot be read.
        """
        head: bytes | None = None
        while chunk := await self._read_journal(execution, after, head):
            for written in chunk:
                yield written
            after, head = chunk[-1].first + len(chunk[-1].lines) - 1, chunk[-1].after

    async def _read_journal(self, execution: str, after: int, head: bytes | None) -> list[Written]:
        try:
            return await self._reader.run(sqlite_rows.read_journal, execution, after, head)
        except StoreError as error:
            if means_damage(error):
                raise JournalDamaged(execution, after + 1, str(error)) from error
            raise

    async def claim(
        self, execution: str, owner: str, alive: Callable[[str], bool], *, create: ExecutionRow | None = None
    ) -> Claim:
        """Become the owner, with a new epoch. `alive` is called on another thread.

        Raises ExecutionOwned while the present owner is alive, ExecutionUnknown without `create`.
        """
        return await self._writer.run(self._writes.claim, execution, owner, alive, create)

    async def set_aside(self, execution: str, epoch: int, after: int, head: bytes) -> int:
        """Take the entries after `after` out of the journal and keep them apart, in the table `set_aside`."""
        return await self._writer.run(self._writes.set_aside, execution, epoch, after, head)

    async def release(self, execution: str, epoch: int) -> None:
        """Stop being the owner, if the epoch is still this one."""
        await self._writer.run(self._writes.release, execution, epoch)

    async def row(self, execution: str) -> ExecutionRow | None:
        """Where an execution stands, or None."""
        return await self._reader.run(sqlite_rows.read_row, execution)

    async def executions(
        self, *, statuses: Sequence[str] = (), limit: int | None = None, children: bool = False
    ) -> Sequence[ExecutionRow]:
        """The executions, newest first; those that answer another's task only with `children`."""
        return await self._reader.run(sqlite_rows.read_executions, statuses, limit, children)

    async def blob(self, sha256: str) -> bytes | None:
        """The blob of this hash (hex), verified. Raises StoreError when it is damaged."""
        return await self._reader.run(sqlite_rows.read_blob, sha256)

    async def tallies(self, prefix: str) -> Mapping[str, Tally]:
        """The sums whose names begin with `prefix`, by name."""
        return await self._reader.run(sqlite_rows.read_tallies, prefix)

    async def aclose(self) -> None:
        """Bring the write-ahead log into the file and close it. Closing twice is harmless."""
        if self._idle is not None:
            self._idle.cancel()
        try:
            await self._reader.close()
        finally:
            self._writer.checkpoint_soon()
            await self._writer.close()

    def _watch_for_idleness(self) -> None:
        self._busy = False
        self._idle = asyncio.get_running_loop().call_later(_IDLE, self._look_for_idleness)

    def _look_for_idleness(self) -> None:
        if self._busy:
            self._watch_for_idleness()
        else:
            self._idle = None
            self._writer.checkpoint_soon()


async def open_sqlite(url: str, *, patience: float = 30.0) -> SqliteStore:
    """Open the store of `sqlite:///PATH` (four slashes: an absolute path), making file and folders where needed.

    `patience` is how many seconds to wait for other processes that write to it.
    """
    if not url.startswith(_PREFIX) or len(url) == len(_PREFIX):
        raise CallInvalid(f"{url!r} names no SQLite store: write sqlite:///PATH")
    path = Path(url[len(_PREFIX) :]).expanduser().resolve()
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        if path.parent.name == ".agentical" and not (ignored := path.parent / ".gitignore").exists():
            ignored.write_text("*\n")  # state is no part of anybody's repository
    except OSError as error:
        raise StoreError(f"store {path}: its folder cannot be made ({error}). Name another path.") from error
    writer = await SqliteConnection(path, patience=patience).open()
    try:
        reader = await SqliteConnection(path, patience=patience, reads_only=True).open()
    except BaseException:
        await writer.close()
        raise
    return SqliteStore(writer, reader)
