"""How the answers to a step's items become one value. Pure; values come in input order."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Any, Literal, cast

Rule = Literal["list", "flatten", "update", "sum", "top", "count", "agent"]

_AGENT = re.compile(r"agent:([a-z][a-z0-9_]*)")
_TOP = re.compile(r"top\(\s*(\d{1,9})\s*\)")


def agent_named(raw: Any) -> str | None:
    """The name in `agent:NAME`, None for anything else."""
    found = _AGENT.fullmatch(raw.strip()) if isinstance(raw, str) else None
    return found[1] if found else None


@dataclass(frozen=True, slots=True)
class Gather:
    """The rule of `gather:`. With `agent` that agent is asked for the value, with the list of answers as payload."""

    rule: Rule = "list"
    top: int = 0
    agent: str | None = None

    @classmethod
    def parse(cls, raw: Any) -> Gather:
        """Read `list`, `flatten`, `update`, `sum`, `top(5)`, `count` or `agent:NAME`. Raises ValueError."""
        text = raw.strip() if isinstance(raw, str) else ""
        if agent := agent_named(text):
            return cls("agent", agent=agent)
        if (found := _TOP.fullmatch(text)) and int(found[1]):
            return cls("top", top=int(found[1]))
        if text in ("list", "flatten", "update", "sum", "count"):
            return cls(cast("Rule", text))
        raise ValueError(f"{raw!r} is not one of list, flatten, update, sum, top(5), count, agent:NAME")

    def combine(self, values: Sequence[Any]) -> Any:
        """One value of many. Raises ValueError where a value does not fit the rule.

        `flatten` opens lists by one level and keeps what is no list; `update` merges mappings, later ones win; `top(n)`
        gives the n greatest, greatest first: numbers by themselves, mappings by their `score`; equals in input order.
        """
        if self.rule == "flatten":
            return list(chain.from_iterable(value if isinstance(value, list) else [value] for value in values))
        if self.rule == "update":
            return {key: inner for n, value in enumerate(values) for key, inner in _mapping(n, value).items()}
        if self.rule == "sum":
            return sum(_number(n, value) for n, value in enumerate(values))
        if self.rule == "count":
            return len(values)
        if self.rule == "top":
            ranked = sorted(enumerate(values), key=lambda pair: _rank(*pair), reverse=True)
            return [value for _, value in ranked[: self.top]]
        return list(values)


AS_LIST = Gather()


def _rank(n: int, value: Any) -> float:
    return _number(n, value.get("score") if isinstance(value, Mapping) else value)


def _number(n: int, value: Any) -> int | float:
    if isinstance(value, int | float) and not isinstance(value, bool):
        return value
    raise ValueError(f"answer {n} is not a number: {value!r:.80}")


def _mapping(n: int, value: Any) -> Mapping[str, Any]:
    if isinstance(value, Mapping):
        return value
    raise ValueError(f"answer {n} is not a mapping: {value!r:.80}")
