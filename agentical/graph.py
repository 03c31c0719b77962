"""The compiled playbook: what the engine runs, as plain data that is stored with the execution.

`parser.py` reads a playbook; `checks.py` finds what is wrong with it and compiles it into these shapes.
A resumed execution reads them back without parsing anything.
"""

from __future__ import annotations

from typing import Any

import msgspec


class Retry(msgspec.Struct, frozen=True, omit_defaults=True):
    """How one failure class is retried. `limit` counts retries, not attempts; seconds throughout."""

    limit: int = 0
    delay: float = 1.0
    backoff: str = "exponential"
    jitter: str = "full"
    max_delay: float = 60.0


class AgentSpec(msgspec.Struct, frozen=True, omit_defaults=True):
    """One agent of the playbook. `options` are the kind's own keys (snake_case), secrets still as references."""

    id: str
    kind: str
    target: str = ""
    options: dict[str, Any] = {}
    replicas: int = 1
    max_parallel: int | None = None
    capabilities: tuple[str, ...] = ()
    weight: float = 1.0
    timeout: float | None = None
    retry: dict[str, Retry] = {}
    fallback: str | None = None
    idempotent: bool = False
    on_uncertain: str = "ask-again"
    output: dict[str, Any] | None = None
    rate: tuple[int, float] | None = None
    cost: float = 0.0


class StateKey(msgspec.Struct, frozen=True, omit_defaults=True):
    """A shared variable: its JSON type, how writes merge, and its value before any."""

    type: str | None = None
    merge: str = "last"
    default: Any = None


class InputSpec(msgspec.Struct, frozen=True, omit_defaults=True):
    """An input: `schema` is the JSON Schema its value must meet."""

    schema: dict[str, Any] = {}
    required: bool = True
    default: Any = None
    description: str = ""


class Route(msgspec.Struct, frozen=True, omit_defaults=True):
    """An edge: followed on the outcome `on`, or when `condition` holds, or (neither) otherwise. `to`: step, end, fail."""

    to: str
    on: str | None = None
    condition: str | None = None


class Step(msgspec.Struct, frozen=True, omit_defaults=True):
    """One step. `rank` is its place in a topological order; `waits` the indices of the steps that must have ended.

    `starts`: "needs" (by itself once `waits` are over) or "edge" (only when a step leaves towards it).
    `join`: how many of `waits` must have ended, None for all. `alone`: `condition` alone decides, whatever failed.
    `body`: agent | team | set | end. An agent asked once has no strategy. `retry`: None leaves it to the agents, empty
    retries nothing.
    """

    id: str
    index: int
    rank: int
    body: str
    starts: str = "needs"
    waits: tuple[int, ...] = ()
    join: int | None = None
    condition: str | None = None
    alone: bool = False
    members: tuple[str, ...] = ()
    helpers: tuple[str, ...] = ()
    strategy: str | None = None
    options: dict[str, Any] = {}
    payload: Any = None
    has_payload: bool = False
    for_each: Any = None
    source: str | None = None
    writes: dict[str, Any] = {}
    routes: tuple[Route, ...] = ()
    timeout: float | None = None
    output: dict[str, Any] | None = None
    retry: dict[str, Retry] | None = None
    max_visits: int = 1000
    end: str | None = None
    previous: int | None = None


class Graph(msgspec.Struct, frozen=True, omit_defaults=True):
    """A whole playbook, checked. `format` is the version of this shape."""

    name: str
    steps: tuple[Step, ...]
    format: int = 1
    version: str = ""
    labels: dict[str, str] = {}
    inputs: dict[str, InputSpec] = {}
    secrets: dict[str, str] = {}
    agents: dict[str, AgentSpec] = {}
    state: dict[str, StateKey] = {}
    outputs: dict[str, Any] = {}
    budget_tasks: int | None = None
    budget_time: float | None = None


_decoder = msgspec.json.Decoder(Graph)


def encode_graph(graph: Graph) -> bytes:
    """The graph as JSON, as it is stored."""
    return msgspec.json.encode(graph)


def decode_graph(data: bytes) -> Graph:
    """The graph of such bytes. Raises `msgspec.ValidationError`."""
    return _decoder.decode(data)
