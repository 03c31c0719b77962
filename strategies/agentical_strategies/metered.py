"""Metered: a team that adds up what asking it cost, with a record of its own and a look at the first item."""

from __future__ import annotations

from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Sequence
from typing import Any

from agentical.errors import StrategyMisused
from agentical.events import Tally
from agentical.ports import Ask, Item, Member, Outcome, Team


class Metered:
    """Hands everything on to `team`. `spent` has one sum for itself and the parts made of it."""

    def __init__(self, team: Team, record: dict[str, Any], spent: Tally) -> None:
        self._team, self._record, self.spent = team, record, spent
        self._peeked: Item | None = None
        self._early: deque[Outcome] = deque()

    @property
    def members(self) -> Sequence[Member]:
        return self._team.members

    @property
    def record(self) -> dict[str, Any]:
        return self._record

    @property
    def item_count(self) -> int | None:
        return self._team.item_count

    @property
    def elapsed(self) -> float:
        return self._team.elapsed

    async def has_items(self) -> bool:
        """Whether the step has items. A source is asked for its first one, which is handed out later."""
        if self._team.item_count is None:
            first = await self._team.next(or_item=True)
            self._peeked = first if isinstance(first, Item) else None
            return self._peeked is not None
        return True

    async def ask(self, member: str | None, payload: Any, *, key: str) -> Any:
        """As the team's own, whose `ask` does not tell what it cost; what else comes meanwhile waits for `next`."""
        self._team.start(Ask(member, payload, key))
        while isinstance(outcome := await self._team.next(), Outcome):
            if outcome.key == key:
                return self._added(outcome).unwrap()
            self._early.append(outcome)
        raise StrategyMisused(f"{key} was asked, but no outcome came back")

    async def ask_each(self, asks: Iterable[Ask], *, at_most: int | None = None) -> AsyncIterator[Outcome]:
        async for outcome in self._team.ask_each(asks, at_most=at_most):
            yield self._added(outcome)

    def start(self, ask: Ask) -> None:
        self._team.start(ask)

    async def next(self, *, or_item: bool = False) -> Outcome | Item | None:
        if or_item and self._peeked is not None:
            item, self._peeked = self._peeked, None
            return item
        got = self._early.popleft() if self._early else await self._team.next(or_item=or_item)
        return self._added(got) if isinstance(got, Outcome) else got

    async def items(self) -> AsyncIterator[Item]:
        if self._peeked is not None:
            item, self._peeked = self._peeked, None
            yield item
        async for item in self._team.items():
            yield item

    def team(self, names: Sequence[str], *, key: str) -> Team:
        part = self._team.team(names, key=key)
        return Metered(part, part.record, self.spent)

    async def remember(self, key: str, decide: Callable[[], Awaitable[Any]]) -> Any:
        return await self._team.remember(key, decide)

    async def tallies(self, prefix: str) -> dict[str, Tally]:
        return await self._team.tallies(prefix)

    def tally(self, name: str, add: Tally) -> None:
        self._team.tally(name, add)

    def _added(self, outcome: Outcome) -> Outcome:
        self.spent.cost += outcome.usage.cost
        return outcome
