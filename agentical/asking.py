"""One task, asked with care: seat, rate, budget, timeout, executor, answer checked, retry, fallback; then recorded.

Waiting for a retry or for the commit holds neither slot nor seat; waiting for the agent's rate keeps its seat.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any, Protocol

import anyio
import msgspec
from msgspec import Raw

from agentical import events as ev
from agentical.agents.failures import classify, retry_after
from agentical.balance import Load
from agentical.budget import Budget
from agentical.errors import AnswerInvalid, CodeChanged, CrashLoop, StoreError, StrategyDiverged, TimedOut
from agentical.events import NOTHING_USED, Failure, Usage
from agentical.graph import Retry
from agentical.jsonvalues import digest, encode, loads
from agentical.members import Asked, Seats
from agentical.ports import Clock, Edge, Executor, Recorder, TaskContext
from agentical.retry import wait_before
from agentical.secrets import Redaction
from agentical.validation import mismatch
from agentical.visits import Visit

OF_THE_EXECUTION = (StoreError, CodeChanged, CrashLoop, StrategyDiverged)
"""What a playbook asked as an agent raises when it cannot go on now: no answer, and no failure of the task either."""


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
        """What it has used up to now."""
        return self.context.usage if self.context else NOTHING_USED

    @property
    def visit_id(self) -> str:
        return self.visit.started.visit


@dataclass(slots=True)
class _Attempt:
    """How one attempt went."""

    load: Load
    asked: Asked
    number: int
    took: float = 0.0
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

    async def ask(self, task: Task) -> None:
        """Ask until it is answered or has failed for good; returns when that is committed."""
        members, tried, before = task.members, set[str](), 0
        if (lost := self._uncertain(task)) is not None:
            await self._record(task, lost)
            return
        while True:
            attempt = await self._until_final(task, members, before)
            spec, before = attempt.asked.spec, attempt.number
            tried.add(spec.id)
            if attempt.failure is None or spec.fallback is None or spec.fallback in tried:
                break
            members = (spec.fallback,)
        await self._record(task, self._final(task, attempt))

    def context(self, visit: str, key: str, asked: Asked, member: str, attempt: int = 1) -> TaskContext:
        """What the agent is told."""
        return TaskContext(
            self.execution, visit, key, member, attempt=attempt, folder=self._folder, schema=asked.spec.output,
            idempotency_key=digest(f"{self.execution}\n{visit}\n{key}".encode())[:32],
            on_playbook=self._on_playbook, on_child=self._on_child,
        )  # fmt: skip

    def _uncertain(self, task: Task) -> ev.TaskFailed | None:
        """What was in flight when the process died and must not be asked again."""
        before = task.visit.asked.get(task.key)
        retried = task.visit.retried.get(task.key)
        if before is None or (retried and retried[-1].attempt >= before.attempt):
            return None
        asked = self.seats.asked(self.seats.loads((before.member,))[0])
        if asked.spec.on_uncertain == "ask-again" or asked.spec.idempotent:
            return None
        failure = Failure(
            "upstream", f"{before.member} was being asked when the process died; whether it answered is not known",
            "UNCERTAIN",
        )  # fmt: skip
        return ev.TaskFailed(task.visit_id, task.key, before.member, task.sha256, failure, before.attempt)

    async def _until_final(self, task: Task, members: tuple[str, ...], before: int) -> _Attempt:
        """Ask these members. `before`: attempts of those who were asked before them, which do not count as theirs."""
        counts: dict[str, int] = {}
        names = {load.name for load in self.seats.loads(members)} if task.visit.retried else ()
        if earlier := [one for one in task.visit.retried.get(task.key, ()) if one.member in names]:
            for one in earlier:
                counts[one.failure.kind] = counts.get(one.failure.kind, 0) + 1
            await self._wait(earlier[-1].due - self._clock.now())
        while True:
            number = before + sum(counts.values()) + 1
            attempt = await self._once(task, members, number)
            if attempt.failure is None:
                return attempt
            if _abandoned(attempt):
                return attempt
            kind, policy = attempt.failure.kind, task.retry or attempt.asked.spec.retry
            wait = wait_before(policy, kind, counts.get(kind, 0), self._clock.random(), attempt.retry_after)
            if wait is None:
                return attempt
            counts[kind] = counts.get(kind, 0) + 1
            await self._recorder.record(
                ev.TaskRetried(
                    task.visit_id,
                    task.key,
                    attempt.load.name,
                    attempt.failure,
                    number,
                    self._clock.now() + wait,
                    attempt.usage,
                )
            )
            await self._wait(wait)

    async def _wait(self, seconds: float) -> None:
        with self.seats.parked():
            await anyio.sleep(max(0.0, seconds))

    async def _once(self, task: Task, members: tuple[str, ...], number: int) -> _Attempt:
        """One attempt, by whoever has room first."""
        load = task.load = await self.seats.sit(self.seats.loads(members))
        asked = self.seats.asked(load)
        began, failed = self._clock.monotonic(), False  # who is cancelled has not failed
        try:
            if asked.bucket is not None and (wait := asked.bucket.take(began)):
                await self._wait(wait)
            await self.seats.take_slot(asked)
            try:
                began = self._clock.monotonic()
                if number == 1 and task.key not in task.visit.asked:
                    self._budget.charge()
                attempt = await self._call(task, asked, load, number)
                failed = attempt.failure is not None
            finally:
                self.seats.free_slot(asked)
        finally:
            took = self._clock.monotonic() - began
            self.seats.leave(load, took, failed=failed)
        attempt.took = took
        return attempt

    async def _call(self, task: Task, asked: Asked, load: Load, number: int) -> _Attempt:
        event = ev.TaskAsked(task.visit_id, task.key, load.name, task.sha256, number)
        context = task.context = self.context(task.visit_id, task.key, asked, load.name, number)
        if task.schema is not None:
            context.schema = task.schema
        attempt = _Attempt(load, asked, number)
        try:
            if asked.spec.on_uncertain == "ask-again" or asked.spec.idempotent:
                self._recorder.note(event)
            else:
                await self._recorder.record(event)
            attempt.answer, attempt.edge = await self._answer(task, asked, context)
        except OF_THE_EXECUTION:
            raise
        except Exception as error:
            attempt.failure, attempt.retry_after = self.redaction.failure(classify(error)), retry_after(error)
        attempt.usage = context.usage + Usage(cost=asked.spec.cost) if asked.spec.cost else context.usage
        return attempt

    async def _answer(self, task: Task, asked: Asked, context: TaskContext) -> tuple[bytes, str | None]:
        """The answer's bytes and its edge. An answer that does not meet its schema is asked for once more."""
        answer, edge = await self._run(task, asked, context)
        if context.schema is None:
            return answer, edge
        wrong = mismatch(context.schema, loads(answer))
        if wrong is not None and not getattr(asked.run, "repairs", False):
            context.repair = wrong
            answer, edge = await self._run(task, asked, context)
            wrong = mismatch(context.schema, loads(answer))
        if wrong is not None:
            raise AnswerInvalid(f"its answer is not what `output` declares: {wrong}")
        return answer, edge

    async def _run(self, task: Task, asked: Asked, context: TaskContext) -> tuple[bytes, str | None]:
        executor, timeout = self._executors[asked.runs_in], asked.spec.timeout
        if timeout is None:
            value = await executor.run(asked.run, loads(task.payload), context)
        else:
            context.deadline = self._clock.monotonic() + timeout
            with anyio.move_on_after(timeout) as scope:
                value = await executor.run(asked.run, loads(task.payload), context)
            if scope.cancelled_caught:
                raise TimedOut(f"no answer within {timeout:g} s")
        edge = None
        if isinstance(value, Edge):
            value, edge = value.value, value.outcome
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
            attempt.usage, attempt.asked.code,
        )  # fmt: skip

    async def _record(self, task: Task, event: ev.TaskAnswered | ev.TaskFailed) -> None:
        task.recording = True
        await self._recorder.record(event)


def _abandoned(attempt: _Attempt) -> bool:
    """A thread that ran out of time runs on: whether it did its work is not known, so it is not simply asked again."""
    spec = attempt.asked.spec
    if spec.on_uncertain == "ask-again" or spec.idempotent or attempt.asked.runs_in != "threads":
        return False
    return attempt.failure is not None and attempt.failure.code == TimedOut.code


def _encoded(value: Any) -> bytes:
    try:
        return encode(value)
    except (TypeError, ValueError, OverflowError, RecursionError, msgspec.MsgspecError) as error:
        raise AnswerInvalid(f"its answer is not a JSON value: {error}") from None
