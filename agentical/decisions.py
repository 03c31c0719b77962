"""What is decided with the author's expressions: conditions, payloads, writes, edges, outputs. Pure.

Each decision reads progress and gives the event that records it, so it is made once and never again on resume.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from msgspec import UNSET, Raw, UnsetType

from agentical import events as ev
from agentical.arrows import Arrows
from agentical.conditions import Expression, Template, truth
from agentical.errors import AgenticalError
from agentical.events import Failure
from agentical.graph import Graph, Route, Step
from agentical.jsonvalues import encode
from agentical.progress import Progress
from agentical.visits import NULL, Due, StepView

RESERVED_OUTCOMES = frozenset({"error", "timeout", "exhausted", "skipped"})
"""Outcomes the engine itself names; a map of `next` that names only these lets every other outcome pass."""


class Rules:
    """One graph with its arrows, and its expressions, parsed when first needed; shared by all its executions."""

    def __init__(self, graph: Graph) -> None:
        self.graph = graph
        self.arrows = Arrows.of(graph)
        self._templates: dict[tuple[int, str], Template] = {}

    def template(self, step: Step, part: str) -> Template:
        """The parsed `payload`, `for_each` or `writes` of a step."""
        found = self._templates.get((step.index, part))
        if found is None:
            found = self._templates[step.index, part] = Template.parse(getattr(step, part))
        return found

    def shapes_items(self, step: Step) -> bool:
        """Whether each item of a for-each makes a payload of its own."""
        return step.has_payload and any(path[0] in ("item", "index") for path in self.template(step, "payload").paths)

    def item_payload(self, step: Step, frame: Any, index: int, item: Any) -> Any:
        """The payload for one item of a for-each; without `with` it is the item itself.

        Of a source that yields, a `with` that names no item is the source's payload, and its items go on whole.
        """
        if not step.has_payload:
            return item
        if not self.shapes_items(step):
            return item if step.source is not None else frame
        return self.template(step, "payload")({**frame, "item": item, "index": index})


class _Steps(Mapping[str, StepView]):
    def __init__(self, progress: Progress) -> None:
        self._progress = progress

    def __getitem__(self, name: str) -> StepView:
        return self._progress.views[self._progress.by_id[name].index]

    def __iter__(self) -> Iterator[str]:
        return iter(self._progress.by_id)

    def __len__(self) -> int:
        return len(self._progress.by_id)


class _State(Mapping[str, Any]):
    def __init__(self, progress: Progress) -> None:
        self._progress = progress

    def __getitem__(self, name: str) -> Any:
        return self._progress.state[name].value

    def __iter__(self) -> Iterator[str]:
        return iter(self._progress.state)

    def __len__(self) -> int:
        return len(self._progress.state)


class Decisions:
    """The decisions of one execution."""

    def __init__(self, execution: str, progress: Progress, rules: Rules) -> None:
        self._execution, self.progress, self.rules = execution, progress, rules
        self._scope: dict[str, Any] = {
            "inputs": progress.inputs,
            "steps": _Steps(progress),
            "state": _State(progress),
            "execution": {"id": execution},
        }

    def scope(self, **more: Any) -> dict[str, Any]:
        """What expressions see."""
        self._scope["inputs"] = self.progress.inputs
        return {**self._scope, **more}

    def decide(self, due: Due) -> ev.Event:
        """Start a visit, skip the step, or fail it where its expressions fail."""
        step = due.step
        view = self.progress.views[step.index]
        visit = f"{step.id}#{view.visits + 1}"
        around = view.passes > 2 * step.max_visits
        if around or view.visits >= step.max_visits:
            message = f"step {step.id} was visited {step.max_visits} times, its max-visits"
            failure = Failure("exhausted", message, "VISIT_LIMIT")
            # Round and round by edges on `skipped` or `exhausted` there are no visits to count: no edge leads out of that.
            return (
                ev.StepFailed(visit, step.id, failure, "exhausted")
                if around
                else self.failed(step, visit, failure, "exhausted")
            )
        try:
            reason = due.skip or self._reason_to_skip(due, view)
            if reason is not None:
                return ev.StepSkipped(step.id, reason, self._route(step, "skipped", None, final=False))
            return self._start(due, visit)
        except AgenticalError as error:
            return self.failed(step, visit, Failure("invalid", str(error), "EXPRESSION_FAILED"), "error")

    def completed(self, step: Step, visit: str, output: Any, raw: Raw | UnsetType, **parts: Any) -> ev.Event:
        """The step's end with its writes and its edge evaluated. `required`: an outcome nobody takes is a failure."""
        outcome: str | None = parts.get("outcome")
        required: bool = parts.pop("required", False)
        scope = self.scope(output=output)
        record: Raw | UnsetType = parts.get("record", UNSET)
        try:
            writes = {name: Raw(encode(value)) for name, value in self._writes(step, scope).items()}
            chosen = outcome if outcome is not None else output if isinstance(output, str) else None
            to = self._route(step, chosen, scope, final=True)
        except (AgenticalError, TypeError, ValueError) as error:
            code = "NO_BRANCH" if isinstance(error, _NoBranch) else "EXPRESSION_FAILED"
            return self.failed(step, visit, Failure("invalid", str(error), code), "error", record)
        if required and to is None:
            shown = encode(output).decode()
            message = (
                f"step {step.id} ended with the outcome {outcome!r}, which no edge of its `next` takes: {shown[:300]}"
            )
            return self.failed(step, visit, Failure("upstream", message, "OUTCOME_UNHANDLED"), "error", record)
        return ev.StepCompleted(visit, step.id, raw, writes=writes, to=to, **parts)

    def failed(
        self, step: Step, visit: str, failure: Failure, outcome: str, record: Raw | UnsetType = UNSET
    ) -> ev.StepFailed:
        """The step's failure, and the edge for it where `next` has one."""
        to = self._route(step, outcome, None, final=False)
        return ev.StepFailed(visit, step.id, failure, outcome, record, to)

    def ended(self) -> ev.Event | None:
        """The execution's end where nothing is left to do; None while there is."""
        progress = self.progress
        if not progress.idle:
            return None
        if progress.ending == "cancelled":
            return ev.ExecutionCancelled("a step ended it as cancelled")
        if progress.ending == "failed" or (progress.failure and progress.ending is None):
            failure, step = progress.failure or (Failure("upstream", "a step ended it as failed", "ENDED"), None)
            return ev.ExecutionFailed(failure, step)
        waiting = [step.id for step, view in zip(progress.graph.steps, progress.views, strict=True) if not view.closed]
        if waiting and progress.ending is None:
            return ev.ExecutionFailed(
                Failure("bug", f"nothing can start, yet these wait: {', '.join(waiting)}", "STUCK")
            )
        try:
            return ev.ExecutionCompleted(Raw(encode(self.outputs())))
        except (AgenticalError, TypeError, ValueError) as error:
            return ev.ExecutionFailed(Failure("invalid", f"outputs: {error}", "EXPRESSION_FAILED"))

    def outputs(self) -> Any:
        """The playbook's outputs; without any declared, the output of each step that nothing comes after."""
        graph = self.progress.graph
        if graph.outputs:
            return Template.parse(graph.outputs)(self.scope())
        needed = self.progress.arrows.needed_by
        last = (step for step in graph.steps if not needed[step.index] and not any(r.to != "end" for r in step.routes))
        return {step.id: self.progress.views[step.index]["output"] for step in last}

    def _reason_to_skip(self, due: Due, view: StepView) -> str | None:
        step = due.step
        needed = bool(step.waits) and step.starts == "needs" and not step.alone
        if needed and view.failed and step.join is None:
            return "a step it needs failed"
        if needed and due.carried is None and view.completed < (step.join or 1):
            return "no step it needs completed" if step.join is None else "too few of the steps it needs completed"
        if step.condition is None:
            return None
        checks = self._status_functions(step)
        return None if truth(Expression.parse(step.condition)(self.scope(**checks))) else f"not {step.condition}"

    def _status_functions(self, step: Step) -> dict[str, Callable[[], bool]]:
        needs = [self.progress.views[need] for need in step.waits]
        statuses = ["skipped" if need.left else need.status for need in needs]
        return {
            "always": lambda: True,
            "success": lambda: "failed" not in statuses and "cancelled" not in statuses,
            "failed": lambda: "failed" in statuses,
            "cancelled": lambda: "cancelled" in statuses,
        }

    def _start(self, due: Due, visit: str) -> ev.VisitStarted:
        step, scope = due.step, self.scope()
        items: Raw | UnsetType = UNSET
        if step.for_each is not None:
            listed = self.rules.template(step, "for_each")(scope)
            if not isinstance(listed, list):
                raise _NotAList(f"for-each must give a list, not {type(listed).__name__}")
            items = Raw(encode(listed))
        return ev.VisitStarted(
            visit, step.id, self._payload(due, scope), items, self.progress.seq, due.generation, due.via
        )

    def _payload(self, due: Due, scope: Mapping[str, Any]) -> Raw:
        step = due.step
        if step.has_payload:
            template = self.rules.template(step, "payload")
            if (step.for_each is not None or step.source is not None) and self.rules.shapes_items(step):
                return Raw(encode(frame(template, scope)))
            return Raw(encode(template(scope)))
        if due.carried is not None:
            return due.carried
        if step.previous is not None:
            return self.progress.views[step.previous].output_raw
        return Raw(b"{}")

    def _writes(self, step: Step, scope: Mapping[str, Any]) -> dict[str, Any]:
        if not step.writes:
            return {}
        values: dict[str, Any] = self.rules.template(step, "writes")(scope)
        for name, value in values.items():
            if self.progress.graph.state[name].type == "number" and type(value) is int:
                value = values[name] = float(value)
            if refused := self.progress.state[name].refuses(value):
                raise TypeError(f"state.{name}: {refused}")
        return values

    def _route(self, step: Step, outcome: str | None, scope: Mapping[str, Any] | None, *, final: bool) -> str | None:
        """The target of the edge to take. Raises _NoBranch where `next` decides by outcome and none fits."""
        if not step.routes:
            return None
        for route in step.routes:
            if self._fits(route, outcome, scope):
                return route.to
        names = {route.on for route in step.routes if route.on is not None}
        if final and (names - RESERVED_OUTCOMES or any(route.condition for route in step.routes)):
            raise _NoBranch(
                f"step {step.id} ended with the outcome {outcome!r}; its `next` knows {sorted(names)}, no else"
            )
        return None

    def _fits(self, route: Route, outcome: str | None, scope: Mapping[str, Any] | None) -> bool:
        if route.on is not None:
            return route.on == outcome
        if scope is None:
            return False
        return route.condition is None or truth(Expression.parse(route.condition)(scope))


class _NoBranch(AgenticalError):
    code = "NO_BRANCH"


class _NotAList(AgenticalError):
    code = "EXPRESSION_FAILED"


def frame(template: Template, scope: Mapping[str, Any]) -> dict[str, Any]:
    """What a template reads apart from the item, as a scope of its own."""
    found: dict[str, Any] = {}
    for path in sorted(template.paths, key=len):
        if path[0] in ("item", "index"):
            continue
        value: Any = scope
        for name in path:
            if not isinstance(value, Mapping):
                break
            try:
                value = value[name]
            except KeyError:
                break
        else:
            _put(found, path, value)
    return found


def _put(tree: dict[str, Any], path: tuple[str, ...], value: Any) -> None:
    for name in path[:-1]:
        tree = tree.setdefault(name, {})
        if not isinstance(tree, dict):
            return
    tree.setdefault(path[-1], value)


__all__ = ["NULL", "Decisions", "Rules", "frame"]
