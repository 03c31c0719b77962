"""The rules by which votes are counted: pure functions over ballots.

Sources: Borda, J.-C. de (1781), Mémoire sur les élections au scrutin; Schulze, M. (2011), A new monotonic,
clone-independent, reversal symmetric, and Condorcet-consistent single-winner election method, Social Choice and
Welfare 36; Brams, S. and Fishburn, P. (1978), Approval voting; Balinski, M. and Laraki, R. (2007) for the lower median;
Lamport, L., Shostak, R. and Pease, M. (1982), The Byzantine generals problem, for n >= 3f + 1.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import permutations
from typing import Any, Literal, cast

from agentical.completion import Part
from agentical_strategies.ballots import Ballot, Mark

Name = Literal[
    "plurality", "majority", "supermajority", "unanimous", "weighted", "borda", "condorcet", "median", "approval"
]
Result = Literal["agreed", "tie", "no-quorum", "split"]
Scores = dict[str, float]

_PLAIN = ("plurality", "majority", "unanimous", "weighted", "borda", "condorcet", "median", "approval")
_SUPER = re.compile(r"supermajority\((.+)\)")


@dataclass(frozen=True, slots=True)
class Vote:
    """The rule of `vote:`. `part` is the share a supermajority needs."""

    name: Name = "plurality"
    part: Part | None = None

    @classmethod
    def parse(cls, raw: Any) -> Vote:
        """Read `plurality`, `supermajority(2/3)` and so on. Raises ValueError."""
        text = raw.strip() if isinstance(raw, str) else ""
        if text in _PLAIN:
            return cls(cast("Name", text))
        if found := _SUPER.fullmatch(text):
            part = Part.parse(found[1])
            if part.share and part.amount * 2 > 1:
                return cls("supermajority", part)
            raise ValueError(f"{raw!r}: a supermajority is a share above one half, such as 2/3 or 75%")
        raise ValueError(f"{raw!r} is not one of {', '.join(_PLAIN)}, supermajority(2/3)")

    def __str__(self) -> str:
        return self.name if self.part is None else f"{self.name}({self.part})"

    @property
    def mark(self) -> Mark:
        """What a member writes on its ballot."""
        if self.name in ("borda", "condorcet"):
            return "ranking"
        return "approve" if self.name == "approval" else "choice"

    @property
    def equal(self) -> bool:
        """Whether each ballot is one voice for one choice."""
        return self.name in ("plurality", "majority", "supermajority", "unanimous")

    def enough(self, score: float, voices: float) -> bool:
        """Whether a single leader with `score` of `voices` has won."""
        if self.part is not None:
            return score >= self.part.of(int(voices))
        if self.name == "majority":
            return score * 2 > voices
        return self.name != "unanimous" or score == voices


PLURALITY = Vote()


@dataclass(frozen=True, slots=True)
class Count:
    """A counted vote. `leaders` share the best score, in ballot order; `margin` is how far they lead the next."""

    result: Result
    scores: Mapping[str, float]
    leaders: tuple[str, ...]
    margin: float


NOTHING_CAST = Count("no-quorum", {}, (), 0)


def count(
    vote: Vote, ballots: Sequence[Ballot], order: Sequence[str], *, quorum: int = 1, equal_votes: int = 0
) -> Count:
    """Count the ballots over the choices of `order` (rising). `equal_votes`: at least so many for the winner."""
    scores, leaders, margin = _counted(vote, ballots, order)
    if len(ballots) < quorum or not ballots:
        result: Result = "no-quorum"
    elif len(leaders) > 1:
        result = "tie"
    elif leaders and scores[leaders[0]] >= equal_votes and vote.enough(scores[leaders[0]], len(ballots)):
        result = "agreed"
    else:
        result = "split"
    return Count(result, {option: _whole(score) for option, score in scores.items()}, leaders, _whole(margin))


def uncatchable(vote: Vote, so_far: Count, ballots: Sequence[Ballot], to_come: Sequence[float]) -> bool:
    """Whether the leader has won, however those vote that were not heard yet. `to_come` are their weights.

    Rankings and medians are always heard out.
    """
    if so_far.result != "agreed":
        return False
    if vote.name in ("majority", "supermajority", "unanimous"):
        return vote.enough(so_far.scores[so_far.leaders[0]], len(ballots) + len(to_come))
    if vote.name in ("plurality", "approval", "weighted"):
        return so_far.margin > (math.fsum(to_come) if vote.name == "weighted" else len(to_come))
    return False


def confidence(ballots: Sequence[Ballot], choice: str) -> float:
    """The mean confidence of those who voted for `choice`; a ballot that states none counts as 0."""
    stated = [ballot.confidence or 0.0 for ballot in ballots if choice in ballot.options]
    return math.fsum(stated) / len(stated) if stated else 0.0


def _counted(vote: Vote, ballots: Sequence[Ballot], order: Sequence[str]) -> tuple[Scores, tuple[str, ...], float]:
    if vote.name == "median":
        return _median(ballots, order)
    if vote.name == "condorcet":
        return _schulze(_preferences(ballots, order), order)
    if vote.name == "borda":
        scores = _borda(_preferences(ballots, order), order, len(ballots))
    elif vote.name == "weighted":
        scores = _sums((ballot.options[0], ballot.weight) for ballot in ballots)
    elif vote.name == "approval":
        scores = _sums((option, 1.0) for ballot in ballots for option in ballot.options)
    else:
        scores = _sums((ballot.options[0], 1.0) for ballot in ballots)
    return scores, _leaders(scores, order), _lead(scores)


def _sums(voices: Iterable[tuple[str, float]]) -> Scores:
    """Each choice's voices. Exact sums, so that the order of the ballots does not matter."""
    given: dict[str, list[float]] = {}
    for option, voice in voices:
        given.setdefault(option, []).append(voice)
    return {option: math.fsum(given[option]) for option in sorted(given)}


