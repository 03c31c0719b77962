"""What a connection to a SQLite file promises: it opens for everybody at once, and its errors say what to do."""

from __future__ import annotations

import asyncio
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest

from agentical.errors import StoreError
from agentical.stores.sqlite import open_sqlite
from agentical.stores.sqlite_connection import SqliteConnection, explained

OPEN = """
import asyncio, sys
from agentical.events import ExecutionRow
from agentical.stores.sqlite import open_sqlite
async def main():
    print("ready", flush=True)
    sys.stdin.readline()
    store = await open_sqlite(sys.argv[1])
    row = ExecutionRow(sys.argv[2], "p", "running", 1.0, 1.0)
    await store.claim(sys.argv[2], "me", lambda owner: True, create=row)
    await store.aclose()
asyncio.run(main())
"""


def test_eight_processes_open_a_new_store_at_once(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/new/store.db"
    processes = [
        subprocess.Popen(
            [sys.executable, "-c", OPEN, url, f"e{n}"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        for n in range(8)
    ]
    for process in processes:
        assert process.stdout.readline() == "ready\n"
    for process in processes:
        process.stdin.write("go\n")
        process.stdin.flush()
    for process in processes:
        process.communicate(timeout=60)
    assert [process.returncode for process in processes] == [0] * 8
    with closing(sqlite3.connect(tmp_path / "new" / "store.db")) as connection:
        ids = {id for (id,) in connection.execute("SELECT id FROM executions")}
    assert ids == {f"e{n}" for n in range(8)}


async def test_one_process_opens_a_new_store_twice_at_once(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/store.db"
    stores = await asyncio.gather(*(open_sqlite(url) for _ in range(4)))
    assert [await store.executions() for store in stores] == [[]] * 4
    for store in stores:
        await store.aclose()


async def test_a_file_that_is_no_database_is_refused_and_left_as_it_was(tmp_path: Path) -> None:
    path = tmp_path / "notes.txt"
    path.write_text("these are notes, not a database. " * 200)
    before = path.read_bytes()
    with pytest.raises(StoreError, match=r"notes\.txt: it is not a database.*Name another file"):
        await open_sqlite(f"sqlite:///{path}")
    assert path.read_bytes() == before


async def test_a_folder_in_place_of_the_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="cannot be opened"):
        await open_sqlite(f"sqlite:///{tmp_path}")


async def test_a_file_in_place_of_the_folder_is_named(tmp_path: Path) -> None:
    (tmp_path / "taken").write_text("")
    with pytest.raises(StoreError, match="folder cannot be made"):
        await open_sqlite(f"sqlite:///{tmp_path}/taken/store.db")


async def test_a_store_locked_by_another_program_is_given_up_after_a_while(tmp_path: Path) -> None:
    path = tmp_path / "store.db"
    with closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("BEGIN EXCLUSIVE")
        with pytest.raises(StoreError, match=r"kept it locked for 0\.05 s"):
            await open_sqlite(f"sqlite:///{path}", patience=0.05)


async def test_a_commit_is_on_disk_before_it_is_acknowledged(tmp_path: Path) -> None:
    connection = await SqliteConnection(tmp_path / "s.db").open()
    settings = {}
    for name in ("journal_mode", "synchronous", "wal_autocheckpoint"):
        settings[name] = await connection.run(lambda raw, name=name: raw.execute(f"PRAGMA {name}").fetchone()[0])
    await connection.close()
    assert settings == {"journal_mode": "wal", "synchronous": 2, "wal_autocheckpoint": 0}


async def test_a_store_that_cannot_be_written_to_says_so(tmp_path: Path) -> None:
    connection = await SqliteConnection(tmp_path / "s.db").open()
    await connection.run(lambda raw: raw.execute("PRAGMA query_only = ON").fetchall())
    with pytest.raises(StoreError, match="cannot be written to"):
        await connection.run(lambda raw: raw.execute("DELETE FROM tallies"))
    await connection.close()


async def test_what_a_failing_function_began_is_rolled_back(tmp_path: Path) -> None:
    connection = await SqliteConnection(tmp_path / "s.db").open()

    def fail(raw: sqlite3.Connection) -> None:
        raw.execute("BEGIN IMMEDIATE")
        raise KeyError("x")

    with pytest.raises(KeyError):
        await connection.run(fail)
    assert not await connection.run(lambda raw: raw.in_transaction)
    await connection.close()


async def test_a_checkpoint_that_fails_is_logged_and_harms_nothing(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    connection = await SqliteConnection(tmp_path / "s.db").open()
    await connection.run(lambda raw: raw.set_authorizer(lambda *what: sqlite3.SQLITE_DENY))
    connection.written = 1
    connection.checkpoint_soon()
    await connection.run(lambda raw: raw.set_authorizer(None))
    assert "could not be checkpointed" in caplog.text
    await connection.close()


def test_an_error_without_a_name_is_explained_too() -> None:
    error = explained("s.db", sqlite3.ProgrammingError("odd"), 1.0)
    assert str(error) == "store s.db: the store cannot go on. (ProgrammingError: odd)"


async def test_opening_given_up_leaves_no_thread_behind(tmp_path: Path) -> None:
    with closing(sqlite3.connect(tmp_path / "s.db", isolation_level=None)) as other:
        other.execute("BEGIN EXCLUSIVE")
        connection = SqliteConnection(tmp_path / "s.db")
        task = asyncio.create_task(connection.open())
        await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert not connection._thread.is_alive()
