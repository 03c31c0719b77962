"""Where an execution stands and what comes next: what its journal adds up to. Pure.

`advance` folds one event in place; `due` says which steps are to be decided next. Deciding (evaluating a condition,
a payload, an edge) is in `decisions.py` and its result is an event, so that nothing is evaluated twice.

Why "closed": a step that edges lead to may be visited several times, so what needs it waits until nothing active can
reach it any more. With ancestors and activity kept as bit sets that test is one `&`, and a branch not taken is
skipped the moment its last way in is gone, not when everything else has ended. An arrival that waits for needs is no
activity, or it would wait for itself where it may lead back to them: what it waits for is.
"""

from __future__ import annotations

from collections import deque
from typing import Any

import msgspec
from msgspec import Raw, UnsetType

from agentical import events as ev
from agentical.arrows import Arrows
from agentical.events import Failure
from agentical.graph import Graph, Step
from agentical.merge import Merged
from agentical.visits import NULL, Due, Receipt, StepView, Visit

TERMINAL = frozenset({"completed", "failed", "cancelled"})


class Progress:
    """The fold of one journal. Fields are for reading; only `advance` changes them."""

    def __init__(self, graph: Graph, arrows: Arrows | None = None) -> None:
        self.graph = graph
        self.by_id = {step.id: step for step in graph.steps}
        self.arrows = arrows or Arrows.of(graph)
        self.views = [StepView(len(step.waits)) for step in graph.steps]
        self.state = {name: Merged(key.merge, key.default, key.type) for name, key in graph.state.items()}
        self.started: ev.ExecutionStarted | None = None
        self.inputs: Any = {}
        self.status = "pending"
        self.seq, self.at, self.ran = 0, 0.0, 0.0
        self.open: dict[str, Visit] = {}
        self.due: deque[Due] = deque()
        self.outputs: Raw | None = None
        self.failure: tuple[Failure, str | None] | None = None
        self.ending: str | None = None
        self.accepted: dict[str, str] = {}
        self.receipt = Receipt()
        self._active = 0
        self._open_targets = self._unswept = self.arrows.targets

    def advance(self, seq: int, at: float, event: ev.Event) -> None:
        """Fold one entry in. Entries come in order, each once."""
        if seq > self.seq:  # what rides along is folded before what it stands behind is committed
            if self.at and not isinstance(event, ev.ExecutionResumed):
                self.ran += max(0.0, at - self.at)
            self.seq, self.at = seq, at
        _FOLD[type(event)](self, event, seq, at)

    @property
    def idle(self) -> bool:
        """Nothing is left to do: nothing runs and nothing is due, or a step has ended it all."""
        return self.ending is not None or not (self.open or self.due)

    def _started(self, event: ev.ExecutionStarted, seq: int, at: float) -> None:
        self.started, self.status = event, "running"
        self.inputs = msgspec.json.decode(event.inputs)
        self.receipt.started = at
        for step in self.graph.steps:
            if step.starts == "needs" and not step.waits:
                self._queue(Due(step))

    def _resumed(self, event: ev.ExecutionResumed, seq: int, at: float) -> None:
        crashed = self.status == "running"
        self.status = "running"
        self.accepted.update(event.accepted)
        for visit in self.open.values():
            visit.resumed = 0 if event.forgiven or not crashed else visit.resumed + 1

    def _paused(self, event: ev.ExecutionPaused, seq: int, at: float) -> None:
        self.status = "paused"

    def _completed(self, event: ev.ExecutionCompleted, seq: int, at: float) -> None:
        self.status, self.outputs, self.receipt.ended = "completed", event.outputs, at

    def _failed(self, event: ev.ExecutionFailed, seq: int, at: float) -> None:
        self.status, self.failure, self.receipt.ended = "failed", (event.failure, event.step), at

    def _cancelled(self, event: ev.ExecutionCancelled, seq: int, at: float) -> None:
        self.status, self.receipt.ended = "cancelled", at

    # tasks

    def _visit_started(self, event: ev.VisitStarted, seq: int, at: float) -> None:
        step = self.by_id[event.step]
        view = self.views[step.index]
        self._decided(step)
        view.visits, view.running, view.status = view.visits + 1, view.running + 1, "running"
        came_from = self.by_id[event.via.rpartition("#")[0]].rank if event.via else -1
        order = (event.generation, step.rank, came_from, view.visits)
        self.open[event.visit] = Visit(event, at, view.visits, order, ran=self.ran)

    def _item_taken(self, event: ev.ItemTaken, seq: int, at: float) -> None:
        if visit := self.open.get(event.visit):
            visit.items.append((seq, at, event))
            visit.taken += 1
            visit.resumed = 0
            visit.told()

    def _items_ended(self, event: ev.ItemsEnded, seq: int, at: float) -> None:
        if visit := self.open.get(event.visit):
            visit.items_ended = (seq, at)
            visit.told()

    def _asked(self, event: ev.TaskAsked, seq: int, at: float) -> None:
        visit = self.open.get(event.visit)
        if visit is None:
            return
        before = visit.asked.get(event.key)
        if before is None:
            self.receipt.asked += 1
        elif before.attempt == event.attempt:
            self.receipt.repeated += 1
        visit.asked[event.key] = event

    def _task_ended(self, event: ev.TaskAnswered | ev.TaskFailed | ev.TaskCancelled, seq: int, at: float) -> None:
        self.receipt.usage += event.usage
        self.receipt.failed += isinstance(event, ev.TaskFailed)
        self.receipt.answered += isinstance(event, ev.TaskAnswered)
        visit = self.open.get(event.visit)
        if visit is None:
            return
        visit.outcomes[event.key] = (seq, at, event)
        visit.resumed = 0
        visit.retried.pop(event.key, None)
        visit.told(event.key)

    def _retried(self, event: ev.TaskRetried, seq: int, at: float) -> None:
        self.receipt.retried += 1
        self.receipt.usage += event.usage
        if visit := self.open.get(event.visit):
            visit.retried.setdefault(event.key, []).append(event)

    def _remembered(self, event: ev.Remembered, seq: int, at: float) -> None:
        if visit := self.open.get(event.visit):
            visit.remembered[event.key] = event
            visit.resumed = 0

    # steps

    def _step_completed(self, event: ev.StepCompleted, seq: int, at: float) -> None:
        step, view, visit, generation = self._close_visit(event.step, event.visit)
        output = event.output
        if isinstance(output, UnsetType):
            answered = visit.outcomes[event.answer_of][2] if visit and event.answer_of else None
            output = answered.answer if isinstance(answered, ev.TaskAnswered) else NULL
        view.end("completed", output, event.record)
        view.outcome = event.outcome
        order = visit.order if visit else (generation, step.rank, -1, 0)
        for name, value in event.writes.items():
            self.state[name].write(order, msgspec.json.decode(value))
        if step.body == "end":
            self.ending = step.end
        self._leave(step, view, event.to, event.visit, generation, output)

    def _step_failed(self, event: ev.StepFailed, seq: int, at: float) -> None:
        step, view, _, generation = self._close_visit(event.step, event.visit)
        view.end("failed", record=event.record)
        view.error, view.outcome = event.failure, event.outcome
        if event.to is None and self.failure is None:
            self.failure = (event.failure, step.id)
        carried = Raw(msgspec.json.encode(view["error"]))
        self._leave(step, view, event.to, event.visit, generation, carried)

    def _step_skipped(self, event: ev.StepSkipped, seq: int, at: float) -> None:
        step = self.by_id[event.step]
        view = self.views[step.index]
        generation = self._decided(step)
        if not view.visits:
            view.end("skipped")
        self._leave(step, view, event.to, None, generation, NULL)

    def _step_cancelled(self, event: ev.StepCancelled, seq: int, at: float) -> None:
        step, view, _, generation = self._close_visit(event.step, event.visit)
        view.end("cancelled")
        self._leave(step, view, None, event.visit, generation, NULL)

    def _close_visit(self, step_id: str, visit_id: str) -> tuple[Step, StepView, Visit | None, int]:
        step = self.by_id[step_id]
        view = self.views[step.index]
        visit = self.open.pop(visit_id, None)
        if visit is None:
            view.visits += 1
            return step, view, None, self._decided(step)
        view.running -= 1
        return step, view, visit, visit.started.generation

    # arrows

    def _queue(self, due: Due) -> None:
        view = self.views[due.step.index]
        due.generation = max(due.generation, view.floor)
        self._active |= 1 << due.step.index
        view.queued += 1
        self.due.append(due)

    def _decided(self, step: Step) -> int:
        """Take a step off what is due, the first of it where several arrivals wait; gives its generation."""
        at = next(n for n, due in enumerate(self.due) if due.step is step)
        due, view = self.due[at], self.views[step.index]
        del self.due[at]
        view.queued -= 1
        view.passes += 1
        view.generation = max(view.generation, due.generation)
        return due.generation

    def _leave(
        self, step: Step, view: StepView, to: str | None, via: str | None, generation: int, carried: Raw
    ) -> None:
        view.left = to is not None
        if to is not None and to in self.by_id:
            target = self.by_id[to]
            again = generation + (1 if target.rank <= step.rank else 0)
            self._arrive(Due(target, again, via, carried))
        elif to == "fail" and self.failure is None:
            self.failure = (Failure("upstream", f"step {step.id} led to `fail`", "LED_TO_FAIL"), step.id)
        if not (view.queued or view.running):
            self._active &= ~(1 << step.index)
            self._settle(step)

    def _arrive(self, due: Due) -> None:
        view = self.views[due.step.index]
        if view.waiting > 0:
            view.arrivals.append(due)
        else:
            self._queue(due)

    def _settle(self, step: Step) -> None:
        if not self.arrows.is_target(step.index):
            self._close(step)
        if not self._open_targets:
            return
        among, self._unswept = self._unswept | self.arrows.reach[step.index] | 1 << step.index, 0
        among &= self._open_targets
        for index in sorted(self.arrows.dead(among, self._active), key=lambda one: self.graph.steps[one].rank):
            view, target = self.views[index], self.graph.steps[index]
            if view.arrivals or self._active >> index & 1 or self.arrows.ancestors[index] & self._active:
                continue
            if view.status != "pending":
                self._close(target)
            elif target.starts == "edge":
                self._queue(Due(target, skip="no edge led here"))

    def _close(self, step: Step) -> None:
        view = self.views[step.index]
        if view.closed:
            return
        view.closed, self._open_targets = True, self._open_targets & ~(1 << step.index)
        for index in self.arrows.needed_by[step.index]:
            self._need_ended(self.graph.steps[index], view)

    def _need_ended(self, step: Step, need: StepView) -> None:
        view = self.views[step.index]
        before = view.waiting
        view.waiting -= 1
        view.floor = max(view.floor, need.generation)
        if need.status == "completed" and not need.left:
            view.completed += 1
        elif need.status == "failed" and not need.left:
            view.failed += 1
        if before <= 0:
            return
        if view.waiting > 0 and (step.join is None or view.completed < step.join):
            return
        view.waiting = 0
        led_here = view.arrivals and view.completed < (step.join or 1)
        if step.starts == "needs" and not led_here:
            self._queue(Due(step))
        for arrival in view.arrivals:
            self._queue(arrival)
        view.arrivals.clear()


_FOLD: dict[type[ev.Event], Any] = {
    ev.LossAccepted: lambda *_: None,
    ev.ExecutionStarted: Progress._started, ev.ExecutionResumed: Progress._resumed,
    ev.ExecutionPaused: Progress._paused, ev.ExecutionCompleted: Progress._completed,
    ev.ExecutionFailed: Progress._failed, ev.ExecutionCancelled: Progress._cancelled,
    ev.VisitStarted: Progress._visit_started, ev.ItemTaken: Progress._item_taken,
    ev.ItemsEnded: Progress._items_ended, ev.TaskAsked: Progress._asked,
    ev.TaskAnswered: Progress._task_ended, ev.TaskFailed: Progress._task_ended,
    ev.TaskCancelled: Progress._task_ended, ev.TaskRetried: Progress._retried,
    ev.Remembered: Progress._remembered, ev.StepCompleted: Progress._step_completed,
    ev.StepFailed: Progress._step_failed, ev.StepSkipped: Progress._step_skipped,
    ev.StepCancelled: Progress._step_cancelled,
}  # fmt: skip
