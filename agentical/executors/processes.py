"""The executor that asks Python agents in worker processes, which can be ended where a thread cannot.

Workers are spawned, never forked (a fork would inherit the locks and connections of this process), and nothing is pickled:
an agent goes as its folder and target, payload and answer as JSON. `worker.py` is the other side.
"""

from __future__ import annotations

import os
import sys
from contextlib import nullcontext
from typing import Any, Final

import anyio
import msgspec

from agentical.agents.children import Child
from agentical.agents.python import PythonAgent
from agentical.errors import AgentError, Denied, Exhausted, Invalid, RateLimited, Transient, Upstream
from agentical.executors.protocol import Hello, Reply, Request
from agentical.ports import Agent, Edge, TaskContext

LARGEST_ANSWER: Final = 64 * 1024 * 1024

_ERRORS: Final = {kind.failure_class: kind for kind in (Transient, RateLimited, Exhausted, Invalid, Denied, Upstream)}


class ProcessesExecutor:
    """Asks each agent in a worker of its own, at most `size` at a time; workers are used again."""

    def __init__(self, size: int | None = None) -> None:
        self._slots = anyio.CapacityLimiter(size or os.cpu_count() or 1)
        self._idle: list[Child] = []
        self._closed = False

    async def run(self, agent: Agent, payload: Any, context: TaskContext) -> Any:
        """Ask; a worker whose caller stops waiting is ended, with all it started."""
        if not isinstance(agent, PythonAgent):
            raise Invalid(f"only python agents run in processes, not a {type(agent).__name__}")
        line = msgspec.json.encode(Request.of(agent, payload, context))
        async with self._slots:
            reply = msgspec.json.decode(await self._exchange(line, context), type=Reply)
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

    async def _exchange(self, line: bytes, context: TaskContext) -> bytes:
        worker = await self._worker()
        answer = None
        try:
            with context.on_child(worker.pid) if context.on_child else nullcontext():
                worker.write(line + b"\n")
                answer = await worker.line()
                if answer is None:
                    raise await _died(worker)
        finally:
            if answer is None or self._closed:
                await worker.stop()
            else:
                self._idle.append(worker)
        return answer

    async def _worker(self) -> Child:
        while self._idle:
            worker = self._idle.pop()
            if worker.returncode is None:
                return worker
            await worker.stop()
        argv = (sys.executable, "-P", "-m", "agentical.executors.worker")
        worker = await Child.start(argv, limit=LARGEST_ANSWER, keep_stderr=False)
        worker.write(msgspec.json.encode(Hello(sys.path)) + b"\n")
        return worker


async def _died(worker: Child) -> AgentError:
    status = await worker.end()
    if worker.overflowed:
        return Exhausted(f"the answer is larger than {LARGEST_ANSWER >> 20} MiB")
    if status == -9:
        return Exhausted("the worker process was killed; the usual reason is that memory ran out")
    how = f"was ended by signal {-status}" if status < 0 else f"exited with {status}"
    return Transient(f"the worker process {how} while it was being asked")
