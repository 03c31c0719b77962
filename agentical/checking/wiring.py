"""How the steps of a playbook hang together: who waits for whom, which edges lead where, in what order."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from difflib import get_close_matches

from agentical.checking.flow import Ancestry, circles, loops, ranks, reachable
from agentical.checking.mistakes import Mistakes
from agentical.checking.readings import Reading
from agentical.graph import Route
from agentical.playbook import Placed

OF_THE_ENGINE = ("error", "timeout", "exhausted", "skipped")
"""Outcomes that any step may have."""


class Wiring:
    """By index of step: `waits`, `by_edge`, `joins`, `previous`, `routes`, `ranks`; and the `ancestry` of all.

    A reference to a step is a need, but for the target of an edge: it needs nothing of its own loop or of what comes
    after it, nor, when it starts by an edge, anything that leads to it.
    """

    def __init__(
        self, mistakes: Mistakes, steps: Sequence[Placed], readings: Sequence[Reading], outcomes: Sequence[Outcomes]
    ) -> None:
        self._mistakes, self._steps, self._readings = mistakes, steps, readings
        self._index = {placed.id: index for index, placed in enumerate(steps)}
        self._listed = any(isinstance(placed.place, int) for placed in steps)
        self.routes = [tuple(self._routes(placed, known)) for placed, known in zip(steps, outcomes, strict=True)]
        self.edges = self._edges()
        if self._listed:
            self._go_on_in_loops()
        own = [self._own_needs(index) for index in range(len(steps))]
        self.by_edge = [
            bool(self.edges[index]) and not self._listed and not placed.step.has("needs")
            for index, placed in enumerate(steps)
        ]
        self.previous = [index - 1 if self._follows(index, own[index]) else None for index in range(len(steps))]
        self.waits = self._waits(own)
        self.loop = loops(self.waits, self.edges)
        self.ranks = ranks(self.waits, self.edges, self.loop)
        self.ancestry = Ancestry(self.waits, self.edges, self.loop)
        self.joins = [self._join(index) for index in range(len(steps))]
        self.sound = self._check_circles()
        if self.sound:
            self._check_reachable()

    def _edges(self) -> list[list[int]]:
        """By index of step, the steps that an edge leads here from."""
        edges: list[list[int]] = [[] for _ in self._steps]
        for index, routes in enumerate(self.routes):
            for route in routes:
                if route.to in self._index:
                    edges[self._index[route.to]].append(index)
        return edges

    def _go_on_in_loops(self) -> None:
        """A list goes on in order in each round of a loop, too: from the step an edge leads back to, step by step."""
        inside = {n for target, sources in enumerate(self.edges) for one in sources for n in range(target, one)}
        for index in sorted(inside):
            following = self._steps[index + 1]
            taken = [route for route in self.routes[index] if route.on not in OF_THE_ENGINE]
            if not taken and not following.step.has("needs"):
                self.routes[index] += (Route(following.id),)
        self.edges = self._edges()

    def _own_needs(self, index: int) -> list[int]:
        placed = self._steps[index]
        if not placed.step.has("needs"):
            return [index - 1] if self._listed and index else []
        found: dict[int, None] = {}
        for n, name in enumerate(placed.step.needs or ()):
            if name in self._index:
                found[self._index[name]] = None
            else:
                self._mistakes.unknown(("steps", placed.place, "needs", n), "step", name, self._index)
        return list(found)

    def _follows(self, index: int, own: Sequence[int]) -> bool:
        return self._listed and index - 1 in own

    def _waits(self, own: Sequence[list[int]]) -> list[list[int]]:
        named = [
            [self._index[name] for name in reading.steps if name in self._index and self._index[name] != index]
            for index, reading in enumerate(self._readings)
        ]
        sure = [
            needs if self.edges[index] else list(dict.fromkeys([*needs, *named[index]]))
            for index, needs in enumerate(own)
        ]
        targets = [index for index, sources in enumerate(self.edges) if sources and named[index]]
        if not targets:
            return sure
        before = Ancestry(sure, self.edges, loops(sure, self.edges))
        for index in targets:
            extra = [
                one
                for one in named[index]
                if not before.comes_before(index, one) and not (self.by_edge[index] and before.comes_before(one, index))
            ]
            sure[index] = list(dict.fromkeys([*sure[index], *extra]))
        return sure

    def _join(self, index: int) -> int | None:
        placed = self._steps[index]
        text, count = placed.step.join, len(self.waits[index])
        if text is None:
            return None
        if not count:
            self._mistakes.add(("steps", placed.place, "join"), "`join` has no `needs` to join.", "Leave it out.")
        if text == "all":
            return None
        wanted = 1 if text == "any" else int(text[len("first(") : -1])
        if count and wanted > count:
            self._mistakes.add(("steps", placed.place, "join"), f"`{text}` of {count} needs can never be.")
            return None
        return wanted

    def _routes(self, placed: Placed, outcomes: Outcomes) -> Iterator[Route]:
        path, next = ("steps", placed.place, "next"), placed.step.next
        if next is not None and placed.step.body == "end":
            self._mistakes.add(path, "nothing comes next: this step ends the execution.", key=True)
        elif isinstance(next, str):
            yield from self._route(path, next)
        elif isinstance(next, dict):
            for name, to in next.items():
                if name != "else":
                    outcomes.check(self._mistakes, (*path, name), name)
                    yield from self._route((*path, name), to, on=name)
            if "else" in next:
                yield from self._route((*path, "else"), next["else"])
        elif next is not None:
            for n, branch in enumerate(next):
                if n and next[n - 1].condition is None:
                    self._mistakes.add(
                        (*path, n), "is never followed: the one before has no `if`.", "Put that one last."
                    )
                yield from self._route((*path, n, "to"), branch.to, condition=branch.condition)

    def _route(
        self, path: tuple[str | int, ...], to: str, on: str | None = None, condition: str | None = None
    ) -> Iterator[Route]:
        if to in self._index or to in ("end", "fail"):
            yield Route(to, on, condition)
        else:
            self._mistakes.unknown(path, "step", to, [*self._index, "end", "fail"])

    def _check_circles(self) -> bool:
        sound = True
        for circle in circles(self.waits, self.ranks):
            sound = False
            names = [self._steps[index].id for index in [*circle, circle[0]]]
            first = self._steps[circle[0]]
            path = ("steps", first.place, "needs") if first.step.has("needs") else ("steps", first.place)
            hint = "A step needs what it refers to. Leave one of these out, or go back with `next`."
            self._mistakes.add(path, f"cycle: {' → '.join(names)}.", hint)
        for index, waits in enumerate(self.waits):
            stuck = [one for one in waits if self.edges[index] and self.loop[one] == self.loop[index]]
            if sound and stuck and self.by_edge[index]:
                sound = False
                names = [self._steps[one].id for one in stuck]
                message = f"waits for {', '.join(names)}, which cannot end before it starts."
                self._mistakes.add(("steps", self._steps[index].place), message)
        return sound

    def _check_reachable(self) -> None:
        enough = [
            0 if reading.alone or not waits else join or 1
            for waits, join, reading in zip(self.waits, self.joins, self._readings, strict=True)
        ]
        found = reachable(self.waits, self.edges, self.by_edge, enough)
        for placed, can, by_edge in zip(self._steps, found, self.by_edge, strict=True):
            if can:
                continue
            if by_edge:
                message, hint = "only steps that come after it lead to it", "`needs: []` starts it at the beginning"
            else:
                message, hint = "what it needs can never start", "Give it other needs"
            self._mistakes.add(("steps", placed.place), f"unreachable: {message}.", f"{hint}.")


class Outcomes:
    """The outcomes a step may have beside the engine's own: `all_known` where there are no others than `names`."""

    def __init__(self, names: Sequence[str] = (), *, all_known: bool = False) -> None:
        self._names, self._all_known = names, all_known

    def check(self, mistakes: Mistakes, path: tuple[str | int, ...], name: str) -> None:
        """A mistake where the step cannot have this outcome; where not all are known, where it looks misspelt."""
        if name in self._names or name in OF_THE_ENGINE:
            return
        if self._all_known or get_close_matches(name, self._names, 1, 0.8):
            mistakes.unknown(path, "outcome", name, (*self._names, *OF_THE_ENGINE, "else"), key=True)
