"""Tokens of a text → a tree of JSON values, and where in the text each of them stands.

Why not a YAML library's own tree: it recurses (a deep file ends the process), follows aliases without bound, keeps the last
of two equal keys, and forgets places. One loop over the tokens does all of that and serves JSON as well.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from agentical.reading.fields import shown

DEEPEST = 100
MOST_VALUES = 1_000_000
MOST_REPEATED = 100_000
"""How many values aliases and merge keys may repeat in all."""

Path = tuple[str | int, ...]
Spot = tuple[int, int]


class Unreadable(Exception):
    """The text cannot be read beyond this spot."""

    def __init__(self, spot: Spot, message: str, hint: str = "") -> None:
        self.spot, self.message, self.hint = spot, message, hint
        super().__init__(message)


class Token(NamedTuple):
    """A piece of text: `{ } [ ]`, `value`, `merge` (`<<`), `alias` (value: its anchor) or `flaw` (value: what is wrong with what follows)."""

    kind: str
    value: Any
    line: int
    column: int
    text: str = ""
    anchor: str | None = None


@dataclass(slots=True)
class Place:
    """Where a list or mapping stands; `inner` holds, by key or index, where the key and the value stand."""

    spot: Spot
    inner: dict[str | int, tuple[Spot, Place | Spot]] = field(default_factory=dict)


class Misplaced(NamedTuple):
    """A mistake of the text itself."""

    path: Path
    spot: Spot
    message: str
    hint: str = ""


@dataclass(slots=True)
class _Open:
    """A list or mapping that has not ended yet."""

    value: Any
    place: Place
    anchor: str | None
    before: int
    key: str | None = None
    key_spot: Spot = (1, 1)
    merging: bool = False
    merged: set[str] = field(default_factory=set)
    height: int = 1


class _Known(NamedTuple):
    """An anchored value: what an alias repeats."""

    value: Any
    place: Place | Spot
    size: int
    height: int


class TextTree:
    """The tree that tokens add up to: `value`, `place`, and the `flaws` found on the way."""

    def __init__(self, tokens: Iterable[Token]) -> None:
        self.value: Any = None
        self.place: Place | Spot = (1, 1)
        self.empty = True
        self.flaws: list[Misplaced] = []
        self._open: list[_Open] = []
        self._known: dict[str, _Known] = {}
        self._count = self._repeated = 0
        for token in tokens:
            self._take(token)

    def _take(self, token: Token) -> None:
        self._count += 1
        if self._count + self._repeated > MOST_VALUES:
            raise Unreadable((token.line, token.column), f"holds more than {MOST_VALUES:,} values.")
        match token.kind:
            case "merge" if self._open and isinstance(self._open[-1].value, dict) and self._open[-1].key is None:
                self._open[-1].key, self._open[-1].merging = token.value, True
            case "value" | "merge":
                self._scalar(token)
            case "{" | "[":
                self._deepen(1, token)
                place = Place((token.line, token.column))
                self._open.append(
                    _Open({} if token.kind == "{" else [], place, token.anchor, self._count + self._repeated)
                )
            case "}" | "]":
                self._close()
            case "alias":
                self._alias(token)
            case _:
                self._flaw(token, token.value)

    def _flaw(self, token: Token, message: str, hint: str = "") -> None:
        path = tuple(len(one.value) if isinstance(one.value, list) else one.key or "" for one in self._open)
        self.flaws.append(
            Misplaced(tuple(part for part in path if part != ""), (token.line, token.column), message, hint)
        )

    def _deepen(self, by: int, token: Token) -> None:
        if len(self._open) + by > DEEPEST:
            raise Unreadable((token.line, token.column), f"is nested deeper than {DEEPEST} levels.")
        for level, one in enumerate(reversed(self._open), by + 1):
            if one.height >= level:
                break
            one.height = level

    def _scalar(self, token: Token) -> None:
        value = token.value
        if isinstance(value, int | float) and not _storable(value):
            self._flaw(token, f"{shown(token.text)} is not a number that fits in 64 bits.", "Put it in quotes.")
            value = 0
        spot = (token.line, token.column)
        if token.anchor is not None:
            self._known[token.anchor] = _Known(value, spot, 1, 0)
        self._put(value, spot, token)

    def _close(self) -> None:
        one = self._open.pop()
        if one.anchor is not None:
            size = self._count + self._repeated - one.before + 1
            self._known[one.anchor] = _Known(one.value, one.place, size, one.height)
        self._put(one.value, one.place, Token("value", None, *one.place.spot))

    def _alias(self, token: Token) -> None:
        known = self._known.get(token.value)
        if known is None:
            inside = any(one.anchor == token.value for one in self._open)
            what = "stands inside what it repeats." if inside else "repeats nothing: there is no such anchor before it."
            self._flaw(token, f"`*{token.value}` {what}")
            known = _Known(None, (token.line, token.column), 1, 0)
        self._repeat(known.size, token)
        self._deepen(known.height, token)
        self._put(known.value, known.place, token)

    def _repeat(self, size: int, token: Token) -> None:
        self._repeated += size
        if self._repeated > MOST_REPEATED:
            hint = "Write it out, or give it as an input."
            raise Unreadable((token.line, token.column), f"aliases repeat more than {MOST_REPEATED:,} values.", hint)

    def _put(self, value: Any, place: Place | Spot, token: Token) -> None:
        """A finished value goes where it belongs: into a list, a mapping, or it is the whole tree."""
        spot = (token.line, token.column)
        if not self._open:
            self.value, self.place, self.empty = value, place, False
            return
        top = self._open[-1]
        if isinstance(top.value, list):
            top.place.inner[len(top.value)] = (spot, place)
            top.value.append(value)
        elif top.key is None:
            self._key(top, value, token)
        elif top.merging:
            top.key, top.merging = None, False
            self._merge(top, value, place, token)
        else:
            key, top.key = top.key, None
            if key in top.value and key not in top.merged:
                return
            top.merged.discard(key)
            top.value[key] = value
            top.place.inner[key] = (top.key_spot, place)

    def _key(self, top: _Open, value: Any, token: Token) -> None:
        spot = (token.line, token.column)
        key = value if isinstance(value, str) else token.text or "?"
        if not isinstance(value, str):
            self._flaw(token, f"a key is text, not {shown(value)}.", "Put it in quotes." if token.text else "")
        elif key in top.value and key not in top.merged:
            first = top.place.inner[key][0]
            top.key = key
            self._flaw(token, f"this key was given before, in line {first[0]}.", "Keep one of the two.")
        top.key, top.key_spot = key, spot

    def _merge(self, top: _Open, value: Any, place: Place | Spot, token: Token) -> None:
        """What `<<` brings: keys that the mapping does not have itself, the first source first."""
        sources = [(value, place)]
        if isinstance(value, list) and isinstance(place, Place):
            sources = [(one, place.inner[n][1]) for n, one in enumerate(value)]
        for source, where in sources:
            if not isinstance(source, dict) or not isinstance(where, Place):
                self._flaw(token, f"`<<` takes mappings, not {shown(source)}.")
                continue
            self._repeat(len(source), token)
            for key, one in source.items():
                if key not in top.value:
                    top.merged.add(key)
                    top.value[key] = one
                    top.place.inner[key] = where.inner[key]


def _storable(number: float) -> bool:
    return -(2**63) <= number < 2**63 if isinstance(number, int) else math.isfinite(number)
