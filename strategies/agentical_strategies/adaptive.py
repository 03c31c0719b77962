"""Adaptive: picks one of the other strategies by rules over the task, then by what worked before."""

from __future__ import annotations

import random
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import msgspec

from agentical.errors import StepFailed
from agentical.events import Tally
from agentical.ports import Edge, Member, NamedStrategy, Team
from agentical_strategies.choosing import Candidate, Features, Objective, best, suited
from agentical_strategies.consensus import Consensus
from agentical_strategies.hierarchical import Hierarchical
from agentical_strategies.metered import Metered
from agentical_strategies.parallel import Parallel
from agentical_strategies.pipeline import Pipeline
from agentical_strategies.scatter_gather import ScatterGather
from agentical_strategies.sequential import Sequential


@dataclass(frozen=True, kw_only=True)
class Adaptive:
    """Chooses among `candidates`, runs the choice and keeps in the store how it went; gives the choice's output.

    Without candidates: the six others with their default options, as far as they fit the team (hierarchical where a
    member has the capability `lead`). Rules leave out what does not suit the task; of the rest the one that did best by
    `objective` in tasks of the same `class` is taken, or, for a share `explore` of the runs, any. `pin` decides at once.
    The choice is recorded with features, reason and the tallies it was made from.
    """

    takes_items: ClassVar[bool] = True
    needs_items: ClassVar[bool] = False
    outcomes: ClassVar[tuple[str, ...]] = ("agreed", "tie", "no-quorum", "split", "exhausted")

    candidates: tuple[NamedStrategy, ...] = ()
    objective: Objective = "success"
    class_: str = "any"
    explore: float = 0.0
    pin: str | None = None

    def __post_init__(self) -> None:
        if not 0 <= self.explore <= 1:
            raise ValueError("explore is a share from 0 to 1")
        if any(isinstance(candidate.run, Adaptive) for candidate in self.candidates):
            raise ValueError("adaptive cannot be its own candidate")
        if self.candidates and self.pin is not None and self.pin not in _labelled(self.candidates):
            raise ValueError(f"pin: {self.pin!r} is not a candidate: {', '.join(_labelled(self.candidates))}")

    def problems(self, members: Sequence[Member]) -> Iterable[str]:
        for label, candidate in _labelled(self.candidates).items():
            for problem in _problems(candidate, members):
                yield f"candidate {label}: {problem}"
        if self.pin is not None and self.pin not in self._fitting(members):
            yield f"pin: {self.pin!r} does not fit this team. Fitting: {', '.join(self._fitting(members))}."

    def most(self, members: int, items: int | None) -> int | None:
        each = [candidate.run for candidate in self.candidates] or [
            Parallel(),
            Consensus(),
            ScatterGather(),
            Pipeline(),
        ]
        counts = [
            _most(run, members, items) for run in each if items is not None or not getattr(run, "needs_items", False)
        ]
        known = [number for number in counts if number is not None]
        return max(known) if known and len(known) == len(counts) else None

    def agents_used(self) -> Iterable[str]:
        return tuple(dict.fromkeys(name for candidate in self.candidates for name in _used(candidate)))

    async def __call__(self, team: Team, payload: Any) -> Any:
        inner: dict[str, Any] = {}
        metered = Metered(team, inner, Tally(count=1))
        fitting = self._fitting(team.members)
        seen = _features(team, payload, items=await metered.has_items())
        choice = await team.remember("choice", lambda: self._choose(team, fitting, seen))
        team.record.update(choice, record=inner)
        try:
            result = await fitting[choice["choice"]].run(metered, payload)
            metered.spent.succeeded = int(not (isinstance(result, Edge) and result.required))
        except Exception:
            self._learn(team, choice["choice"], metered.spent)
            raise
        self._learn(team, choice["choice"], metered.spent)
        return result

    def _fitting(self, members: Sequence[Member]) -> dict[str, NamedStrategy]:
        if self.candidates:
            return _labelled(self.candidates)
        return _labelled([c for c in _defaults(members) if not any(_problems(c, members))])

    async def _choose(self, team: Team, fitting: Mapping[str, NamedStrategy], seen: Features) -> dict[str, Any]:
        left, reasons = suited([self._known(label, c) for label, c in fitting.items()], seen)
        names = [candidate.name for candidate in left]
        prefix = f"adaptive/{self.class_}/"
        tallies = {name.removeprefix(prefix): sums for name, sums in (await team.tallies(prefix)).items()}
        if self.pin is not None and self.pin not in fitting:
            raise StepFailed(f"pin: {self.pin!r} does not fit this team: {', '.join(fitting)} do", code="PIN_UNFIT")
        if self.pin is not None:
            choice, why = self.pin, "pinned"
        elif self.explore and random.random() < self.explore:
            choice, why = random.choice(names), f"explored: one of {', '.join(names)} was drawn"
        else:
            choice, why = best(names, tallies, self.objective)
        known = {name: msgspec.to_builtins(tallies[name]) for name in names if name in tallies}
        reason = why if self.pin is not None else "; ".join([*reasons, why])
        return {"choice": choice, "reason": reason, "features": seen.json(), "suited": names, "tallies": known}

    def _known(self, label: str, candidate: NamedStrategy) -> Candidate:
        needs = bool(getattr(candidate.run, "needs_items", False))
        takes = bool(getattr(candidate.run, "takes_items", needs))
        return Candidate(label, candidate.name, takes, needs, given=bool(self.candidates))

    def _learn(self, team: Team, choice: str, spent: Tally) -> None:
        spent.took = team.elapsed
        team.tally(f"adaptive/{self.class_}/{choice}", spent)


def _labelled(candidates: Iterable[NamedStrategy]) -> dict[str, NamedStrategy]:
    """The candidates by name; of several of one name the later ones are `name#2`, `name#3`."""
    labelled: dict[str, NamedStrategy] = {}
    for candidate in candidates:
        label, number = candidate.name, 1
        while label in labelled:
            number += 1
            label = f"{candidate.name}#{number}"
        labelled[label] = candidate
    return labelled


def _defaults(members: Sequence[Member]) -> list[NamedStrategy]:
    """The six others, the most usual first."""
    found = [
        NamedStrategy("scatter-gather", ScatterGather()),
        NamedStrategy("pipeline", Pipeline()),
        NamedStrategy("parallel", Parallel()),
        NamedStrategy("sequential", Sequential()),
        NamedStrategy("consensus", Consensus()),
    ]
    leader = next((member.name for member in members if "lead" in member.capabilities), None)
    return found if leader is None else [NamedStrategy("hierarchical", Hierarchical(leader=leader)), *found]


def _problems(candidate: NamedStrategy, members: Sequence[Member]) -> Iterable[str]:
    found: Iterable[str] = getattr(candidate.run, "problems", lambda _: ())(members)
    return found


def _most(run: Any, members: int, items: int | None) -> int | None:
    count: int | None = getattr(run, "most", lambda *_: None)(members, items)
    return count


def _used(candidate: NamedStrategy) -> Iterable[str]:
    names: Iterable[str] = getattr(candidate.run, "agents_used", tuple)()
    return names


def _features(team: Team, payload: Any, *, items: bool) -> Features:
    capabilities = {frozenset(member.capabilities) for member in team.members}
    return Features(
        items=items,
        item_count=team.item_count,
        members=len(team.members),
        agents=len({member.agent for member in team.members}),
        payload_bytes=len(msgspec.json.encode(payload)),
        capabilities_differ=len(capabilities) > 1,
    )
