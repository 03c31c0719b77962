"""The executor that asks Python agents in worker processes, which can be ended where a thread cannot.

Workers are spawned, never forked (a fork would inherit the locks and connections of this process), and nothing is pickled:
an agent goes as its folder and target, payload and answer as JSON. `worker.py` is the other side.
"""

from __future__ import annotations

import os
import sys
from contextlib import ExitStack
from typing import Any, Final, Self

import anyio
import msgspec

from agentical.agents.children import Child
from agentical.agents.python import PythonAgent
from agentical.errors import AgentError, Denied, Exhausted, Invalid, RateLimited, Transient, Upstream
from agentical.executors.protocol import Hello, Reply, Request
from agentical.executors.timing import clock
from agentical.ports import Agent, Edge, TaskContext

LARGEST_ANSWER: Final = 64 * 1024 * 1024

_ERRORS: Final = {kind.failure_class: kind for kind in (Transient, RateLimited, Exhausted, Invalid, Denied, Upstream)}


class ProcessesExecutor:
    """Asks each agent in a worker of its own, at most `size` at a time; workers are used again."""

    def __init__(self, size: int | None = None) -> None:
        self._slots = anyio.CapacityLimiter(size or os.cpu_count() or 1)
        self._idle: list[_Worker] = []
        self._closed = False

    async def run(self, agent: Agent, payload: Any, context: TaskContext) -> Any:
        """Ask; a worker whose caller stops waiting is ended, with all it started."""
        if not isinstance(agent, PythonAgent):
            raise Invalid(f"only python agents run in processes, not a {type(agent).__name__}")
        async with self._slots:
            reply = await self._exchange(agent, payload, context)
        context.charge(tokens_in=reply.usage.tokens_in, tokens_out=reply.usage.tokens_out, cost=reply.usage.cost)
        if reply.failure is not None:
            kind = _ERRORS.get(reply.failure.kind, AgentError)
            raise kind(reply.failure.message, retry_after=reply.retry_after)
        return reply.answer if reply.edge is None else Edge(reply.edge, reply.answer, reply.required)

    async def aclose(self) -> None:
        """End the workers."""
        self._closed = True
        async with anyio.create_task_group() as group:
            while self._idle:
                group.start_soon(self._idle.pop().stop)

    async def _exchange(self, agent: PythonAgent, payload: Any, context: TaskContext) -> Reply:
        worker = await self._worker(context)
        answer = None
        try:
            with clock(context):
                answer = await worker.answer(msgspec.json.encode(Request.of(agent, payload, context)))
        finally:
            if answer is None or self._closed:
                await worker.stop()
            else:
                self._idle.append(worker)
        return msgspec.json.decode(answer, type=Reply)

    async def _worker(self, context: TaskContext) -> _Worker:
        while self._idle:
            worker = self._idle.pop()
            if worker.child.returncode is None:
                return worker
            await worker.stop()
        return await _Worker.start(context)


class _Worker:
    """A worker process that is ready to be asked. It stays listed as a child from its start until it is stopped."""

    def __init__(self, child: Child) -> None:
        self.child, self._listed = child, ExitStack()

    @classmethod
    async def start(cls, context: TaskContext) -> Self:
        """Start one, and wait until it says that it is there: what its start takes is not the agent's time."""
        argv = (sys.executable, "-P", "-m", "agentical.executors.worker")
        worker = cls(await Child.start(argv, limit=LARGEST_ANSWER, keep_stderr=False))
        try:
            if context.on_child:
                worker._listed.enter_context(context.on_child(worker.child.pid))
            await worker.answer(msgspec.json.encode(Hello(sys.path)))
        except BaseException:
            await worker.stop()
            raise
        return worker

    async def answer(self, line: bytes) -> bytes:
        """Its answer to a line. Raises when it ends without one."""
        self.child.write(line + b"\n")
        answer = await self.child.line()
        if answer is None:
            raise await _died(self.child)
        return answer

    async def stop(self) -> None:
        """End it, with all it started."""
        with self._listed:
            await self.child.stop()


async def _died(worker: Child) -> AgentError:
    status = await worker.end()
    if worker.overflowed:
        return Exhausted(f"the answer is larger than {LARGEST_ANSWER >> 20} MiB")
    if status == -9:
        return Exhausted("the worker process was killed; the usual reason is that memory ran out")
    how = f"was ended by signal {-status}" if status < 0 else f"exited with {status}"
    return Transient(f"the worker process {how} before it answered")
