"""The tables of a SQLite store as plain DDL, and how a file gets them.

Why not through the SQLModel schema of `tables.py`: importing it takes longer than a whole short run. A test holds
the two equal.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager

from agentical.errors import StoreError

VERSION = 1
APPLICATION = 0x61676E74  # "agnt"

DDL = (
    """CREATE TABLE executions (
        n INTEGER NOT NULL PRIMARY KEY, id TEXT NOT NULL UNIQUE, playbook TEXT NOT NULL, status TEXT NOT NULL,
        created FLOAT NOT NULL, updated FLOAT NOT NULL, epoch INTEGER NOT NULL, head_seq INTEGER NOT NULL,
        head_hash BLOB NOT NULL, owner TEXT, parent TEXT)""",
    "CREATE INDEX executions_created ON executions (created)",
    """CREATE TABLE journal (
        n INTEGER NOT NULL PRIMARY KEY, execution INTEGER NOT NULL, first INTEGER NOT NULL, "before" BLOB NOT NULL,
        "after" BLOB NOT NULL, codec INTEGER NOT NULL, body BLOB NOT NULL)""",
    "CREATE INDEX journal_execution_first ON journal (execution, first)",
    """CREATE TABLE set_aside (
        n INTEGER NOT NULL PRIMARY KEY, execution INTEGER NOT NULL, first INTEGER NOT NULL, "before" BLOB NOT NULL,
        "after" BLOB NOT NULL, codec INTEGER NOT NULL, body BLOB NOT NULL)""",
    """CREATE TABLE blobs (
        n INTEGER NOT NULL PRIMARY KEY, sha256 BLOB NOT NULL UNIQUE, codec INTEGER NOT NULL, size INTEGER NOT NULL,
        body BLOB NOT NULL)""",
    """CREATE TABLE tallies (
        n INTEGER NOT NULL PRIMARY KEY, name TEXT NOT NULL UNIQUE, count INTEGER NOT NULL, succeeded INTEGER NOT NULL,
        took FLOAT NOT NULL, cost FLOAT NOT NULL)""",
)


def prepare(connection: sqlite3.Connection, path: str) -> None:
    """Make the tables where the file is new; refuse a file that is newer than this program or not a store."""
    # Read in one transaction: the version and the rest must be of the same moment.
    with _transaction(connection, "BEGIN"):
        ready = _is_ready(connection, path)
    if ready:
        return
    # Several processes may find the same file new: the first makes the tables, the others wait and find them.
    with _transaction(connection, "BEGIN IMMEDIATE"):
        if not _is_ready(connection, path):
            for statement in DDL:
                connection.execute(statement)
            connection.execute(f"PRAGMA application_id = {APPLICATION}")
            connection.execute(f"PRAGMA user_version = {VERSION}")


@contextmanager
def _transaction(connection: sqlite3.Connection, begin: str) -> Iterator[None]:
    connection.execute(begin)
    try:
        yield
        connection.execute("COMMIT")
    finally:
        if connection.in_transaction:
            connection.execute("ROLLBACK")


def _is_ready(connection: sqlite3.Connection, path: str) -> bool:
    version, application = (
        connection.execute(f"PRAGMA {name}").fetchone()[0] for name in ("user_version", "application_id")
    )
    if application == 0 and version == 0 and not connection.execute("SELECT count(*) FROM sqlite_schema").fetchone()[0]:
        return False
    if application != APPLICATION:
        raise StoreError(f"{path} is a database of another program. Name another file for the store.")
    if version != VERSION:
        raise StoreError(
            f"{path} has schema {version}, this agentical knows {VERSION}: "
            "update agentical, or name another file for the store."
        )
    return True
