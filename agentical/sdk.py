"""Agentical: the one place where the parts are put together."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from contextvars import ContextVar
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import anyio
from cachetools import LRUCache
from msgspec import Raw

from agentical import events as ev
from agentical import plugins
from agentical.clock import SystemClock
from agentical.engine import NOTHING_ACCEPTED, Accepted, Engine, take_up
from agentical.errors import CallInvalid, ExecutionOwned
from agentical.events import Entry, ExecutionRow
from agentical.jsonvalues import digest, encode, loads
from agentical.kit import Executors, Kit, make_kit
from agentical.nested import nested
from agentical.ports import Agent, Clock, Monitor, Store, Strategy
from agentical.prepared import Prepared, check_id, of_playbook, of_team
from agentical.progress import TERMINAL
from agentical.pulse import beat
from agentical.replay import replay
from agentical.runs import Run
from agentical.settings import default_store, read_settings
from agentical.state_manager import Execution, StateManager
from agentical.stores import open_store

LOOK_AGAIN = 0.2
"""Seconds between two looks at an execution that another process runs."""


class Agentical:
    """Runs playbooks, strategies and teams over one store. Use it as an async context manager.

    `store`: an address (`sqlite:///PATH`, `memory:`) or a Store; by default `AGENTICAL_STORE`, else the nearest
    `.agentical/` upward from the working directory. `monitors` see every event after its commit. Other keywords are
    settings (see `Settings`). Raises CallInvalid for a setting that is none, StoreError where the store cannot be opened.
    """

    def __init__(
        self,
        store: str | Store | None = None,
        *,
        monitors: Sequence[Monitor] = (),
        clock: Clock | None = None,
        **settings: Any,
    ) -> None:
        given = {"store": store, **settings} if isinstance(store, str) else settings
        self.settings = read_settings(**given)
        self._store = store if store is not None and not isinstance(store, str) else None
        self._clock: Clock = clock or SystemClock()
        self.monitors = list(monitors)
        self._kits: LRUCache[tuple[str, str], Kit] = LRUCache(64)
        self._executors = Executors()
        self._running: dict[str, anyio.Event] = {}

    async def __aenter__(self) -> Self:
        self.monitors += [plugins.load("agentical.monitors", name)() for name in self.settings.monitor_names]
        store = self._store or await open_store(self.settings.store or default_store(Path.cwd()))
        self.state = StateManager(store, self._clock, self.monitors)
        try:
            await self.state.__aenter__()
        except BaseException:
            with anyio.CancelScope(shield=True):
                await store.aclose()
            raise
        self._gate = anyio.Semaphore(self.settings.max_concurrent_executions)
        self._group = anyio.create_task_group()
        await self._group.__aenter__()
        self._group.start_soon(beat, self.state)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._group.cancel_scope.cancel()
        try:
            await self._group.__aexit__(None, None, None)
        finally:
            try:
                with anyio.CancelScope(shield=True):
                    for executor in self._executors.values():
                        await executor.aclose()
            finally:
                await self.state.__aexit__(None, None, None)

    async def run(
        self,
        what: str | Path | Prepared | Strategy | Callable[..., Any],
        inputs: Mapping[str, Any] | None = None,
        *,
        id: str | None = None,
        team: Sequence[Callable[..., Any]] | None = None,
        payload: Any = None,
        for_each: Sequence[Any] | None = None,
        fakes: Mapping[str, Agent] | None = None,
        accept_code: bool = False,
        accept_crash_loop: bool = False,
        accept_loss: int | None = None,
        **options: Any,
    ) -> Run:
        """Run a playbook (a path) with `inputs`, or one that is `Prepared`; or a strategy (a name of an installed one, or
        any strategy function) over a `team` of callables with `payload`, `for_each` items and the strategy's `options`.

        With an `id` that has begun already it attaches or resumes instead of starting twice; what it began with holds,
        and what is accepted of it is said as for `resume`.
        Returns when it has ended. Raises PlaybookInvalid, CallInvalid, StoreError and its kin; an execution that
        fails does not raise: see `Run.status`, or call `Run.unwrap()`.
        """
        if team is not None:
            prepared = of_team(what, team, payload, for_each, options)
        elif options or payload is not None or for_each is not None:
            raise CallInvalid(
                f"without a team there is no {next(iter(options), 'payload')}: a playbook has inputs={{…}}"
            )
        elif isinstance(what, Prepared):
            prepared = what
        elif isinstance(what, (str, Path)):
            prepared = of_playbook(Path(what), inputs or {})
        else:
            raise CallInvalid("a strategy needs a team: run(strategy, team=[…])")
        prepared.fakes = {**prepared.fakes, **(fakes or {})}
        if id is not None:
            check_id(id)
        async with self._admitted():
            return await self._run(
                id or f"{prepared.name}-{self._clock.new_id()}",
                prepared,
                None,
                Accepted(accept_code, accept_crash_loop, accept_loss),
            )

    async def resume(
        self, id: str, *, accept_code: bool = False, accept_crash_loop: bool = False, accept_loss: int | None = None
    ) -> Run:
        """Go on with an execution that was interrupted or paused; one that has ended is given back as it is.

        While somebody else runs it, this waits for its end. Raises ExecutionUnknown, CodeChanged (unless `accept_code`), CrashLoop (unless
        `accept_crash_loop`), JournalDamaged (unless `accept_loss` names the damaged entry: what stands before it is kept).
        """
        check_id(id, longest=None)
        async with self._admitted():
            while True:
                row = await self.state.row(id)
                if row.status in TERMINAL and accept_loss is None:
                    return await self.show(id)
                try:
                    execution = await self.state.recover(id, accept_loss=accept_loss)
                    return await self._carry_on(execution, None, Accepted(accept_code, accept_crash_loop))
                except ExecutionOwned:
                    await self._elsewhere(id)

    async def show(self, id: str) -> Run:
        """How an execution stands, by what is committed. Raises ExecutionUnknown."""
        check_id(id, longest=None)
        return Run(id, await self.state.look(id), lambda follow: self.events(id, follow=follow))

    async def list(self, *, limit: int | None = None, children: bool = False) -> Sequence[ExecutionRow]:
        """The executions of the store, newest first."""
        return await self.state.store.executions(limit=limit, children=children)

    async def events(self, id: str, *, after: int = 0, follow: bool = False) -> AsyncIterator[Entry]:
        """The journal of an execution after entry `after`; with `follow`, until it has ended."""
        row, head = await self.state.row(id), None
        while True:
            async for entry, digested in self.state.entries(id, after=after, before=head):
                after, head = entry.seq, digested
                yield entry
            if not follow or (row.status in TERMINAL and after >= row.head_seq):
                return
            await anyio.sleep(LOOK_AGAIN)
            row = await self.state.row(id)

    async def replay(self, id: str, *, strategy: Strategy | None = None) -> Run:
        """Run an execution again from its journal alone, asking nobody. `strategy`: its strategy function, if it had one.

        Raises StrategyDiverged where anything comes out otherwise than it is recorded, JournalDamaged.
        """
        await replay(self.state, id, strategy)
        return await self.show(id)

    def kit(self, graph: Any, graph_hash: str, folder: str, prepared: Prepared | None) -> Kit:
        """The agents and strategies of a graph; those of playbooks are kept for the next run."""
        if prepared is not None and (prepared.functions or prepared.fakes or prepared.strategy):
            return make_kit(graph, folder, prepared.functions, prepared.fakes, prepared.strategy)
        key = (graph_hash, folder)
        if key not in self._kits:
            self._kits[key] = make_kit(graph, folder, {}, {}, None)
        return self._kits[key]

    async def _run(
        self, id: str, prepared: Prepared, parent: ev.Parent | None, accepted: Accepted = NOTHING_ACCEPTED
    ) -> Run:
        """Start, resume, attach to, or merely read the execution of this id."""
        while True:
            row = await self.state.store.row(id)
            try:
                if row is not None and accepted.loss is not None:
                    execution = await self.state.recover(id, accept_loss=accepted.loss)
                    return await self._carry_on(execution, prepared, accepted)
                if row is not None and row.head_seq:
                    await self._check_same(row, prepared)
                    if row.status in TERMINAL:
                        return await self.show(id)
                started = self._started(prepared, parent)
                execution = await self.state.start(
                    id, started, {started.text: prepared.text, started.graph: prepared.graph_bytes}
                )
                return await self._carry_on(execution, prepared, accepted, fresh=execution.progress.seq == 1)
            except ExecutionOwned:
                await self._elsewhere(id)

    async def run_child(self, id: str, path: str, inputs: Mapping[str, Any], parent: ev.Parent) -> Run:
        """Run, resume or read the execution that answers a task of another."""
        return await self._run(id, of_playbook(Path(path), inputs), parent)

    def _started(self, prepared: Prepared, parent: ev.Parent | None) -> ev.ExecutionStarted:
        kit = self.kit(prepared.graph, digest(prepared.graph_bytes), prepared.folder, prepared)
        return ev.ExecutionStarted(
            prepared.name, digest(prepared.text), digest(prepared.graph_bytes), Raw(encode(prepared.inputs)), prepared.folder,
            {"max_concurrent_agents": self.settings.max_concurrent_agents}, dict(kit.codes.values()), parent,
        )  # fmt: skip

    async def _carry_on(
        self,
        execution: Execution,
        prepared: Prepared | None,
        accepted: Accepted = NOTHING_ACCEPTED,
        *,
        fresh: bool = False,
    ) -> Run:
        done = self._running[execution.id] = anyio.Event()
        try:
            started = execution.progress.started
            assert started is not None
            kit = self.kit(execution.rules.graph, started.graph, started.folder, prepared)
            if not fresh:
                await take_up(execution, kit.codes, accepted)
            await Engine(
                execution, self.state, kit.asked(), kit.strategies, self._executors, self._clock, kit.redaction,
                at_once=self.settings.max_concurrent_agents, on_playbook=nested(self.run_child, execution),
            ).run()  # fmt: skip
            return Run(execution.id, execution.progress, lambda follow: self.events(execution.id, follow=follow))
        finally:
            try:
                with anyio.CancelScope(shield=True):
                    await self.state.release(execution)
            finally:
                del self._running[execution.id]
                done.set()

    async def _elsewhere(self, id: str) -> None:
        """Wait until whoever runs it, here or in another process, has ended it or is gone."""
        if id in self._running:
            await self._running[id].wait()
            return
        while True:
            await anyio.sleep(LOOK_AGAIN)
            row = await self.state.store.row(id)
            if (
                row is None
                or row.status in TERMINAL
                or row.owner is None
                or not await asyncio.to_thread(self.state.ownership.alive, row.owner)
            ):
                return

    async def _check_same(self, row: ExecutionRow, prepared: Prepared) -> None:
        started = await self.state.started(row.id)
        if row.playbook != prepared.name:
            raise CallInvalid(f"{row.id} is an execution of {row.playbook}, not of {prepared.name}. Choose another id.")
        if prepared.given and loads(encode(prepared.inputs)) != loads(started.inputs):
            raise CallInvalid(
                f"{row.id} was begun with other inputs. Leave them out to go on with it, or choose another id."
            )

    @asynccontextmanager
    async def _admitted(self) -> AsyncIterator[None]:
        """One of the `max_concurrent_executions`; a run that an agent of a run begins is part of that one."""
        if _INSIDE.get() is self:
            yield
            return
        async with self._gate:
            token = _INSIDE.set(self)
            try:
                yield
            finally:
                _INSIDE.reset(token)


_INSIDE: ContextVar[Agentical | None] = ContextVar("agentical_inside", default=None)
