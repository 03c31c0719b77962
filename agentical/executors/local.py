"""The executors of this process: on the event loop, and in threads."""

from __future__ import annotations

import asyncio
import os
from time import monotonic
from typing import Any

from agentical.agents.threads import Threads
from agentical.executors.timing import clock
from agentical.ports import Agent, TaskContext


class HereExecutor:
    """Asks the agent on the event loop."""

    async def run(self, agent: Agent, payload: Any, context: TaskContext) -> Any:
        if context.timeout is None:
            context.began = monotonic()
            return await agent(payload, context)
        with clock(context):
            return await agent(payload, context)

    async def aclose(self) -> None:
        """Nothing to close."""


class ThreadsExecutor:
    """Asks the agent in a thread. Who stops waiting abandons it: it runs on, and keeps its thread until it ends."""

    def __init__(self, size: int | None = None) -> None:
        self._threads = Threads(size or min(40, 4 * (os.cpu_count() or 1) + 8))

    async def run(self, agent: Agent, payload: Any, context: TaskContext) -> Any:
        return await self._threads.run(context, _work, agent, payload, context, clock=clock)

    async def aclose(self) -> None:
        """Let the threads end."""
        self._threads.close()


def _work(agent: Agent, payload: Any, context: TaskContext) -> Any:
    """`agent.work` where it has one (what does not await needs no event loop), else the agent on a loop of its own."""
    work = getattr(agent, "work", None)
    return work(payload, context) if work else asyncio.run(_asked(agent, payload, context))


async def _asked(agent: Agent, payload: Any, context: TaskContext) -> Any:
    return await agent(payload, context)
