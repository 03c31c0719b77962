"""Strategies nobody wrote by hand: random programs over the whole of Team, cut off anywhere, end as if nothing happened."""

from __future__ import annotations

import random
from typing import Any

from cases import ID, Case, run_case
from crews import Crew
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from journals import SlowStore, answered, cut, entries_of
from msgspec import UnsetType
from virtual import run

from agentical import events as ev
from agentical.errors import TaskFailed
from agentical.ports import ANY, Ask, Item, Outcome, Team
from agentical.stores.memory import MemoryStore

# A program is a list of instructions; what it asks depends on the payload and on all answers so far (`total`).
simple = st.one_of(
    st.tuples(st.just("ask"), st.integers(0, 3)),
    st.tuples(st.just("any"), st.just(0)),
    st.tuples(st.just("each"), st.integers(1, 4), st.integers(1, 3)),
    st.tuples(st.just("race"), st.integers(1, 4), st.integers(1, 4)),
    st.tuples(st.just("start"), st.integers(1, 3)),
    st.tuples(st.just("next"), st.integers(1, 3)),
    st.tuples(st.just("remember"), st.just(0)),
    st.tuples(st.just("item"), st.integers(1, 3)),
    st.tuples(st.just("stream"), st.just(0)),
)
programs = st.lists(
    st.one_of(simple, st.tuples(st.just("part"), st.integers(1, 4), st.lists(simple, max_size=3))),
    min_size=1,
    max_size=6,
)


class Program:
    """A strategy that follows a program; `heard` is all it was told, in order."""

    def __init__(self, program: Any) -> None:
        self.program, self.heard = program, list[Any]()

    async def __call__(self, team: Team, payload: Any) -> Any:
        self.heard.clear()
        self._total, self._key = payload, 0
        await self._follow(team, self.program)
        return self._total

    async def _follow(self, team: Team, program: Any) -> None:
        for name, *args in program:
            await getattr(self, f"_{name}")(team, *args)

    def _new_key(self) -> str:
        self._key += 1
        return f"k{self._key}"

    def _hear(self, got: Outcome | Item | None) -> None:
        if isinstance(got, Item):
            self.heard.append(("item", got.index))
            self._total = (self._total * 3 + got.payload) % 1009
        elif got is not None:
            self.heard.append((got.key, got.member))
            self._total = (self._total * 7 + (got.answer if got.ok else 5)) % 1009

    async def _ask(self, team: Team, member: int) -> None:
        key = self._new_key()
        try:
            answer = await team.ask(team.members[member % len(team.members)].name, self._total, key=key)
        except TaskFailed:
            answer = 11
        self.heard.append(key)
        self._total = (self._total * 5 + answer) % 1009

    async def _any(self, team: Team, _: int) -> None:
        self._hear(Outcome("", "", await team.ask(ANY, self._total, key=self._new_key())))

    async def _each(self, team: Team, count: int, at_most: int) -> None:
        while not await self._nothing_under_way(team):
            pass
        asks = [Ask(ANY, self._total + n, self._new_key()) for n in range(count)]
        async for outcome in team.ask_each(asks, at_most=at_most):
            self._hear(outcome)

    async def _nothing_under_way(self, team: Team) -> bool:
        self._hear(got := await team.next())
        return got is None

    async def _race(self, team: Team, count: int, wanted: int) -> None:
        await self._start(team, count)
        await self._next(team, wanted)

    async def _start(self, team: Team, count: int) -> None:
        for n in range(count):
            team.start(Ask(team.members[(self._total + n) % len(team.members)].name, self._total, self._new_key()))

    async def _next(self, team: Team, count: int) -> None:
        for _ in range(count):
            self._hear(await team.next())

    async def _item(self, team: Team, count: int) -> None:
        for _ in range(count):
            self._hear(await team.next(or_item=True))
            self.heard.append(("count", team.item_count))

    async def _stream(self, team: Team, _: int) -> None:
        async for item in team.items():
            self._hear(item)
            self.heard.append(("elapsed", round(team.elapsed, 6)))

    async def _remember(self, team: Team, _: int) -> None:
        async def draw() -> int:
            return random.randrange(1009)

        self._total = await team.remember(self._new_key(), draw)

    async def _part(self, team: Team, size: int, program: Any) -> None:
        part = team.team([member.name for member in team.members[:size]], key=self._new_key())
        await self._follow(part, program)


def lines(crew: Crew) -> Any:
    import asyncio

    import agentical

    async def source() -> Any:
        for n in range(5):
            await asyncio.sleep(random.Random(f"{crew.seed}/{n}").uniform(0.0, 0.1))
            yield n

    return agentical.agent(name="source")(source)


