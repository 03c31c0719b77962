"""The arrows of a graph, turned round and added up: who is needed by whom, who can lead to whom. Pure."""

from __future__ import annotations

from dataclasses import dataclass

from agentical.graph import Graph


@dataclass(frozen=True, slots=True)
class Arrows:
    """By index of step. `targets`: steps that edges lead to, by rank. `ancestors`: bit sets, for targets only."""

    needed_by: tuple[tuple[int, ...], ...]
    targets: tuple[int, ...]
    ancestors: dict[int, int]

    def is_target(self, index: int) -> bool:
        return index in self.ancestors

    @classmethod
    def of(cls, graph: Graph) -> Arrows:
        index_of = {step.id: step.index for step in graph.steps}
        needed_by: list[list[int]] = [[] for _ in graph.steps]
        before: list[set[int]] = [set(step.waits) for step in graph.steps]
        targets: set[int] = set()
        for step in graph.steps:
            for need in step.waits:
                needed_by[need].append(step.index)
            for route in step.routes:
                if route.to in index_of:
                    targets.add(index_of[route.to])
                    before[index_of[route.to]].add(step.index)
        targets |= {step.index for step in graph.steps if step.starts == "edge"}
        return cls(
            tuple(map(tuple, needed_by)),
            tuple(sorted(targets, key=lambda index: graph.steps[index].rank)),
            {index: _ancestors(before, index) for index in targets},
        )


def _ancestors(before: list[set[int]], index: int) -> int:
    """Everything that can lead to a step (itself only around a loop), as a bit set."""
    seen, todo, bits = set[int](), list(before[index]), 0
    while todo:
        one = todo.pop()
        if one not in seen:
            seen.add(one)
            bits |= 1 << one
            todo.extend(before[one])
    return bits
