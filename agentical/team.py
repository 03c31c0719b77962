"""The Team of one visit: what a strategy asks is looked up in the record first, and asked only when it must wait.

Why asks begin only at `next`: on resume a race's recorded winner is handed over before its losers could be asked again.
Whatever is handed over comes in the order of the journal, and only after its commit, live and on resume alike.
"""

from __future__ import annotations

import heapq
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Sequence
from typing import Any

import anyio
from msgspec import Raw

from agentical import events as ev
from agentical.asking import Asks, Task
from agentical.errors import StrategyDiverged, StrategyMisused
from agentical.events import Tally
from agentical.jsonvalues import digest, encode, loads
from agentical.ports import Ask, Item, Member, Outcome, Recorder
from agentical.sources import Items
from agentical.visits import Receipt, Visit

Ended = ev.TaskAnswered | ev.TaskFailed | ev.TaskCancelled
LOST = "it is recorded as the loser of a race, and is now waited for"


class VisitTeam:
    """Team (see ports) of one visit, or a part of it."""

    def __init__(self, floor: Floor, members: Sequence[Member], prefix: str = "") -> None:
        self.members = tuple(members)
        self.record: dict[str, Any] = {}
        self._floor, self._prefix = floor, prefix
        self._unsent: list[Task] = []
        self._ready: list[tuple[int, str]] = []
        self._under_way: set[str] = set()
        self._lost = 0
        floor.teams.append(self)

    @property
    def item_count(self) -> int | None:
        return self._floor.items.count(self._floor.seen)

    @property
    def elapsed(self) -> float:
        return self._floor.elapsed

    async def ask(self, member: str | None, payload: Any, *, key: str) -> Any:
        task = self._floor.task(self.members, Ask(member, payload, self._prefix + key))
        if (found := self._floor.recorded(task)) is None:
            await self._floor.ask(task)
            found = self._floor.visit.outcomes[task.key]
        return self._floor.hand_over(found, self._prefix).unwrap()

    def start(self, ask: Ask) -> None:
        task = self._floor.task(self.members, Ask(ask.member, ask.payload, self._prefix + ask.key))
        self._under_way.add(task.key)
        if (found := self._floor.recorded(task)) is None:
            self._unsent.append(task)
        elif isinstance(found[2], ev.TaskCancelled):
            self._lost += 1
        else:
            heapq.heappush(self._ready, (found[0], task.key))

    async def next(self, *, or_item: bool = False) -> Outcome | Item | None:
        floor = self._floor
        while True:
            floor.raise_error()
            if or_item and (item := floor.items.take(self._ready[0][0] if self._ready else None)) is not None:
                return item
            if self._ready:
                _, key = heapq.heappop(self._ready)
                self._under_way.discard(key)
                return floor.hand_over(floor.visit.outcomes[key], self._prefix)
            self._send()
            if (or_item and floor.items.want()) or len(self._under_way) > self._lost:
                await floor.news()
            elif self._lost:
                raise StrategyDiverged(floor.visit.started.visit, min(self._under_way), LOST)
            else:
                return None

    async def ask_each(self, asks: Iterable[Ask], *, at_most: int | None = None) -> AsyncIterator[Outcome]:
        if at_most is not None and at_most < 1:
            raise StrategyMisused(f"at_most is 1 or more, not {at_most}")
        todo, under_way = iter(asks), 0
        while True:
            while at_most is None or under_way < at_most:
                ask = next(todo, None)
                if ask is None:
                    break
                self.start(ask)
                under_way += 1
            if not under_way:
                return
            outcome = await self.next()
            assert isinstance(outcome, Outcome)
            under_way -= 1
            yield outcome

    async def items(self) -> AsyncIterator[Item]:
        floor = self._floor
        while True:
            floor.raise_error()
            if (item := floor.items.take(None)) is not None:
                yield item
            elif floor.items.want():
                await floor.news()
            else:
                return

    def team(self, names: Sequence[str], *, key: str) -> VisitTeam:
        known = {member.name: member for member in self.members}
        wanted = [known[name] for name in names if name in known]
        wanted += [one for name in names if name not in known for one in self.members if one.agent == name]
        if len(wanted) < len(names):
            raise StrategyMisused(f"not in this team: {', '.join(name for name in names if name not in known)}")
        return VisitTeam(self._floor, wanted, f"{self._prefix}{key}/")

    async def remember(self, key: str, decide: Callable[[], Awaitable[Any]]) -> Any:
        return await self._floor.remember(self._prefix + key, decide)

    async def tallies(self, prefix: str) -> dict[str, Tally]:
        return await self._floor.read_tallies(prefix)

    def tally(self, name: str, add: Tally) -> None:
        self._floor.tallied.append((name, add))

    def told(self, key: str) -> None:
        """Take in that a task has ended, if it is one of this team's."""
        if key in self._under_way:
            heapq.heappush(self._ready, (self._floor.visit.outcomes[key][0], key))

    def _send(self) -> None:
        for task in self._unsent:
            self._floor.spawn(task)
        self._unsent.clear()


