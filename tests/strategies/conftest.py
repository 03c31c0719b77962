"""A small team in virtual time: members are coroutines, time is a heap of events, nothing sleeps and nothing is random."""

from __future__ import annotations

import heapq
import inspect
from collections import Counter, deque
from collections.abc import Callable, Generator
from itertools import count
from typing import Any

import msgspec
import pytest

from agentical.errors import AgentError, StrategyMisused
from agentical.events import Failure, Tally, Usage
from agentical.ports import Ask, Edge, Item, Member, Outcome


class Sleep:
    """Awaited by a member: so many virtual seconds."""

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds

    def __await__(self) -> Generator[Sleep, None, None]:
        yield self


def plain(value: Any) -> Any:
    """The value as the journal would hand it out; not JSON, not allowed."""
    return msgspec.json.decode(msgspec.json.encode(value))


class VirtualTeam:
    """Implements ports.Team. `agents` maps names to async functions of the payload (or plain values to answer with).

    `asked` lists (key, member, payload) in order, `peak` the most tasks under way at a time by member, `handed` the
    outcomes in order; `replay` are outcomes of an earlier run, handed out again in their order.
    """

    def __init__(
        self,
        agents: dict[str, Any],
        *,
        items: Any = None,
        beside: dict[str, Any] | None = None,
        capabilities: dict[str, tuple[str, ...]] | None = None,
        weights: dict[str, float] | None = None,
        took: float = 0.0,
        costs: dict[str, float] | None = None,
        sums: dict[str, Tally] | None = None,
        replay: list[Outcome | Item] | None = None,
        known: dict[str, Any] | None = None,
        source: Callable[[int], float] | None = None,
    ) -> None:
        self.agents = {**agents, **(beside or {})}
        self.members = [
            Member(name, name.split("#")[0], (capabilities or {}).get(name, ()), (weights or {}).get(name, 1.0))
            for name in agents
        ]
        self.record: dict[str, Any] = {}
        self.now, self.default, self.costs = 0.0, took, costs or {}
        self.sums, self.added = sums or {}, []
        self.waiting = None if items is None else deque(Item(n, value, value) for n, value in enumerate(items))
        self.source, self.pulling, self.ended = source, False, False
        self.item_count = None if items is None or source else len(self.waiting)
        self.known = dict(known or {})
        self.replay = deque(replay or [])
        self.heap, self.ticks = [], count()
        self.ready: deque[Any] = deque()
        self.under_way: dict[str, str] = {}
        self.asked: list[tuple[str, str, Any]] = []
        self.handed: list[Outcome | Item] = []
        self.keys: set[str] = set()
        self.peak: Counter[str] = Counter()
        self.taken = 0

    # --- the port

    @property
    def elapsed(self) -> float:
        return self.now

    def start(self, ask: Ask) -> None:
        if ask.key in self.keys:
            raise StrategyMisused(f"{ask.key} was asked twice")
        if ask.member is not None and ask.member not in self.agents:
            raise StrategyMisused(f"{ask.member} is not of this team")
        self.keys.add(ask.key)
        payload = plain(ask.payload)
        recorded = next((got for got in self.replay if isinstance(got, Outcome) and got.key == ask.key), None)
        member = recorded.member if recorded else ask.member or self._least_busy()
        self.asked.append((ask.key, member, payload))
        self.under_way[ask.key] = member
        self.peak[member] = max(self.peak[member], Counter(self.under_way.values())[member])
        if recorded is None:
            since, agent = self.now, self.agents[member]
            self._push(0.0, lambda: self._step(ask.key, member, self._work(agent, payload), since))

    async def next(self, *, or_item: bool = False) -> Outcome | Item | None:
        while True:
            if self.replay and (self.under_way or (or_item and isinstance(self.replay[0], Item))):
                return self._again(or_item)
            if or_item and self.source is None and self.waiting:
                return self._hand(self.waiting.popleft())
            if self.ready:
                return self._hand(self.ready.popleft())
            if or_item and self.source is not None and not self.ended:
                self._pull()
            if not self.under_way and not (or_item and self.pulling):
                return None
            if not self.heap:
                raise AssertionError("something is under way, yet nothing will ever happen")
            self.now, _, happen = heapq.heappop(self.heap)
            happen()

    async def ask(self, member: str | None, payload: Any, *, key: str) -> Any:
        self.start(Ask(member, payload, key))
        outcome = await self.next()
        assert isinstance(outcome, Outcome)
        assert outcome.key == key
        return outcome.unwrap()

    async def ask_each(self, asks: Any, *, at_most: int | None = None) -> Any:
        asks, open_, more = iter(asks), 0, True
        while more or open_:
            while more and (at_most is None or open_ < at_most):
                if (ask := next(asks, None)) is None:
                    more = False
                    break
                self.start(ask)
                open_ += 1
            if open_:
                open_ -= 1
                yield await self.next()

    async def items(self) -> Any:
        while isinstance(item := await self.next(or_item=True), Item):
            yield item

    def team(self, names: Any, *, key: str) -> Any:
        raise AssertionError("none of our strategies takes a part of the team")

    async def remember(self, key: str, decide: Any) -> Any:
        if key not in self.known:
            self.known[key] = plain(await decide())
        return plain(self.known[key])

    async def tallies(self, prefix: str) -> dict[str, Tally]:
        return {name: sums for name, sums in self.sums.items() if name.startswith(prefix)}

    def tally(self, name: str, add: Tally) -> None:
        self.added.append((name, add))

    # --- the machinery

    async def _work(self, agent: Any, payload: Any) -> Any:
        if not callable(agent):
            await Sleep(self.default)
            return agent
        found = agent(payload)
        return await found if inspect.isawaitable(found) else found

    def _step(self, key: str, member: str, coroutine: Any, since: float) -> None:
        """Let the member work up to its next sleep."""
        try:
            sleep = coroutine.send(None)
        except StopIteration as done:
            self._end(key, member, since, done.value, None)
        except AgentError as error:
            self._end(key, member, since, None, Failure(error.failure_class, str(error)))
        else:
            self._push(sleep.seconds, lambda: self._step(key, member, coroutine, since))

    def _end(self, key: str, member: str, since: float, value: Any, failure: Failure | None) -> None:
        edge = value.outcome if isinstance(value, Edge) else None
        answer = plain(value.value if isinstance(value, Edge) else value)
        usage = Usage(cost=self.costs.get(member, 0.0))
        self.ready.append(Outcome(key, member, answer, failure, edge, self.now - since, usage))

    def _push(self, seconds: float, happen: Callable[[], None]) -> None:
        heapq.heappush(self.heap, (self.now + seconds, next(self.ticks), happen))

    def _hand(self, got: Outcome | Item) -> Outcome | Item:
        self.handed.append(got)
        if isinstance(got, Item):
            self.pulling = False
            self.taken += 1
        else:
            self.under_way.pop(got.key)
        return got

    def _again(self, or_item: bool) -> Outcome | Item:
        """What an earlier run was handed here; this one must be ready for it."""
        got = self.replay.popleft()
        if isinstance(got, Item):
            assert or_item, f"item {got.index} was taken here"
            assert self.waiting.popleft().index == got.index
        else:
            assert got.key in self.under_way, f"{got.key} was handed over here, but is not asked"
        return self._hand(got)

    def _pull(self) -> None:
        """Ask the source for one more; it takes `source(index)` seconds."""
        if self.pulling:
            return
        if not self.waiting:
            self.ended = True
            return
        self.pulling = True
        item = self.waiting.popleft()
        self._push(self.source(item.index), lambda: self.ready.append(item))

    def _least_busy(self) -> str:
        busy = Counter(self.under_way.values())
        return min((member.name for member in self.members), key=lambda name: busy[name])


