"""One task, asked with care: seat, rate, budget, timeout, executor, answer checked, retry, fallback; then recorded.

Waiting for a retry or for the commit holds neither slot nor seat; waiting for the agent's rate keeps its seat.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from time import monotonic
from typing import Any, Protocol

import anyio
import anyio.lowlevel
import msgspec
from msgspec import Raw

from agentical import events as ev
from agentical.agents.failures import classify, retry_after
from agentical.attempts import Turn
from agentical.balance import Load
from agentical.budget import Budget
from agentical.cancelling import really_cancelled
from agentical.errors import AnswerInvalid, CodeChanged, CrashLoop, StoreError, StrategyDiverged
from agentical.events import NOTHING_USED, Failure, Usage
from agentical.graph import Retry
from agentical.jsonvalues import digest, encode, loads
from agentical.members import Asked, Seats
from agentical.ports import Clock, Edge, Executor, Recorder, TaskContext
from agentical.secrets import Redaction
from agentical.validation import mismatch
from agentical.visits import Visit

OF_THE_EXECUTION = (StoreError, CodeChanged, CrashLoop, StrategyDiverged)
"""What a playbook asked as an agent raises when it cannot go on now: no answer, and no failure of the task either."""
IN_A_ROW = 64
"""Asks after which others have a turn of the event loop."""
LARGEST_ANSWER = 64 * 1024 * 1024
"""Bytes of JSON."""


@dataclass(slots=True)
class Task:
    """One question of one visit. `members` are who may answer it; `retry` and `schema` the step's, if it has any."""

    visit: Visit
    key: str
    members: tuple[str, ...]
    payload: bytes
    sha256: str
    retry: Mapping[str, Retry] | None = None
    schema: Mapping[str, Any] | None = None
    load: Load | None = None
    context: TaskContext | None = None
    recording: bool = False

    def used(self) -> Usage:
        """What it has used up to now and is not recorded."""
        return self.context.usage if self.context else NOTHING_USED

    def cancelled(self) -> ev.TaskCancelled:
        """What to record of it when it is cut off."""
        return ev.TaskCancelled(self.visit_id, self.key, self.load.name if self.load else self.members[0], self.used())

    @property
    def visit_id(self) -> str:
        return self.visit.started.visit


@dataclass(slots=True)
class _Attempt:
    """How one attempt went."""

    load: Load
    asked: Asked
    number: int
    began: float = 0.0
    waited: float = 0.0
    """For a thread or a process."""
    took: float = 0.0
    failed: bool | None = None
    """None while it is not known: who is cut off has not failed."""
    code: str = ""
    usage: Usage = NOTHING_USED
    answer: bytes | None = None
    edge: str | None = None
    failure: Failure | None = None
    retry_after: float | None = None


class Asks(Protocol):
    """Whoever can ask a task: Asking, or a replay that asks nobody."""

    @property
    def seats(self) -> Seats: ...
    @property
    def redaction(self) -> Redaction: ...
    async def ask(self, task: Task) -> None: ...
    def context(self, visit: str, key: str, asked: Asked, member: str, attempt: int = 1) -> TaskContext: ...


