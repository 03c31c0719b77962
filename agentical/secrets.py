"""Secrets: resolved where an agent is made, taken out of whatever is recorded. Their values are never stored."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterator, Mapping
from functools import cached_property
from pathlib import Path
from typing import Any, Final

from agentical.errors import CallInvalid
from agentical.events import Failure
from agentical.jsonvalues import encode, loads

_REFERENCE = re.compile(r"\$\{\{\s*secrets\.([a-z][a-z0-9_]*)\s*\}\}")

SHORTEST: Final = 4
"""So many signs of a secret, left beside a cut, are taken out; fewer say nothing."""

_CUT: Final = re.compile(r"…|\.{3,}")
_TORN_END: Final = re.compile(r"(?:[\\%][\\%u0-9a-fA-F]{0,40})?")
_TORN_START: Final = re.compile(r"[\\%unrtbf0-9a-fA-F\ufffd]{0,40}")
"""What a cut may leave of an escape sequence, before it and after it."""


def resolve(secrets: Mapping[str, str]) -> dict[str, str]:
    """The values of `{name: "env:VARIABLE" | "file:PATH"}`. Raises CallInvalid naming all that are missing."""
    found: dict[str, str] = {}
    missing: list[str] = []
    for name, source in secrets.items():
        kind, _, where = source.partition(":")
        try:
            found[name] = os.environ[where] if kind == "env" else Path(where).expanduser().read_text().strip()
        except (KeyError, OSError, UnicodeDecodeError):
            missing.append(f"{name} (from {'the environment variable' if kind == 'env' else 'the file'} {where})")
    if missing:
        raise CallInvalid(f"secrets are missing: {', '.join(missing)}. Set them and run again.")
    return found


def filled(value: Any, secrets: Mapping[str, str]) -> Any:
    """The value with `${{ secrets.X }}` replaced, at any depth."""
    if isinstance(value, str):
        return _REFERENCE.sub(lambda match: secrets[match[1]], value)
    if isinstance(value, dict):
        return {key: filled(one, secrets) for key, one in value.items()}
    if isinstance(value, list | tuple):
        return [filled(one, secrets) for one in value]
    return value


def names(value: Any) -> set[str]:
    """The secrets a value refers to."""
    return set(_REFERENCE.findall(json.dumps(value)))


class Redaction:
    """Takes the values of secrets out of answers and errors, also where they stand in JSON or a URL within a text."""

    def __init__(self, values: Mapping[str, str]) -> None:
        shown = sorted({value for value in values.values() if value}, key=len, reverse=True)
        self._values = frozenset(shown)
        self._found = re.compile("|".join("".join(map(_spelled, value)) for value in shown)) if shown else None

    def clean(self, data: bytes) -> bytes:
        """JSON bytes without any secret; still JSON, as nothing but texts (and numbers that are secrets) changes."""
        if self._found is None:
            return data
        value = loads(data)
        cleaned = self._cleaned(value)
        return data if cleaned == value else encode(cleaned)

    def failure(self, failure: Failure) -> Failure:
        """The failure without any secret, nor what is left of one where its message was cut (`…`)."""
        message = self._uncovered(failure.message)
        return failure if message == failure.message else Failure(failure.kind, message, failure.code)

    def _uncovered(self, text: str) -> str:
        """Spans are found in the text as it is, so that one that overlaps another does not hide it."""
        if self._found is None:
            return text
        spans = [found.span() for found in self._found.finditer(text)]
        for mark in _CUT.finditer(text):
            spans += [(start, mark.start()) for signs in self._signs for start in signs.before(text, mark.start())]
            spans += [(mark.end(), end) for signs in self._signs for end in signs.after(text, mark.end())]
        parts, upto = [], 0
        for start, end in sorted(spans):
            if start >= upto:
                parts += [text[upto:start], "***"]
            upto = max(upto, end)
        return "".join([*parts, text[upto:]])

    @cached_property
    def _signs(self) -> list[_Signs]:
        return [_Signs(value) for value in self._values if len(value) > SHORTEST]

    def _cleaned(self, value: Any) -> Any:
        if isinstance(value, str):
            return self._found.sub("***", value) if self._found else value
        if isinstance(value, dict):
            return {self._cleaned(key): self._cleaned(one) for key, one in value.items()}
        if isinstance(value, list):
            return [self._cleaned(one) for one in value]
        return "***" if isinstance(value, int | float) and str(value) in self._values else value


class _Signs:
    """A secret sign by sign, to find what is left of it beside a cut."""

    def __init__(self, secret: str) -> None:
        self._each = [([re.compile(way) for way in _ways(sign)], sign == "\\") for sign in secret]
        self._head = re.compile(f"(?={''.join(map(_spelled, secret[:SHORTEST]))})")
        self._tail = re.compile("".join(map(_spelled, secret[-SHORTEST:])))

    def before(self, text: str, cut: int) -> Iterator[int]:
        """Where it may begin, if its rest was cut off."""
        for head in self._head.finditer(text, 0, cut):
            stops = (stop for stops in self._stops(0, text, head.start(), cut) for stop in stops)
            if any(_TORN_END.fullmatch(text, stop, cut) for stop in stops):
                yield head.start()

    def after(self, text: str, cut: int) -> Iterator[int]:
        """Where it may end, if its beginning was cut off."""
        torn = _TORN_START.match(text, cut)
        if torn is None or self._tail.search(text, cut) is None:
            return
        for start in range(cut, torn.end() + 1):
            for first in range(len(self._each) - SHORTEST + 1):
                for number, stops in enumerate(self._stops(first, text, start, len(text)), first + 1):
                    if number == len(self._each):
                        yield max(stops)

    def _stops(self, first: int, text: str, start: int, end: int) -> Iterator[set[int]]:
        """Where the signs from number `first` on may stop, sign after sign, as long as the text goes on like them."""
        stops = {start}
        for number in range(first, len(self._each)):
            ways, backslash = self._each[number]
            found = [match for stop in stops for way in ways if (match := way.match(text, stop, end))]
            if not found:
                return
            stops = {match.end() for match in found}
            if backslash:  # of a run of them nobody knows which are its own and which escape the next sign
                stops |= {stop for match in found for stop in range(match.start() + 1, match.end())}
            yield stops


def _spelled(sign: str) -> str:
    """A pattern for a sign however it is spelt; the longest spelling first."""
    ways = _ways(sign)
    return ways[0] if len(ways) == 1 else f"(?:{'|'.join(ways)})"


def _ways(sign: str) -> list[str]:
    """Patterns for a sign as a URL escapes it, as JSON does (once, or JSON within JSON) and as it is."""
    if sign.isascii() and sign.isalnum():
        return [sign]
    short = {"\n": "n", "\t": "t", "\r": "r", "\b": "b", "\f": "f"}.get(sign)
    plain = rf"\\*{re.escape(sign)}" if sign in '"/\\' else r"[ +]" if sign == " " else re.escape(sign)
    units = sign.encode("utf-16-be", "surrogatepass").hex()
    escaped = "".join(rf"\\+u(?i:{units[n : n + 4]})" for n in range(0, len(units), 4))
    in_url = "".join(f"%(?i:{byte:02x})" for byte in sign.encode("utf-8", "surrogatepass"))
    return [in_url, escaped, *([rf"{chr(92) * 2}+{short}"] if short else []), plain]
