"""Leadership: the leader's questions, one repair for an answer that will not do, and the deputies' takeover."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

from agentical.errors import StepFailed, StrategyMisused, TaskFailed
from agentical.ports import Ask, Outcome, Team
from agentical_strategies.plans import PlanInvalid

Read = TypeVar("Read")


class Leadership:
    """Who leads now. A deputy who has taken over stays in the lead.

    Workers go on while the leader thinks: what comes from them meanwhile waits in `heard`.
    """

    def __init__(self, team: Team, leader: str, deputies: Sequence[str]) -> None:
        self.team = team
        self.chain = deque([leader, *deputies])
        self.first = leader
        self.heard: deque[Outcome] = deque()
        self.refused: list[dict[str, Any]] = []

    async def consult(self, question: dict[str, Any], key: str, read: Callable[[Any], Read]) -> Read:
        """Ask whoever leads and read the answer; `read` raises PlanInvalid for one that will not do.

        Raises StepFailed when the leader and every deputy failed.
        """
        while self.chain:
            try:
                return await self._consulted(question, key, read)
            except TaskFailed as error:
                self._refuse(key, error.failure_class, error.message)
            except PlanInvalid as error:
                self._refuse(key, "invalid", str(error))
        last = self.refused[-1]
        raise StepFailed(
            f"nobody is left to lead: {last['message']}", code="LEADER_FAILED", failure_class=last["class"]
        )

    async def next(self) -> Outcome | None:
        """The next outcome of a worker."""
        if self.heard:
            return self.heard.popleft()
        outcome = await self.team.next()
        return outcome if isinstance(outcome, Outcome) else None

    async def _consulted(self, question: dict[str, Any], key: str, read: Callable[[Any], Read]) -> Read:
        answer = await self._answer(question, key)
        try:
            return read(answer)
        except PlanInvalid as error:
            again = question | {"problems": error.problems, "answer": answer}
        return read(await self._answer(again, f"{key}-repair"))

    async def _answer(self, question: dict[str, Any], key: str) -> Any:
        leader = self.chain[0]
        task = key if leader == self.first else f"{key}/{leader}"
        self.team.start(Ask(leader, question, task))
        while (outcome := await self.team.next()) is not None:
            if isinstance(outcome, Outcome):
                if outcome.key == task:
                    return outcome.unwrap()
                self.heard.append(outcome)
        raise StrategyMisused(f"{task} was asked, but no outcome came back")

    def _refuse(self, key: str, failure_class: str, message: str) -> None:
        """Whoever led leads no more; the record says why."""
        self.refused.append({"leader": self.chain.popleft(), "asked": key, "class": failure_class, "message": message})
