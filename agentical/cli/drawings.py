"""A playbook's graph as a picture: boxes and arrows of text, or a flowchart in Mermaid's language."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

from agentical.cli.output import plain, shortened
from agentical.cli.plans import in_order
from agentical.graph import Graph, Route, Step

WIDTH = 100
_ENDS = {"end": "completed", "fail": "failed"}
"""Targets of edges that are no steps, and what they mean."""


class Arrow(NamedTuple):
    """From one step to another step or target; `label` is an outcome or a condition, `edge` a way that is chosen."""

    start: str
    to: str
    label: str = ""
    edge: bool = False


def arrows_of(graph: Graph) -> list[Arrow]:
    """Every arrow, by the order of the steps they start from."""
    found: list[Arrow] = []
    for step in in_order(graph):
        needing = [other.id for other in in_order(graph) if step.index in other.waits]
        found += [Arrow(step.id, name) for name in needing]
        found += [Arrow(step.id, route.to, _label(route, step), edge=True) for route in step.routes]
    return found


def _label(route: Route, step: Step) -> str:
    if route.on is not None:
        return route.on
    if route.condition:
        return f"if {route.condition}"
    return "else" if len(step.routes) > 1 else ""


def mermaid(graph: Graph) -> str:
    """A flowchart: needs are plain arrows, edges thick ones."""
    lines = ["flowchart TD"]
    for step in in_order(graph):
        label = "<br/>".join(_escaped(text) for text in _captions(step))
        left, right = ("{{", "}}") if step.body == "end" else ("(", ")") if step.body == "set" else ("[", "]")
        lines.append(f'  step_{step.id}{left}"{label}"{right}')
    arrows = arrows_of(graph)
    used = {arrow.to for arrow in arrows} & _targets(graph)
    lines += [f'  to_{target}(["{_ENDS[target]}"])' for target in sorted(used)]
    for arrow in arrows:
        to = f"to_{arrow.to}" if arrow.to in used else f"step_{arrow.to}"
        label = f'|"{_escaped(arrow.label)}"|' if arrow.label else ""
        lines.append(f"  step_{arrow.start} {'==>' if arrow.edge else '-->'}{label} {to}")
    return "\n".join(lines)


def _targets(graph: Graph) -> set[str]:
    return _ENDS.keys() - {step.id for step in graph.steps}


def _escaped(text: str) -> str:
    """Text that Mermaid takes as text: whatever it could read as markup becomes a character's code."""
    line = shortened(plain(text), 160)
    return "".join(one if one.isalnum() or one in " .,:!?()+-=_/'×" else f"#{ord(one)};" for one in line)


def _captions(step: Step) -> list[str]:
    """The lines of a step's box."""
    lines = [step.id]
    if step.members:
        lines.append(f"{step.strategy}: {', '.join(step.members)}" if step.strategy else step.members[0])
    elif step.body == "set":
        lines.append(f"set {', '.join(step.writes)}")
    elif step.body == "end":
        lines.append(f"end: {step.end}")
    if step.condition:
        lines.append(f"if {step.condition}")
    return lines


def text(graph: Graph, width: int = WIDTH) -> str:
    """Boxes in rows: a step stands below all it comes after; under each row, where its arrows lead."""
    arrows = arrows_of(graph)
    lines: list[str] = []
    for row in _rows(graph):
        for part in _fitting([_box(step) for step in row], width):
            lines += part
        for step in row:
            lines += [_arrow_line(arrow) for arrow in _joined(arrows, step)]
        lines.append("")
    return "\n".join(lines).rstrip()


def _rows(graph: Graph) -> list[list[Step]]:
    """Steps by depth: one more than the deepest that leads to them from before."""
    depth: dict[int, int] = {}
    names = {step.id: step for step in graph.steps}
    before: dict[int, set[int]] = {step.index: set(step.waits) for step in graph.steps}
    for step in graph.steps:
        for route in step.routes:
            if route.to in names and names[route.to].rank > step.rank:
                before[names[route.to].index].add(step.index)
    for step in in_order(graph):
        depth[step.index] = 1 + max((depth.get(index, 0) for index in before[step.index]), default=-1)
    rows: list[list[Step]] = [[] for _ in range(max(depth.values(), default=-1) + 1)]
    for step in in_order(graph):
        rows[depth[step.index]].append(step)
    return rows


def _box(step: Step) -> list[str]:
    inside = [shortened(plain(line), 44) for line in _captions(step)]
    width = max(map(len, inside))
    middle = [f"│ {line:<{width}} │" for line in inside]
    return [f"┌{'─' * (width + 2)}┐", *middle, f"└{'─' * (width + 2)}┘"]


def _fitting(boxes: Sequence[list[str]], width: int) -> Iterator[list[str]]:
    """Boxes side by side, as many as fit."""
    line: list[list[str]] = []
    for box in boxes:
        if line and sum(len(one[0]) + 2 for one in line) + len(box[0]) > width:
            yield _beside(line)
            line = []
        line.append(box)
    if line:
        yield _beside(line)


def _beside(boxes: Sequence[list[str]]) -> list[str]:
    height = max(map(len, boxes))
    padded = [[*box, *[" " * len(box[0])] * (height - len(box))] for box in boxes]
    return ["  ".join(parts).rstrip() for parts in zip(*padded, strict=True)]


def _joined(arrows: Sequence[Arrow], step: Step) -> list[Arrow]:
    """The arrows of a step; those without a label as one."""
    own = [arrow for arrow in arrows if arrow.start == step.id]
    needs = ", ".join(arrow.to for arrow in own if not arrow.edge)
    return ([Arrow(step.id, needs)] if needs else []) + [arrow for arrow in own if arrow.edge]


def _arrow_line(arrow: Arrow) -> str:
    if not arrow.edge:
        return f"  {arrow.start} ──▶ {arrow.to}"
    label = f" {shortened(plain(arrow.label), 80)} " if arrow.label else ""
    return f"  {arrow.start} ══{label}══▶ {arrow.to}"
