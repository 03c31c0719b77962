"""What a SQLite store writes and reads, as functions of a plain connection, each one transaction.

Everything here runs on a connection's own thread (`sqlite_connection.py`).
"""

from __future__ import annotations

import hashlib
import json
import sqlite3
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from agentical.errors import ExecutionOwned, ExecutionUnknown, JournalDamaged, OwnershipLost, StoreError
from agentical.events import ExecutionRow, Tally
from agentical.ports import Append, Claim, Refused, Written
from agentical.stores.packing import Packer, Unreadable, unpack

_PAGE = 4096
_ROWS_AT_A_TIME = 64
_LARGEST = 2**63 - 1

_COLUMNS = "id, playbook, status, created, updated, epoch, head_seq, head_hash, owner, parent"
_ADVANCE = (
    "UPDATE executions SET head_seq = ?, head_hash = ?, status = ?, updated = ? "
    "WHERE n = ? AND epoch = ? AND head_seq = ? AND head_hash = ?"
)
_ADD_LINES = 'INSERT INTO journal (execution, first, "before", "after", codec, body) VALUES (?, ?, ?, ?, ?, ?)'
_ADD_BLOB = "INSERT OR IGNORE INTO blobs (sha256, codec, size, body) VALUES (?, ?, ?, ?)"
_ADD_TALLY = (
    "INSERT INTO tallies (name, count, succeeded, took, cost) VALUES (?, ?, ?, ?, ?) ON CONFLICT (name) DO UPDATE SET "
    "count = count + excluded.count, succeeded = succeeded + excluded.succeeded, "
    "took = took + excluded.took, cost = cost + excluded.cost"
)
_SET_ASIDE = (
    'INSERT INTO set_aside (execution, first, "before", "after", codec, body) '
    'SELECT execution, first, "before", "after", codec, body FROM journal WHERE execution = ? AND first > ?'
)
_READ_LINES = (
    'SELECT first, "before", "after", codec, body FROM journal WHERE execution = (SELECT n FROM executions WHERE id = ?1) '
    "AND first >= coalesce((SELECT max(first) FROM journal "
    "WHERE execution = (SELECT n FROM executions WHERE id = ?1) AND first <= ?2), 0) ORDER BY first LIMIT ?3"
)
_LIST = (
    f"SELECT {_COLUMNS} FROM executions WHERE (?1 OR parent IS NULL) "  # noqa: S608 - the columns are written above
    "AND (?2 = '[]' OR status IN (SELECT value FROM json_each(?2))) ORDER BY created DESC, n DESC LIMIT ?3"
)
_FIND = f"SELECT {_COLUMNS} FROM executions WHERE id = ?"  # noqa: S608 - the columns are written above
_CREATE = f"INSERT INTO executions ({_COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, ?, ?, NULL, ?)"  # noqa: S608 - likewise


@dataclass(slots=True)
class _Ready:
    """An append whose rows are made, so that nothing of it can be wrong any more once a transaction has begun."""

    append: Append
    lines: tuple[int, bytes]
    blobs: Sequence[tuple[bytes, int, int, bytes]] = ()
    tallies: Sequence[tuple[str, int, int, float, float]] = ()

    @property
    def size(self) -> int:
        """The bytes it writes, roughly."""
        bodies = [len(self.lines[1]), *(len(body) for *_, body in self.blobs)]
        return sum(bodies) + _PAGE * (3 + len(self.blobs) + len(self.tallies))


