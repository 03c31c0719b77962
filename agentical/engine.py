"""The loop of one execution: what is due is decided and started, what has ended makes more due, until nothing is left.

A worker that has finished a visit goes on with the next thing due, so a chain runs in one task; at most
`max_concurrent_agents` workers are busy at a time, those that merely wait (for a retry, for another playbook) apart.
"""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any

import anyio
import anyio.lowlevel

from agentical import events as ev
from agentical.asking import Asking
from agentical.budget import Budget
from agentical.coordinator import Coordinator
from agentical.errors import AgenticalError, BudgetExceeded, CodeChanged, CrashLoop, StrategyDiverged
from agentical.events import Failure
from agentical.members import Asked, Seats
from agentical.ports import Clock, Executor, Strategy, TaskContext
from agentical.progress import TERMINAL
from agentical.secrets import Redaction
from agentical.state_manager import Execution, StateManager
from agentical.visits import Visit

BREATH = 0.005
"""Seconds after which the workers of an event loop, all together, let others have it."""
CRASHES = 3
"""Resumptions of a visit without a new answer, after which it is not resumed again."""


@dataclass(frozen=True, slots=True)
class Accepted:
    """What a person accepts so that an execution can go on: changed code, a crash loop, a loss from entry `loss` on."""

    code: bool = False
    crash_loop: bool = False
    loss: int | None = None


NOTHING_ACCEPTED = Accepted()


class Engine:
    """Runs one execution, begun or resumed, to its end or until it is interrupted."""

    def __init__(
        self,
        execution: Execution,
        manager: StateManager,
        agents: Mapping[str, Asked],
        strategies: Mapping[int, Strategy],
        executors: Mapping[str, Executor],
        clock: Clock,
        redaction: Redaction,
        *,
        at_once: int,
        on_playbook: Callable[[str, Any, TaskContext], Awaitable[Any]],
    ) -> None:
        self._execution, self._manager = execution, manager
        self._progress, self._recorder = execution.progress, execution.recorder
        graph = execution.rules.graph
        self._budget = Budget(graph.budget_tasks, graph.budget_time, asked=self._progress.receipt.asked)
        self._seats = Seats(agents, at_once)
        self._seats.on_room = self._fill
        started = self._progress.started
        self._asking = Asking(
            execution.id, self._seats, self._recorder, executors, clock, self._budget, redaction,
            folder=started.folder if started else "", on_playbook=on_playbook, on_child=manager.ownership.child,
        )  # fmt: skip
        self._strategies = strategies
        self._busy = 0
        self._done = self._ended = False

    async def run(self) -> None:
        """Run it. Raises StoreError where the store fails (resume it later); a failed execution does not raise.

        Cancelled from outside, it records that it was interrupted, so that it can be resumed, and passes the cancellation on.
        """
        if self._progress.status in TERMINAL:
            return
        try:
            with anyio.move_on_after(self._budget.seconds_left(self._progress.ran)) as scope:
                await self._run_all()
            if scope.cancelled_caught:
                await self._stop(BudgetExceeded("seconds", self._budget.time or 0.0))
            else:
                await self._end()
        except BudgetExceeded as error:
            await self._stop(error)
        except (StrategyDiverged, CodeChanged, CrashLoop) as error:
            with anyio.CancelScope(shield=True):
                await self._paused(str(error))
            raise
        except anyio.get_cancelled_exc_class():
            with anyio.CancelScope(shield=True):
                await self._paused("interrupted")
            raise

    async def _run_all(self) -> None:
        try:
            async with anyio.create_task_group() as group:
                self._group = group
                self._coordinator = Coordinator(
                    self._execution.decisions, self._recorder, self._asking, self._strategies, self._manager.tallies,
                    group.start_soon,
                )  # fmt: skip
                self._breath = _breath()
                for visit in [] if self._progress.ending else list(self._progress.open.values()):
                    self._start(visit)
                self._fill()
                if not self._busy:
                    group.cancel_scope.cancel()
        except BaseExceptionGroup as errors:
            raise first_error(errors) from errors

    def _start(self, visit: Visit) -> None:
        self._busy += 1
        self._group.start_soon(self._work, visit)

    def _fill(self) -> None:
        """Start what is due, as far as there is room."""
        while self._room() and (visit := self._next()) is not None:
            self._start(visit)

    def _room(self) -> bool:
        return not self._done and self._busy - self._seats.waiting_elsewhere < self._seats.limit

    def _next(self) -> Visit | None:
        """Decide what is due until something has to be run."""
        due = self._progress.due
        while due and self._progress.ending is None:
            event = self._execution.decisions.decide(due[0])
            self._recorder.note(event)
            if isinstance(event, ev.VisitStarted):
                return self._progress.open[event.visit]
        return None

    async def _work(self, visit: Visit | None) -> None:
        since = time.monotonic()
        while visit is not None:
            await self._coordinator.run(visit)
            if self._progress.ending is not None:
                break
            visit = self._next()
            if self._progress.due:
                self._fill()
            since = await self._breath.take(since)
        self._busy -= 1
        if self._progress.ending is not None or not self._busy:
            self._done = True
            self._group.cancel_scope.cancel()

    async def _end(self) -> None:
        """Record how it ended, once nothing is left to do."""
        self._cancel_open("the execution was ended by a step")
        ended = self._execution.decisions.ended()
        assert ended is not None
        await self._record_end(ended)

    async def _stop(self, error: BudgetExceeded) -> None:
        self._cancel_open(str(error))
        await self._record_end(ev.ExecutionFailed(Failure("exhausted", str(error), error.code)))

    async def _record_end(self, ended: ev.Event) -> None:
        self._ended = True
        await self._recorder.record(ended)

    async def _paused(self, reason: str) -> None:
        """Why at all: what is left as running counts as a crash when it is taken up."""
        if self._recorder.broken is None and not self._ended:
            await self._recorder.record(ev.ExecutionPaused(reason))

    def _cancel_open(self, reason: str) -> None:
        for visit in list(self._progress.open.values()):
            for cut_off in visit.cut_off():
                self._recorder.note(cut_off)
            self._recorder.note(ev.StepCancelled(visit.started.visit, visit.started.step, reason))


