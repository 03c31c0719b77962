"""What a record says of one outcome, in the same words for every strategy."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from agentical.errors import StepFailed, StrategyMisused
from agentical.ports import Ask, Outcome, Team


def failure_of(outcome: Outcome) -> dict[str, Any]:
    """`{class, message}` of an outcome that failed."""
    assert outcome.failure is not None
    return {"class": outcome.failure.kind, "message": outcome.failure.message}


async def ask_one(team: Team, ask: Ask) -> Outcome:
    """The outcome of one question, failed or not. What else comes meanwhile lost its race and is dropped."""
    team.start(ask)
    while (outcome := await team.next()) is not None:
        if isinstance(outcome, Outcome) and outcome.key == ask.key:
            return outcome
    raise StrategyMisused(f"{ask.key} was asked, but no outcome came back")


def incomplete(what: str, answered: int, total: int | None, rule: str, failed: Mapping[str, Any]) -> StepFailed:
    """The error of a step whose completion cannot be met. `failed`: who failed, with `{message}`; the first is told."""
    of = f" of {total}" if total is not None else ""
    text = f"{answered}{of} {what} answered, which is not enough for complete: {rule}"
    for name, failure in failed.items():
        return StepFailed(f"{text}. {name}: {failure['message']}", code="INCOMPLETE")
    return StepFailed(text, code="INCOMPLETE")
