"""Calling Python: how a callable is run, here or in a thread, and how its result becomes an answer."""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import aclosing
from functools import partial
from typing import Any, Final, Literal

from agentical.agents.answers import to_json
from agentical.agents.arguments import Signature
from agentical.agents.threads import Threads
from agentical.errors import Invalid
from agentical.ports import TaskContext

Place = Literal["here", "threads", "processes"]

_END: Final = object()


class Callee:
    """A callable with its signature, resolved once.

    The payload goes whole to a parameter called `payload`; otherwise a mapping's keys become keyword arguments and any
    other payload goes to the first parameter. What is annotated is checked. `context` receives the TaskContext, and
    `skip` of a generator how many of its items are recorded already.
    """

    def __init__(self, function: Callable[..., Any]) -> None:
        if not callable(function):
            raise TypeError(f"{function!r} is not callable")
        called = _called(function)
        self.function = function
        self.name: str = getattr(function, "__name__", type(function).__name__)
        self.is_async = inspect.iscoroutinefunction(called)
        self.yields_async = inspect.isasyncgenfunction(called)
        self.is_source = self.yields_async or inspect.isgeneratorfunction(called)
        self.awaits = self.is_async or self.yields_async
        self.runs_in: Place = "here" if self.awaits else "threads"
        self._signature = Signature(function, self.name, skips=self.is_source)

    async def call(self, payload: Any, context: TaskContext) -> Any:
        """Call it on the event loop. A generator gives the list of its items."""
        args, named = self._signature.bind(payload, context)
        try:
            result = self.function(*args, **named)
            if self.yields_async:
                async with aclosing(result):
                    return to_json([item async for item in result])
            if self.is_async or inspect.isawaitable(result):
                result = await result
            return to_json(list(result) if self.is_source else result)
        except SystemExit as error:
            raise _exited(self.name, error) from error

    def work(self, payload: Any, context: TaskContext) -> Any:
        """Call it where no event loop runs: in a thread, or in another process."""
        if self.awaits:
            return asyncio.run(self.call(payload, context))
        args, named = self._signature.bind(payload, context)
        try:
            result = self.function(*args, **named)
            if inspect.isawaitable(result):
                result = asyncio.run(_await(result))
            return to_json(list(result) if self.is_source else result)
        except SystemExit as error:
            raise _exited(self.name, error) from error

    async def call_in_thread(self, payload: Any, context: TaskContext) -> Any:
        """Call it in a thread of its own: for whoever asks an agent without an executor."""
        thread = Threads(1)
        try:
            return await thread.run(context, self.work, payload, context)
        finally:
            thread.close()

    async def stream(self, payload: Any, context: TaskContext) -> AsyncIterator[Any]:
        """The items as they come, without those recorded already. A plain generator runs in a thread of its own."""
        left = 0 if self._signature.takes_skip else context.skip
        async with aclosing(self._items(payload, context)) as items:
            async for item in items:
                if left:
                    left -= 1
                else:
                    yield to_json(item)

    async def _items(self, payload: Any, context: TaskContext) -> Any:
        if not self.is_source:
            raise Invalid(f"{self.name} yields nothing: a source of items is a generator function")
        args, named = self._signature.bind(payload, context, context.skip)
        source = self.function(*args, **named)
        try:
            async with aclosing(source if self.yields_async else _in_thread(source, context)) as items:
                async for item in items:
                    yield item
        except SystemExit as error:
            raise _exited(self.name, error) from error


async def _in_thread(source: Any, context: TaskContext) -> Any:
    thread = Threads(1)
    try:
        while (item := await thread.run(context, next, source, _END)) is not _END:
            yield item
    finally:
        thread.close(source.close)


async def _await(result: Awaitable[Any]) -> Any:
    return await result


def _called(function: Callable[..., Any]) -> Any:
    """The function that runs when `function` is called: behind partials, and of an object its `__call__`."""
    while isinstance(function, partial):
        function = function.func
    return function if inspect.isroutine(function) or inspect.isclass(function) else type(function).__call__


def _exited(name: str, error: SystemExit) -> RuntimeError:
    """Why: SystemExit would pass through the event loop and end everything else too."""
    return RuntimeError(f"{name} called sys.exit({error.code!r})")
