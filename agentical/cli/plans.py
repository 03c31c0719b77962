"""What a playbook would do: its steps in order, who is asked, how often at most."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from agentical import plugins
from agentical.graph import Graph, Step
from agentical.members import members_of

UNKNOWN = "depends on items"


def in_order(graph: Graph) -> list[Step]:
    """The steps so that each comes after what it needs; those of equal rank as in the file."""
    return sorted(graph.steps, key=lambda step: (step.rank, step.index))


def plan_of(graph: Graph) -> dict[str, Any]:
    """The plan as JSON. `most_tasks` is None where it depends on the items; attempts of one task count once."""
    visits = visits_of(graph)
    steps = [_step(graph, step, visits[step.index]) for step in in_order(graph)]
    counts = [step["most_tasks"] for step in steps]
    most: int | None = None if None in counts else sum(counts)
    if graph.budget_tasks is not None:
        most = graph.budget_tasks if most is None else min(most, graph.budget_tasks)
    return {
        "playbook": graph.name, "version": graph.version, "labels": graph.labels,
        "inputs": {name: {"required": spec.required, "default": spec.default, **spec.schema} for name, spec in graph.inputs.items()},
        "steps": steps, "most_tasks": most,
        "budget": {"tasks": graph.budget_tasks, "time": graph.budget_time},
    }  # fmt: skip


def visits_of(graph: Graph) -> list[int]:
    """How often each step is visited at most, by index: once by its needs, and once for each visit that leads to it.

    A step that an edge leads back to may be visited as often as its max-visits allows.
    """
    names = {step.id: step.index for step in graph.steps}
    sources: list[set[int]] = [set() for _ in graph.steps]
    for step in graph.steps:
        for route in step.routes:
            if route.to in names:
                sources[names[route.to]].add(step.index)
    found = [0] * len(graph.steps)
    for step in in_order(graph):
        if any(graph.steps[source].rank >= step.rank for source in sources[step.index]):
            found[step.index] = step.max_visits
        else:
            count = sum(found[source] for source in sources[step.index]) + (step.starts == "needs")
            found[step.index] = min(count, step.max_visits)
    return found


def most_tasks(graph: Graph, step: Step) -> int | None:
    """The most tasks of one visit; None where it depends on the items."""
    if step.body not in ("agent", "team"):
        return 0
    if step.strategy is None:
        return 1
    items = len(step.for_each) if isinstance(step.for_each, list) else None
    if items is None and (step.for_each is not None or step.source is not None):
        return None
    members = sum(len(members_of(graph.agents[name])) for name in step.members)
    strategy = plugins.build(plugins.load("agentical.strategies", step.strategy), step.options)
    most = getattr(strategy, "most", None)
    counted: int | None = most(members, items) if most else None
    return counted


def _step(graph: Graph, step: Step, visits: int) -> dict[str, Any]:
    most = most_tasks(graph, step)
    return {
        "id": step.id, "body": step.body, "starts": step.starts,
        "needs": [graph.steps[index].id for index in step.waits], "join": step.join, "if": step.condition,
        "agents": [_agent(graph, name) for name in step.members], "helpers": list(step.helpers),
        "strategy": step.strategy, "options": {plugins.kebab(name): value for name, value in step.options.items()},
        "for_each": f"agent:{step.source}" if step.source else step.for_each,
        "sets": list(step.writes), "end": step.end, "timeout": step.timeout,
        "next": [{"to": route.to, "on": route.on, "if": route.condition} for route in step.routes],
        "most_visits": visits, "most_tasks": None if most is None else most * visits,
    }  # fmt: skip


def _agent(graph: Graph, name: str) -> dict[str, Any]:
    spec = graph.agents[name]
    return {"id": name, "kind": spec.kind, "target": spec.target, "replicas": spec.replicas}


def plan_lines(plan: dict[str, Any]) -> Iterator[str]:
    """The plan for a person."""
    yield f"{plan['playbook']} {plan['version']}".rstrip()
    if plan["labels"]:
        yield "  labels " + ", ".join(f"{name}={value}" for name, value in plan["labels"].items())
    for name, spec in plan["inputs"].items():
        kind = f" ({spec['type']})" if "type" in spec else ""
        yield f"  input {name}{kind}" + (", required" if spec["required"] else f", otherwise {_json(spec['default'])}")
    for number, step in enumerate(plan["steps"], 1):
        yield ""
        yield f"{number:>3}. {step['id']}: {_who(step)}"
        for what, text in _facts(step):
            yield f"     {what:<10}{text}"
    yield ""
    yield f"Most tasks in all: {UNKNOWN if plan['most_tasks'] is None else format(plan['most_tasks'], ',')}"


def _who(step: dict[str, Any]) -> str:
    if step["body"] == "end":
        return f"ends the execution as {step['end']}"
    if not step["agents"]:
        return f"sets {', '.join(step['sets'])}"
    agents = ", ".join(
        agent["id"] + (f" × {agent['replicas']}" if agent["replicas"] > 1 else "") for agent in step["agents"]
    )
    return f"asks {agents}" + (f", {step['strategy']}" if step["strategy"] else "")


def _facts(step: dict[str, Any]) -> Iterator[tuple[str, str]]:
    if step["needs"]:
        join = "" if step["join"] is None else f" (first {step['join']})"
        yield "needs", ", ".join(step["needs"]) + join
    if step["starts"] == "edge":
        yield "starts", "by an edge only"
    if step["if"]:
        yield "if", step["if"]
    if step["for_each"] is not None:
        yield "for each", step["for_each"] if isinstance(step["for_each"], str) else _json(step["for_each"])
    if step["options"]:
        yield "options", ", ".join(f"{name}: {_json(value)}" for name, value in step["options"].items())
    if step["helpers"]:
        yield "also asks", ", ".join(step["helpers"])
    if step["sets"] and step["agents"]:
        yield "sets", ", ".join(step["sets"])
    if step["timeout"] is not None:
        yield "timeout", f"{step['timeout']:g} s"
    for route in step["next"]:
        why = f" on {route['on']}" if route["on"] else f" if {route['if']}" if route["if"] else ""
        yield "then", f"{route['to']}{why}"
    if step["agents"]:
        times = f" in at most {step['most_visits']:,} visits" if step["most_visits"] > 1 else ""
        yield "tasks", (UNKNOWN if step["most_tasks"] is None else f"at most {step['most_tasks']:,}") + times


def _json(value: Any) -> str:
    from agentical.cli.output import shortened
    from agentical.jsonvalues import encode

    return shortened(value if isinstance(value, str) else encode(value).decode())
