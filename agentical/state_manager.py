"""What the rest sees of state: claim an execution, record into it, recover it, look at it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from types import TracebackType
from typing import Self

import anyio
from anyio.abc import TaskGroup
from cachetools import LRUCache

from agentical import events as ev
from agentical.decisions import Decisions, Rules
from agentical.errors import CallInvalid, ExecutionOwned, ExecutionUnknown, JournalDamaged
from agentical.events import GENESIS, Entry, ExecutionRow, Tally
from agentical.graph import decode_graph
from agentical.ports import Claim, Clock, Monitor, Store
from agentical.progress import Progress
from agentical.state.journal import Journal, JournalRecorder, check_head, read
from agentical.state.ownership import Ownership


@dataclass(slots=True, eq=False)
class Execution:
    """One execution in the hands of its owner: where it stands, and how to record more of it."""

    id: str
    progress: Progress
    rules: Rules
    recorder: JournalRecorder
    claim: Claim
    decisions: Decisions = field(init=False)

    def __post_init__(self) -> None:
        self.decisions = Decisions(self.id, self.progress, self.rules)


class StateManager:
    """Journals and blobs of one store. Use it as an async context manager; `cache_size` graphs are kept at hand."""

    def __init__(self, store: Store, clock: Clock, monitors: Sequence[Monitor] = (), *, cache_size: int = 1000) -> None:
        self.store, self._clock, self._monitors = store, clock, monitors
        self._rules: LRUCache[str, Rules] = LRUCache(cache_size)
        self._live: set[JournalRecorder] = set()
        self._held: set[str] = set()

    async def __aenter__(self) -> Self:
        self.ownership = await asyncio.to_thread(Ownership, self.store.folder)
        self._group: TaskGroup = anyio.create_task_group()
        await self._group.__aenter__()
        self._journal = Journal(self.store, self._group, self._monitors)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._journal.close()
        try:
            await self._group.__aexit__(None, None, None)
        finally:
            self.ownership.close()
            with anyio.CancelScope(shield=True):
                await self.store.aclose()

    async def start(self, execution: str, started: ev.ExecutionStarted, blobs: Mapping[str, bytes]) -> Execution:
        """A new execution, its first entry committed. Raises ExecutionOwned; goes on where the id has begun already."""
        parent = started.parent.execution if started.parent else None
        now = self._clock.now()
        row = ExecutionRow(execution, started.playbook, "pending", now, now, parent=parent)
        claim = await self._claim(execution, create=row)
        if claim.row.head_seq:
            opened = await self._recovered(claim)
        else:
            async with self._let_go_on_error(claim):
                opened = self._opened(claim, self._rules_for(started.graph, blobs[started.graph]))
                opened.recorder.keep(dict(blobs))
                await self._begin(opened, started)
        self._live.add(opened.recorder)
        return opened

    async def _begin(self, opened: Execution, started: ev.ExecutionStarted) -> None:
        try:
            await opened.recorder.record(started)
        except anyio.get_cancelled_exc_class():
            with anyio.CancelScope(shield=True):  # the commit went on, so it has begun
                await opened.recorder.record(ev.ExecutionPaused("interrupted"))
            raise

    async def recover(self, execution: str, *, accept_loss: int | None = None) -> Execution:
        """Take an execution over and fold its journal. Raises ExecutionOwned, ExecutionUnknown, JournalDamaged.

        With `accept_loss`, a journal that is damaged at just that entry goes on from the entry before it.
        """
        try:
            opened = await self._recovered(await self._claim(execution))
        except JournalDamaged as damaged:
            if accept_loss is None or damaged.head is None:
                raise
            if accept_loss != damaged.seq:
                raise CallInvalid(f"{damaged}. It is not damaged at entry {accept_loss}.") from None
            opened = await self._recovered_before(damaged, damaged.head)
        self._live.add(opened.recorder)
        return opened

    async def _recovered_before(self, damaged: JournalDamaged, head: bytes) -> Execution:
        claim = await self._claim(damaged.execution)
        async with self._let_go_on_error(claim):
            lost = await self.store.set_aside(claim.row.id, claim.row.epoch, damaged.seq - 1, head)
        await self._let_go(claim)
        opened = await self._recovered(await self._claim(damaged.execution))
        async with self._let_go_on_error(opened.claim):
            await opened.recorder.record(ev.LossAccepted(damaged.seq, lost))
        return opened

    async def release(self, opened: Execution) -> None:
        """Let others own it."""
        self._live.discard(opened.recorder)
        try:
            if opened.recorder.broken is None:
                await opened.recorder.flush()
        finally:
            await self._let_go(opened.claim)

    async def flush_idle(self) -> None:
        """Commit what has ridden along since the last call, in executions that wait for something slow.

        Whoever's commit fails is broken then, and told at its next word.
        """
        if idle := [recorder for recorder in self._live if recorder.idle()]:
            await self._journal.commit(*idle)

    async def look(self, execution: str) -> Progress:
        """Where an execution stands, by what is committed; nothing is claimed."""
        rules = await self.rules(execution)
        progress = Progress(rules.graph, rules.arrows)
        async for entry, _ in self.entries(execution):
            progress.advance(entry.seq, entry.at, entry.event)
        return progress

    async def rules(self, execution: str) -> Rules:
        """The graph of an execution with its expressions. Raises ExecutionUnknown, CallInvalid, JournalDamaged."""
        return await self._rules_of(execution, await self.started(execution))

    async def started(self, execution: str) -> ev.ExecutionStarted:
        """What an execution began with, by its first entry. Raises ExecutionUnknown, CallInvalid, JournalDamaged."""
        row = await self.row(execution)
        async for entry, _ in read(self.store, execution):
            return _begun(execution, entry)
        check_head(execution, row, 0, GENESIS)
        raise CallInvalid(f"{execution} was begun and nothing was recorded. Run its playbook again with --id {row.id}.")

    async def row(self, execution: str) -> ExecutionRow:
        """The execution's row. Raises ExecutionUnknown."""
        row = await self.store.row(execution)
        if row is None:
            raise ExecutionUnknown(execution)
        return row

    def interrupted(self, row: ExecutionRow) -> bool:
        """It should be running, and whoever ran it is gone."""
        return row.status in ("pending", "running") and (row.owner is None or not self.ownership.alive(row.owner))

    async def entries(
        self, execution: str, *, after: int = 0, before: bytes | None = None
    ) -> AsyncIterator[tuple[Entry, bytes]]:
        """The journal from after `after`, verified to where the row says it ends, each entry with its hash."""
        row = await self.row(execution)
        seq, head = after, b""
        async for entry, digest in read(self.store, execution, after=after, before=before):
            if entry.seq <= row.head_seq:
                seq, head = entry.seq, digest
            yield entry, digest
        if row.head_seq > after:
            check_head(execution, row, seq, head)

    async def tallies(self, prefix: str) -> dict[str, Tally]:
        return dict(await self.store.tallies(prefix))

    async def _claim(self, execution: str, create: ExecutionRow | None = None) -> Claim:
        """Why `_held`: a claim that was given up half-way may stand in the store under this very process's token."""
        if execution in self._held:
            raise ExecutionOwned(execution, self.ownership.token)
        self._held.add(execution)
        try:
            claim = await self.store.claim(execution, self.ownership.token, self._alive_elsewhere, create=create)
            if claim.previous_owner and claim.previous_owner != self.ownership.token:
                await asyncio.to_thread(self.ownership.end_children, claim.previous_owner)
        except BaseException:
            self._held.discard(execution)
            raise
        return claim

    def _alive_elsewhere(self, owner: str) -> bool:
        return owner != self.ownership.token and self.ownership.alive(owner)

    async def _let_go(self, claim: Claim) -> None:
        self._held.discard(claim.row.id)
        await self.store.release(claim.row.id, claim.row.epoch)

    @asynccontextmanager
    async def _let_go_on_error(self, claim: Claim) -> AsyncIterator[None]:
        try:
            yield
        except BaseException:
            with anyio.CancelScope(shield=True):
                await self._let_go(claim)
            raise

    async def _recovered(self, claim: Claim) -> Execution:
        opened: Execution | None = None
        seq, head = 0, GENESIS
        async with self._let_go_on_error(claim):
            async for entry, digest in read(self.store, claim.row.id):
                if opened is None:
                    opened = self._opened(claim, await self._rules_of(claim.row.id, _begun(claim.row.id, entry)))
                seq, head = entry.seq, digest
                opened.progress.advance(entry.seq, entry.at, entry.event)
            check_head(claim.row.id, claim.row, seq, head)
            if opened is None:
                raise CallInvalid(
                    f"{claim.row.id} was begun and nothing was recorded. Run its playbook with --id {claim.row.id}."
                )
        return opened

    def _opened(self, claim: Claim, rules: Rules) -> Execution:
        progress = Progress(rules.graph, rules.arrows)
        head = (claim.row.head_seq, claim.row.head_hash)
        recorder = JournalRecorder(claim.row.id, claim.row.epoch, head, self._journal, progress, self._clock)
        return Execution(claim.row.id, progress, rules, recorder, claim)

    async def _rules_of(self, execution: str, started: ev.ExecutionStarted) -> Rules:
        rules = self._rules.get(started.graph)
        if rules is not None:
            return rules
        graph = await self.store.blob(started.graph)
        if graph is None:
            raise JournalDamaged(execution, 1, f"its playbook (blob {started.graph[:12]}) is missing")
        return self._rules_for(started.graph, graph)

    def _rules_for(self, sha256: str, graph: bytes) -> Rules:
        rules = self._rules.get(sha256)
        if rules is None:
            rules = self._rules[sha256] = Rules(decode_graph(graph))
        return rules


def _begun(execution: str, first: Entry) -> ev.ExecutionStarted:
    if not isinstance(first.event, ev.ExecutionStarted):
        raise JournalDamaged(execution, 1, "it does not begin with ExecutionStarted")
    return first.event
