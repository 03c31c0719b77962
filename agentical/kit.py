"""What a graph needs to run: its agents and strategies, made once from plug-ins and options."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from agentical import plugins, secrets
from agentical.agents.function import FunctionAgent
from agentical.errors import CallInvalid
from agentical.graph import AgentSpec, Graph
from agentical.members import Asked
from agentical.ports import Agent, Executor, Strategy
from agentical.rate import Bucket
from agentical.secrets import Redaction

FUNCTION = "function"
"""The kind of an agent that is a callable of the program itself."""


@dataclass(frozen=True, slots=True)
class Kit:
    """`strategies` and `codes` (name and hash of code) are by index of step."""

    agents: Mapping[str, tuple[AgentSpec, Agent]]
    strategies: Mapping[int, Strategy]
    codes: Mapping[int, tuple[str, str]]
    redaction: Redaction
    buckets: dict[str, Bucket] = field(default_factory=dict)

    def asked(self) -> dict[str, Asked]:
        """The agents, nobody busy yet. Their rates hold for all executions together: so a provider counts them."""
        found = {id: Asked.of(spec, run) for id, (spec, run) in self.agents.items()}
        for id, asked in found.items():
            if asked.bucket is not None:
                asked.bucket = self.buckets.setdefault(id, asked.bucket)
        return found


def make_kit(
    graph: Graph,
    folder: str,
    functions: Mapping[str, Callable[..., Any]],
    fakes: Mapping[str, Agent],
    own_strategy: Strategy | None,
) -> Kit:
    """Everything the graph names. Raises PluginUnknown, and CallInvalid for missing secrets or functions."""
    wanted = {
        name
        for id, spec in graph.agents.items()
        if id not in fakes
        for name in secrets.names([spec.options, spec.target])
    }
    values = secrets.resolve({name: graph.secrets[name] for name in sorted(wanted)})
    agents = {id: (spec, fakes.get(id) or _agent(spec, folder, values, functions)) for id, spec in graph.agents.items()}
    strategies, codes = make_strategies(graph, own_strategy)
    return Kit(agents, strategies, codes, Redaction(values))


def make_strategies(
    graph: Graph, own_strategy: Strategy | None
) -> tuple[dict[int, Strategy], dict[int, tuple[str, str]]]:
    """The strategies of a graph's steps, and their names with `VERSION+HASH` of their code, by index of step."""
    strategies: dict[int, Strategy] = {}
    codes: dict[int, tuple[str, str]] = {}
    for step in graph.steps:
        if step.strategy is None:
            continue
        version = ""
        if own_strategy is not None:
            strategies[step.index] = own_strategy
        else:
            plugin = plugins.load("agentical.strategies", step.strategy)
            strategies[step.index], version = plugins.build(plugin, step.options), plugins.version(plugin)
        codes[step.index] = (step.strategy, f"{version}+{plugins.source_hash(strategies[step.index])}")
    return strategies, codes


def _agent(
    spec: AgentSpec, folder: str, values: Mapping[str, str], functions: Mapping[str, Callable[..., Any]]
) -> Agent:
    if spec.kind == FUNCTION:
        if spec.id not in functions:
            raise CallInvalid(
                f"agent {spec.id} is a function of the program that began this execution; resume it from that program"
            )
        return FunctionAgent(function=functions[spec.id], executor=spec.options.get("executor"))
    kind = plugins.load("agentical.agents", spec.kind)
    options = {name: secrets.filled(value, values) for name, value in spec.options.items()}
    made: Agent = plugins.build(kind, options, target=secrets.filled(spec.target, values), folder=folder)
    return made


class Executors(dict[str, Executor]):
    """Executors by name, each made when it is first needed."""

    def __missing__(self, name: str) -> Executor:
        made: Executor = plugins.load("agentical.executors", name)()
        self[name] = made
        return made
