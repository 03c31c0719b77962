"""Events as lines of the standard `logging`, for whoever collects logs."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Iterable
from typing import Any

from agentical import events as ev
from agentical.ports import Reading

_LEVELS: dict[type[ev.Event], int] = {
    ev.TaskAsked: logging.DEBUG,
    ev.TaskAnswered: logging.DEBUG,
    ev.ItemTaken: logging.DEBUG,
    ev.Remembered: logging.DEBUG,
    ev.TaskRetried: logging.WARNING,
    ev.TaskFailed: logging.WARNING,
    ev.StepFailed: logging.ERROR,
    ev.ExecutionFailed: logging.ERROR,
}


class LogMonitor:
    """Writes each event to the logger `agentical.events`: its name and ids, never a payload or an answer.

    Tasks are logged at DEBUG, failures at WARNING and ERROR, all else at INFO. `read` counts events by name.
    """

    def __init__(self, logger: logging.Logger | None = None) -> None:
        self._logger = logger or logging.getLogger("agentical.events")
        self._counts: Counter[str] = Counter()

    def see(self, execution: str, at: float, event: ev.Event) -> None:
        name = type(event).__name__
        self._counts[name] += 1
        level = _LEVELS.get(type(event), logging.INFO)
        if self._logger.isEnabledFor(level):
            ids = {"execution": execution, **_ids(event)}
            text = " ".join(f"{key}={value}" for key, value in ids.items())
            self._logger.log(level, "%s %s", name, text, extra={"agentical": {"event": name, "at": at, **ids}})

    def read(self) -> Iterable[Reading]:
        return [Reading("events", count, labels={"event": name}) for name, count in sorted(self._counts.items())]


def _ids(event: ev.Event) -> dict[str, Any]:
    found = {
        name: value for name in ("visit", "step", "key", "member", "attempt") if (value := getattr(event, name, None))
    }
    failure = getattr(event, "failure", None)
    return {**found, "class": failure.kind, "code": failure.code} if isinstance(failure, ev.Failure) else found
