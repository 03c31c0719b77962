"""Hierarchical: a leader plans, the engine dispatches, the leader reviews and combines."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Literal

from agentical.ports import Ask, Edge, Member, Outcome, Team
from agentical_strategies.leadership import Leadership
from agentical_strategies.notes import failure_of
from agentical_strategies.plans import Assignment, Review, able, blocked, read_plan, read_review


@dataclass(frozen=True, kw_only=True)
class Hierarchical:
    """The leader is asked for a plan of at most `span` assignments, which run as soon as what they depend on is there.

    `review: final`: the leader sees all answers together; `each`: every answer before anything builds on it; `none`.
    Work the leader sends back is done again, in at most `max_rounds` rounds in all; if it still is not accepted the step
    ends with outcome `exhausted`. An assignment whose worker fails is an error the leader sees, and what depends on it is
    not done. A wrong plan may be repaired once; when the leader fails, the `deputies` take over in order.
    """

    takes_items: ClassVar[bool] = False
    needs_items: ClassVar[bool] = False
    outcomes: ClassVar[tuple[str, ...]] = ("exhausted",)

    leader: str
    deputies: tuple[str, ...] = ()
    span: int = 8
    depth: int = 1
    review: Literal["final", "each", "none"] = "final"
    max_rounds: int = 2

    def __post_init__(self) -> None:
        if self.depth != 1:
            raise ValueError("depth is 1: leaders below leaders come in a later version")
        if self.span < 1 or self.max_rounds < 1:
            raise ValueError("span and max-rounds are at least 1")
        if len({self.leader, *self.deputies}) <= len(self.deputies):
            raise ValueError("the leader and the deputies are different agents")

    def problems(self, members: Sequence[Member]) -> Iterable[str]:
        if not self._workers(members):
            yield "a hierarchical team needs a worker beside its leader and deputies"

    def most(self, members: int, items: int | None) -> int | None:
        work = self.span * self.max_rounds
        reviews = {"none": 0, "final": self.max_rounds, "each": work}[self.review]
        return work + 2 * (2 + reviews + len(self.deputies))

    def agents_used(self) -> Iterable[str]:
        return (self.leader, *self.deputies)

    async def __call__(self, team: Team, payload: Any) -> Any:
        return await _Campaign(self, team, payload, self._workers(team.members)).run()

    def _workers(self, members: Sequence[Member]) -> list[Member]:
        chain = {self.leader, *self.deputies}
        return [member for member in members if chain.isdisjoint((member.name, member.agent))]


class _Campaign:
    """One plan from the first question to the combined result."""

    def __init__(self, options: Hierarchical, team: Team, goal: Any, workers: Sequence[Member]) -> None:
        self.options, self.team, self.goal, self.workers = options, team, goal, workers
        self.leaders = Leadership(team, options.leader, options.deputies)
        self.plan: dict[str, Assignment] = {}
        self.answers: dict[str, Any] = {}
        self.failed: dict[str, dict[str, Any]] = {}
        self.rounds: Counter[str] = Counter()
        self.under_way: dict[str, tuple[str, str]] = {}
        self.done_by: list[dict[str, Any]] = []
        self.accepted = True

    @property
    def errors(self) -> dict[str, dict[str, Any]]:
        """What failed, and what cannot be done because of it."""
        return self.failed | blocked(self.plan, self.failed, self.answers)

    async def run(self) -> Any:
        try:
            await self._plan()
            await self._work()
            if self.options.review == "final":
                await self._review_all()
            question = {"ask": "combine", "goal": self.goal, "answers": self._ordered(), "errors": self.errors}
            result = await self.leaders.consult(question, "combine", lambda answer: answer)
        finally:
            self._note()
        return result if self.accepted else Edge("exhausted", result)

    async def _plan(self) -> None:
        workers = [{"name": worker.name, "capabilities": list(worker.capabilities)} for worker in self.workers]
        question = {"ask": "plan", "goal": self.goal, "workers": workers}
        self.plan = await self.leaders.consult(question, "plan", self._read_plan)

    def _read_plan(self, answer: Any) -> dict[str, Assignment]:
        return read_plan(answer, self.workers, self.options.span)

    def _read_review(self, answer: Any, only: str | None = None) -> Review:
        return read_review(answer, self.workers, self.options.span, self.plan, only)

    async def _work(self) -> None:
        """Dispatch what is ready until nothing is under way."""
        self._dispatch()
        while self.under_way and (outcome := await self.leaders.next()) is not None:
            id, worker = self.under_way.pop(outcome.key)
            self._heard(id, worker, outcome)
            if outcome.ok and self.options.review == "each":
                await self._review_one(id, outcome.answer)
            elif outcome.ok:
                self.answers[id] = outcome.answer
            self._dispatch()

    def _dispatch(self) -> None:
        busy = Counter(worker for _, worker in self.under_way.values())
        started = {id for id, _ in self.under_way.values()}
        for work in self.plan.values():
            settled = work.id in self.answers or work.id in self.failed or work.id in started
            if settled or any(other not in self.answers for other in work.depends_on):
                continue
            worker = min(able(work, self.workers), key=lambda name: busy[name])
            busy[worker] += 1
            self.rounds[work.id] += 1
            key = f"assignment-{work.id}" + (f"/round-{self.rounds[work.id]}" if self.rounds[work.id] > 1 else "")
            self.under_way[key] = (work.id, worker)
            needed = {other: self.answers[other] for other in work.depends_on}
            self.team.start(Ask(worker, {"goal": work.goal, "payload": work.payload, "answers": needed}, key))

    def _heard(self, id: str, worker: str, outcome: Outcome) -> None:
        entry: dict[str, Any] = {"key": outcome.key, "id": id, "worker": worker, "took": outcome.took}
        if not outcome.ok:
            self.failed[id] = entry["failure"] = failure_of(outcome)
        self.done_by.append(entry)

    async def _review_one(self, id: str, answer: Any) -> None:
        """Let the leader see an answer before it counts; what it sends back is done again."""
        number = self.rounds[id]
        key = f"review-{id}" + (f"/round-{number}" if number > 1 else "")
        question = self._question({id: answer})
        review = await self.leaders.consult(question, key, lambda found: self._read_review(found, only=id))
        if not review.accept and number < self.options.max_rounds:
            self._send_back(review.rework)
        else:
            self.accepted = self.accepted and review.accept
            self.answers[id] = answer

    async def _review_all(self) -> None:
        """Let the leader see everything; what it sends back is done again, until it accepts or rounds run out."""
        for number in range(1, self.options.max_rounds + 1):
            question = self._question(self._ordered())
            review = await self.leaders.consult(question, f"review-{number}", self._read_review)
            self.accepted = review.accept
            if review.accept or number == self.options.max_rounds:
                return
            self._send_back(review.rework)
            await self._work()

    def _send_back(self, rework: Sequence[Assignment]) -> None:
        for work in rework:
            self.plan[work.id] = work
            self.answers.pop(work.id, None)
            self.failed.pop(work.id, None)

    def _question(self, answers: Mapping[str, Any]) -> dict[str, Any]:
        return {"ask": "review", "goal": self.goal, "answers": dict(answers), "errors": self.errors}

    def _ordered(self) -> dict[str, Any]:
        """The answers in the order of the plan."""
        return {id: self.answers[id] for id in self.plan if id in self.answers}

    def _note(self) -> None:
        plan = [{"id": w.id, "goal": w.goal, "depends-on": list(w.depends_on)} for w in self.plan.values()]
        self.team.record.update(
            leader=self.leaders.chain[0] if self.leaders.chain else None,
            takeovers=self.leaders.refused,
            plan=plan,
            work=self.done_by,
            rounds=dict(self.rounds),
            answered=list(self._ordered()),
            failed=self.errors,
            accepted=self.accepted,
        )
