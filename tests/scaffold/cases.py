"""The seven strategies with small deterministic teams: what every durability promise is tried on."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from crews import Crew, fakes
from virtual import VirtualClock

from agentical.decisions import Rules
from agentical.graph import AgentSpec, Graph, InputSpec, Step
from agentical.ports import Store
from agentical.prepared import Prepared, of_team
from agentical.runs import Run
from agentical.sdk import Agentical

ID = "one"
Team = Callable[[Crew], list[Any]]


@dataclass(frozen=True)
class Case:
    """`same` is the part of the outputs that does not depend on who is faster; None where nothing must be the same."""

    name: str
    strategy: Any
    team: Team
    payload: Any = None
    items: list[Any] | None = None
    options: Mapping[str, Any] = field(default_factory=dict)
    same: Callable[[Any], Any] | None = lambda outputs: outputs
    source: Callable[[Crew], Any] | None = None
    """An agent that yields the items."""

    def prepared(self, crew: Crew) -> Prepared:
        if self.source is None:
            return of_team(self.strategy, self.team(crew), self.payload, self.items, self.options)
        team, source = self.team(crew), self.source(crew)
        specs = {one.__agentical__.name: _spec(one) for one in (*team, source)}
        step = Step(
            "work", 0, 0, "team", members=tuple(specs)[:-1], strategy=self.strategy, options=dict(self.options),
            source=source.__agentical__.name,
        )  # fmt: skip
        graph = Graph(self.name, (step,), agents=specs, outputs={"result": "${{ steps.work.output }}"})
        functions = {one.__agentical__.name: one for one in (*team, source)}
        return Prepared(self.name, graph, b"", {}, functions=functions)


async def run_case(case: Case, crew: Crew, store: Store, *, replay: bool = True) -> Run:
    """Run (or go on with) the case on this store, then replay it."""
    return await run_prepared(case.prepared(crew), store, replay=replay, own=case.strategy)


async def run_prepared(
    prepared: Prepared, store: Store, *, replay: bool = True, own: Any = None, **settings: Any
) -> Run:
    async with Agentical(store=store, clock=VirtualClock(), **settings) as app:
        run = await app._run(ID, prepared, None)
        if replay:
            await app.replay(ID, strategy=own if callable(own) else None)
        return run


def graph_of(*steps: Step, agents: list[Any], **parts: Any) -> Prepared:
    """A graph of steps written out, its agents being functions."""
    specs = {one.__agentical__.name: _spec(one) for one in agents}
    graph = Graph("graph", steps, agents=specs, **parts)
    inputs = {name: spec.default for name, spec in graph.inputs.items()}
    Rules(graph)
    return Prepared("graph", graph, b"", inputs, functions={one.__agentical__.name: one for one in agents})


def _spec(function: Any) -> AgentSpec:
    prepared = of_team("sequential", [function], None, None, {})
    return next(iter(prepared.graph.agents.values()))


def of_yaml(path: Path, text: str, functions: Mapping[str, Callable[..., Any]], inputs: Mapping[str, Any]) -> Prepared:
    """A playbook whose agents are stood in for by functions."""
    from agentical.prepared import of_playbook

    path.write_text(text)
    prepared = of_playbook(path, inputs)
    prepared.fakes = fakes(functions)
    return prepared


__all__ = ["CASES", "ID", "Case", "InputSpec", "graph_of", "of_yaml", "run_case", "run_prepared"]


def _numbers(crew: Crew) -> list[Any]:
    return [crew.member(f"m{n}", lambda payload, n=n: payload * 10 + n) for n in range(5)]


def _one_each(crew: Crew) -> list[Any]:
    return [crew.member("worker", lambda payload: payload * payload, replicas=3)]


def _stages(crew: Crew) -> list[Any]:
    return [
        crew.member("read", lambda item: item + 1),
        crew.member("double", lambda item: item * 2, replicas=2),
        crew.member("write", lambda item: f"<{item}>"),
    ]


def _voters(crew: Crew) -> list[Any]:
    """Two of five change their minds once they have seen the votes."""

    def stubborn(_: Any) -> str:
        return "red"

    def swayed(payload: Any) -> str:
        return "red" if isinstance(payload, dict) else "blue"

    return [crew.member(f"v{n}", stubborn if n < 2 else swayed) for n in range(4)]


def _hierarchy(crew: Crew) -> list[Any]:
    def lead(asked: dict[str, Any]) -> Any:
        if asked["ask"] == "plan":
            goals = {"a": [], "b": ["a"], "c": ["a"], "d": ["b", "c"]}
            return {
                "assignments": [
                    {"id": id, "goal": f"do {id}", "capability": "labour", "depends-on": after}
                    for id, after in goals.items()
                ]
            }
        if asked["ask"] == "review":
            good = all("again" in value for id, value in asked["answers"].items() if id == "b")
            rework = [{"id": "b", "goal": "do b again", "worker": "worker1", "depends-on": ["a"]}]
            return {"accept": True} if good else {"accept": False, "rework": rework}
        return sorted(asked["answers"].items())

    def labour(asked: dict[str, Any]) -> str:
        return f"{asked['goal']}({','.join(sorted(asked['answers']))})"

    workers = [crew.member(f"worker{n}", labour, capabilities=["labour"]) for n in range(2)]
    return [crew.member("leader", lead), crew.member("deputy", lead), *workers]


def _source(crew: Crew) -> Any:
    import asyncio

    import agentical

    async def lines() -> Any:
        for n in range(8):
            await asyncio.sleep(0.03)
            yield n

    return agentical.agent(name="lines")(lines)


def _choice(outputs: Any) -> Any:
    return outputs["result"]["choice"]


def _adaptive(**options: Any) -> dict[str, Any]:
    return {"candidates": ["scatter-gather", "pipeline", "parallel", "sequential"], **options}


CASES = [
    Case("parallel-all", "parallel", _numbers, 3),
    Case("parallel-quorum", "parallel", _numbers, 3, options={"complete": "quorum(60%)"}),
    Case("parallel-best", "parallel", _numbers, 3, options={"complete": "best(answer)"}),
    Case("parallel-any", "parallel", _numbers, 3, options={"complete": "any"}, same=None),
    Case("parallel-first", "parallel", _numbers, 3, options={"complete": "first(2)"}, same=None),
    Case("parallel-two-at-a-time", "parallel", _numbers, 3, options={"max_parallel": 2}),
    Case("sequential", "sequential", _numbers, 3),
    Case("sequential-full", "sequential", lambda crew: [
        crew.member(f"s{n}", lambda p, n=n: n + len(p["answers"]) + p["payload"]) for n in range(4)
    ], 3, options={"context": "full", "stop_when": "answer >= 7"}),
    Case("pipeline", "pipeline", _stages, items=list(range(8)), options={"buffer": 2}),
    Case("pipeline-skip", "pipeline", _stages, items=list(range(6)), options={"on_item_error": "skip", "buffer": 1}),
    Case("pipeline-source", "pipeline", _stages, source=_source, options={"buffer": 2, "workers": {"write": 2}}),
    Case("scatter-gather", "scatter-gather", _one_each, items=list(range(12))),
    Case("scatter-gather-quorum", "scatter-gather", _one_each, items=list(range(12)), options={
        "complete": "quorum(75%)", "gather": "sum"}),
    Case("scatter-gather-first", "scatter-gather", _one_each, items=list(range(9)), options={"complete": "first(4)"}, same=None),
    Case("scatter-gather-source", "scatter-gather", _one_each, source=_source, options={"complete": "quorum(50%)"}),
    Case("consensus", "consensus", _voters, "red or blue?", options={"rounds": 2}, same=_choice),
    Case("consensus-unanimous", "consensus", _voters, "?", options={"rounds": 3, "vote": "unanimous", "reveal": "named"}, same=_choice),
    Case("hierarchical", "hierarchical", _hierarchy, "all", options={"leader": "leader", "deputies": ["deputy"]}),
    Case("hierarchical-each", "hierarchical", _hierarchy, "all", options={
        "leader": "leader", "deputies": ["deputy"], "review": "each"}),
    Case("adaptive", "adaptive", _numbers, 3, options=_adaptive()),
    Case("adaptive-items", "adaptive", _one_each, items=list(range(6)), options=_adaptive()),
    Case("adaptive-source", "adaptive", _stages, source=_source, options=_adaptive(pin="pipeline")),
]  # fmt: skip