def _leaders(scores: Scores, order: Sequence[str]) -> tuple[str, ...]:
    best = max(scores.values(), default=0.0)
    return tuple(option for option in order if scores.get(option) == best)


def _lead(scores: Scores) -> float:
    ranked = [*sorted(scores.values(), reverse=True), 0.0, 0.0]
    return ranked[0] - ranked[1]


def _median(ballots: Sequence[Ballot], order: Sequence[str]) -> tuple[Scores, tuple[str, ...], float]:
    """The lower of the middle choices. The margin is how many ballots would have to change to change it."""
    places = sorted(order.index(ballot.options[0]) for ballot in ballots)
    if not places:
        return {}, (), 0.0
    middle = (len(places) - 1) // 2
    place = places[middle]
    below, upto = sum(p < place for p in places), sum(p <= place for p in places)
    return (
        _sums((ballot.options[0], 1.0) for ballot in ballots),
        (order[place],),
        float(min(upto - middle, middle - below + 1)),
    )


def _preferences(ballots: Sequence[Ballot], order: Sequence[str]) -> dict[tuple[str, str], int]:
    """How many prefer the first of each pair to the second. What a ballot leaves out comes last, all equal."""
    wins = dict.fromkeys(permutations(order, 2), 0)
    for ballot in ballots:
        ranked = ballot.options
        rest = [option for option in order if option not in ranked]
        for n, option in enumerate(ranked):
            for other in (*ranked[n + 1 :], *rest):
                wins[option, other] += 1
    return wins


def _borda(wins: Mapping[tuple[str, str], int], order: Sequence[str], voters: int) -> Scores:
    """A point for each choice ranked below, half a point for each left out alike."""
    return {
        option: sum((voters + wins[option, other] - wins[other, option]) / 2 for other in order if other != option)
        for option in order
    }


def _schulze(wins: Mapping[tuple[str, str], int], order: Sequence[str]) -> tuple[Scores, tuple[str, ...], float]:
    """Who beats whom by the strongest path of won duels; the score is how many a choice beats."""
    path = {pair: won if won > wins[pair[1], pair[0]] else 0 for pair, won in wins.items()}
    for via, a, b in permutations(order, 3):
        path[a, b] = max(path[a, b], min(path[a, via], path[via, b]))
    lead = {a: [path[a, b] - path[b, a] for b in order if b != a] for a in order}
    scores = {a: float(sum(margin > 0 for margin in lead[a])) for a in order}
    leaders = tuple(a for a in order if all(margin >= 0 for margin in lead[a]))
    return scores, leaders, float(min(lead[leaders[0]], default=0)) if len(leaders) == 1 else 0.0


def _whole(number: float) -> float:
    """Without a needless `.0`, where JSON can hold the integer."""
    return int(number) if float(number).is_integer() and abs(number) < 2**53 else number
