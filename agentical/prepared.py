"""What is to be run, ready: a playbook file with its inputs, or a team with a strategy, both as a graph."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any, cast

from agentical import plugins
from agentical.agents.function import AgentOptions, options_of
from agentical.durations import seconds
from agentical.errors import CallInvalid
from agentical.graph import AgentSpec, Graph, InputSpec, Step, encode_graph
from agentical.jsonvalues import encode
from agentical.kit import FUNCTION
from agentical.ports import Agent, Strategy
from agentical.retry import policy
from agentical.validation import schema_mistake

WORK = "work"
"""The step of a graph that is one team."""


@dataclass(slots=True)
class Prepared:
    """A graph, its text and its inputs. `given`: the caller named inputs, so they must be those it began with."""

    name: str
    graph: Graph
    text: bytes
    inputs: dict[str, Any]
    folder: str = ""
    given: bool = False
    functions: Mapping[str, Callable[..., Any]] = field(default_factory=dict)
    fakes: Mapping[str, Agent] = field(default_factory=dict)
    strategy: Strategy | None = None
    _bytes: bytes = b""

    @property
    def graph_bytes(self) -> bytes:
        if not self._bytes:
            self._bytes = encode_graph(self.graph)
        return self._bytes


def check_id(id: str, longest: int | None = 200) -> None:
    """Raises CallInvalid for what is no id: empty, too long (those of children grow), or not readable by people."""
    if not isinstance(id, str) or not id or not id.isprintable() or id != id.strip() or len(id) > (longest or len(id)):
        raise CallInvalid(f"an id has 1 to 200 printable characters and no space around it, not {str(id)[:60]!r}")


def of_playbook(path: Path, inputs: Mapping[str, Any] | Callable[[Graph], Mapping[str, Any]]) -> Prepared:
    """A playbook file with its inputs, or with what gives them. Raises PlaybookInvalid, and CallInvalid for inputs."""
    from agentical.inputs import check_inputs

    try:
        stat = path.stat()
        graph, text, data = _compiled(path, stat.st_mtime_ns, stat.st_size)
    except (OSError, ValueError):  # reading it says what is wrong
        graph, text, data = _compiled.__wrapped__(path, 0, 0)
    given = inputs(graph) if callable(inputs) else inputs
    checked = check_inputs(graph, given)
    return Prepared(graph.name, graph, text, checked, str(path.resolve().parent), given=bool(given), _bytes=data)


@lru_cache(maxsize=64)
def _compiled(path: Path, changed: int, size: int) -> tuple[Graph, bytes, bytes]:
    """The graph of a file, its text, and its own bytes; read again when the file has changed."""
    from agentical.compile import compile_playbook
    from agentical.parser import read

    parsed = read(path)
    graph = compile_playbook(parsed)
    return graph, parsed.text, encode_graph(graph)


def of_team(
    strategy: object,
    team: Sequence[Callable[..., Any]],
    payload: Any,
    for_each: Sequence[Any] | None,
    options: Mapping[str, Any],
) -> Prepared:
    """A team of callables under a strategy: installed (a name) or any strategy function of the program."""
    if not isinstance(team, Sequence) or not team:
        raise CallInvalid("a strategy needs a team: a list of one callable at least")
    specs, functions = _specs(team)
    own: Strategy | None = None
    if isinstance(strategy, str):
        name = strategy
        built = plugins.build(plugins.load("agentical.strategies", name), dict(options))
        _refuse_problems(name, built, specs)
        _check_items(name, built, for_each)
    elif callable(strategy):
        if options:
            raise CallInvalid(f"a strategy function takes no options here, and got {', '.join(options)}")
        own, name = cast("Strategy", strategy), _name(strategy)
    else:
        raise CallInvalid("a team is run by a strategy: its name, or a function (team, payload)")
    inputs = _json(
        {"payload": payload, **({"items": list(for_each)} if for_each is not None else {})}, "payload and items"
    )
    step = Step(
        WORK, 0, 0, "team", members=tuple(specs), strategy=name, options=_json(dict(options), "options"), payload="${{ inputs.payload }}",
        has_payload=for_each is None, for_each=None if for_each is None else "${{ inputs.items }}",
    )  # fmt: skip
    graph = Graph(
        name.lower().replace("_", "-").strip("-<>") or "team", (step,), agents=specs,
        inputs={key: InputSpec(required=False) for key in inputs}, outputs={"result": f"${{{{ steps.{WORK}.output }}}}"},
    )  # fmt: skip
    return Prepared(graph.name, graph, b"", inputs, given=True, functions=functions, strategy=own)


def _specs(team: Sequence[Callable[..., Any]]) -> tuple[dict[str, AgentSpec], dict[str, Callable[..., Any]]]:
    specs: dict[str, AgentSpec] = {}
    functions: dict[str, Callable[..., Any]] = {}
    for function in team:
        if not callable(function):
            raise CallInvalid(f"a team is made of callables, and {function!r} is none")
        given = options_of(function)
        if given.name in specs:
            raise CallInvalid(
                f"two members of the team are called {given.name!r}; name them with @agentical.agent(name=…)"
            )
        try:
            specs[given.name] = _spec(given)
        except ValueError as error:
            raise CallInvalid(f"agent {given.name}: {error}") from None
        functions[given.name] = function
    return specs, functions


def _spec(given: AgentOptions) -> AgentSpec:
    """What a decorator says, as a playbook would. Raises ValueError, and CallInvalid for a retry policy nobody has given."""
    timeout = seconds(given.timeout) if isinstance(given.timeout, str) else given.timeout
    least = {"replicas": (given.replicas, 1), "max_parallel": (given.max_parallel, 1), "weight": (given.weight, 0)}
    for name, (value, bound) in least.items():
        if value is not None and value < bound:
            raise ValueError(f"{name} is at least {bound}, not {value}")
    if timeout is not None and timeout <= 0:
        raise ValueError(f"timeout is more than 0 s, not {timeout:g}")
    if given.output is not None and (wrong := schema_mistake(given.output)) is not None:
        raise ValueError(f"output is no JSON Schema: {wrong}")
    return AgentSpec(
        given.name, FUNCTION, options={"executor": given.executor} if given.executor else {}, replicas=given.replicas,
        max_parallel=given.max_parallel, capabilities=given.capabilities, weight=given.weight, timeout=timeout,
        retry=policy(given.retry, {}), idempotent=given.idempotent,
        output=dict(given.output) if given.output is not None else None, cost=given.cost,
    )  # fmt: skip


def _check_items(name: str, strategy: Any, for_each: Sequence[Any] | None) -> None:
    if for_each is None and getattr(strategy, "needs_items", False):
        raise CallInvalid(f"{name} works on items: give for_each=[…]")
    if for_each is not None and not getattr(strategy, "takes_items", False):
        raise CallInvalid(f"{name} does not take items: leave for_each out, or use scatter-gather or pipeline")


def _refuse_problems(name: str, strategy: Any, specs: Mapping[str, AgentSpec]) -> None:
    from agentical.members import members_of

    problems = getattr(strategy, "problems", None)
    found = list(problems([one for spec in specs.values() for one in members_of(spec)])) if problems else []
    if found:
        raise CallInvalid(f"{name}: {' '.join(found)}")


def _json(value: dict[str, Any], what: str) -> dict[str, Any]:
    try:
        encode(value)
    except (TypeError, ValueError, RecursionError) as error:
        raise CallInvalid(f"{what} of a strategy are JSON values: {error}") from None
    return value


def _name(strategy: Callable[..., Any]) -> str:
    plain = inspect.isfunction(strategy) or inspect.ismethod(strategy)
    return strategy.__name__ if plain else type(strategy).__name__
