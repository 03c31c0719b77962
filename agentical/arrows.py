"""The arrows of a graph, turned round and added up: who is needed by whom, who can lead to whom. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from agentical.graph import Graph


@dataclass(frozen=True, slots=True)
class Arrows:
    """By index of step; sets of steps are bit sets. `targets` are the steps that edges lead to.

    `ancestors` (of targets) can lead to the step, itself only around a loop; `reach` are the targets that a step can lead
    to. Where there are no targets, both are empty.
    """

    needed_by: tuple[tuple[int, ...], ...]
    targets: int
    ancestors: dict[int, int]
    reach: tuple[int, ...]

    def is_target(self, index: int) -> bool:
        return bool(self.targets >> index & 1)

    def dead(self, among: int, active: int) -> Iterator[int]:
        """The targets among these that nothing active leads to; the caller looks again at each, as it may wake others."""
        if active.bit_count() < among.bit_count():
            for index in bits(active):
                among &= ~self.reach[index]
        yield from (index for index in bits(among & ~active) if not self.ancestors[index] & active)

    @classmethod
    def of(cls, graph: Graph) -> Arrows:
        index_of = {step.id: step.index for step in graph.steps}
        needed_by: list[list[int]] = [[] for _ in graph.steps]
        before: list[set[int]] = [set(step.waits) for step in graph.steps]
        targets = sum(1 << step.index for step in graph.steps if step.starts == "edge")
        for step in graph.steps:
            for need in step.waits:
                needed_by[need].append(step.index)
            for route in step.routes:
                if route.to in index_of:
                    targets |= 1 << index_of[route.to]
                    before[index_of[route.to]].add(step.index)
        if not targets:
            return cls(tuple(map(tuple, needed_by)), 0, {}, ())
        after: list[set[int]] = [set() for _ in graph.steps]
        for index, sources in enumerate(before):
            for source in sources:
                after[source].add(index)
        ranked = [step.index for step in sorted(graph.steps, key=lambda step: step.rank)]
        ancestors = _closure(before, ranked)
        reach = _closure(after, ranked[::-1])
        return cls(
            tuple(map(tuple, needed_by)),
            targets,
            {index: ancestors[index] for index in bits(targets)},
            tuple(one & targets for one in reach),
        )


def bits(members: int) -> Iterator[int]:
    """The members of a bit set, rising."""
    while members:
        lowest = members & -members
        yield lowest.bit_length() - 1
        members ^= lowest


def _closure(direct: Sequence[set[int]], order: Sequence[int]) -> list[int]:
    """Everything that is reached over these arrows. In rank order one round is enough, but for arrows that point back."""
    found = [0] * len(direct)
    changed = True
    while changed:
        changed = False
        for index in order:
            reached = found[index]
            for one in direct[index]:
                reached |= found[one] | 1 << one
            if reached != found[index]:
                found[index], changed = reached, True
    return found
