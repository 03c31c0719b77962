"""The facts: what can happen to an execution, and the form in which facts are kept.

Facts are in the past tense and never change. Where an execution stands is what they add up to (`progress.py`).
Values (payloads, answers, outputs) are kept as the JSON bytes that were recorded (`Raw`): hashed and handed out as
stored, never encoded a second time.

Why per-entry hashes: `hash(n) = SHA-256(hash(n-1) + bytes(n))`. A fork can begin at any entry, and a changed, lost or
swapped entry is found by whoever reads the journal up to the head that the execution's row holds.
"""

from __future__ import annotations

import hashlib
from typing import Any

import msgspec
from msgspec import UNSET, Raw, UnsetType

GENESIS = b"\0" * 32
"""The hash before the first entry of a journal that has no parent."""


class Failure(msgspec.Struct, frozen=True, omit_defaults=True, rename={"kind": "class"}):
    """How something failed. `kind` is the failure class (`class` in JSON)."""

    kind: str
    message: str
    code: str = "TASK_FAILED"


class Usage(msgspec.Struct, frozen=True, omit_defaults=True):
    """What asking cost: tokens in and out, and cost in the playbook's currency."""

    tokens_in: int = 0
    tokens_out: int = 0
    cost: float = 0.0

    def __add__(self, other: Usage) -> Usage:
        return Usage(self.tokens_in + other.tokens_in, self.tokens_out + other.tokens_out, self.cost + other.cost)


NOTHING_USED = Usage()


class Event(msgspec.Struct, frozen=True, omit_defaults=True, tag_field="type", tag=True):
    """A fact about an execution."""


class Parent(msgspec.Struct, frozen=True):
    """The task of another execution that this execution answers. `depth` counts from 1."""

    execution: str
    visit: str
    key: str
    depth: int


class ExecutionStarted(Event, frozen=True):
    """`text` and `graph` are SHA-256 (hex) of blobs: the playbook as written and as compiled."""

    playbook: str
    text: str
    graph: str
    inputs: Raw
    folder: str = ""
    options: dict[str, Any] = {}
    plugins: dict[str, str] = {}
    parent: Parent | None = None


class ExecutionResumed(Event, frozen=True):
    """Another owner (or the same again) went on. `accepted` names plug-ins whose changed code was accepted."""

    epoch: int
    accepted: dict[str, str] = {}
    forgiven: bool = False


class LossAccepted(Event, frozen=True):
    """The journal was damaged from entry `first` on; `entries` were set aside, and what they answered is asked again."""

    first: int
    entries: int


class ExecutionPaused(Event, frozen=True):
    reason: str


class ExecutionCompleted(Event, frozen=True):
    outputs: Raw


class ExecutionFailed(Event, frozen=True):
    failure: Failure
    step: str | None = None


class ExecutionCancelled(Event, frozen=True):
    reason: str


class VisitStarted(Event, frozen=True):
    """`payload` and `items` are evaluated here, once. `seen` is the entry up to which state was read.

    Where each item shapes a payload of its own, `payload` is the frame: everything but the item that it is made of.
    """

    visit: str
    step: str
    payload: Raw
    items: Raw | UnsetType = UNSET
    seen: int = 0
    generation: int = 0
    via: str | None = None


class ItemTaken(Event, frozen=True):
    """An item from a source that yields; recorded before it is used."""

    visit: str
    index: int
    item: Raw


class ItemsEnded(Event, frozen=True):
    visit: str
    count: int


class TaskAsked(Event, frozen=True):
    """`payload` is the SHA-256 (hex) of the payload's bytes."""

    visit: str
    key: str
    member: str
    payload: str
    attempt: int = 1


class TaskAnswered(Event, frozen=True):
    """`edge` is the outcome the agent chose, `code` the hash of the agent's source, `took` seconds."""

    visit: str
    key: str
    member: str
    payload: str
    answer: Raw
    edge: str | None = None
    attempt: int = 1
    took: float = 0.0
    usage: Usage = NOTHING_USED
    code: str = ""