def members(crew: Crew) -> list[Any]:
    team = [crew.member(f"m{n}", lambda payload, n=n: (payload * 10 + n) % 1009) for n in range(3)]
    return [*team, crew.member("many", lambda payload: (payload + 1) % 1009, replicas=2)]


class WithPayload(Program):
    """The payload of a for-each without `with` is `{}`."""

    async def __call__(self, team: Team, payload: Any) -> Any:
        return await super().__call__(team, 1)


@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
@given(
    program=programs,
    seed=st.integers(0, 99),
    cuts=st.lists(st.floats(0, 1), min_size=2, max_size=2),
    fails=st.booleans(),
)
def test_a_random_strategy_cut_off_anywhere_hears_the_same_and_asks_nothing_twice(
    program: Any, seed: int, cuts: list[float], fails: bool
) -> None:
    strategy = WithPayload(program)
    case = Case("random", strategy, members, None, items=[4, 5, 6])
    failing = {("work#1", "k2"), ("work#1", "k5")} if fails else set()

    async def main() -> None:
        source = SlowStore(seed)
        done = await run_case(case, Crew(seed, failing=failing), source, replay=False)
        assert done.status == "completed" or done.error["code"] == "TASK_FAILED"
        entries, heard = await entries_of(source, ID), list(strategy.heard)
        for share in cuts:
            count = int(share * len(entries))
            await from_prefix(case, source, entries, count, Crew(seed + 1, failing=failing), heard)
        await from_prefix(case, source, entries, len(entries) - 1, Crew(seed + 2, failing=failing), heard, whole=True)

    run(main())


async def from_prefix(
    case: Case, source: MemoryStore, entries: Any, count: int, crew: Crew, heard: list[Any], *, whole: bool = False
) -> None:
    """Go on after `count` entries: what was heard until then is heard again, in the same order."""
    store, known = MemoryStore(), answered(entries[:count])
    await cut(source, ID, count, store)
    case.strategy.heard.clear()
    done = await run_case(case, crew, store, replay=whole)
    assert done.status in ("completed", "failed")
    assert not known & set(crew.calls)
    keys = [key for _, key in crew.calls]
    assert len(set(keys)) == len(keys)
    before = heard[: _heard_by(heard, entries[:count])]
    if case.strategy.heard:
        assert case.strategy.heard[: len(before)] == before
    if whole:
        assert case.strategy.heard == heard


def _heard_by(heard: list[Any], entries: Any) -> int:
    """How much of what was heard was recorded in these entries: all before the first thing that is not."""
    events = [one.event for one in entries]
    listed = any(isinstance(one, ev.VisitStarted) and not isinstance(one.items, UnsetType) for one in events)
    taken = sum(isinstance(one, ev.ItemTaken) for one in events)
    recorded = {key.rpartition("/")[2] for _, key in answered(entries)}
    for n, what in enumerate(heard):
        name, *rest = what if isinstance(what, tuple) else (what,)
        known = listed or rest[0] < taken if name == "item" else name in ("count", "elapsed") or name in recorded
        if not known:
            return n
    return len(heard)


@settings(max_examples=40, deadline=None, suppress_health_check=list(HealthCheck))
@given(program=programs, seed=st.integers(0, 99), share=st.floats(0, 1))
def test_a_random_strategy_over_a_source_that_yields_does_too(program: Any, seed: int, share: float) -> None:
    case = Case("random", "random", members, None, source=lines)
    strategy = WithPayload([*program, ("item", 2), ("stream", 0)])
    prepared_case = _WithStrategy(case, strategy)

    async def main() -> None:
        source = SlowStore(seed)
        done = await run_case(prepared_case, Crew(seed), source, replay=False)
        assert done.status == "completed", done.error
        entries, heard = await entries_of(source, ID), list(strategy.heard)
        taken = [one.event.index for one in entries if isinstance(one.event, ev.ItemTaken)]
        assert taken == list(range(len(taken)))
        await from_prefix(prepared_case, source, entries, int(share * len(entries)), Crew(seed + 1), heard)
        await from_prefix(prepared_case, source, entries, len(entries) - 1, Crew(seed + 2), heard, whole=True)

    run(main())


class _WithStrategy:
    """A case over a source whose strategy is a function of the program."""

    def __init__(self, case: Case, strategy: Program) -> None:
        self._case, self.strategy = case, strategy

    def prepared(self, crew: Crew) -> Any:
        prepared = self._case.prepared(crew)
        prepared.strategy = self.strategy
        return prepared
