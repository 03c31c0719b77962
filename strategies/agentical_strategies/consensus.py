"""Consensus: the members vote, and the votes are counted by code."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar, Literal

from agentical.completion import Part
from agentical.gather import agent_named
from agentical.ports import Ask, Edge, Member, Outcome, Team
from agentical_strategies.ballots import Ballot, Paper, form, shown
from agentical_strategies.notes import ask_one, failure_of
from agentical_strategies.voting import NOTHING_CAST, PLURALITY, Count, Vote, confidence, count, uncatchable


@dataclass(frozen=True, slots=True)
class Tie:
    """The rule of `tie:`: nobody wins, the first or last of the ballot, or the one that an agent names."""

    rule: Literal["none", "first", "last", "agent"] = "none"
    agent: str | None = None

    @classmethod
    def parse(cls, raw: Any) -> Tie:
        """Read `none`, `first`, `last` or `agent:NAME`. Raises ValueError."""
        if agent := agent_named(raw):
            return cls("agent", agent)
        if raw in ("none", "first", "last"):
            return cls(raw)
        raise ValueError(f"{raw!r} is not one of none, first, last, agent:NAME")


NO_RULE = Tie()


@dataclass(slots=True)
class _Round:
    """The ballots of one round by member, in order of arrival, and how they count so far."""

    paper: Paper
    ballots: dict[str, Ballot] = field(default_factory=dict)
    failed: dict[str, Any] = field(default_factory=dict)
    count: Count = NOTHING_CAST

    @property
    def cast(self) -> list[Ballot]:
        return list(self.ballots.values())

    @property
    def spelled(self) -> dict[str, Any]:
        return self.paper.spelled(self.cast)


@dataclass(frozen=True, kw_only=True)
class Consensus:
    """Asks every member for its vote and counts by `vote`. Gives `{choice, outcome, votes, margin, dissent}`.

    An answer is a choice, or `{choice | vote | ranking | approve: …, confidence: 0..1}`; what is not on the `ballot` is
    not counted. `quorum`: how many of the members must vote, by default more than half. A round ends when the leader
    cannot be caught, or when those who voted for it are as sure as `confidence`; the others are cancelled. A round
    without agreement is followed by another, up to `rounds`, in which members get `{payload, round, votes}`; `reveal`
    says whether votes carry names. With `max_faulty: f`, 2f+1 equal votes must agree (Lamport, Shostak, Pease 1982).
    Outcome `tie`: several lead alike; `split`: one leads, but not by enough; `no-quorum`: too few voted.
    """

    takes_items: ClassVar[bool] = False
    needs_items: ClassVar[bool] = False
    outcomes: ClassVar[tuple[str, ...]] = ("agreed", "tie", "no-quorum", "split")
    only_these_outcomes: ClassVar[bool] = True

    vote: Vote = PLURALITY
    ballot: tuple[Any, ...] | dict[str, Any] | None = None
    quorum: Part | None = None
    rounds: int = 1
    reveal: Literal["anonymous", "named"] = "anonymous"
    tie: Tie = NO_RULE
    confidence: float | None = None
    max_faulty: int = 0

    def __post_init__(self) -> None:
        if self.rounds < 1:
            raise ValueError("rounds is at least 1")
        if self.confidence is not None and not 0 < self.confidence <= 1:
            raise ValueError("confidence is a number above 0 and at most 1")
        if isinstance(self.ballot, tuple) and len({form(value) for value in self.ballot}) < max(len(self.ballot), 1):
            raise ValueError("ballot lists at least one choice, and none twice")
        if self.tie.rule in ("first", "last") and not isinstance(self.ballot, tuple):
            raise ValueError(f"tie: {self.tie.rule} needs a ballot that lists the choices")
        if self.max_faulty < 0:
            raise ValueError("max-faulty is at least 0")
        if self.max_faulty and (self.tie.rule != "none" or not self.vote.equal):
            raise ValueError(
                "max-faulty needs equal votes and no tie rule: plurality, majority, supermajority, unanimous"
            )

    def problems(self, members: Sequence[Member]) -> Iterable[str]:
        if self.max_faulty and len(members) < 3 * self.max_faulty + 1:
            needed = 3 * self.max_faulty + 1
            yield f"max-faulty: {self.max_faulty} faulty members need a team of {needed}, this one has {len(members)}"
        if self._needed(len(members)) > len(members):
            yield f"quorum: {self._needed(len(members))} must vote, but the team has {len(members)}"
        if not math.isfinite(sum(member.weight for member in members)):
            yield "weight: the sum of the members' weights is too large for a number"

    def most(self, members: int, items: int | None) -> int | None:
        return members * self.rounds + (self.tie.agent is not None)

    def agents_used(self) -> Iterable[str]:
        return () if self.tie.agent is None else (self.tie.agent,)

    async def __call__(self, team: Team, payload: Any) -> Any:
        paper = Paper(self.ballot, self.vote.mark, numbers=self.vote.name == "median")
        question, last = payload, _Round(paper)
        weights = {member.name: member.weight for member in team.members}
        team.record.update(vote=str(self.vote), quorum=self._needed(len(team.members)), weights=weights, rounds=[])
        for number in range(1, self.rounds + 1):
            last = await self._round(team, question, f"round-{number}", paper)
            team.record["rounds"].append(self._minutes(last, team.members))
            if last.count.result == "agreed":
                break
            question = {"payload": payload, "round": number + 1, "votes": self._revealed(last, team.members)}
        choice = await self._choice(team, payload, last)
        return self._result(team, last, choice)

    def _needed(self, members: int) -> int:
        return members // 2 + 1 if self.quorum is None else self.quorum.of(members)

    async def _round(self, team: Team, question: Any, key: str, paper: Paper) -> _Round:
        """Ask everybody, hear them until it is decided."""
        to_come = {member.name: member.weight for member in team.members}
        heard, started = _Round(paper), {f"{key}/{name}": name for name in to_come}
        for task, name in started.items():
            team.start(Ask(name, question, task))
        while to_come:
            outcome = await team.next()
            if not isinstance(outcome, Outcome):
                break
            name = started[outcome.key]
            self._enter(heard, name, outcome, to_come.pop(name))
            heard.count = self._count(heard.cast, paper, len(started))
            if self._decided(heard, list(to_come.values())):
                break
        return heard

    def _enter(self, heard: _Round, name: str, outcome: Outcome, weight: float) -> None:
        if not outcome.ok:
            heard.failed[name] = failure_of(outcome)
            return
        try:
            heard.ballots[name] = heard.paper.read(outcome.answer, weight)
        except ValueError as error:
            heard.failed[name] = {"class": "invalid", "message": f"not a ballot: {error}"}

    def _count(self, ballots: Sequence[Ballot], paper: Paper, members: int) -> Count:
        equal = 2 * self.max_faulty + 1 if self.max_faulty else 0
        return count(self.vote, ballots, paper.order(ballots), quorum=self._needed(members), equal_votes=equal)

    def _decided(self, heard: _Round, to_come: Sequence[float]) -> bool:
        if heard.count.result != "agreed":
            return False
        if self.confidence is not None and confidence(heard.cast, heard.count.leaders[0]) >= self.confidence:
            return True
        return uncatchable(self.vote, heard.count, heard.cast, to_come)

    async def _choice(self, team: Team, payload: Any, last: _Round) -> str | None:
        """The winner, after the tie rule."""
        leaders = last.count.leaders
        if last.count.result == "agreed":
            return leaders[0]
        if last.count.result != "tie" or self.tie.rule == "none":
            return None
        if self.tie.agent is None:
            return leaders[0 if self.tie.rule == "first" else -1]
        tied = [last.spelled[option] for option in leaders]
        question = {"payload": payload, "tied": tied, "votes": self._votes(last)}
        outcome = await ask_one(team, Ask(self.tie.agent, question, "tie"))
        named = self._named(outcome, last.paper)
        team.record["tie"] = {"agent": self.tie.agent, "tied": tied, "named": outcome.answer, "valid": named in leaders}
        return named if named in leaders else None

    def _named(self, outcome: Outcome, paper: Paper) -> str | None:
        try:
            return paper.read(outcome.answer).options[0] if outcome.ok else None
        except (ValueError, IndexError):
            return None

    def _result(self, team: Team, last: _Round, choice: str | None) -> Edge:
        outcome = last.count.result if choice is None else "agreed"
        value = {
            "choice": None if choice is None else last.spelled[choice],
            "outcome": outcome,
            "votes": self._votes(last),
            "margin": last.count.margin,
            "dissent": self._dissent(last, choice, team.members),
        }
        team.record["result"] = value
        return Edge(outcome, value, required=outcome != "agreed")

    def _votes(self, heard: _Round) -> dict[str, float]:
        spelled = heard.spelled
        return {shown(spelled[option]): score for option, score in heard.count.scores.items()}

    def _dissent(self, heard: _Round, choice: str | None, members: Sequence[Member]) -> dict[str, Any]:
        """What those voted who did not vote for the choice (rankings: who did not put it first)."""
        if choice is None:
            return {}
        marked = None if self.vote.name == "approval" else 1
        return {
            name: ballot.written(self.vote.mark)[self.vote.mark]
            for name, ballot in self._in_order(heard.ballots, members)
            if choice not in ballot.options[:marked]
        }

    def _revealed(self, heard: _Round, members: Sequence[Member]) -> dict[str, Any]:
        """The votes as the next round sees them."""
        if self.reveal == "anonymous":
            return self._votes(heard)
        return {name: ballot.written(self.vote.mark) for name, ballot in self._in_order(heard.ballots, members)}

    def _minutes(self, heard: _Round, members: Sequence[Member]) -> dict[str, Any]:
        """What the record keeps of a round: enough to count it again."""
        ballots = {name: ballot.written(self.vote.mark) for name, ballot in self._in_order(heard.ballots, members)}
        silent = [m.name for m in members if m.name not in heard.ballots and m.name not in heard.failed]
        return {"ballots": ballots, "failed": heard.failed, "not_heard": silent, "outcome": heard.count.result}

    def _in_order(self, ballots: Mapping[str, Ballot], members: Sequence[Member]) -> Iterable[tuple[str, Ballot]]:
        return ((member.name, ballots[member.name]) for member in members if member.name in ballots)
