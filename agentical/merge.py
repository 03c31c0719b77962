"""How the writes to one key of state add up to its value.

Writes fold in the order (generation, rank) of the steps that made them, not in the order they finished in: rank grows
along every arrow that points forward, generation with every arrow that points back, so whoever comes after another in
the graph writes after it, and steps that run side by side write in declared order whichever was faster.
"""

from __future__ import annotations

from bisect import insort
from collections.abc import Callable
from typing import Any

Order = tuple[int, int]


def _check(rule: str, write: Any) -> None:
    if rule == "extend" and not isinstance(write, list):
        raise TypeError(f"`extend` takes a list, not {type(write).__name__}")
    if rule == "update" and not isinstance(write, dict):
        raise TypeError(f"`update` takes an object, not {type(write).__name__}")


def _union(value: Any, write: Any) -> Any:
    seen = list(value or [])
    seen.extend(one for one in (write if isinstance(write, list) else [write]) if one not in seen)
    return seen


RULES: dict[str, Callable[[Any, Any], Any]] = {
    "last": lambda _, write: write,
    "append": lambda value, write: [*(value or []), write],
    "extend": lambda value, write: [*(value or []), *write],
    "update": lambda value, write: {**(value or {}), **write},
    "add": lambda value, write: (value or 0) + write,
    "max": lambda value, write: write if value is None else max(value, write),
    "min": lambda value, write: write if value is None else min(value, write),
    "union": _union,
}
"""Every merge rule but `first`, as (value so far, write) -> value."""


class Merged:
    """One key of state. `value` is what its writes add up to, starting from the default."""

    __slots__ = ("_default", "_rule", "_writes", "value")

    def __init__(self, rule: str, default: Any) -> None:
        self._rule, self._default, self.value = rule, default, default
        self._writes: list[tuple[Order, Any]] = []

    def write(self, order: Order, write: Any) -> None:
        """Add a write. Raises TypeError where the rule cannot take it."""
        if self._rule in ("extend", "update"):
            _check(self._rule, write)
        if not self._writes or self._writes[-1][0] <= order:
            self._writes.append((order, write))
            self.value = self._step(self.value, write, first=len(self._writes) == 1)
            return
        insort(self._writes, (order, write), key=lambda one: one[0])
        self.value = self._default
        for n, (_, one) in enumerate(self._writes):
            self.value = self._step(self.value, one, first=n == 0)

    def _step(self, value: Any, write: Any, *, first: bool) -> Any:
        if self._rule == "first":
            return write if first else value
        if self._rule in ("append", "extend") and isinstance(value, list) and value is not self._default:
            value.extend((write,) if self._rule == "append" else write)
            return value
        return RULES[self._rule](value, write)