class TaskRetried(Event, frozen=True):
    """An attempt failed; the next one is due at `due` (Unix seconds)."""

    visit: str
    key: str
    member: str
    failure: Failure
    attempt: int
    due: float
    usage: Usage = NOTHING_USED


class TaskFailed(Event, frozen=True):
    """Failed for good, after `attempt` attempts."""

    visit: str
    key: str
    member: str
    payload: str
    failure: Failure
    attempt: int = 1
    took: float = 0.0
    usage: Usage = NOTHING_USED


class TaskCancelled(Event, frozen=True):
    """The loser of a race. What it used until then is charged; its answer is never delivered."""

    visit: str
    key: str
    member: str
    usage: Usage = NOTHING_USED


class Remembered(Event, frozen=True):
    """What a strategy decided outside its payload and answers: a draw, a choice, tallies it read."""

    visit: str
    key: str
    value: Raw


class StepCompleted(Event, frozen=True):
    """`output` is unset where it is the answer to the task `answer_of`. `writes` are evaluated state writes.

    `to` is where the step left by an edge: a step, `end` or `fail`; None where it took none.
    """

    visit: str
    step: str
    output: Raw | UnsetType = UNSET
    answer_of: str | None = None
    outcome: str | None = None
    writes: dict[str, Raw] = {}
    record: Raw | UnsetType = UNSET
    to: str | None = None


class StepFailed(Event, frozen=True):
    visit: str
    step: str
    failure: Failure
    outcome: str = "error"
    record: Raw | UnsetType = UNSET
    to: str | None = None


class StepSkipped(Event, frozen=True):
    step: str
    reason: str
    to: str | None = None


class StepCancelled(Event, frozen=True):
    visit: str
    step: str
    reason: str


Fact = (
    ExecutionStarted | ExecutionResumed | LossAccepted | ExecutionPaused | ExecutionCompleted | ExecutionFailed | ExecutionCancelled
    | VisitStarted | ItemTaken | ItemsEnded
    | TaskAsked | TaskAnswered | TaskRetried | TaskFailed | TaskCancelled | Remembered
    | StepCompleted | StepFailed | StepSkipped | StepCancelled
)  # fmt: skip


class Entry(msgspec.Struct, frozen=True, array_like=True):
    """One event in its place: `seq` counts from 1, `at` is Unix seconds."""

    seq: int
    at: float
    event: Fact


class Tally(msgspec.Struct, omit_defaults=True):
    """A sum kept across executions. `took` in seconds."""

    count: int = 0
    succeeded: int = 0
    took: float = 0.0
    cost: float = 0.0

    def add(self, other: Tally) -> None:
        self.count += other.count
        self.succeeded += other.succeeded
        self.took += other.took
        self.cost += other.cost


class ExecutionRow(msgspec.Struct, frozen=True):
    """What a store says of an execution without reading its journal. Times are Unix seconds."""

    id: str
    playbook: str
    status: str
    created: float
    updated: float
    epoch: int = 0
    head_seq: int = 0
    head_hash: bytes = GENESIS
    owner: str | None = None
    parent: str | None = None


_encoder = msgspec.json.Encoder()
_entry_decoder = msgspec.json.Decoder(Entry)


def encode_entry(entry: Entry) -> bytes:
    """The bytes of an entry: one line of JSON, `[seq, at, {"type": …}]`."""
    return _encoder.encode(entry)


def decode_entry(line: bytes) -> Entry:
    """The entry of such a line. Raises `msgspec.ValidationError` or `msgspec.DecodeError`."""
    return _entry_decoder.decode(line)


def chain(before: bytes, line: bytes) -> bytes:
    """The hash of an entry, from the hash of the one before and its own bytes."""
    return hashlib.sha256(before + line).digest()