class Asking:
    """Asks the tasks of one execution."""

    def __init__(
        self,
        execution: str,
        seats: Seats,
        recorder: Recorder,
        executors: Mapping[str, Executor],
        clock: Clock,
        budget: Budget,
        redaction: Redaction,
        *,
        folder: str = "",
        on_playbook: Callable[[str, Any, TaskContext], Awaitable[Any]] | None = None,
        on_child: Callable[[int], AbstractContextManager[None]] | None = None,
    ) -> None:
        self.execution, self.seats = execution, seats
        self._recorder, self._executors, self._clock = recorder, executors, clock
        self._budget, self.redaction = budget, redaction
        self._folder, self._on_playbook, self._on_child = folder, on_playbook, on_child
        self._asks = 0

    async def ask(self, task: Task) -> None:
        """Ask until it is answered or has failed for good; returns when that is committed."""
        self._asks += 1
        if self._asks % IN_A_ROW == 0:  # where nothing ever waits, neither agents nor store, others must have a turn
            await anyio.lowlevel.checkpoint()
        turn = Turn.of(task.visit, task.key, task.members, task.retry, self.seats)
        if turn.in_flight is not None:
            if not self.seats.agent_of(turn.in_flight.member).repeatable:
                await self._record(task, self._uncertain(task, turn.in_flight))
                return
        elif retried := task.visit.retried.get(task.key):
            await self._wait(task, retried[-1].due - self._clock.now())
        while True:
            attempt = await self._once(task, turn)
            if attempt.failure is None:
                break
            wait = turn.failed(attempt.asked, attempt.failure, self._clock.random(), attempt.retry_after)
            if wait is None:
                break
            await self._retried(task, attempt, wait)
        await self._record(task, self._final(task, attempt))

    def context(self, visit: str, key: str, asked: Asked, member: str, attempt: int = 1) -> TaskContext:
        """What the agent is told."""
        return TaskContext(
            self.execution, visit, key, member, attempt=attempt, folder=self._folder, schema=asked.spec.output,
            idempotency_key=digest(f"{self.execution}\n{visit}\n{key}".encode())[:32],
            on_playbook=self._on_playbook, on_child=self._on_child,
        )  # fmt: skip

    def _uncertain(self, task: Task, before: ev.TaskAsked) -> ev.TaskFailed:
        """What was in flight when the process died and must not be asked again."""
        message = f"{before.member} was being asked when the process died; whether it answered is not known"
        failure = Failure("upstream", message, "UNCERTAIN")
        return ev.TaskFailed(task.visit_id, task.key, before.member, task.sha256, failure, before.attempt)

    async def _retried(self, task: Task, attempt: _Attempt, wait: float) -> None:
        assert attempt.failure is not None
        name, due = attempt.load.name, self._clock.now() + wait
        task.context = None  # what it used is in this event
        await self._recorder.record(
            ev.TaskRetried(task.visit_id, task.key, name, attempt.failure, attempt.number, due, attempt.usage)
        )
        await self._wait(task, wait)

    async def _wait(self, task: Task, seconds: float) -> None:
        with self.seats.parked(task.visit_id):
            await anyio.sleep(max(0.0, seconds))

    async def _once(self, task: Task, turn: Turn) -> _Attempt:
        """One attempt, by whoever has room first; by whom it was in flight, if it was."""
        members = (turn.in_flight.member,) if turn.in_flight else turn.members
        load = task.load = await self.seats.sit(self.seats.loads(members))
        asked = self.seats.asked(load)
        attempt = _Attempt(load, asked, turn.number)
        try:
            if asked.bucket is not None and (wait := asked.bucket.take(self._clock.monotonic())):
                await self._wait(task, wait)
            if not asked.repeatable:
                await self._recorder.record(self._begun(task, attempt))
            await self.seats.take_slot(asked, task.visit_id)
            try:
                attempt.began = self._clock.monotonic()
                if asked.repeatable:
                    self._recorder.note(self._begun(task, attempt))
                await self._call(task, attempt)
            finally:
                self.seats.free_slot(asked, task.visit_id)
        finally:
            self.seats.leave(load, attempt.took, failed=attempt.failed)
        return attempt

    def _begun(self, task: Task, attempt: _Attempt) -> ev.TaskAsked:
        if attempt.number == 1 and task.key not in task.visit.asked:
            self._budget.charge()
        return ev.TaskAsked(task.visit_id, task.key, attempt.load.name, task.sha256, attempt.number)

    async def _call(self, task: Task, attempt: _Attempt) -> None:
        spec, attempt.code = attempt.asked.spec, attempt.asked.code
        context = self.context(task.visit_id, task.key, attempt.asked, attempt.load.name, attempt.number)
        context.timeout = spec.timeout
        if task.schema is not None:
            context.schema = task.schema
        task.context, task.visit.under_way[task.key] = context, task.cancelled
        try:
            attempt.answer, attempt.edge = await self._answer(task, attempt, context)
        except OF_THE_EXECUTION:
            raise
        except (Exception, asyncio.CancelledError) as error:
            if isinstance(error, asyncio.CancelledError) and really_cancelled():
                raise
            attempt.failure, attempt.retry_after = self.redaction.failure(classify(error)), retry_after(error)
        attempt.failed = attempt.failure is not None
        attempt.took = max(0.0, self._clock.monotonic() - attempt.began - attempt.waited)
        attempt.usage = context.usage + Usage(cost=spec.cost) if spec.cost else context.usage

    async def _answer(self, task: Task, attempt: _Attempt, context: TaskContext) -> tuple[bytes, str | None]:
        """The answer's bytes and its edge. An answer that does not meet its schema is asked for once more."""
        answer, edge = await self._run(task, attempt, context)
        if context.schema is None:
            return answer, edge
        wrong = mismatch(context.schema, loads(answer))
        if wrong is not None and not getattr(attempt.asked.run, "repairs", False):
            context.repair = wrong
            answer, edge = await self._run(task, attempt, context)
            wrong = mismatch(context.schema, loads(answer))
        if wrong is not None:
            raise AnswerInvalid(f"its answer is not what `output` declares: {wrong}")
        return answer, edge

    async def _run(self, task: Task, attempt: _Attempt, context: TaskContext) -> tuple[bytes, str | None]:
        asked, since = attempt.asked, monotonic()
        executor = self._executors[asked.runs_in]
        try:
            value = await executor.run(asked.run, loads(task.payload), context)
        finally:
            attempt.waited += max(0.0, (context.began or since) - since)
        edge = None
        if isinstance(value, Edge):
            value, edge = value.value, loads(self.redaction.clean(_encoded(value.outcome)))
        return self.redaction.clean(_encoded(value)), edge

    def _final(self, task: Task, attempt: _Attempt) -> ev.TaskAnswered | ev.TaskFailed:
        name, took = attempt.load.name, round(attempt.took, 6)
        if attempt.failure is not None:
            return ev.TaskFailed(
                task.visit_id, task.key, name, task.sha256, attempt.failure, attempt.number, took, attempt.usage
            )
        assert attempt.answer is not None
        return ev.TaskAnswered(
            task.visit_id, task.key, name, task.sha256, Raw(attempt.answer), attempt.edge, attempt.number, took,
            attempt.usage, attempt.code,
        )  # fmt: skip

    async def _record(self, task: Task, event: ev.TaskAnswered | ev.TaskFailed) -> None:
        task.recording = True
        task.visit.under_way.pop(task.key, None)
        await self._recorder.record(event)


def _encoded(value: Any) -> bytes:
    try:
        data = encode(value)
    except (TypeError, ValueError, OverflowError, RecursionError, msgspec.MsgspecError) as error:
        raise AnswerInvalid(f"its answer is not a JSON value: {error}") from None
    if len(data) > LARGEST_ANSWER:
        raise AnswerInvalid(f"its answer is {len(data) >> 20} MiB of JSON; at most {LARGEST_ANSWER >> 20} can be kept")
    return data
