"""Which of several equal members is asked: whoever is free, least busy and least failing. Pure: time is passed in.

The score is (outstanding + 1) / (1 - failure)^3, `failure` an exponentially weighted share of recent failures, with
peak-sensitive latency as the tie-break (after "Peak EWMA" of Twitter's Finagle). Why the cube: balancing by latency
alone sends everything to a member that fails fast.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

_WEIGHT = 0.2
_WORST = 0.95


@dataclass(slots=True)
class Load:
    """How busy one member is and how it did lately. `room` is how many tasks it takes at once, None for any."""

    name: str
    room: int | None = None
    outstanding: int = 0
    failure: float = 0.0
    latency: float = 0.0

    @property
    def free(self) -> bool:
        return self.room is None or self.outstanding < self.room

    def begin(self) -> None:
        self.outstanding += 1

    def end(self, took: float, *, failed: bool | None) -> None:
        """`failed` is None for an ask that was cut off: that says nothing of the member."""
        self.outstanding -= 1
        if failed is None:
            return
        self.failure += _WEIGHT * ((1.0 if failed else 0.0) - self.failure)
        self.latency = took if took > self.latency else self.latency + _WEIGHT * (took - self.latency)


def pick(loads: Iterable[Load]) -> Load | None:
    """The best free member; the earlier one of equals; None when nobody is free."""
    best: Load | None = None
    best_score = best_latency = 0.0
    for load in loads:
        if not load.free:
            continue
        score = (load.outstanding + 1) / (1.0 - min(load.failure, _WORST)) ** 3
        if best is None or score < best_score or (score == best_score and load.latency < best_latency):
            best, best_score, best_latency = load, score, load.latency
    return best
