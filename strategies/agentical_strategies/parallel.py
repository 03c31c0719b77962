"""Parallel: every member gets the payload at once."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

from agentical.completion import ALL, Completion
from agentical.errors import StepFailed
from agentical.ports import Ask, Member, Outcome, Team
from agentical_strategies.notes import failure_of, incomplete


@dataclass(frozen=True, kw_only=True)
class Parallel:
    """Asks every member at once, at most `max_parallel` of them at a time.

    Gives `{answers: {member: value}, errors: {member: {class, message}}}` in the team's order; with `complete: any` or
    `best(EXPR)` the one value. A race that is won cancels the rest. Once the completion cannot be met nobody new is
    asked, who was asked is heard out, and the step fails with INCOMPLETE; what was answered is in the record.
    """

    takes_items: ClassVar[bool] = False
    needs_items: ClassVar[bool] = False
    outcomes: ClassVar[tuple[str, ...]] = ()

    complete: Completion = ALL
    max_parallel: int | None = None

    def __post_init__(self) -> None:
        if self.max_parallel is not None and self.max_parallel < 1:
            raise ValueError("max-parallel is at least 1")

    def problems(self, members: Sequence[Member]) -> Iterable[str]:
        if self.complete.impossible(0, len(members)):
            needed = self.complete.needed(len(members))
            yield f"complete: {needed} members must answer, but the team has {len(members)}"

    def most(self, members: int, items: int | None) -> int | None:
        return members

    def agents_used(self) -> Iterable[str]:
        return ()

    async def __call__(self, team: Team, payload: Any) -> Any:
        answers, errors, took = await self._hear(team, payload)
        order = [member.name for member in team.members]
        answered = {name: answers[name] for name in order if name in answers}
        missing = [name for name in order if name not in answers]
        team.record.update(rule=str(self.complete), answered=list(answered), failed=errors, missing=missing, took=took)
        if not self.complete.met(len(answers), len(order)):
            team.record["answers"] = answered
            raise incomplete("members", len(answers), len(order), str(self.complete), errors)
        counted = self._counted(answers, order)
        team.record["counted"] = list(counted)
        return next(iter(counted.values())) if self.complete.one else {"answers": counted, "errors": errors}

    async def _hear(self, team: Team, payload: Any) -> tuple[dict[str, Any], dict[str, Any], dict[str, float]]:
        """Answers, failures and seconds by member, in order of arrival."""
        answers: dict[str, Any] = {}
        errors: dict[str, Any] = {}
        took: dict[str, float] = {}
        waiting, total = deque(member.name for member in team.members), len(team.members)
        started = 0
        while not self.complete.done(len(answers)):
            hopeless = self.complete.impossible(len(errors), total)
            while waiting and not hopeless and started - len(took) < (self.max_parallel or total):
                name = waiting.popleft()
                team.start(Ask(name, payload, name))
                started += 1
            outcome = await team.next()
            if not isinstance(outcome, Outcome):
                break
            took[outcome.key] = outcome.took
            if outcome.ok:
                answers[outcome.key] = outcome.answer
            else:
                errors[outcome.key] = failure_of(outcome)
        return answers, errors, took

    def _counted(self, answers: dict[str, Any], order: Sequence[str]) -> dict[str, Any]:
        try:
            return self.complete.counted(answers, order)
        except ValueError as error:
            raise StepFailed(str(error), code="SCORE_INVALID", failure_class="invalid") from error
