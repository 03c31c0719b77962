"""What the SQLite store promises beside the conformance suite: damage is named, the log stays small, readers wait for nobody."""

from __future__ import annotations

import asyncio
import hashlib
import random
import sqlite3
import threading
from collections.abc import AsyncIterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from agentical.errors import CallInvalid, JournalDamaged, StoreError
from agentical.events import GENESIS, ExecutionRow, Tally
from agentical.ports import Append
from agentical.stores import packing, sqlite_connection
from agentical.stores import sqlite as sqlite_module
from agentical.stores.sqlite import SqliteStore, open_sqlite

BLOB = b"a value " * 100
BLOB_SHA = hashlib.sha256(BLOB).hexdigest()


def head(seq: int) -> bytes:
    return GENESIS if seq == 0 else hashlib.sha256(b"%d" % seq).digest()


def append(seq: int, line: bytes = b"x", **more) -> Append:
    return Append("one", 1, seq, head(seq), (line,), head(seq + 1), "running", 1.0, **more)


@pytest.fixture
async def path(tmp_path: Path) -> Path:
    return tmp_path / "store.db"


@pytest.fixture
async def store(path: Path) -> AsyncIterator[SqliteStore]:
    opened = await open_sqlite(f"sqlite:///{path}", patience=0.2)
    await opened.claim("one", "me", lambda owner: True, create=ExecutionRow("one", "p", "running", 1.0, 1.0))
    await opened.append([append(0), append(1), append(2, b"long " * 200, blobs={BLOB_SHA: BLOB}), append(3)])
    yield opened
    await opened.aclose()


def damage(path: Path, statement: str) -> None:
    with closing(sqlite3.connect(path)) as connection, connection:
        assert connection.execute(statement).rowcount == 1


async def read(store: SqliteStore, after: int = 0) -> list[int]:
    return [written.first async for written in store.journal("one", after=after)]


@pytest.mark.parametrize(
    ("statement", "seq"),
    [
        ("DELETE FROM journal WHERE first = 1", 1),
        ("DELETE FROM journal WHERE first = 2", 2),
        ("UPDATE journal SET first = 7 WHERE first = 3", 3),
        ("UPDATE journal SET first = 1 WHERE first = 3", 2),
        ("UPDATE journal SET \"before\" = x'00' WHERE first = 2", 2),
        ("UPDATE journal SET \"after\" = x'00' WHERE first = 3", 4),
        ("UPDATE journal SET body = substr(body, 1, 9) WHERE first = 3", 3),
        ("UPDATE journal SET body = x'ffff' WHERE first = 3", 3),
        ("UPDATE journal SET codec = 9 WHERE first = 3", 3),
        ("UPDATE journal SET codec = 0, body = 'text' WHERE first = 3", 3),
        ("UPDATE journal SET body = body || char(10) WHERE first = 2", 2),
    ],
)
async def test_a_damaged_row_of_a_journal_is_named(store: SqliteStore, path: Path, statement: str, seq: int) -> None:
    damage(path, statement)
    with pytest.raises(JournalDamaged) as raised:
        await read(store)
    assert (raised.value.execution, raised.value.seq) == ("one", seq)


async def test_a_gap_at_the_first_entry_asked_for_is_found_and_an_older_one_is_not_in_the_way(
    store: SqliteStore, path: Path
) -> None:
    damage(path, "DELETE FROM journal WHERE first = 2")
    with pytest.raises(JournalDamaged, match="entry 2"):
        await read(store, after=1)
    assert await read(store, after=2) == [3, 4]


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE blobs SET body = x'00'",
        "UPDATE blobs SET codec = 0",
        "UPDATE blobs SET size = 1",
        "UPDATE blobs SET codec = 0, body = CAST('other' AS BLOB), size = 5",
    ],
)
async def test_a_damaged_blob_is_named_and_never_returned(store: SqliteStore, path: Path, statement: str) -> None:
    damage(path, statement)
    with pytest.raises(StoreError, match=f"blob {BLOB_SHA} is damaged"):
        await store.blob(BLOB_SHA)


async def test_pages_of_a_journal_overwritten_by_noise_are_named_as_damage(store: SqliteStore, path: Path) -> None:
    for seq in range(4, 400):
        await store.append([append(seq, b"%d" % seq * 300)])
    await store.aclose()
    size = path.stat().st_size
    with path.open("r+b") as file:
        file.seek(4096 * 4)
        file.write(b"\xa5" * (size - 4096 * 4))
    again = await open_sqlite(f"sqlite:///{path}")
    with pytest.raises(JournalDamaged, match=r"store\.db: the file is damaged"):
        await read(again)
    await again.aclose()


async def test_a_failed_batch_leaves_nothing_behind_and_the_store_goes_on(store: SqliteStore) -> None:
    await store._writer.run(lambda connection: connection.execute("PRAGMA max_page_count = 1").fetchall())
    with pytest.raises(StoreError, match="the disk is full"):
        await store.append([append(4), append(5, random.Random(1).randbytes(500_000).replace(b"\n", b""))])
    assert await read(store) == [1, 2, 3, 4]
    await store._writer.run(lambda connection: connection.execute("PRAGMA max_page_count = 100000").fetchall())
    assert await store.append([append(4)]) == []


async def test_an_append_given_up_by_its_caller_is_whole_or_not_there(store: SqliteStore) -> None:
    task = asyncio.create_task(store.append([append(4), append(5)]))
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert await store.append([append(6)]) == []
    assert await read(store, after=4) == [5, 6, 7]


