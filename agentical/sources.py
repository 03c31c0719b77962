"""The items of a visit's for-each: a list recorded with the visit, or a source that yields, recorded item by item."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing
from typing import Any, Protocol

import anyio
from msgspec import Raw

from agentical import events as ev
from agentical.agents.failures import classify
from agentical.errors import StepFailed, StoreError, TimedOut
from agentical.jsonvalues import encode, loads
from agentical.members import Asked
from agentical.ports import Item, Recorder, TaskContext
from agentical.secrets import Redaction
from agentical.visits import Visit


class Items(Protocol):
    """What a team needs to know of the items."""

    def count(self, seen: int) -> int | None:
        """How many there are, as far as entry `seen` tells: the last one that was handed over."""
        ...

    def take(self, before: int | None) -> Item | None:
        """The next item, if it is there and was recorded before entry `before` (None: no matter when)."""
        ...

    def want(self) -> bool:
        """Ask for one more; False when there are no more."""
        ...

    def raise_error(self) -> None: ...
    def close(self) -> None: ...


class ListedItems:
    """The items of a list, all recorded when the visit started. `shape` makes an item's payload."""

    def __init__(self, values: list[Any], shape: Callable[[int, Any], Any]) -> None:
        self._values, self._shape, self._next = values, shape, 0

    def count(self, seen: int) -> int | None:
        return len(self._values)

    def take(self, before: int | None) -> Item | None:
        if self._next >= len(self._values):
            return None
        index, value = self._next, self._values[self._next]
        self._next += 1
        return Item(index, value, self._shape(index, value))

    def want(self) -> bool:
        return self._next < len(self._values)

    def raise_error(self) -> None:
        """A list does not fail."""

    def close(self) -> None:
        """Nothing runs."""


class SourceItems:
    """The items of an agent that yields: one is drawn when it is wanted, and handed over once it is committed."""

    def __init__(
        self,
        visit: Visit,
        asked: Asked,
        context: TaskContext,
        recorder: Recorder,
        redaction: Redaction,
        shape: Callable[[int, Any], Any],
        start_soon: Callable[..., Any],
    ) -> None:
        self._visit, self._asked, self._context = visit, asked, context
        self._recorder, self._redaction = recorder, redaction
        self._shape, self._start_soon = shape, start_soon
        self._wanted = anyio.Event()
        self._scope: anyio.CancelScope | None = None
        self._error: Exception | None = None
        self._told_the_end = False

    def count(self, seen: int) -> int | None:
        """Not known before the strategy could tell, however much of the record there is already."""
        ended = self._visit.items_ended
        return self._visit.taken if ended and (self._told_the_end or ended[0] < seen) else None

    def take(self, before: int | None) -> Item | None:
        recorded = self._visit.items
        if not recorded or (before is not None and before < recorded[0][0]):
            return None
        _, _, event = recorded.popleft()
        value = loads(event.item)
        return Item(event.index, value, self._shape(event.index, value))

    def want(self) -> bool:
        if self._visit.items:
            return True
        if self._visit.items_ended:
            self._told_the_end = True
            return False
        if self._scope is None:
            self._scope = anyio.CancelScope()
            self._start_soon(self._draw)
        self._wanted.set()
        return True

    def raise_error(self) -> None:
        if self._error is not None:
            raise self._error

    def close(self) -> None:
        if self._scope is not None:
            self._scope.cancel()

    async def _draw(self) -> None:
        assert self._scope is not None
        self._context.skip = self._visit.taken
        with self._scope:
            try:
                await self._draw_each()
            except StoreError as error:
                self._error = error
            except Exception as error:
                failure = self._redaction.failure(classify(error))
                self._error = StepFailed(
                    f"the source {self._asked.spec.id} failed after {self._visit.taken} items: {failure.message}",
                    code="SOURCE_FAILED", failure_class=failure.kind,
                )  # fmt: skip
            if self._error is not None and self._visit.tell is not None:
                self._visit.tell(None)

    async def _draw_each(self) -> None:
        visit = self._visit.started.visit
        stream = getattr(self._asked.run, "stream", None)
        if stream is None:
            raise StepFailed(
                f"agent {self._asked.spec.id} does not yield items", code="NOT_A_SOURCE", failure_class="invalid"
            )
        async with aclosing(stream(loads(self._visit.started.payload), self._context)) as values:
            while True:
                await self._wanted.wait()
                try:
                    value = await self._drawn(values)
                except StopAsyncIteration:
                    break
                self._wanted = anyio.Event()
                await self._recorder.record(
                    ev.ItemTaken(visit, self._visit.taken, Raw(self._redaction.clean(encode(value))))
                )
        await self._recorder.record(ev.ItemsEnded(visit, self._visit.taken))

    async def _drawn(self, values: AsyncGenerator[Any, None]) -> Any:
        """The next value; the agent's timeout is for each."""
        timeout = self._asked.spec.timeout
        if timeout is None:
            return await anext(values)
        with anyio.move_on_after(timeout):
            return await anext(values)
        raise TimedOut(f"no item within {timeout:g} s")


class NoItems:
    """For a step without for-each: nothing to take."""

    def count(self, seen: int) -> int | None:
        return None

    def take(self, before: int | None) -> Item | None:
        return None

    def want(self) -> bool:
        return False

    def raise_error(self) -> None:
        """Nothing can fail."""

    def close(self) -> None:
        """Nothing runs."""


NO_ITEMS = NoItems()
