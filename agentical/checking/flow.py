"""The arrows of a playbook's steps, by index: what waits for what, in which order, what can be reached. Pure.

Why two kinds of arrow: a need is always waited for, so needs may not go round in a circle; an edge of `next` may lead
back, and then everything on the way round is one loop. Ancestors are kept as bit sets over loops taken as one.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from heapq import heappop, heappush

Arrows = Sequence[Sequence[int]]
"""By index of step: the indices it comes after."""


def loops(needs: Arrows, edges: Arrows) -> list[int]:
    """For each step the number of its loop; numbers grow along the arrows between loops."""
    if not any(edges):
        return _alone(needs)
    import networkx as nx

    graph: nx.DiGraph[int] = nx.DiGraph()
    graph.add_nodes_from(range(len(needs)))
    graph.add_edges_from(
        (before, step) for arrows in (needs, edges) for step, all_ in enumerate(arrows) for before in all_
    )
    number = [0] * len(needs)
    # Tarjan's algorithm gives the last loops first.
    for n, members in enumerate(nx.strongly_connected_components(graph)):
        for step in members:
            number[step] = -n
    least = min(number, default=0)
    return [n - least for n in number]


def _alone(needs: Arrows) -> list[int]:
    """Without edges each step is its own loop, unless needs go round in a circle: these share a number."""
    order = ranks(needs, [()] * len(needs), [0] * len(needs))
    return [len(needs) if rank is None else rank for rank in order]


def ranks(needs: Arrows, edges: Arrows, loop: Sequence[int]) -> list[int | None]:
    """Each step's place in the order; None for what waits on a circle of needs.

    Needs and edges lead forward, but for the edges that close a loop: a loop is entered at the first step, in declared
    order, that an edge from before leads to. Declared order decides between equals.
    """
    return _Order(needs, edges, loop).ranks


class _Order:
    def __init__(self, needs: Arrows, edges: Arrows, loop: Sequence[int]) -> None:
        count = len(needs)
        self.ranks: list[int | None] = [None] * count
        self._after: list[list[tuple[int, bool]]] = [[] for _ in range(count)]
        # A step is ready when neither is left; in its turn all the same when only edges of its own loop are.
        self._firm, self._soft = [0] * count, [0] * count
        for arrows, is_edge in ((needs, False), (edges, True)):
            for step, all_ in enumerate(arrows):
                for before in set(all_):
                    soft = is_edge and loop[before] == loop[step]
                    self._after[before].append((step, soft))
                    (self._soft if soft else self._firm)[step] += 1
        self._ready = [step for step in range(count) if not self._firm[step] and not self._soft[step]]
        self._entries: list[int] = []
        # Loops that nothing leads into come last; they are mistakes, but have their places.
        self._stray = [step for step in range(count) if not self._firm[step] and self._soft[step]]
        self._number = 0
        while (step := self._take()) >= 0:
            self._place(step)

    def _take(self) -> int:
        """The next step to place, -1 when there is none."""
        for heap in (self._ready, self._entries, self._stray):
            while heap:
                step = heappop(heap)
                if self.ranks[step] is None:
                    return step
        return -1

    def _place(self, step: int) -> None:
        self.ranks[step] = self._number
        self._number += 1
        for after, soft in self._after[step]:
            (self._soft if soft else self._firm)[after] -= 1
            if not self._firm[after] and self.ranks[after] is None:
                heappush(self._entries if self._soft[after] else self._ready, after)


def circles(needs: Arrows, placed: Sequence[int | None]) -> Iterator[list[int]]:
    """Circles among the needs of what could not be placed, each step before what needs it."""
    seen: set[int] = set()
    for start, rank in enumerate(placed):
        path: list[int] = []
        step: int | None = start if rank is None else None
        while step is not None and step not in seen:
            seen.add(step)
            path.append(step)
            step = next((need for need in needs[step] if placed[need] is None), None)
        if step in path:
            around = path[path.index(step) :][::-1]
            first = around.index(min(around))
            yield [*around[first:], *around[:first]]


class Ancestry:
    """Which steps come before which, by needs and edges, however far. Steps of one loop come before each other."""

    def __init__(self, needs: Arrows, edges: Arrows, loop: Sequence[int]) -> None:
        self._loop = loop
        count = max(loop, default=-1) + 1
        self._before = [0] * count
        sources: list[set[int]] = [set() for _ in range(count)]
        for arrows in (needs, edges):
            for step, all_ in enumerate(arrows):
                sources[loop[step]].update(loop[before] for before in all_)
        for number, before in enumerate(sources):
            bits = 0
            for one in before:
                if one != number:
                    bits |= self._before[one] | 1 << one
            self._before[number] = bits

    def loops_of(self, steps: Sequence[int]) -> int:
        """The loops of these steps, as a bit set for `elsewhere` and `leads_to`."""
        bits = 0
        for step in steps:
            bits |= 1 << self._loop[step]
        return bits

    def elsewhere(self, loops: int, step: int) -> int:
        """Without the loop of this step."""
        return loops & ~(1 << self._loop[step])

    def leads_to(self, loops: int, step: int) -> bool:
        """Whether the step comes after one of these loops."""
        return bool(self._before[self._loop[step]] & loops)

    def comes_before(self, one: int, other: int) -> bool:
        """Whether `other` comes after `one`; in one loop, both."""
        return self._loop[one] == self._loop[other] or bool(self._before[self._loop[other]] >> self._loop[one] & 1)

    def sorted(self, steps: Sequence[int]) -> list[int]:
        """The steps so that none stands before one it comes after."""
        return sorted(steps, key=lambda step: self._loop[step])


def reachable(needs: Arrows, edges: Arrows, by_edge: Sequence[bool], enough: Sequence[int]) -> list[bool]:
    """Which steps can ever start: once an edge leads there or, but for those `by_edge`, once `enough` needs can be met."""
    after: list[list[int]] = [[] for _ in needs]
    led_to: list[list[int]] = [[] for _ in needs]
    for step in range(len(needs)):
        for before in set(needs[step]):
            after[before].append(step)
        for before in set(edges[step]):
            led_to[before].append(step)
    left = list(enough)
    found = [not by_edge[step] and left[step] <= 0 for step in range(len(needs))]
    todo = [step for step, can in enumerate(found) if can]
    while todo:
        one = todo.pop()
        for step in after[one]:
            left[step] -= 1
        for step in [step for step in after[one] if not by_edge[step] and left[step] <= 0] + led_to[one]:
            if not found[step]:
                found[step] = True
                todo.append(step)
    return found
