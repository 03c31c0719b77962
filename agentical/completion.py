"""When enough members or items have answered, and which answers count. Pure.

Why `quorum` hears everybody and `first` does not: a quorum says how much may be missing, so whatever can still be had
is waited for; `first` and `any` are races, so the rest is cancelled.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any, Literal, TypeVar, cast

from agentical.conditions import Expression

Key = TypeVar("Key")
Rule = Literal["all", "quorum", "any", "first", "best"]

_NUMBER = re.compile(r"\d{1,9}")
_SHARE = re.compile(r"(?P<top>\d{1,9}(?:\.\d{1,9})?)(?:(?P<percent>%)|/(?P<bottom>[1-9]\d{0,8}))?")
_CALL = re.compile(r"\s*(?P<name>[a-z]+)\s*(?:\((?P<argument>.*)\))?\s*", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Part:
    """How many of a total: a number (`3`), or a share of it (`90%`, `2/3`, `0.9`)."""

    amount: Fraction
    share: bool

    @classmethod
    def parse(cls, raw: Any) -> Part:
        """Read `3`, `"90%"`, `"2/3"` or `0.9`. Raises ValueError."""
        text = str(raw).strip()
        found = _SHARE.fullmatch(text)
        if isinstance(raw, bool) or not isinstance(raw, int | float | str) or found is None:
            raise ValueError(f"{raw!r} is neither a number such as 3 nor a share such as 90%, 2/3 or 0.9")
        if _NUMBER.fullmatch(text):
            part = cls(Fraction(text), share=False)
        else:
            bottom = 100 if found["percent"] else int(found["bottom"] or 1)
            part = cls(Fraction(found["top"]) / bottom, share=True)
        if part.amount <= 0 or (part.share and part.amount > 1):
            raise ValueError(f"{raw!r} is not possible: a number is at least 1, a share above 0 and at most 100%")
        return part

    def of(self, total: int) -> int:
        """How many of `total` that is: a share is rounded up."""
        return math.ceil(self.amount * total) if self.share else int(self.amount)

    def __str__(self) -> str:
        return f"{float(self.amount * 100):g}%" if self.share else str(self.amount)


@dataclass(frozen=True, slots=True)
class Completion:
    """The rule of `complete:`. All counts are of members or of items; a total of None is not known yet."""

    rule: Rule = "all"
    part: Part | None = None
    score: Expression | None = None

    @classmethod
    def parse(cls, raw: Any) -> Completion:
        """Read `all`, `any`, `quorum(90%)`, `quorum(3)`, `first(2)` or `best(EXPR)`. Raises ValueError."""
        found = _CALL.fullmatch(raw) if isinstance(raw, str) else None
        name, argument = (found["name"], found["argument"]) if found else (None, None)
        if name in ("all", "any") and argument is None:
            return cls(cast("Rule", name))
        if name == "best" and argument and argument.strip():
            return cls("best", score=Expression.parse(argument.strip()))
        if name in ("quorum", "first") and argument:
            part = Part.parse(argument)
            if name == "first" and part.share:
                raise ValueError(f"first({argument}) needs a number; for a share write quorum({argument})")
            return cls(cast("Rule", name), part)
        raise ValueError(f"{raw!r} is not one of all, any, quorum(90%), quorum(3), first(2), best(EXPR)")

    def __str__(self) -> str:
        argument = self.part if self.part is not None else self.score and self.score.source
        return self.rule if argument is None else f"{self.rule}({argument})"

    @property
    def one(self) -> bool:
        """Whether exactly one answer counts."""
        return self.rule in ("any", "best")

    def needed(self, total: int) -> int:
        """How many of `total` must answer. Of nothing, nothing is needed."""
        if total == 0:
            return 0
        if self.part is not None:
            return self.part.of(total)
        return total if self.rule == "all" else 1

    def met(self, answered: int, total: int) -> bool:
        """Whether the rule is met, when nobody else will answer."""
        return answered >= self.needed(total)

    def done(self, answered: int) -> bool:
        """Whether enough have answered not to wait for the others: a race is won."""
        if self.rule not in ("any", "first"):
            return False
        return answered >= (int(self.part.amount) if self.part else 1)

    def impossible(self, failed: int, total: int | None) -> bool:
        """Whether the rule can no longer be met, however the others answer."""
        if total is None:
            return self.rule == "all" and failed > 0
        return total - failed < self.needed(total)

    def counted(self, answers: Mapping[Key, Any], order: Sequence[Key]) -> dict[Key, Any]:
        """The answers that count, in `order`; `answers` are in order of arrival. Raises ValueError for `best`.

        `best` is the one with the highest score; among equals the first in `order`.
        """
        if self.rule in ("any", "first"):
            kept = set(list(answers)[: int(self.part.amount) if self.part else 1])
            return {key: answers[key] for key in order if key in kept}
        ordered = {key: answers[key] for key in order if key in answers}
        score = self.score
        if score is None or not ordered:
            return ordered
        best = max(ordered, key=lambda key: _number(score({"answer": ordered[key]})))
        return {best: ordered[best]}


ALL = Completion()


def _number(score: Any) -> float:
    if isinstance(score, int | float) and not math.isnan(score):
        return score
    raise ValueError(f"best(…) must give a number for every answer, not {score!r}")
