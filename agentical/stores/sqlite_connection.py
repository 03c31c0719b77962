"""One connection to a SQLite file, on its own thread; every error comes out as a StoreError saying what to do.

Why whole functions are handed over: each hand-over to the thread costs about as much as half a commit, so a batch
is one function (begin, all rows, commit) and not one hand-over per statement. Nobody can cancel it halfway either.
"""

from __future__ import annotations

import asyncio
import logging
import sqlite3
import time
from collections.abc import Callable
from pathlib import Path
from typing import Self, TypeVar, cast

import aiosqlite

from agentical.errors import StoreError
from agentical.stores import sqlite_schema

T = TypeVar("T")

_LOG = logging.getLogger("agentical.store")
_WAL_LIMIT = 4 * 2**20

_CURES = {
    "SQLITE_BUSY": "another process kept it locked for {patience:g} s. Try again, or end that process.",
    "SQLITE_LOCKED": "another connection keeps it locked. Try again.",
    "SQLITE_FULL": "the disk is full. Make room, then resume.",
    "SQLITE_READONLY": "it cannot be written to. Check who owns the file and its folder, and how it is mounted.",
    "SQLITE_PERM": "this user may not open it. Check the permissions of the file and its folder.",
    "SQLITE_CANTOPEN": "it cannot be opened. Check that the path is a file and its folder can be written to.",
    "SQLITE_NOTADB": "it is not a database, or its start is damaged. Name another file, or put back a copy.",
    "SQLITE_CORRUPT": "the file is damaged. Put back a copy, or save what can be read with `sqlite3 FILE .recover`.",
    "SQLITE_IOERR": "the disk reports an error. Check the disk, then resume.",
    "SQLITE_TOOBIG": "one value is larger than SQLite can hold.",
}


def explained(path: str, error: sqlite3.Error, patience: float) -> StoreError:
    """What SQLite's error means for this store, and what to do about it."""
    name = error_name(error)
    cure = _CURES.get("_".join(name.split("_")[:2]), "the store cannot go on.").format(patience=patience)
    return StoreError(f"store {path}: {cure} ({name}: {error})")


def error_name(error: BaseException | None) -> str:
    """SQLite's name of an error, such as SQLITE_FULL; the class where it has none."""
    return getattr(error, "sqlite_errorname", "") or type(error).__name__


def means_damage(error: StoreError) -> bool:
    """Whether the file is not what SQLite wrote."""
    return error_name(error.__cause__).startswith(("SQLITE_CORRUPT", "SQLITE_NOTADB"))


class SqliteConnection(aiosqlite.Connection):
    """A connection whose work is done by functions given to `run`. Open it first."""

    def __init__(self, path: Path, *, patience: float = 30.0, reads_only: bool = False) -> None:
        super().__init__(self._open, iter_chunk_size=64)
        # A process that forgot to close its store must still be able to end; what was acknowledged is on disk.
        self._thread.daemon = True
        self.path, self._patience, self._reads_only = str(path), patience, reads_only
        self.written = 0
        """Bytes put into the write-ahead log since it was last checkpointed, roughly."""

    async def open(self) -> Self:
        """Open the file, or create it. Raises StoreError."""
        try:
            await self
        except BaseException:
            # The thread still tells the event loop that it ends: wait for it, or the loop may be gone by then.
            await asyncio.to_thread(self._thread.join)
            raise
        return self

    async def run(self, function: Callable[..., T], *args: object) -> T:
        """What `function(connection, *args)` returns, run on the connection's thread."""
        if not self._running or self._connection is None:
            raise StoreError(f"store {self.path}: it is closed.")
        result = await self._execute(self._call, function, args)  # type: ignore[no-untyped-call]
        return cast("T", result)

    def wrote(self, size: int) -> None:
        """Count what a transaction wrote; past the limit a checkpoint follows, after the acknowledgement."""
        self.written += size
        if self.written > _WAL_LIMIT:
            self.checkpoint_soon()

    def checkpoint_soon(self) -> None:
        """Bring the write-ahead log into the file when the work already handed over is done."""
        self._tx.put_nowait((None, self._checkpoint))

    def _call(self, function: Callable[..., T], args: tuple[object, ...]) -> T:
        connection = self._connection
        if connection is None:
            raise StoreError(f"store {self.path}: it is closed.")
        try:
            try:
                return function(connection, *args)
            finally:
                if connection.in_transaction:
                    connection.execute("ROLLBACK")
        except sqlite3.Error as error:
            raise explained(self.path, error, self._patience) from error

    def _open(self) -> sqlite3.Connection:
        """Open, or create. Switching to WAL does not wait for other processes by itself, so this tries again."""
        give_up = time.monotonic() + self._patience
        while True:
            try:
                return self._try_open()
            except sqlite3.Error as error:
                busy = error_name(error).startswith("SQLITE_BUSY")
                if not busy or not self._running or time.monotonic() > give_up:
                    raise explained(self.path, error, self._patience) from error
            time.sleep(0.02)

    def _try_open(self) -> sqlite3.Connection:
        connection = sqlite3.connect(
            self.path,
            timeout=min(self._patience, 1.0),
            isolation_level=None,
            check_same_thread=False,
            cached_statements=64,
        )
        try:
            if self._reads_only:
                connection.execute("PRAGMA query_only = ON")
                return connection
            connection.execute("PRAGMA journal_mode = WAL")
            connection.execute("PRAGMA synchronous = FULL")
            connection.execute("PRAGMA wal_autocheckpoint = 0")
            sqlite_schema.prepare(connection, self.path)
            connection.execute(f"PRAGMA busy_timeout = {round(self._patience * 1000)}")
        except BaseException:
            connection.close()
            raise
        return connection

    def _checkpoint(self) -> None:
        """Move the log into the file as far as readers allow. The log is then written over, not grown."""
        if self.written == 0 or self._connection is None:
            return
        self.written = 0
        try:
            self._connection.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchall()
        except sqlite3.Error as error:
            # Nothing is lost: the log keeps what it has, and the next checkpoint or append meets the same error.
            _LOG.warning("store %s: the write-ahead log could not be checkpointed: %s", self.path, error)
