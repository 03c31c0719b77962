"""Threads that can be abandoned: where plain functions run off the event loop.

Why not `anyio.to_thread`: a thread cannot be cancelled. Whoever stops waiting must not free the slot that the function still
holds, and a function that never returns must not keep the process from ending: the threads are daemons.
"""

from __future__ import annotations

import asyncio
import contextvars
import threading
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from queue import SimpleQueue
from typing import Any

import anyio

from agentical.ports import TaskContext

Queue = SimpleQueue["_Job | Callable[[], object]"]
"""What one thread is given: calls, and at last what it does before it ends."""


class Threads:
    """At most `size` threads, started as they are needed and used again."""

    def __init__(self, size: int) -> None:
        self._slots = anyio.CapacityLimiter(size)
        self._idle: list[Queue] = []
        self._last: Callable[[], object] | None = None

    @property
    def busy(self) -> int:
        """How many slots are taken, those of abandoned functions too."""
        return self._slots.borrowed_tokens

    async def run(
        self,
        context: TaskContext,
        function: Callable[..., Any],
        *args: Any,
        clock: Callable[[TaskContext], AbstractContextManager[Any]] = nullcontext,
    ) -> Any:
        """Call it in a thread. Cancelled, it is abandoned: it runs on, and keeps its slot until it ends.

        `clock` is entered once there is a thread: waiting for one takes none of the task's time.
        """
        job = _Job(context, function, args, self._finished)
        await self._slots.acquire_on_behalf_of(job)
        with clock(context):
            job.start(self._idle.pop() if self._idle else _start_thread())
            return await job.future

    def close(self, last: Callable[[], object] = lambda: None) -> None:
        """Let the threads end, each when what it runs has ended; `last` is the last thing it does."""
        self._last = last
        while self._idle:
            self._idle.pop().put(last)

    def _finished(self, job: _Job) -> None:
        self._slots.release_on_behalf_of(job)
        if self._last is None:
            self._idle.append(job.queue)
        else:
            job.queue.put(self._last)


class _Job:
    """One call: made and finished on the event loop, run in a thread."""

    def __init__(
        self,
        task: TaskContext,
        function: Callable[..., Any],
        args: tuple[Any, ...],
        finished: Callable[[_Job], None],
    ) -> None:
        self.task, self.function, self.args, self.finished = task, function, args, finished
        self.variables = contextvars.copy_context()
        self.loop = asyncio.get_running_loop()
        self.future: asyncio.Future[Any] = self.loop.create_future()
        self.queue: Queue

    def start(self, queue: Queue) -> None:
        self.queue = queue
        queue.put(self)

    def run(self) -> bool:
        """In the thread. False when the event loop is gone, and with it everybody who waited."""
        result: Any = None
        failure: BaseException | None = None
        try:
            result = self.variables.run(self.function, *self.args)
        except StopIteration as error:  # a future cannot hold it
            failure = RuntimeError(f"raised StopIteration({error.value!r})")
        except BaseException as error:
            failure = error
        try:
            self.loop.call_soon_threadsafe(self._end, result, failure)
        except RuntimeError:
            return False
        return True

    def _end(self, result: Any, failure: BaseException | None) -> None:
        self.finished(self)
        if not self.future.cancelled():
            if failure is None:
                self.future.set_result(result)
            else:
                self.future.set_exception(failure)
        elif failure is not None:
            self._log(failure)
        del self.future  # breaks the cycle that an exception's traceback closes

    def _log(self, failure: BaseException) -> None:
        """Only what it is, and whose: its text may hold secrets, and nobody takes them out here."""
        task = self.task
        task.logger.warning(
            "an abandoned function failed: %s (%s: %s: %s: %s)",
            type(failure).__name__, task.execution, task.visit, task.key, task.member,
        )  # fmt: skip


def _start_thread() -> Queue:
    queue: Queue = SimpleQueue()
    threading.Thread(target=_serve, args=(queue,), name="agentical agent", daemon=True).start()
    return queue


def _serve(queue: Queue) -> None:
    while isinstance(job := queue.get(), _Job):
        if not job.run():
            return
        del job
    job()