@pytest.fixture(scope="session")
def team() -> type[VirtualTeam]:
    """The class: `team({"alice": "yes"})`."""
    return VirtualTeam


@pytest.fixture(scope="session")
def sleep() -> type[Sleep]:
    return Sleep


@pytest.fixture(scope="session")
def after() -> Callable[..., Any]:
    """`after(2.0, "yes")`: a member that answers so after two seconds; an exception is raised, a function applied."""

    def member(seconds: float, answer: Any) -> Any:
        async def work(payload: Any) -> Any:
            await Sleep(seconds)
            if isinstance(answer, Exception):
                raise answer
            return answer(payload) if callable(answer) else answer

        return work

    return member


@pytest.fixture(scope="session")
def again() -> Callable[..., Any]:
    """Runs a strategy, runs it again from what was handed over, and checks that nothing differs; gives the result."""

    async def run(strategy: Any, make: Callable[..., VirtualTeam], payload: Any = None) -> Any:
        first = make()
        result = await strategy(first, payload)
        second = make(replay=first.handed, known=first.known)
        assert await strategy(second, payload) == result
        assert plain(second.record) == plain(first.record)
        assert [ask[:1] + ask[2:] for ask in second.asked] == [ask[:1] + ask[2:] for ask in first.asked]
        return result

    return run