class Writes:
    """What the writing connection does. `numbers` are the row numbers of the executions it has met."""

    def __init__(self, wrote: Callable[[int], None]) -> None:
        self._numbers: dict[str, int] = {}
        self._packer = Packer()
        self._wrote = wrote

    def append(self, connection: sqlite3.Connection, batch: Sequence[Append]) -> list[Refused]:
        """Add a batch in one commit; an append whose execution has moved on is left out and reported."""
        refused: list[Refused] = []
        ready: list[_Ready] = []
        for append in batch:
            try:
                ready.append(self._pack(append))
            except (ValueError, TypeError) as error:
                refused.append(Refused(append.execution, f"{append.execution} cannot be stored: {error}"))
        size = 0
        cursor = connection.execute("BEGIN IMMEDIATE")
        for one in ready:
            append = one.append
            number = self._number(cursor, append.execution)
            head = append.before_seq + len(append.lines)
            cursor.execute(
                _ADVANCE,
                (head, append.after, append.status, append.at, number, append.epoch, append.before_seq, append.before),
            )
            if cursor.rowcount != 1:
                refused.append(Refused(append.execution, _why_not(cursor, append)))
                continue
            if append.lines:
                row = (number, append.before_seq + 1, append.before, append.after, *one.lines)
                cursor.execute(_ADD_LINES, row)
            if one.blobs:
                cursor.executemany(_ADD_BLOB, one.blobs)
            if one.tallies:
                cursor.executemany(_ADD_TALLY, one.tallies)
            size += one.size
        cursor.execute("COMMIT")
        self._wrote(size)
        return refused

    def _pack(self, append: Append) -> _Ready:
        """An append as rows. Raises ValueError or TypeError where the tables cannot hold it."""
        lines = self._packer.pack_lines(append.lines) if append.lines else (0, b"")
        if not append.blobs and not append.tallies:
            return _Ready(append, lines)
        blobs = [(bytes.fromhex(name), *self._packed_blob(blob)) for name, blob in append.blobs.items()]
        return _Ready(append, lines, blobs, [_tally_row(name, tally) for name, tally in append.tallies.items()])

    def _packed_blob(self, blob: bytes) -> tuple[int, int, bytes]:
        codec, body = self._packer.pack(blob)
        return codec, len(blob), body

    def _number(self, cursor: sqlite3.Cursor, execution: str) -> int | None:
        number = self._numbers.get(execution)
        if number is None:
            found = cursor.execute("SELECT n FROM executions WHERE id = ?", (execution,)).fetchone()
            if found is None:
                return None
            number = self._numbers[execution] = found[0]
        return number

    def claim(
        self,
        connection: sqlite3.Connection,
        execution: str,
        owner: str,
        alive: Callable[[str], bool],
        create: ExecutionRow | None,
    ) -> Claim:
        """Become the owner of an execution, making it where there is none and `create` says how."""
        cursor = connection.execute("BEGIN IMMEDIATE")
        row = _row(cursor, execution)
        if row is not None and row.owner is not None and alive(row.owner):
            raise ExecutionOwned(execution, row.owner)
        if row is None:
            if create is None:
                raise ExecutionUnknown(execution)
            number = _insert(cursor, execution, create)
        cursor.execute("UPDATE executions SET epoch = epoch + 1, owner = ? WHERE id = ?", (owner, execution))
        claimed = _row(cursor, execution)
        assert claimed is not None
        cursor.execute("COMMIT")
        if row is None:
            self._numbers[execution] = number
        self._wrote(2 * _PAGE)
        return Claim(claimed, row is None, None if row is None else row.owner)

    def set_aside(self, connection: sqlite3.Connection, execution: str, epoch: int, after: int, head: bytes) -> int:
        """Move the rows that begin after entry `after` out of the journal; returns how many entries they should hold."""
        cursor = connection.execute("BEGIN IMMEDIATE")
        row, number = _row(cursor, execution), self._number(cursor, execution)
        if row is None or row.epoch != epoch:
            raise OwnershipLost(execution)
        cursor.execute(_SET_ASIDE, (number, after))
        cursor.execute("DELETE FROM journal WHERE execution = ? AND first > ?", (number, after))
        cursor.execute("UPDATE executions SET head_seq = ?, head_hash = ? WHERE n = ?", (after, head, number))
        cursor.execute("COMMIT")
        self._wrote(4 * _PAGE)
        return row.head_seq - after

    def release(self, connection: sqlite3.Connection, execution: str, epoch: int) -> None:
        """Stop being the owner, if the epoch is still this one."""
        self._numbers.pop(execution, None)
        connection.execute("UPDATE executions SET owner = NULL WHERE id = ? AND epoch = ?", (execution, epoch))
        self._wrote(_PAGE)