class _Breath:
    """Lets others have an event loop. Why one for all of its workers: to the loop they are one load, so they share it."""

    def __init__(self) -> None:
        self._waiting = 0

    async def take(self, since: float) -> float:
        """Let others have the loop if it is time. `since` is when the worker got it; returns when it has it (again)."""
        if time.monotonic() - since <= BREATH / (1 + self._waiting):
            return since
        self._waiting += 1
        try:
            await anyio.lowlevel.checkpoint()
        finally:
            self._waiting -= 1
        return time.monotonic()


_BREATHS = anyio.lowlevel.RunVar[_Breath]("agentical_breaths")


def _breath() -> _Breath:
    """That of this event loop."""
    try:
        return _BREATHS.get()
    except LookupError:
        breath = _Breath()
        _BREATHS.set(breath)
        return breath


async def take_up(execution: Execution, codes: Mapping[int, tuple[str, str]], accepted: Accepted) -> None:
    """Record that an execution goes on. `codes`: by index of step, its strategy's name and the hash of its code now.

    Raises CrashLoop where a visit keeps ending the process, CodeChanged where an open visit's strategy has other code.
    """
    progress = execution.progress
    if progress.status in TERMINAL or progress.started is None:
        return
    if not accepted.crash_loop and progress.status == "running":
        for visit in progress.open.values():
            if visit.resumed >= CRASHES:
                raise CrashLoop(visit.started.visit)
    known = {**progress.started.plugins, **progress.accepted}
    now = dict(
        codes[step.index]
        for visit in progress.open.values()
        if (step := progress.by_id[visit.started.step]).index in codes
    )
    changed = {name: code for name, code in now.items() if _hash(known.get(name, code)) != _hash(code)}
    if changed and not accepted.code:
        raise CodeChanged(execution.id, sorted(changed))
    await execution.recorder.record(ev.ExecutionResumed(execution.recorder.epoch, changed, accepted.crash_loop))


def _hash(code: str) -> str:
    """Of `VERSION+HASH`: another version of the same code is no change."""
    return code.rpartition("+")[2]


def first_error(errors: BaseExceptionGroup) -> BaseException:
    """The one error to show of a group: ours before anybody else's, never a cancellation beside an error."""
    found = [first_error(one) if isinstance(one, BaseExceptionGroup) else one for one in errors.exceptions]
    return next((one for one in found if isinstance(one, AgenticalError)), found[0])