class Floor:
    """What the teams of one visit share: its record, its tasks, its items."""

    def __init__(
        self,
        visit: Visit,
        asking: Asks,
        recorder: Recorder,
        start_soon: Callable[..., Any],
        items: Items,
        receipt: Receipt,
        read_tallies: Callable[[str], Awaitable[dict[str, Tally]]],
        *,
        extra: Sequence[Member] = (),
        **task_parts: Any,
    ) -> None:
        self.visit, self.items, self.read_tallies = visit, items, read_tallies
        self.teams: list[VisitTeam] = []
        self.tallied: list[tuple[str, Tally]] = []
        self._asking, self._recorder, self._start_soon, self._receipt = asking, recorder, start_soon, receipt
        self._extra, self._task_parts = tuple(extra), task_parts
        self._keys: set[str] = set()
        self._running: dict[str, tuple[Task, anyio.CancelScope]] = {}
        self.seen, self._last_at = 0, visit.at
        self._error: Exception | None = None
        self._news: anyio.Event | None = None
        visit.tell = self._told

    @property
    def elapsed(self) -> float:
        return max(0.0, self._last_at - self.visit.at)

    def task(self, members: Sequence[Member], ask: Ask) -> Task:
        """The task of an ask. Raises StrategyMisused: the same key twice, a member nobody knows."""
        if not isinstance(ask.key, str) or not ask.key.isprintable():
            raise StrategyMisused(f"a key is printable text that says what is asked, not {ask.key!r}")
        if ask.key in self._keys:
            raise StrategyMisused(
                f"the key {ask.key!r} was asked twice in {self.visit.started.visit}; keys say what is asked"
            )
        self._keys.add(ask.key)
        names = tuple(member.name for member in members)
        if ask.member is not None:
            known = (*members, *self._extra)
            names = tuple(one.name for one in known if ask.member in (one.name, one.agent))
        if not names:
            raise StrategyMisused(f"nobody in this team is called {ask.member!r}")
        payload = encode(ask.payload)
        return Task(self.visit, ask.key, names, payload, digest(payload), **self._task_parts)

    def recorded(self, task: Task) -> tuple[int, float, Ended] | None:
        """What the journal has for it. Raises StrategyDiverged where it was asked with another payload."""
        found = self.visit.outcomes.get(task.key)
        if found is None:
            return None
        if not isinstance(found[2], ev.TaskCancelled) and found[2].payload != task.sha256:
            raise StrategyDiverged(self.visit.started.visit, task.key, "its payload is not the recorded one")
        self._receipt.from_record += 1
        return found

    def hand_over(self, found: tuple[int, float, Ended], prefix: str = "") -> Outcome:
        """An outcome as the strategy gets it: its own copy of the answer."""
        seq, at, event = found
        self.seen, self._last_at = max(self.seen, seq), max(self._last_at, at)
        key = event.key.removeprefix(prefix)
        if isinstance(event, ev.TaskAnswered):
            answer = loads(event.answer)
            return Outcome(key, event.member, answer, None, event.edge, event.took, event.usage)
        if isinstance(event, ev.TaskFailed):
            return Outcome(key, event.member, None, event.failure, None, event.took, event.usage)
        raise StrategyDiverged(event.visit, event.key, LOST)

    async def ask(self, task: Task) -> None:
        await self._asking.ask(task)

    def spawn(self, task: Task) -> None:
        """Ask in the background."""
        scope = anyio.CancelScope()
        self._running[task.key] = (task, scope)
        self._start_soon(self._in_background, task)

    async def remember(self, key: str, decide: Callable[[], Awaitable[Any]]) -> Any:
        if f"remember:{key}" in self._keys:
            raise StrategyMisused(f"the key {key!r} was remembered twice in {self.visit.started.visit}")
        self._keys.add(f"remember:{key}")
        found = self.visit.remembered.get(key)
        if found is None:
            value = encode(await decide())
            await self._recorder.record(ev.Remembered(self.visit.started.visit, key, Raw(value)))
            return loads(value)
        return loads(found.value)

    def cancel_rest(self) -> None:
        """End what is still under way: the losers of a race."""
        self.visit.tell = None
        self.items.close()
        for key, (task, scope) in self._running.items():
            if not task.recording:
                member = task.load.name if task.load else task.members[0]
                self._recorder.note(ev.TaskCancelled(task.visit_id, key, member, task.used()))
                scope.cancel()

    def stop(self) -> None:
        """End what is under way without a word in the journal: it will be asked again."""
        self.items.close()
        for _, scope in self._running.values():
            scope.cancel()
        self.visit.tell = None

    def raise_error(self) -> None:
        """What went wrong in the background."""
        if self._error is not None:
            raise self._error
        self.items.raise_error()

    async def news(self) -> None:
        """Wait for the next thing to be recorded, or to go wrong."""
        self._news = self._news or anyio.Event()
        await self._news.wait()

    async def _in_background(self, task: Task) -> None:
        scope = self._running[task.key][1]
        try:
            with scope:
                await self._asking.ask(task)
        except Exception as error:
            self._error = self._error or error
        finally:
            del self._running[task.key]
            self._wake()

    def _told(self, key: str | None) -> None:
        if key is not None:
            for team in self.teams:
                team.told(key)
        self._wake()

    def _wake(self) -> None:
        if self._news is not None:
            self._news.set()
            self._news = None
