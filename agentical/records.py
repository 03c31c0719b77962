"""What goes into a store and comes out of it: appends, what was written, claims."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from agentical.events import ExecutionRow, Tally


@dataclass(frozen=True, slots=True)
class Append:
    """Entries to add to one execution's journal, valid only on top of (epoch, before_seq, before).

    `lines` are encoded entries, `after` the hash after the last. `blobs` are by SHA-256 (hex). `status` is the
    execution's from now on, `at` Unix seconds.
    """

    execution: str
    epoch: int
    before_seq: int
    before: bytes
    lines: tuple[bytes, ...]
    after: bytes
    status: str
    at: float
    blobs: Mapping[str, bytes] = field(default_factory=dict)
    tallies: Mapping[str, Tally] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Refused:
    """An append that was not made: the execution has another epoch or another head by now."""

    execution: str
    reason: str


@dataclass(frozen=True, slots=True)
class Written:
    """What one append wrote, as stored: `first` is the seq of its first line."""

    first: int
    before: bytes
    after: bytes
    lines: tuple[bytes, ...]


@dataclass(frozen=True, slots=True)
class Claim:
    """The right to write to an execution. `row` is as it stands; `created` when this claim made it."""

    row: ExecutionRow
    created: bool
    previous_owner: str | None = None
