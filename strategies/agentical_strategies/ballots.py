"""Ballots: what a member answered, read as a vote on the choices there are."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Literal

Mark = Literal["choice", "ranking", "approve"]
_WORDS: Mapping[str, Mark] = {"choice": "choice", "vote": "choice", "ranking": "ranking", "approve": "approve"}


@dataclass(frozen=True)
class Ballot:
    """One vote: a choice, choices from best to worst, or those approved of. `confidence` from 0 to 1."""

    values: tuple[Any, ...]
    weight: float = 1.0
    confidence: float | None = None

    @cached_property
    def options(self) -> tuple[str, ...]:
        """The choices in the form in which they are compared."""
        return tuple(form(value) for value in self.values)

    def written(self, mark: Mark) -> dict[str, Any]:
        """The ballot as JSON, as a `Paper` reads it again."""
        values: Any = self.values[0] if mark == "choice" else list(self.values)
        return {mark: values} if self.confidence is None else {mark: values, "confidence": self.confidence}


def form(value: Any) -> str:
    """What two choices have in common when they mean the same: case, outer space and the spelling of JSON do not count."""
    if isinstance(value, str):
        return value.strip().casefold()
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False).casefold()


def shown(value: Any) -> str:
    """A choice as a key of JSON objects."""
    return value if isinstance(value, str) else json.dumps(value, sort_keys=True, separators=(",", ":"))


def spelling(ballots: Iterable[Ballot]) -> dict[str, Any]:
    """For each form the choice it stands for; of several spellings the first of the alphabet, whoever wrote it."""
    found: dict[str, Any] = {}
    for value in sorted((value for ballot in ballots for value in ballot.values), key=shown):
        found.setdefault(form(value), value)
    return found


class Paper:
    """The ballot paper: which choices there are (`None`: any), as a list in rising order or as a JSON Schema."""

    def __init__(self, ballot: Sequence[Any] | Mapping[str, Any] | None, mark: Mark, *, numbers: bool = False) -> None:
        self.mark, self.numbers = mark, numbers
        self.listed = (
            None if ballot is None or isinstance(ballot, Mapping) else {form(value): value for value in ballot}
        )
        self.schema = ballot if isinstance(ballot, Mapping) else None
        self._valid = _validator(self.schema)

    def read(self, answer: Any, weight: float = 1.0) -> Ballot:
        """The vote in an answer: a value, or `{choice | vote | ranking | approve, confidence}`. Raises ValueError."""
        marked, confidence = self._unwrapped(answer)
        many = self.mark != "choice" and isinstance(marked, list | tuple)
        values = tuple(self._choice(value) for value in (marked if many else [marked]))
        if len({form(value) for value in values}) < len(values):
            raise ValueError("it names a choice twice")
        if not values and self.mark == "ranking":
            raise ValueError("it ranks nothing")
        return Ballot(values, weight, confidence)

    def order(self, ballots: Sequence[Ballot]) -> tuple[str, ...]:
        """All choices there are, in rising order: as listed, by number, or by name."""
        if self.listed is not None:
            return tuple(self.listed)
        found = self.spelled(ballots)
        return tuple(sorted(found, key=lambda option: found[option]) if self.numbers else sorted(found))

    def spelled(self, ballots: Sequence[Ballot]) -> dict[str, Any]:
        """The choice that each form stands for."""
        return spelling(ballots) if self.listed is None else dict(self.listed)

    def _unwrapped(self, answer: Any) -> tuple[Any, float | None]:
        if not isinstance(answer, Mapping) or (self.schema is not None and self._valid(answer)):
            return answer, None
        marks = [key for key in answer if key in _WORDS]
        if len(marks) != 1:
            return answer, None
        confidence = answer.get("confidence")
        if confidence is None:
            return answer[marks[0]], None
        if isinstance(confidence, bool) or not isinstance(confidence, int | float) or not 0 <= confidence <= 1:
            raise ValueError(f"its confidence is {confidence!r}, not a number from 0 to 1")
        return answer[marks[0]], float(confidence)

    def _choice(self, value: Any) -> Any:
        if self.listed is not None:
            if form(value) not in self.listed:
                raise ValueError(
                    f"{shown(value)!r:.80} is not on the ballot: {', '.join(map(shown, self.listed.values()))}"
                )
            return self.listed[form(value)]
        if not self._valid(value):
            raise ValueError(f"{shown(value)!r:.80} does not meet the ballot's schema")
        if self.numbers and (isinstance(value, bool) or not isinstance(value, int | float)):
            raise ValueError(f"{shown(value)!r:.80} is not a number")
        return value.strip() if isinstance(value, str) else value


def _validator(schema: Mapping[str, Any] | None) -> Any:
    if schema is None:
        return lambda _: True
    import jsonschema

    return jsonschema.validators.validator_for(schema, jsonschema.Draft202012Validator)(schema).is_valid
