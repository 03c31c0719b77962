"""Journals as material: read them whole, cut them off, and stores that are slow or fail."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable, Sequence
from typing import Any

from agentical import events as ev
from agentical.errors import StoreError
from agentical.events import GENESIS, Entry, ExecutionRow, chain, decode_entry
from agentical.ports import Append, Refused, Store
from agentical.stores.memory import MemoryStore

GHOST = "ghost-1-000000000000"
"""An owner that is dead."""


async def lines_of(store: Store, execution: str) -> list[bytes]:
    """The journal, line by line."""
    return [line async for written in store.journal(execution) for line in written.lines]


async def entries_of(store: Store, execution: str) -> list[Entry]:
    return [decode_entry(line) for line in await lines_of(store, execution)]


async def cut(source: Store, execution: str, count: int, into: Store) -> None:
    """Give `into` the execution as a process that died after `count` entries left it."""
    await put(source, execution, (await lines_of(source, execution))[:count], into)


async def put(source: Store, execution: str, lines: Sequence[bytes], into: Store) -> None:
    """Give `into` an execution of these lines, with the blobs of `source`; its owner is dead."""
    row = await source.row(execution)
    assert row is not None
    create = ExecutionRow(execution, row.playbook, "pending", row.created, row.created, parent=row.parent)
    claim = await into.claim(execution, GHOST, lambda _: False, create=create)
    head, status = GENESIS, "pending"
    for seq, line in enumerate(lines):
        entry = decode_entry(line)
        blobs: dict[str, bytes] = {}
        if isinstance(entry.event, ev.ExecutionStarted):
            blobs = {name: await _blob(source, name) for name in (entry.event.text, entry.event.graph)}
        status = _STATUS.get(type(entry.event), status)
        after = chain(head, line)
        refused = await into.append(
            [Append(execution, claim.row.epoch, seq, head, (line,), after, status, entry.at, blobs)]
        )
        assert not refused
        head = after


async def _blob(store: Store, name: str) -> bytes:
    found = await store.blob(name)
    assert found is not None
    return found


_STATUS: dict[type[Any], str] = {
    ev.ExecutionStarted: "running", ev.ExecutionResumed: "running", ev.ExecutionPaused: "paused",
    ev.ExecutionCompleted: "completed", ev.ExecutionFailed: "failed", ev.ExecutionCancelled: "cancelled",
}  # fmt: skip


def answered(entries: Sequence[Entry]) -> set[tuple[str, str]]:
    """(visit, key) of all that was answered, or failed for good."""
    ended = (ev.TaskAnswered, ev.TaskFailed)
    return {(one.event.visit, one.event.key) for one in entries if isinstance(one.event, ended)}


class SlowStore(MemoryStore):
    """A store whose commits take time, so that others come in between. `commits` counts them."""

    durable = True  # type: ignore[assignment]

    def __init__(self, seed: int = 0, *, slowest: float = 0.02) -> None:
        super().__init__()
        self._draws, self._slowest, self.commits = random.Random(seed), slowest, 0

    async def append(self, batch: Sequence[Append]) -> Sequence[Refused]:
        self.commits += 1
        await asyncio.sleep(self._draws.uniform(0.0, self._slowest))
        return await super().append(batch)


class FailingStore(SlowStore):
    """Fails the commits for which `fails(number)` says so, counted from 1; `written`: after writing all the same."""

    def __init__(self, fails: Callable[[int], bool], *, written: bool = False) -> None:
        super().__init__()
        self.fails, self._written = fails, written

    async def append(self, batch: Sequence[Append]) -> Sequence[Refused]:
        if not self.fails(self.commits + 1):
            return await super().append(batch)
        if self._written:
            await super().append(batch)
        else:
            self.commits += 1
        raise StoreError("the disk is full")
