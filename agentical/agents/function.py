"""Agents of Python programs: any callable, and the decorator that gives one its settings."""

from __future__ import annotations

import hashlib
import inspect
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Literal, TypeVar

from agentical.agents.calling import Callee, Place
from agentical.ports import TaskContext

Function = TypeVar("Function", bound=Callable[..., Any])


@dataclass(frozen=True, kw_only=True)
class FunctionAgent:
    """A callable of the program itself, called as the kind `python` calls its own."""

    function: Callable[..., Any]
    executor: Literal["here", "threads"] | None = None

    @property
    def runs_in(self) -> Place:
        """The executor that runs it: what awaits runs here, what does not in a thread."""
        return self.executor or self.callee.runs_in

    @cached_property
    def callee(self) -> Callee:
        """The callable with its signature."""
        return Callee(self.function)

    async def __call__(self, payload: Any, context: TaskContext) -> Any:
        callee = self.callee
        if callee.awaits or self.executor == "here":
            return await callee.call(payload, context)
        return await callee.call_in_thread(payload, context)

    def work(self, payload: Any, context: TaskContext) -> Any:
        """The same, where no event loop runs."""
        return self.callee.work(payload, context)

    def stream(self, payload: Any, context: TaskContext) -> AsyncIterator[Any]:
        """The items of a generator as they come, without the first `context.skip`; in this process, always."""
        return self.callee.stream(payload, context)

    def code(self) -> str:
        """A hash of its source; of its name where it has none."""
        try:
            source = inspect.getsource(inspect.unwrap(self.function))
        except (OSError, TypeError):
            source = self.callee.name
        return hashlib.sha256(source.encode()).hexdigest()[:16]


@dataclass(frozen=True, kw_only=True)
class AgentOptions:
    """What `@agent(...)` says of a callable: the keys every agent of a playbook has, meaning the same."""

    name: str
    capabilities: tuple[str, ...] = ()
    weight: float = 1.0
    timeout: float | str | None = None
    retry: int | str | Mapping[str, Any] | None = None
    replicas: int = 1
    max_parallel: int | None = None
    cost: float = 0.0
    output: Mapping[str, Any] | None = None
    idempotent: bool = False
    executor: Literal["here", "threads"] | None = None


def agent(
    *,
    name: str | None = None,
    capabilities: Sequence[str] = (),
    weight: float = 1.0,
    timeout: float | str | None = None,
    retry: int | str | Mapping[str, Any] | None = None,
    replicas: int = 1,
    max_parallel: int | None = None,
    cost: float = 0.0,
    output: Mapping[str, Any] | None = None,
    idempotent: bool = False,
    executor: Literal["here", "threads"] | None = None,
) -> Callable[[Function], Function]:
    """Give a callable the settings of an agent. It stays what it is: call it as before, or hand it to a team.

    `name` is the callable's own unless given. `timeout` is in seconds or a duration (`30s`), `retry` as in a playbook,
    `output` a JSON Schema. Where something has no default here, the playbook's or the engine's holds.
    """

    def attach(function: Function) -> Function:
        function.__agentical__ = AgentOptions(  # type: ignore[attr-defined]
            name=name or _name(function),
            capabilities=tuple(capabilities),
            weight=weight,
            timeout=timeout,
            retry=retry,
            replicas=replicas,
            max_parallel=max_parallel,
            cost=cost,
            output=output,
            idempotent=idempotent,
            executor=executor,
        )
        return function

    return attach


def options_of(function: Callable[..., Any]) -> AgentOptions:
    """What the decorator said of a callable, or what holds without it."""
    options = getattr(function, "__agentical__", None)
    return options if isinstance(options, AgentOptions) else AgentOptions(name=_name(function))


def _name(function: Callable[..., Any]) -> str:
    return getattr(function, "__name__", type(function).__name__)
