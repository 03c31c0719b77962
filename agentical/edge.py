"""Edge: an answer that also says where to go next."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Edge:
    """An answer or a strategy's result that also names the outcome, which chooses the edge to follow.

    With `required`, a step whose `next` does not name the outcome fails. Raises TypeError for an outcome that is not
    text, ValueError for text that cannot be written as UTF-8.
    """

    outcome: str
    value: Any = None
    required: bool = False

    def __post_init__(self) -> None:
        if not isinstance(self.outcome, str):
            raise TypeError(f"an outcome is a name, not {self.outcome!r}")
        # The journal takes plain text only: neither a class derived from it, nor half of a surrogate pair.
        object.__setattr__(self, "outcome", self.outcome.encode().decode())