async def test_a_long_read_does_not_hold_up_an_append(store: SqliteStore) -> None:
    let_go = threading.Event()
    reading = asyncio.create_task(store._reader.run(lambda connection: let_go.wait(30)))
    assert await store.append([append(4)]) == []
    assert not reading.done()
    let_go.set()
    await reading


async def test_a_writer_in_another_process_is_waited_for_and_then_named(store: SqliteStore, path: Path) -> None:
    with closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(StoreError, match=r"store\.db: another process kept it locked"):
            await store.append([append(4)])
        waiting = asyncio.create_task(store.append([append(4)]))
        await asyncio.sleep(0.01)
        other.execute("COMMIT")
        assert await waiting == []


async def test_the_log_is_brought_into_the_file_once_it_is_long(
    store: SqliteStore, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sqlite_connection, "_WAL_LIMIT", 100_000)
    for seq in range(4, 300):
        await store.append([append(seq, bytes(range(11, 256)) * 4)])
    assert path.with_name("store.db-wal").stat().st_size < 400_000


async def test_the_log_is_brought_into_the_file_when_nobody_writes(
    store: SqliteStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sqlite_module, "_IDLE", 0.01)
    store._idle.cancel()
    store._idle = None
    await store.append([append(4)])
    assert store._writer.written > 0
    done = asyncio.Event()
    checkpoint_soon, loop = store._writer.checkpoint_soon, asyncio.get_running_loop()
    monkeypatch.setattr(store._writer, "checkpoint_soon", lambda: (checkpoint_soon(), loop.call_soon(done.set)))
    await done.wait()
    await store._writer.run(lambda connection: None)
    assert store._writer.written == 0
    assert store._idle is None


async def test_closing_leaves_one_file_and_a_closed_store_says_so(store: SqliteStore, path: Path) -> None:
    await store.aclose()
    await store.aclose()
    assert [file.name for file in path.parent.iterdir()] == ["store.db"]
    with pytest.raises(StoreError, match="closed"):
        await store.append([append(4)])
    with pytest.raises(StoreError, match="closed"):
        await store.row("one")


async def test_what_was_acknowledged_is_there_when_opened_again(store: SqliteStore, path: Path) -> None:
    await store.aclose()
    again = await open_sqlite(f"sqlite:///{path}")
    assert await read(again) == [1, 2, 3, 4]
    assert await again.blob(BLOB_SHA) == BLOB
    assert await again.append([append(4)]) == []
    await again.aclose()


async def test_an_address_without_a_path_is_refused() -> None:
    for url in ("sqlite:///", "sqlite://x", "memory:"):
        with pytest.raises(CallInvalid, match="sqlite:///PATH"):
            await open_sqlite(url)


async def test_the_folder_is_where_the_file_really_lies(
    store: SqliteStore, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert store.folder == path.parent
    monkeypatch.chdir(path.parent)
    (path.parent / "elsewhere").mkdir()
    (path.parent / "elsewhere" / "link.db").symlink_to(path)
    again = await open_sqlite("sqlite:///elsewhere/link.db")
    assert again.folder == path.parent
    assert await read(again) == [1, 2, 3, 4]
    await again.aclose()


@pytest.mark.parametrize(
    ("wrong", "why"),
    [
        ({"lines": (b"a\nb",)}, "line break"),
        ({"lines": (b"x" * 2001,)}, "2,001 bytes are more than the 2,000"),
        ({"blobs": {"ab" * 32: b"x" * 2001}}, "2,001 bytes are more than the 2,000"),
        ({"tallies": {"t": Tally(cost=float("nan"))}}, "no number"),
        ({"tallies": {"t": Tally(count=2**63)}}, "too large"),
        ({"tallies": {"\udcff": Tally()}}, "surrogates"),
    ],
)
async def test_what_cannot_be_kept_is_refused_alone_and_the_rest_of_its_commit_is_written(
    store: SqliteStore, monkeypatch: pytest.MonkeyPatch, wrong: dict[str, Any], why: str
) -> None:
    monkeypatch.setattr(packing, "MOST", 2000)
    claim = await store.claim("two", "me", lambda owner: True, create=ExecutionRow("two", "p", "running", 1.0, 1.0))
    other = replace(Append("two", 1, 0, GENESIS, (b"x",), head(1), "failed", 1.0), **wrong)
    (refused,) = await store.append([other, append(4)])
    assert refused.execution == "two"
    assert why in refused.reason
    assert await store.row("two") == claim.row
    assert await read(store, after=4) == [5]


async def test_a_claim_whose_commit_fails_leaves_no_number_behind(store: SqliteStore) -> None:
    """Else what is written next would go to whoever got that row."""

    class Full:
        def __init__(self, connection: sqlite3.Connection) -> None:
            self._connection = connection

        def execute(self, sql: str, *args: Any) -> sqlite3.Cursor:
            return Commitless(self._connection).execute(sql, *args)

    class Commitless(sqlite3.Cursor):
        def execute(self, sql: str, *args: Any) -> sqlite3.Cursor:
            if sql == "COMMIT":
                raise sqlite3.OperationalError("full")
            return super().execute(sql, *args)

    new = ExecutionRow("two", "p", "running", 1.0, 1.0)
    with pytest.raises(StoreError, match="full"):
        await store._writer.run(
            lambda connection: store._writes.claim(Full(connection), "two", "me", lambda owner: True, new)
        )
    assert "two" not in store._writes._numbers
    assert (await store.claim("two", "me", lambda owner: True, create=new)).created
