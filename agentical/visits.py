"""How a visit, a step and an execution's account stand: the parts of `Progress`, as plain data."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import msgspec
from msgspec import UNSET, Raw, UnsetType

from agentical import events as ev
from agentical.events import Failure, Usage
from agentical.graph import Step
from agentical.merge import Order

NULL = Raw(b"null")


@dataclass(slots=True)
class Visit:
    """One pass through a step that has begun: what was recorded for it, by key, with the entry it stands in."""

    started: ev.VisitStarted
    at: float
    number: int
    order: Order
    """Where its writes stand among those of all visits."""
    outcomes: dict[str, tuple[int, float, ev.TaskAnswered | ev.TaskFailed | ev.TaskCancelled]] = field(
        default_factory=dict
    )
    remembered: dict[str, ev.Remembered] = field(default_factory=dict)
    items: deque[tuple[int, float, ev.ItemTaken]] = field(default_factory=deque)
    """Recorded and not yet handed over; `taken` counts all that were recorded."""
    taken: int = 0
    items_ended: tuple[int, float] | None = None
    asked: dict[str, ev.TaskAsked] = field(default_factory=dict)
    retried: dict[str, list[ev.TaskRetried]] = field(default_factory=dict)
    resumed: int = 0
    ran: float = 0.0
    """For how long its execution had run when it began."""
    under_way: dict[str, Callable[[], ev.TaskCancelled]] = field(default_factory=dict)
    """By key, the tasks that were asked and have not ended: what to record should they be cut off; set by who asks."""
    tell: Callable[[str | None], None] | None = None
    """Called with the key of a task that ended (None: an item came); set by whoever runs the visit."""

    def cut_off(self) -> Iterator[ev.TaskCancelled]:
        """What to record of the tasks that end with it."""
        return (end() for key, end in list(self.under_way.items()) if key not in self.outcomes)

    def told(self, key: str | None = None) -> None:
        if self.tell is not None:
            self.tell(key)


@dataclass(slots=True)
class Due:
    """A step to be decided: start it, or skip it for `skip`. `via` and `carried` come with an edge."""

    step: Step
    generation: int = 0
    via: str | None = None
    carried: Raw | None = None
    skip: str | None = None


class StepView(Mapping[str, Any]):
    """How a step stands, as expressions see it: output, status, outcome, error, record (decoded when read).

    `passes` counts visits and skips; `generation` is the latest of its visits, `floor` the latest of what it needs.
    """

    __slots__ = ("_decoded", "arrivals", "closed", "completed", "error", "failed", "floor", "generation", "left",
                 "outcome", "output_raw", "passes", "queued", "record_raw", "running", "status", "visits", "waiting")  # fmt: skip

    def __init__(self, waiting: int) -> None:
        self.status = "pending"
        self.output_raw: Raw = NULL
        self.record_raw: Raw | UnsetType = UNSET
        self.outcome: str | None = None
        self.error: Failure | None = None
        self.left = False
        self.closed = False
        self.waiting, self.completed, self.failed = waiting, 0, 0
        self.queued = self.running = self.visits = self.passes = 0
        self.generation = self.floor = 0
        self.arrivals: list[Due] = []
        self._decoded: dict[str, Any] = {}

    def __getitem__(self, name: str) -> Any:
        if name in ("output", "record"):
            if name not in self._decoded:
                raw = self.output_raw if name == "output" else self.record_raw
                self._decoded[name] = None if isinstance(raw, UnsetType) else msgspec.json.decode(raw)
            return self._decoded[name]
        if name == "error":
            return (
                None
                if self.error is None
                else {"class": self.error.kind, "code": self.error.code, "message": self.error.message}
            )
        if name in ("status", "outcome"):
            return getattr(self, name)
        raise KeyError(name)

    def __iter__(self) -> Iterator[str]:
        return iter(("output", "status", "outcome", "error", "record"))

    def __len__(self) -> int:
        return 5

    def end(self, status: str, output: Raw = NULL, record: Raw | UnsetType = UNSET) -> None:
        self.status, self.output_raw, self.record_raw, self.error, self.outcome = status, output, record, None, None
        self._decoded.clear()


@dataclass(slots=True)
class Receipt:
    """What the execution did, by its journal. `from_record` counts answers this process read instead of asking."""

    asked: int = 0
    answered: int = 0
    failed: int = 0
    retried: int = 0
    repeated: int = 0
    from_record: int = 0
    usage: Usage = field(default_factory=Usage)
    started: float = 0.0
    ended: float = 0.0
