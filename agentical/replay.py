"""Run an execution again from its journal alone: nobody is asked, and every decision must come out as recorded."""

from __future__ import annotations

from typing import Any

import anyio
import msgspec

from agentical import events as ev
from agentical.asking import Task
from agentical.coordinator import STEP_TIMEOUT, Coordinator
from agentical.decisions import Decisions
from agentical.engine import first_error
from agentical.errors import StrategyDiverged
from agentical.events import Tally
from agentical.kit import make_strategies
from agentical.members import Asked, Seats
from agentical.ports import Strategy, TaskContext
from agentical.progress import Progress
from agentical.secrets import Redaction
from agentical.state_manager import StateManager

Ended = ev.StepCompleted | ev.StepFailed
Decided = ev.VisitStarted | ev.StepSkipped


async def replay(manager: StateManager, execution: str, own_strategy: Strategy | None = None) -> None:
    """Raises StrategyDiverged at the first thing that comes out otherwise, JournalDamaged, ExecutionUnknown."""
    rules = await manager.rules(execution)
    progress = Progress(rules.graph, rules.arrows)
    recorder = _Listener()
    decisions = Decisions(execution, progress, rules)
    strategies, _ = make_strategies(rules.graph, own_strategy)
    seats = Seats({id: Asked.of(spec, _nobody) for id, spec in rules.graph.agents.items()}, 1)
    async for entry, _ in manager.entries(execution):
        try:
            async with anyio.create_task_group() as group:
                coordinator = Coordinator(
                    decisions, recorder, _Record(seats), strategies, manager.tallies, group.start_soon
                )
                await _compare(decisions, coordinator, recorder, entry.event)
                group.cancel_scope.cancel()
        except BaseExceptionGroup as errors:
            raise first_error(errors) from errors
        progress.advance(entry.seq, entry.at, entry.event)


async def _compare(decisions: Decisions, coordinator: Coordinator, recorder: _Listener, event: ev.Event) -> None:
    progress = decisions.progress
    if isinstance(event, Decided):
        due = next((one for one in progress.due if one.step.id == event.step), None)
        if due is None:
            raise StrategyDiverged(event.step, "start", "nothing led to this step")
        _same(event.step, "start", event, decisions.decide(due))
    elif isinstance(event, Ended) and event.visit in progress.open and not _outside(event):
        recorder.ended = None
        await coordinator.run(progress.open[event.visit])
        _same(event.visit, "end", event, recorder.ended)
    elif isinstance(event, ev.ExecutionCompleted):
        _same("execution", "end", event, decisions.ended())


def _outside(event: Ended) -> bool:
    """It ended by its own clock or by its source, neither of which is run again.

    A child's step that ended so fails its parent under the same code, but as an `error`.
    """
    if not isinstance(event, ev.StepFailed):
        return False
    by_its_clock = event.failure.code == STEP_TIMEOUT and event.outcome == "timeout"
    return by_its_clock or event.failure.code == "SOURCE_FAILED"


def _same(where: str, what: str, recorded: ev.Event, now: ev.Event | None) -> None:
    before, after = _content(recorded), _content(now)
    if before != after:
        names = sorted(name for name in before.keys() | after.keys() if before.get(name) != after.get(name))
        raise StrategyDiverged(where, what, f"it comes out otherwise than recorded ({', '.join(names)})")


def _content(event: ev.Event | None) -> dict[str, Any]:
    found: dict[str, Any] = {} if event is None else msgspec.json.decode(msgspec.json.encode(event))
    found.pop("seen", None)
    return found


class _Record:
    """Stands where Asking stands, and asks nobody."""

    def __init__(self, seats: Seats) -> None:
        self.seats, self.redaction = seats, Redaction({})

    async def ask(self, task: Task) -> None:
        raise StrategyDiverged(task.visit_id, task.key, "it is asked now, and was not")

    def context(self, visit: str, key: str, asked: Asked, member: str, attempt: int = 1) -> TaskContext:
        return TaskContext(visit=visit, key=key, member=member)


class _Listener:
    """Stands where the recorder stands: hears how a visit ends, and writes nothing."""

    def __init__(self) -> None:
        self.ended: ev.Event | None = None

    def note(self, event: ev.Event) -> int:
        if isinstance(event, Ended):
            self.ended = event
        return 0

    async def record(self, event: ev.Event) -> int:
        raise StrategyDiverged(
            str(getattr(event, "visit", "")), str(getattr(event, "key", "")), "it is decided now, and was not"
        )

    def tally(self, name: str, add: Tally) -> None:
        """It was counted when it was recorded."""


async def _nobody(payload: Any, context: TaskContext) -> Any:
    raise StrategyDiverged(context.visit, context.key, "it is asked now, and was not")