def _tally_row(name: str, tally: Tally) -> tuple[str, int, int, float, float]:
    sums = (tally.count, tally.succeeded, tally.took, tally.cost)
    if not all(-_LARGEST <= one <= _LARGEST for one in sums):
        raise ValueError(f"the tally {name!r} has a sum that is no number, or too large")
    return (str.encode(name).decode(), *sums)


def _insert(cursor: sqlite3.Cursor, execution: str, row: ExecutionRow) -> int:
    cursor.execute(
        _CREATE,
        (
            execution,
            row.playbook,
            row.status,
            row.created,
            row.updated,
            row.epoch,
            row.head_seq,
            row.head_hash,
            row.parent,
        ),
    )
    number = cursor.lastrowid
    assert number is not None
    return number


def _why_not(cursor: sqlite3.Cursor, append: Append) -> str:
    row = _row(cursor, append.execution)
    if row is None:
        return "no such execution"
    if row.epoch != append.epoch:
        return f"its epoch is {row.epoch} by now, not {append.epoch}"
    return f"its head is entry {row.head_seq} by now, or another than entry {append.before_seq} as given"


def _row(cursor: sqlite3.Cursor, execution: str) -> ExecutionRow | None:
    found = cursor.execute(_FIND, (execution,)).fetchone()
    return None if found is None else ExecutionRow(*found)


def read_row(connection: sqlite3.Connection, execution: str) -> ExecutionRow | None:
    """Where an execution stands, or None."""
    return _row(connection.cursor(), execution)


def read_executions(
    connection: sqlite3.Connection, statuses: Sequence[str], limit: int | None, children: bool
) -> list[ExecutionRow]:
    """The executions, newest first."""
    args = (children, json.dumps(list(statuses)), -1 if limit is None else limit)
    return [ExecutionRow(*row) for row in connection.execute(_LIST, args)]


def read_journal(connection: sqlite3.Connection, execution: str, after: int, head: bytes | None) -> list[Written]:
    """The next rows of a journal, from the one that holds entry `after` + 1; none at its end.

    `head` is the hash of entry `after` where it is known. Raises JournalDamaged.
    """
    written: list[Written] = []
    expected: int | None = None
    for first, before, behind, codec, body in connection.execute(_READ_LINES, (execution, after + 1, _ROWS_AT_A_TIME)):
        if first != (min(first, after + 1) if expected is None else expected):
            raise JournalDamaged(execution, expected or after + 1, f"the next entry in the store is {first}")
        if head is not None and head != before and first > after:
            raise JournalDamaged(execution, first, "it does not follow the entry before it")
        try:
            lines = tuple(unpack(codec, body).split(b"\n"))
        except Unreadable as error:
            raise JournalDamaged(execution, first, str(error)) from error
        expected, head = first + len(lines), behind
        if expected > after + 1:
            written.append(Written(first, before, behind, lines))
    return written


def read_blob(connection: sqlite3.Connection, sha256: str) -> bytes | None:
    """The blob of this hash, verified; None where there is none."""
    key = bytes.fromhex(sha256)
    found = connection.execute("SELECT codec, size, body FROM blobs WHERE sha256 = ?", (key,)).fetchone()
    if found is None:
        return None
    codec, size, body = found
    try:
        blob = unpack(codec, body)
    except Unreadable as error:
        raise StoreError(f"blob {sha256} is damaged: {error}") from error
    if len(blob) != size or hashlib.sha256(blob).digest() != key:
        raise StoreError(f"blob {sha256} is damaged: its bytes have another hash")
    return blob


def read_tallies(connection: sqlite3.Connection, prefix: str) -> dict[str, Tally]:
    """The sums whose names begin with `prefix`, by name."""
    query = "SELECT name, count, succeeded, took, cost FROM tallies WHERE name >= ? AND name < ? ORDER BY name"
    return {name: Tally(*sums) for name, *sums in connection.execute(query, (prefix, prefix + "\U0010ffff"))}
