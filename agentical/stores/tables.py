"""The tables of a SQL store as SQLModel classes: for queries, the admin side and stores on other databases.

Why beside the DDL of `sqlite_schema.py`: importing SQLModel takes longer than a short run, so nothing that runs
playbooks imports this file. A test holds the two equal.
"""

from __future__ import annotations

from typing import ClassVar

from sqlalchemy import Column, Float, Index, Integer, LargeBinary, Text
from sqlmodel import Field, SQLModel


class ExecutionTable(SQLModel, table=True):
    """One execution: where it stands, without its journal."""

    __tablename__: ClassVar[str] = "executions"
    __table_args__ = (Index("executions_created", "created"),)

    n: int | None = Field(default=None, sa_column=Column(Integer, primary_key=True))
    id: str = Field(sa_column=Column(Text, nullable=False, unique=True))
    playbook: str = Field(sa_column=Column(Text, nullable=False))
    status: str = Field(sa_column=Column(Text, nullable=False))
    created: float = Field(sa_column=Column(Float, nullable=False))
    updated: float = Field(sa_column=Column(Float, nullable=False))
    epoch: int = Field(sa_column=Column(Integer, nullable=False))
    head_seq: int = Field(sa_column=Column(Integer, nullable=False))
    head_hash: bytes = Field(sa_column=Column(LargeBinary, nullable=False))
    owner: str | None = Field(default=None, sa_column=Column(Text))
    parent: str | None = Field(default=None, sa_column=Column(Text))


class JournalTable(SQLModel, table=True):
    """What one append wrote: entries `first` and following, one line each, packed."""

    __tablename__: ClassVar[str] = "journal"
    __table_args__ = (Index("journal_execution_first", "execution", "first"),)

    n: int | None = Field(default=None, sa_column=Column(Integer, primary_key=True))
    execution: int = Field(sa_column=Column(Integer, nullable=False))
    first: int = Field(sa_column=Column(Integer, nullable=False))
    before: bytes = Field(sa_column=Column(LargeBinary, nullable=False))
    after: bytes = Field(sa_column=Column(LargeBinary, nullable=False))
    codec: int = Field(sa_column=Column(Integer, nullable=False))
    body: bytes = Field(sa_column=Column(LargeBinary, nullable=False))


class SetAsideTable(SQLModel, table=True):
    """What was taken out of a damaged journal, as it was."""

    __tablename__: ClassVar[str] = "set_aside"

    n: int | None = Field(default=None, sa_column=Column(Integer, primary_key=True))
    execution: int = Field(sa_column=Column(Integer, nullable=False))
    first: int = Field(sa_column=Column(Integer, nullable=False))
    before: bytes = Field(sa_column=Column(LargeBinary, nullable=False))
    after: bytes = Field(sa_column=Column(LargeBinary, nullable=False))
    codec: int = Field(sa_column=Column(Integer, nullable=False))
    body: bytes = Field(sa_column=Column(LargeBinary, nullable=False))


class BlobTable(SQLModel, table=True):
    """A large value, stored once under its SHA-256."""

    __tablename__: ClassVar[str] = "blobs"

    n: int | None = Field(default=None, sa_column=Column(Integer, primary_key=True))
    sha256: bytes = Field(sa_column=Column(LargeBinary, nullable=False, unique=True))
    codec: int = Field(sa_column=Column(Integer, nullable=False))
    size: int = Field(sa_column=Column(Integer, nullable=False))
    body: bytes = Field(sa_column=Column(LargeBinary, nullable=False))


class TallyTable(SQLModel, table=True):
    """A sum kept across executions."""

    __tablename__: ClassVar[str] = "tallies"

    n: int | None = Field(default=None, sa_column=Column(Integer, primary_key=True))
    name: str = Field(sa_column=Column(Text, nullable=False, unique=True))
    count: int = Field(sa_column=Column(Integer, nullable=False))
    succeeded: int = Field(sa_column=Column(Integer, nullable=False))
    took: float = Field(sa_column=Column(Float, nullable=False))
    cost: float = Field(sa_column=Column(Float, nullable=False))
