"""Whatever is done to both in any order, the SQLite store answers as the memory store does."""

from __future__ import annotations

import asyncio
import hashlib
import shutil
import tempfile
from collections.abc import Awaitable, Callable
from typing import Any

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from agentical.errors import AgenticalError
from agentical.events import ExecutionRow, Tally
from agentical.ports import Append, Store
from agentical.stores.memory import open_memory
from agentical.stores.sqlite import open_sqlite

IDS = ("a", "b", "ü")
ids = st.sampled_from(IDS)
lines = st.lists(st.binary(max_size=600).map(lambda raw: raw.replace(b"\n", b" ")), max_size=4).map(tuple)


class BothStores(RuleBasedStateMachine):
    """Does everything to both stores and compares what they say."""

    def __init__(self) -> None:
        super().__init__()
        self.runner = asyncio.Runner()
        self.folder = tempfile.mkdtemp(prefix="stores-")
        self.stores: list[Store] = [
            self.runner.run(open_memory()),
            self.runner.run(open_sqlite(f"sqlite:///{self.folder}/s.db")),
        ]
        self.clock = 0.0

    def same(self, call: Callable[[Store], Awaitable[Any]]) -> Any:
        async def ask(store: Store) -> Any:
            try:
                return await call(store)
            except AgenticalError as error:
                return type(error)

        memory, sqlite = (self.runner.run(ask(store)) for store in self.stores)
        assert memory == sqlite
        return memory

    @rule(id=ids, owner=st.sampled_from("xyz"), living=st.sets(st.sampled_from("xyz")), create=st.booleans())
    def claim(self, id: str, owner: str, living: set[str], create: bool) -> None:
        self.clock += 1
        row = ExecutionRow(id, "p", "running", self.clock, self.clock) if create else None
        self.same(lambda store: store.claim(id, owner, living.__contains__, create=row))

    @rule(id=ids, epoch=st.integers(0, 3))
    def release(self, id: str, epoch: int) -> None:
        self.same(lambda store: store.release(id, epoch))

    @rule(
        batch=st.lists(st.tuples(ids, lines, st.sampled_from(["", "", "", "epoch", "seq", "hash"])), max_size=4),
        status=st.sampled_from(["running", "failed"]),
        blob=st.binary(max_size=900),
    )
    def append(self, batch: list[tuple[str, tuple[bytes, ...], str]], status: str, blob: bytes) -> None:
        self.clock += 1
        appends = []
        for id, new, wrong in batch:
            row = self.runner.run(self.stores[0].row(id)) or ExecutionRow(id, "p", "running", 0, 0)
            after = hashlib.sha256(row.head_hash + b"\n".join(new)).digest() if new else row.head_hash
            appends.append(
                Append(
                    id, row.epoch - (wrong == "epoch"), row.head_seq + (wrong == "seq"),
                    b"?" * 32 if wrong == "hash" else row.head_hash, new, after, status, self.clock,
                    {hashlib.sha256(blob).hexdigest(): blob}, {f"t/{id}": Tally(1, 0, 0.5, 0.25)},
                )
            )  # fmt: skip
        self.same(lambda store: store.append(appends))
        self.same(lambda store: store.blob(hashlib.sha256(blob).hexdigest()))

    @rule(id=ids, after=st.integers(0, 12))
    def read_journal(self, id: str, after: int) -> None:
        async def journal(store: Store) -> list[Any]:
            return [written async for written in store.journal(id, after=after)]

        self.same(journal)

    @rule(statuses=st.lists(st.sampled_from(["running", "failed"])), limit=st.none() | st.integers(0, 3))
    def list_some(self, statuses: list[str], limit: int | None) -> None:
        self.same(lambda store: store.executions(statuses=statuses, limit=limit))

    @invariant()
    def rows_and_tallies_are_the_same(self) -> None:
        self.same(lambda store: store.executions(children=True))
        self.same(lambda store: store.tallies("t/"))

    def teardown(self) -> None:
        for store in self.stores:
            self.runner.run(store.aclose())
        self.runner.close()
        shutil.rmtree(self.folder)


TestBothStores = BothStores.TestCase
TestBothStores.settings = settings(
    max_examples=25, stateful_step_count=20, deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
