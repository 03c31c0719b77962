"""The line of a pipeline's stages: which item is where, and what can move. No asking, no waiting."""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from agentical.ports import Ask, Member, Outcome


@dataclass(frozen=True, slots=True)
class Parcel:
    """An item on its way: what stage number `stage` is asked with."""

    index: int
    stage: int
    payload: Any


@dataclass(slots=True)
class Stage:
    """One agent: what waits for it, what it works on, and what it finished that finds no room further on.

    A finished item without room keeps its worker: that is what holds up the stages before.
    """

    name: str
    members: tuple[str, ...]
    workers: int
    waiting: deque[Parcel] = field(default_factory=deque)
    at_work: Counter[str] = field(default_factory=Counter)
    finished: deque[Parcel] = field(default_factory=deque)
    answered: int = 0
    failed: int = 0
    took: float = 0.0
    most: int = 0

    @property
    def free(self) -> bool:
        return self.at_work.total() + len(self.finished) < self.workers

    def receive(self, parcel: Parcel) -> None:
        self.waiting.append(parcel)
        self.most = max(self.most, len(self.waiting))

    def begin(self) -> tuple[Parcel, Ask]:
        """Take what has waited longest, for the member with the least work."""
        parcel = self.waiting.popleft()
        member = min(self.members, key=lambda name: self.at_work[name])
        self.at_work[member] += 1
        return parcel, Ask(member, parcel.payload, f"item-{parcel.index}/{self.name}")


def stages_of(members: Sequence[Member], workers: Mapping[str, int]) -> list[Stage]:
    """A stage for each agent, in the team's order; its replicas share it."""
    agents: dict[str, list[str]] = {}
    for member in members:
        agents.setdefault(member.agent, []).append(member.name)
    return [Stage(agent, tuple(names), workers.get(agent, len(names))) for agent, names in agents.items()]


class Line:
    """The stages one after the other, with at most `buffer` items waiting before each."""

    def __init__(self, stages: Sequence[Stage], buffer: int) -> None:
        self.stages, self.buffer = list(stages), buffer
        self._under_way: dict[str, tuple[Parcel, str]] = {}

    @property
    def has_room(self) -> bool:
        """Whether another item may enter."""
        return len(self.stages[0].waiting) < self.buffer

    @property
    def holds(self) -> int:
        """How many items fit at most."""
        return sum(self.buffer + stage.workers for stage in self.stages)

    def enter(self, index: int, payload: Any) -> None:
        self.stages[0].receive(Parcel(index, 0, payload))

    def leave(self, outcome: Outcome) -> Parcel:
        """Take note of how an ask ended; gives back what was asked."""
        parcel, member = self._under_way.pop(outcome.key)
        stage = self.stages[parcel.stage]
        stage.at_work[member] -= 1
        stage.took += outcome.took
        if outcome.ok:
            stage.answered += 1
            stage.finished.append(Parcel(parcel.index, parcel.stage + 1, outcome.answer))
        else:
            stage.failed += 1
        return parcel

    def move(self) -> Iterator[Ask]:
        """Move everything that has room, the last stage first; gives what is to be asked now."""
        for number in reversed(range(len(self.stages))):
            stage = self.stages[number]
            self._hand_to(number)
            while stage.waiting and stage.free:
                parcel, ask = stage.begin()
                self._under_way[ask.key] = (parcel, ask.member or "")
                yield ask
                self._hand_to(number)

    def _hand_to(self, number: int) -> None:
        """Let a stage receive what the one before it finished, as far as there is room."""
        finished = self.stages[number - 1].finished if number else deque()
        while finished and len(self.stages[number].waiting) < self.buffer:
            self.stages[number].receive(finished.popleft())

    def results(self) -> Iterator[tuple[int, Any]]:
        """What has left the last stage since it was asked for."""
        finished = self.stages[-1].finished
        while finished:
            parcel = finished.popleft()
            yield parcel.index, parcel.payload
