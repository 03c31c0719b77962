"""Playbooks within playbooks: a task that another playbook answers, by an execution of its own."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from agentical import events as ev
from agentical.errors import Invalid, StepFailed
from agentical.ports import TaskContext
from agentical.runs import Run
from agentical.state_manager import Execution

DEEPEST = 32
"""Playbooks within playbooks, at most."""

RunChild = Callable[[str, str, Mapping[str, Any], ev.Parent], Awaitable[Run]]


def nested(run_child: RunChild, execution: Execution) -> Callable[[str, Any, TaskContext], Awaitable[Any]]:
    """What `TaskContext.run_playbook` does in this execution."""
    started = execution.progress.started
    depth = (started.parent.depth if started and started.parent else 0) + 1

    async def run_playbook(path: str, inputs: Any, context: TaskContext) -> Any:
        if depth > DEEPEST:
            raise Invalid(f"playbooks are nested more than {DEEPEST} deep")
        if not isinstance(inputs, Mapping):
            raise Invalid("the payload of a playbook agent is its inputs: an object")
        parent = ev.Parent(execution.id, context.visit, context.key, depth)
        child = await run_child(_child_id(execution.id, context), path, inputs, parent)
        used = child.receipt.usage
        context.charge(tokens_in=used.tokens_in, tokens_out=used.tokens_out, cost=used.cost)
        if child.status != "completed":
            error = child.error or {"message": f"it is {child.status}", "code": "CHILD_ENDED", "class": "upstream"}
            raise StepFailed(f"{child.id}: {error['message']}", code=error["code"], failure_class=error["class"])
        return child.outputs

    return run_playbook


def _child_id(parent: str, context: TaskContext) -> str:
    """The same task resumed finds the same child; another attempt, or another agent, begins another."""
    again = f"-{context.attempt}" if context.attempt > 1 else ""
    return f"{parent}.{context.idempotency_key[:10]}{again}"
