"""What the expressions of one step read of other steps and of state, checked on the way."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from agentical.checking.mistakes import BASE, Known
from agentical.conditions import STATUS_FUNCTIONS, Expression
from agentical.parser import Path
from agentical.playbook import Placed

WITH_ITEM = BASE | {"item", "index"}
WITH_OUTPUT = BASE | {"output"}


@dataclass(slots=True)
class Reading:
    """`steps` and `state`: what is read, and where first. `alone`: its `if` looks at how steps ended."""

    steps: dict[str, Path] = field(default_factory=dict)
    state: dict[str, Path] = field(default_factory=dict)
    alone: bool = False

    def add(self, path: Path, expressions: Iterable[Expression]) -> None:
        for expression in expressions:
            for read in expression.paths:
                if len(read) > 1 and read[0] == "steps":
                    self.steps.setdefault(read[1], path)
                elif len(read) > 1 and read[0] == "state":
                    self.state.setdefault(read[1], path)


def read_step(known: Known, placed: Placed) -> Reading:
    """Check the expressions of a step and gather what they read."""
    step, path, reading = placed.step, ("steps", placed.place), Reading()
    items = step.has("for_each")
    reading.add((*path, "with"), known.template((*path, "with"), step.payload, WITH_ITEM if items else BASE))
    reading.add((*path, "for-each"), known.template((*path, "for-each"), step.for_each, BASE))
    reading.add((*path, "set"), known.template((*path, "set"), step.writes, WITH_OUTPUT))
    if step.condition is not None:
        found = list(known.condition((*path, "if"), step.condition, BASE, STATUS_FUNCTIONS))
        reading.add((*path, "if"), found)
        reading.alone = any(map(_looks_at_status, found))
    if isinstance(step.next, list):
        for index, branch in enumerate(step.next):
            if branch.condition is not None:
                at = (*path, "next", index, "if")
                reading.add(at, known.condition(at, branch.condition, WITH_OUTPUT))
    return reading


def _looks_at_status(expression: Expression) -> bool:
    statuses = (read[0] == "steps" and read[2:3] == ("status",) for read in expression.paths)
    return bool(expression.functions & STATUS_FUNCTIONS) or any(statuses)
