"""Who is asked next for a task, after what wait: what its failures so far lead to. Pure: time and draws are passed in.

Why one rule for both: on resume the recorded failures go through it again, so whoever failed for good is not asked
twice, and a fallback goes on with the attempts it has left.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from agentical import events as ev
from agentical.errors import TimedOut
from agentical.events import Failure
from agentical.graph import Retry
from agentical.members import Asked, Seats
from agentical.retry import wait_before
from agentical.visits import Visit


@dataclass(slots=True)
class Turn:
    """Attempt `number` is next, asked of one of `members`; `retry` is the step's own policy, if it has one.

    `in_flight` was being asked when the process died: it gets its attempt again, as the key says it is the same one.
    """

    members: tuple[str, ...]
    retry: Mapping[str, Retry] | None = None
    number: int = 1
    in_flight: ev.TaskAsked | None = None
    _retried: dict[str, int] = field(default_factory=dict)
    _given_up: set[str] = field(default_factory=set)

    @classmethod
    def of(
        cls, visit: Visit, key: str, members: tuple[str, ...], retry: Mapping[str, Retry] | None, seats: Seats
    ) -> Turn:
        """Where the record left the task."""
        turn = cls(members, retry)
        for one in visit.retried.get(key, ()):
            turn.failed(seats.agent_of(one.member), one.failure)
        before = visit.asked.get(key)
        if before is not None and before.attempt >= turn.number:
            turn.in_flight, turn.number = before, before.attempt
        return turn

    def failed(
        self, asked: Asked, failure: Failure, draw: float = 0.0, retry_after: float | None = None
    ) -> float | None:
        """Take in that this attempt failed. Seconds until the next one, None when there is none."""
        self.number, self.in_flight = self.number + 1, None
        policy = asked.spec.retry if self.retry is None else self.retry
        times = self._retried.get(failure.kind, 0)
        wait = None if _abandoned(asked, failure) else wait_before(policy, failure.kind, times, draw, retry_after)
        if wait is not None:
            self._retried[failure.kind] = times + 1
            return wait
        self._given_up.add(asked.spec.id)
        if asked.spec.fallback is None or asked.spec.fallback in self._given_up:
            return None
        self.members, self._retried = (asked.spec.fallback,), {}
        return 0.0


def _abandoned(asked: Asked, failure: Failure) -> bool:
    """A thread that ran out of time runs on: whether it did its work is not known, so it is not simply asked again."""
    return failure.code == TimedOut.code and not asked.repeatable and asked.runs_in == "threads"
