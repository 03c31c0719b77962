"""How an execution goes, seen from its events: which steps run, how much is answered, how steps ended."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterable
from dataclasses import dataclass
from types import TracebackType
from typing import Self

from agentical import events as ev
from agentical.cli.output import shortened, tell, tell_now
from agentical.cli.receipts import lasted
from agentical.graph import Graph, Step
from agentical.ports import Reading
from agentical.progress import Progress

MOST_FAILURES = 3
"""Failed tasks that are named for each visit."""


@dataclass(slots=True)
class Running:
    """A visit under way. `at` is when it started, in Unix seconds."""

    step: str
    at: float
    asked: int = 0
    answered: int = 0
    failed: int = 0


class Display:
    """A Monitor (see ports) of one execution that shows nothing yet: what it counts is shown by its kin.

    Use it as a context manager around the run. Events of other executions, such as nested playbooks, pass by.
    """

    def __init__(self, execution: str, graph: Graph | None = None) -> None:
        self.execution = execution
        self.steps: dict[str, Step] = {}
        self.running: dict[str, Running] = {}
        self.asked = self.answered = self.failed = 0
        self.ended: set[str] = set()
        self.began = time.time()
        if graph is not None:
            self._know(graph)

    def catch_up(self, progress: Progress) -> None:
        """Begin where the execution stands."""
        self._know(progress.graph)
        receipt = progress.receipt
        self.asked, self.answered, self.failed = receipt.asked, receipt.answered, receipt.failed
        self.ended = {step.id for step in progress.graph.steps if progress.views[step.index].closed}
        for name, visit in progress.open.items():
            ended = [event for _, _, event in visit.outcomes.values()]
            answered = sum(isinstance(event, ev.TaskAnswered) for event in ended)
            asked = len(visit.asked.keys() | visit.outcomes.keys())
            self.running[name] = Running(visit.started.step, visit.at, asked, answered, len(ended) - answered)

    def see(self, execution: str, at: float, event: ev.Event) -> None:
        """Count an event, and say what people want to hear of at once."""
        if execution != self.execution:
            return
        match event:
            case ev.ExecutionStarted():
                self.line(f"{execution}: started")
            case ev.ExecutionResumed():
                self.line(f"{execution}: resumed, {self.answered:,} answers are on record")
            case ev.VisitStarted():
                self.running[event.visit] = Running(event.step, at)
            case ev.TaskAsked() if event.attempt == 1:
                self.asked += 1
                self._count(event.visit, asked=1)
            case ev.TaskAnswered():
                self.answered += 1
                self._count(event.visit, answered=1)
            case ev.TaskFailed():
                self.failed += 1
                self._count(event.visit, failed=1)
                self._tell_failure(event)
            case ev.StepSkipped():
                self.ended.add(event.step)
                self.line(f"{event.step}: skipped, {shortened(event.reason)}")
            case ev.StepCompleted() | ev.StepFailed() | ev.StepCancelled():
                self._ended(event, at)

    def read(self) -> Iterable[Reading]:
        """Nothing is measured here."""
        return ()

    def line(self, text: str) -> None:
        """Say something that stays."""

    def note(self, text: str) -> None:
        """Say something from within a signal's handler."""

    def stop(self, text: str) -> None:
        """The last thing said before the process ends at once, within a signal's handler."""
        tell_now(text)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Nothing is held."""

    def _know(self, graph: Graph) -> None:
        self.steps = {step.id: step for step in graph.steps}

    def _count(self, visit: str, *, asked: int = 0, answered: int = 0, failed: int = 0) -> None:
        running = self.running.get(visit)
        if running is not None:
            running.asked += asked
            running.answered += answered
            running.failed += failed

    def _tell_failure(self, event: ev.TaskFailed) -> None:
        running = self.running.get(event.visit)
        if running is not None and running.failed <= MOST_FAILURES:
            self.line(f"{event.visit}: {event.member} failed at {event.key}: {shortened(event.failure.message, 300)}")

    def _ended(self, event: ev.StepCompleted | ev.StepFailed | ev.StepCancelled, at: float) -> None:
        self.ended.add(event.step)
        running = self.running.pop(event.visit, None)
        took = f" in {lasted(at - running.at)}" if running else ""
        tasks = f", {running.answered:,} answered" if running and running.asked > 1 else ""
        if running and running.failed:
            tasks += f", {running.failed:,} failed"
        match event:
            case ev.StepCompleted():
                how = f"completed{took}{tasks}" + (f", outcome {event.outcome}" if event.outcome else "")
            case ev.StepFailed():
                how = f"failed{took}{tasks}: {shortened(event.failure.message, 300)}"
            case ev.StepCancelled():
                how = f"cancelled{took}: {shortened(event.reason)}"
        first = event.visit == f"{event.step}#1"
        self.line(f"{event.step if first else event.visit}: {how}")


class PlainProgress(Display):
    """One line per step that has ended, for logs and pipes."""

    def line(self, text: str) -> None:
        tell(text)

    def note(self, text: str) -> None:
        tell_now(text)


def display_for(execution: str, graph: Graph | None, *, quiet: bool) -> Display:
    """What suits this stderr: nothing, lines, or a live display."""
    if quiet or sys.stderr is None:
        return Display(execution, graph)
    if not sys.stderr.isatty():
        return PlainProgress(execution, graph)
    from agentical.cli.live import LiveProgress

    return LiveProgress(execution, graph)
