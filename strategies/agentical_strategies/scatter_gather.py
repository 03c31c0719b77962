"""Scatter-gather: each item is asked of one member, whoever is free."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar

from agentical.completion import ALL, Completion
from agentical.errors import StepFailed
from agentical.gather import AS_LIST, Gather
from agentical.ports import ANY, Ask, Item, Member, Outcome, Team
from agentical_strategies.notes import ask_one, failure_of, incomplete


@dataclass(slots=True)
class _Harvest:
    """What came back so far; `answers` by index, in order of arrival."""

    answers: dict[int, Any] = field(default_factory=dict)
    missing: dict[int, dict[str, Any]] = field(default_factory=dict)
    under_way: dict[str, Item] = field(default_factory=dict)
    answered_by: Counter[str] = field(default_factory=Counter)
    took: dict[str, float] = field(default_factory=dict)
    taken: int = 0

    def take(self, item: Item) -> Ask:
        ask = Ask(ANY, item.payload, f"item-{item.index}")
        self.under_way[ask.key] = item
        self.taken += 1
        return ask

    def add(self, outcome: Outcome) -> None:
        item = self.under_way.pop(outcome.key)
        self.took[outcome.member] = self.took.get(outcome.member, 0.0) + outcome.took
        if outcome.ok:
            self.answers[item.index] = outcome.answer
            self.answered_by[outcome.member] += 1
        else:
            found = {"key": outcome.key, "index": item.index, "item": item.value, "member": outcome.member}
            self.missing[item.index] = found | failure_of(outcome)


@dataclass(frozen=True, kw_only=True)
class ScatterGather:
    """Deals the items of `for-each` to the members and gathers the answers in input order.

    As many items are under way as there are members (or `max_parallel`), so a slow member holds one item while the
    others go on: it is asked less. Items that failed are named in the record under `missing`. Once the completion cannot
    be met no new item is taken, what is under way is heard out, and the step fails with INCOMPLETE.
    """

    takes_items: ClassVar[bool] = True
    needs_items: ClassVar[bool] = True
    outcomes: ClassVar[tuple[str, ...]] = ()

    complete: Completion = ALL
    gather: Gather = AS_LIST
    max_parallel: int | None = None

    def __post_init__(self) -> None:
        if self.max_parallel is not None and self.max_parallel < 1:
            raise ValueError("max-parallel is at least 1")

    def problems(self, members: Sequence[Member]) -> Iterable[str]:
        return ()

    def most(self, members: int, items: int | None) -> int | None:
        return None if items is None else items + (self.gather.agent is not None)

    def agents_used(self) -> Iterable[str]:
        return () if self.gather.agent is None else (self.gather.agent,)

    async def __call__(self, team: Team, payload: Any) -> Any:
        harvest, total = await self._harvest(team)
        self._note(team.record, harvest, total)
        if not self.complete.met(len(harvest.answers), harvest.taken if total is None else total):
            team.record["answers"] = {f"item-{index}": harvest.answers[index] for index in sorted(harvest.answers)}
            failed = {one["key"]: one for one in team.record["missing"]}
            raise incomplete("items", len(harvest.answers), total, str(self.complete), failed)
        try:
            counted = self.complete.counted(harvest.answers, sorted(harvest.answers))
            team.record["counted"] = len(counted)
            if self.gather.agent is None:
                return self.gather.combine(list(counted.values()))
        except ValueError as error:
            raise StepFailed(f"gather: {error}", code="GATHER_FAILED", failure_class="invalid") from error
        return (await ask_one(team, Ask(self.gather.agent, list(counted.values()), "gather"))).unwrap()

    async def _harvest(self, team: Team) -> tuple[_Harvest, int | None]:
        """All that came back, and how many items there are; None where that was not found out."""
        harvest, total = _Harvest(), team.item_count
        limit = self.max_parallel or len(team.members)
        while not self.complete.done(len(harvest.answers)):
            hopeless = self.complete.impossible(len(harvest.missing), total)
            wanted = not hopeless and len(harvest.under_way) < limit
            got = await team.next(or_item=wanted)
            if isinstance(got, Item):
                team.start(harvest.take(got))
            elif got is not None:
                harvest.add(got)
            else:
                return harvest, total if hopeless else harvest.taken
        return harvest, total

    def _note(self, record: dict[str, Any], harvest: _Harvest, total: int | None) -> None:
        record.update(
            rule=str(self.complete),
            gather=self.gather.rule,
            items=total,
            answered=len(harvest.answers),
            missing=[harvest.missing[index] for index in sorted(harvest.missing)],
            not_asked=None if total is None else total - harvest.taken,
            by_member={
                name: {"answered": harvest.answered_by[name], "took": harvest.took[name]}
                for name in sorted(harvest.took)
            },
        )
