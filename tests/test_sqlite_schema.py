"""What the tables of a SQLite store promise."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import create_engine

from agentical.errors import StoreError
from agentical.stores.sqlite_schema import APPLICATION, prepare
from agentical.stores.tables import SQLModel

TABLES = ("executions", "journal", "blobs", "tallies")


def described(connection: sqlite3.Connection) -> dict[str, Any]:
    """Columns and indexes of every table, without the names SQLite gives by itself."""
    found: dict[str, Any] = {}
    for table in TABLES:
        indexes = [
            (unique, origin, [column[2] for column in connection.execute(f"PRAGMA index_info({name})")])
            for _, name, unique, origin, _ in connection.execute(f"PRAGMA index_list({table})")
        ]
        found[table] = (connection.execute(f"PRAGMA table_info({table})").fetchall(), sorted(indexes))
    return found


def test_the_plain_tables_are_those_of_the_sqlmodel_schema(tmp_path: Path) -> None:
    with closing(sqlite3.connect(tmp_path / "plain.db", isolation_level=None)) as plain:
        prepare(plain, "plain")
        engine = create_engine(f"sqlite:///{tmp_path}/models.db")
        SQLModel.metadata.create_all(engine, tables=[SQLModel.metadata.tables[name] for name in TABLES])
        engine.dispose()
        with closing(sqlite3.connect(tmp_path / "models.db")) as models:
            assert described(plain) == described(models)
            assert all(columns for columns, _ in described(plain).values())


def test_preparing_twice_changes_nothing(tmp_path: Path) -> None:
    with closing(sqlite3.connect(tmp_path / "s.db", isolation_level=None)) as connection:
        prepare(connection, "s.db")
        version = connection.execute("PRAGMA schema_version").fetchone()
        prepare(connection, "s.db")
        assert connection.execute("PRAGMA schema_version").fetchone() == version


def test_a_newer_schema_is_refused_with_what_to_do() -> None:
    with closing(sqlite3.connect(":memory:", isolation_level=None)) as connection:
        connection.execute(f"PRAGMA application_id = {APPLICATION}")
        connection.execute("PRAGMA user_version = 99")
        with pytest.raises(StoreError, match=r"s\.db has schema 99.*update agentical"):
            prepare(connection, "s.db")


def test_the_database_of_another_program_is_left_alone() -> None:
    with closing(sqlite3.connect(":memory:", isolation_level=None)) as connection:
        connection.execute("CREATE TABLE theirs (x)")
        with pytest.raises(StoreError, match="another program"):
            prepare(connection, "s.db")
        assert connection.execute("SELECT name FROM sqlite_schema").fetchall() == [("theirs",)]
