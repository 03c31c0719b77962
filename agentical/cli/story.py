"""What happened in an execution, visit by visit, told from its journal."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from msgspec import UnsetType

from agentical import events as ev
from agentical.events import Entry
from agentical.jsonvalues import loads

Ended = ev.StepCompleted | ev.StepFailed | ev.StepCancelled


@dataclass(slots=True)
class Told:
    """One visit, or a step that was skipped. Times are Unix seconds; `answered` counts by member."""

    step: str
    visit: str | None
    started: float | None = None
    ended: float | None = None
    status: str = "running"
    outcome: str | None = None
    asked: int = 0
    retried: int = 0
    answered: Counter[str] = field(default_factory=Counter)
    failed: list[dict[str, Any]] = field(default_factory=list)
    record: Any = None
    error: dict[str, Any] | None = None
    reason: str | None = None

    @property
    def took(self) -> float | None:
        """Seconds, in this process and out of it; None while it runs."""
        return None if self.started is None or self.ended is None else self.ended - self.started

    def as_json(self) -> dict[str, Any]:
        """All of it; `id` is the visit's."""
        return {
            "id": self.visit or self.step, "step": self.step, "status": self.status, "outcome": self.outcome,
            "started": self.started, "ended": self.ended, "took": None if self.took is None else round(self.took, 6),
            "asked": self.asked, "retried": self.retried, "answered": dict(self.answered), "failed": self.failed,
            "record": self.record, "error": self.error, "reason": self.reason,
        }  # fmt: skip


def story(entries: Iterable[Entry]) -> list[Told]:
    """The visits in the order they were decided in."""
    told: list[Told] = []
    visits: dict[str, Told] = {}
    for entry in entries:
        event = entry.event
        if isinstance(event, ev.VisitStarted):
            visits[event.visit] = Told(event.step, event.visit, entry.at)
            told.append(visits[event.visit])
        elif isinstance(event, ev.StepSkipped):
            told.append(Told(event.step, None, ended=entry.at, status="skipped", reason=event.reason))
        elif isinstance(event, Ended):
            if event.visit not in visits:
                visits[event.visit] = Told(event.step, event.visit, entry.at)
                told.append(visits[event.visit])
            _end(visits[event.visit], entry.at, event)
        elif (visit := visits.get(getattr(event, "visit", ""))) is not None:
            _count(visit, event)
    return told


def _end(told: Told, at: float, event: Ended) -> None:
    told.ended = at
    match event:
        case ev.StepCompleted():
            told.status, told.outcome = "completed", event.outcome
        case ev.StepFailed():
            failure = event.failure
            told.status, told.outcome = "failed", event.outcome
            told.error = {"class": failure.kind, "code": failure.code, "message": failure.message}
        case ev.StepCancelled():
            told.status, told.reason = "cancelled", event.reason
    record = getattr(event, "record", None)
    if record is not None and not isinstance(record, UnsetType):
        told.record = loads(record)


def _count(told: Told, event: ev.Event) -> None:
    match event:
        case ev.TaskAsked() if event.attempt == 1:
            told.asked += 1
        case ev.TaskRetried():
            told.retried += 1
        case ev.TaskAnswered():
            told.answered[event.member] += 1
        case ev.TaskFailed():
            failure = event.failure
            why = {"class": failure.kind, "code": failure.code, "message": failure.message}
            told.failed.append({"member": event.member, "key": event.key, "attempts": event.attempt, **why})


def votes(record: Any) -> list[str]:
    """The ballots of a consensus by its record, a line for each round; nothing for other records."""
    if not isinstance(record, dict) or not isinstance(record.get("rounds"), list):
        return []
    lines = []
    for number, minutes in enumerate(record["rounds"], 1):
        if isinstance(minutes, dict) and isinstance(minutes.get("ballots"), dict):
            cast = ", ".join(f"{name} {_written(ballot)}" for name, ballot in minutes["ballots"].items())
            lines.append(f"votes, round {number}: {cast or 'none'} → {minutes.get('outcome')}")
    return lines


def _written(ballot: Any) -> str:
    from agentical.jsonvalues import encode

    for word in ("choice", "vote", "ranking", "approve"):
        if isinstance(ballot, dict) and word in ballot:
            return _written(ballot[word])
    return ballot if isinstance(ballot, str) else encode(ballot).decode()
