"""Sequential: the members work one after the other."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Literal

from agentical.conditions import Expression
from agentical.ports import Ask, Edge, Member, Outcome, Team
from agentical_strategies.notes import ask_one, failure_of


@dataclass(frozen=True, kw_only=True)
class Sequential:
    """Asks the members in order and gives the last answer, with the edge its member chose, if it chose one.

    `context: last`: each gets the answer before it, the first one the payload. `full`: each gets
    `{payload, answers: [{member, answer}]}`. `stop_when` (over `answer`) ends the row early. A member that fails ends it
    with that failure.
    """

    takes_items: ClassVar[bool] = False
    needs_items: ClassVar[bool] = False
    outcomes: ClassVar[tuple[str, ...]] = ()

    context: Literal["last", "full"] = "last"
    stop_when: Expression | None = None

    def problems(self, members: Sequence[Member]) -> Iterable[str]:
        return ()

    def most(self, members: int, items: int | None) -> int | None:
        return members

    def agents_used(self) -> Iterable[str]:
        return ()

    async def __call__(self, team: Team, payload: Any) -> Any:
        answers: list[dict[str, Any]] = []
        last = Outcome("", "", answer=payload)
        team.record.update(answers=answers, took={}, failed={}, stopped_by=None)
        for member in team.members:
            last = await ask_one(team, Ask(member.name, self._context(payload, answers, last.answer), member.name))
            team.record["took"][member.name] = last.took
            if not last.ok:
                team.record["failed"][member.name] = failure_of(last)
            answers.append({"member": member.name, "answer": last.unwrap()})
            if self.stop_when is not None and self.stop_when({"answer": last.answer}) is True:
                team.record["stopped_by"] = member.name
                break
        return last.answer if last.edge is None else Edge(last.edge, last.answer)

    def _context(self, payload: Any, answers: Sequence[Any], last: Any) -> Any:
        return last if self.context == "last" else {"payload": payload, "answers": list(answers)}
