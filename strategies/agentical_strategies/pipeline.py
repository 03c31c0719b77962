"""Pipeline: the items stream through the members as stages."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar, Literal

from agentical.gather import agent_named
from agentical.ports import Ask, Item, Member, Outcome, Team
from agentical_strategies.notes import failure_of
from agentical_strategies.stages import Line, stages_of

NAMED = 100
"""How many skipped items the record names; all are counted. Dead letters are all kept."""
OnItemError = Literal["fail", "skip", "dead-letter"]


@dataclass(frozen=True, slots=True)
class Collect:
    """The rule of `collect:`: what becomes of what leaves the last stage."""

    rule: Literal["list", "count", "last", "agent"] = "list"
    agent: str | None = None

    @classmethod
    def parse(cls, raw: Any) -> Collect:
        """Read `list`, `count`, `last` or `agent:NAME`. Raises ValueError."""
        if agent := agent_named(raw):
            return cls("agent", agent)
        if raw in ("list", "count", "last"):
            return cls(raw)
        raise ValueError(f"{raw!r} is not one of list, count, last, agent:NAME")


AS_LIST = Collect()


@dataclass(slots=True)
class _Collected:
    """What has left the line, in item order as far as the rule needs order. `waiting` is what came too early."""

    rule: str
    done: int = 0
    next: int = 0
    waiting: dict[int, Any] = field(default_factory=dict)
    gone: set[int] = field(default_factory=set)
    value: Any = None
    last: int = -1

    def add(self, index: int, value: Any) -> None:
        self.done += 1
        if self.rule in ("list", "agent"):
            self.waiting[index] = value
        elif self.rule == "last" and index > self.last:
            self.last, self.value = index, value

    def lose(self, index: int) -> None:
        if self.rule == "agent":
            self.gone.add(index)

    def take(self) -> tuple[int, Any] | None:
        """The next item in order, if it is there; what was lost on the way is stepped over."""
        while self.next in self.gone:
            self.gone.remove(self.next)
            self.next += 1
        if self.next not in self.waiting:
            return None
        index, self.next = self.next, self.next + 1
        return index, self.waiting.pop(index)

    def result(self) -> Any:
        if self.rule == "list":
            return [self.waiting[index] for index in sorted(self.waiting)]
        return self.done if self.rule == "count" else self.value


@dataclass(frozen=True, kw_only=True)
class Pipeline:
    """Every agent of the team is a stage; stages work at the same time on different items.

    Before each stage wait at most `buffer` items, so a slow stage holds up the ones before it. A stage works on one item
    per member (replicas share a stage), or on as many as `workers` says. `on_item_error`: `fail` ends the step with that
    failure, `skip` drops the item, `dead-letter` also keeps its payload in the record. `collect: agent:NAME` folds: the
    agent is asked `{value, item}` for every result, in item order, and answers with the new value (at first null). Memory
    is bounded but for `list`.
    """

    takes_items: ClassVar[bool] = True
    needs_items: ClassVar[bool] = True
    outcomes: ClassVar[tuple[str, ...]] = ()

    buffer: int = 16
    workers: dict[str, int] = field(default_factory=dict)
    on_item_error: OnItemError = "fail"
    collect: Collect = AS_LIST

    def __post_init__(self) -> None:
        if self.buffer < 1:
            raise ValueError("buffer is at least 1")
        if wrong := [name for name, count in self.workers.items() if count < 1]:
            raise ValueError(f"workers of {', '.join(wrong)}: at least 1")

    def problems(self, members: Sequence[Member]) -> Iterable[str]:
        stages = {member.agent for member in members}
        for name in self.workers:
            if name not in stages:
                yield f"workers: {name} is not a stage of this pipeline. Its stages are {', '.join(sorted(stages))}."

    def most(self, members: int, items: int | None) -> int | None:
        return None if items is None else items * (members + (self.collect.agent is not None))

    def agents_used(self) -> Iterable[str]:
        return () if self.collect.agent is None else (self.collect.agent,)

    async def __call__(self, team: Team, payload: Any) -> Any:
        return await _Flow(self, team).run()


class _Flow:
    """One run of a pipeline: the line of stages, what left it, and the fold."""

    def __init__(self, options: Pipeline, team: Team) -> None:
        self.options, self.team = options, team
        self.line = Line(stages_of(team.members, options.workers), options.buffer)
        self.collected = _Collected(options.collect.rule)
        self.folding: str | None = None
        self.taken = 0
        self.lost: list[dict[str, Any]] = []

    async def run(self) -> Any:
        self.team.record.update(stages=[stage.name for stage in self.line.stages], lost=self.lost)
        try:
            while (got := await self.team.next(or_item=self._room())) is not None:
                if isinstance(got, Item):
                    self.taken += 1
                    self.line.enter(got.index, got.payload)
                elif got.key == self.folding:
                    self.folding, self.collected.value = None, got.unwrap()
                else:
                    self._heard(got)
                self._move()
        finally:
            self._note()
        return self.collected.result()

    def _room(self) -> bool:
        """Whether an item may enter: the first stage has room and the fold is not left too far behind."""
        behind = self.taken - self.collected.next if self.options.collect.rule == "agent" else 0
        return self.line.has_room and behind < self.line.holds

    def _heard(self, outcome: Outcome) -> None:
        parcel = self.line.leave(outcome)
        if outcome.ok:
            return
        stage = self.line.stages[parcel.stage].name
        lost = {"index": parcel.index, "stage": stage, "member": outcome.member} | failure_of(outcome)
        if self.options.on_item_error == "dead-letter":
            self.lost.append(lost | {"payload": parcel.payload})
        elif len(self.lost) < NAMED:
            self.lost.append(lost)
        self.collected.lose(parcel.index)
        if self.options.on_item_error == "fail":
            outcome.unwrap()

    def _move(self) -> None:
        for index, value in self.line.results():
            self.collected.add(index, value)
        for ask in self.line.move():
            self.team.start(ask)
        if self.options.collect.agent is None or self.folding is not None:
            return
        if (ready := self.collected.take()) is not None:
            index, value = ready
            self.folding = f"collect/item-{index}"
            self.team.start(
                Ask(self.options.collect.agent, {"value": self.collected.value, "item": value}, self.folding)
            )

    def _note(self) -> None:
        stages = {
            stage.name: {
                "answered": stage.answered,
                "failed": stage.failed,
                "took": stage.took,
                "most_waiting": stage.most,
            }
            for stage in self.line.stages
        }
        self.team.record.update(by_stage=stages, items=self.taken, completed=self.collected.done)
