"""How the writes to one key of state add up to its value.

Writes fold in the order of the visits that made them (generation, rank, where it came from, number), not in the order
they finished in: rank grows along every arrow that points forward, generation with every arrow that points back, so
whoever comes after another in the graph writes after it, and steps that run side by side write in declared order
whichever was faster.
"""

from __future__ import annotations

from bisect import insort
from collections.abc import Callable
from typing import Any, Final

import msgspec

Order = tuple[int, ...]

_TAKES: Final = {"extend": "array", "update": "object", "add": "number"}
_HOLDS: Final = {"append": "array", "extend": "array", "union": "array", "update": "object", "add": "number"}


def _kind(value: Any) -> str:
    kinds = {bool: "boolean", int: "number", float: "number", str: "string", list: "array", dict: "object"}
    return kinds.get(type(value), "null")


def _is(type: str, value: Any) -> bool:
    if type == "integer":
        return _kind(value) == "number" and value == value // 1
    return _kind(value) == type


def _union(value: Any, write: Any) -> Any:
    """Why by their JSON: in Python `1 == True`."""
    found: dict[bytes, Any] = {}
    for one in [*(value or []), *(write if isinstance(write, list) else [write])]:
        found.setdefault(msgspec.json.encode(one, order="sorted"), one)
    return list(found.values())


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
    """One key of state, starting from its default."""

    __slots__ = ("_default", "_folded", "_rule", "_type", "_value", "_writes")

    def __init__(self, rule: str, default: Any, type: str | None = None) -> None:
        self._rule, self._type, self._default, self._value = rule, type, default, default
        self._writes: list[tuple[Order, Any]] = []
        self._folded = True

    @property
    def value(self) -> Any:
        """What the writes add up to. Folded again, when it is read, after a write that came out of turn."""
        if not self._folded:
            self._value, self._folded = self._default, True
            for n, (_, one) in enumerate(self._writes):
                self._value = self._step(self._value, one, first=n == 0)
        return self._value

    def refuses(self, write: Any) -> str | None:
        """Why the key cannot take this write; None where it can, whatever order the writes come to stand in."""
        rule, kind, held = self._rule, _kind(write), _kind(self._value)
        if _TAKES.get(rule, kind) != kind:
            return f"`{rule}` takes {_TAKES[rule]}, not {kind}"
        if held not in (_HOLDS.get(rule, held), "null"):
            return f"`{rule}` adds to {_HOLDS[rule]}, and it holds {held}"
        if rule in ("max", "min") and (kind not in ("number", "string") or held not in (kind, "null")):
            return f"`{rule}` compares numbers, or strings, and was given {kind}, holding {held}"
        if self._type is None or write is None or rule in ("append", "union") or _is(self._type, write):
            return None
        return f"it is declared {self._type}, and was given {kind}"

    def write(self, order: Order, write: Any) -> None:
        """Add a write. Raises TypeError where the rule cannot take it."""
        if refused := self.refuses(write):
            raise TypeError(refused)
        if not self._writes or self._writes[-1][0] <= order:
            self._writes.append((order, write))
            if self._folded:
                self._value = self._step(self._value, write, first=len(self._writes) == 1)
            return
        insort(self._writes, (order, write), key=lambda one: one[0])
        self._folded = False

    def _step(self, value: Any, write: Any, *, first: bool) -> Any:
        if self._rule == "first":
            return write if first else value
        if self._rule in ("append", "extend") and isinstance(value, list) and value is not self._default:
            value.extend((write,) if self._rule == "append" else write)
            return value
        return RULES[self._rule](value, write)
