"""A journal over a store, and recorders on it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import anyio
from msgspec import Raw
from virtual import VirtualClock

from agentical import events as ev
from agentical.decisions import Rules
from agentical.events import GENESIS, ExecutionRow
from agentical.graph import Graph
from agentical.progress import Progress
from agentical.state.journal import Journal, JournalRecorder
from agentical.stores.memory import MemoryStore

STARTED = ev.ExecutionStarted("hello", "", "", Raw(b"{}"))


async def recorder(journal: Journal, store: MemoryStore, id: str = "one") -> JournalRecorder:
    claim = await store.claim(id, "me", lambda _: False, create=ExecutionRow(id, "hello", "pending", 1.0, 1.0))
    progress = Progress(Rules(Graph("hello", ())).graph)
    return JournalRecorder(id, claim.row.epoch, (0, GENESIS), journal, progress, VirtualClock())


@asynccontextmanager
async def opened(store: MemoryStore, *monitors: Any) -> AsyncIterator[tuple[Journal, JournalRecorder]]:
    async with anyio.create_task_group() as tasks:
        journal = Journal(store, tasks, monitors)
        try:
            yield journal, await recorder(journal, store)
        finally:
            journal.close()


def paused(n: int) -> ev.ExecutionPaused:
    return ev.ExecutionPaused(str(n))
