"""Consensus: votes, quorum, rounds, ties and when it is decided."""

import msgspec
import pytest

from agentical.completion import Part
from agentical.errors import Denied
from agentical.jsonvalues import encode, loads
from agentical.ports import Edge, Member
from agentical_strategies.ballots import Paper
from agentical_strategies.consensus import Consensus, Tie
from agentical_strategies.voting import Vote, count

LEVELS = ("pass", "warn", "fail")


def consensus(vote="plurality", *, tie="none", quorum=None, **options):
    part = None if quorum is None else Part.parse(quorum)
    return Consensus(vote=Vote.parse(vote), tie=Tie.parse(tie), quorum=part, **options)


def all_members(*names):
    return [Member(name, name) for name in names]


async def test_a_majority_agrees_and_the_dissent_is_named(team):
    three = team({"a": "pass", "b": "FAIL", "c": "pass"})
    assert await consensus("majority", ballot=LEVELS)(three, {"x": 1}) == Edge(
        "agreed",
        {"choice": "pass", "outcome": "agreed", "votes": {"pass": 2, "fail": 1}, "margin": 1, "dissent": {"b": "fail"}},
    )
    assert three.asked[0] == ("round-1/a", "a", {"x": 1})


async def test_it_ends_when_the_leader_cannot_be_caught(team, after):
    five = team({name: after(n, "yes") for n, name in enumerate("abcde")})
    result = await consensus("majority")(five, None)
    assert result.value["votes"] == {"yes": 3}
    assert five.now == 2
    assert five.record["rounds"][0]["not_heard"] == ["d", "e"]


async def test_it_ends_when_the_voters_are_sure_enough(team, after):
    sure = {name: after(n, {"vote": "yes", "confidence": 0.9}) for n, name in enumerate("abcde")}
    five = team(sure)
    await consensus("unanimous", quorum=2, confidence=0.8)(five, None)
    assert five.now == 1
    unsure = team({name: after(n, {"vote": "yes", "confidence": 0.5}) for n, name in enumerate("abcde")})
    await consensus("unanimous", quorum=2, confidence=0.8)(unsure, None)
    assert unsure.now == 4


async def test_failures_and_what_is_no_ballot_are_not_counted_but_named(team, after):
    five = team({"a": "pass", "b": after(1, Denied("no")), "c": "perhaps", "d": "pass", "e": "pass"})
    result = await consensus(ballot=LEVELS, quorum=3)(five, None)
    assert result.value["votes"] == {"pass": 3}
    failed = five.record["rounds"][0]["failed"]
    assert failed["c"]["class"] == "invalid"
    assert "perhaps" in failed["c"]["message"]


async def test_without_a_quorum_nothing_is_agreed(team, after):
    three = team({"a": "pass", "b": after(1, Denied("no")), "c": after(1, Denied("no"))})
    result = await consensus(ballot=LEVELS)(three, None)
    assert (result.outcome, result.required, result.value["choice"]) == ("no-quorum", True, None)
    three = team({"a": "pass", "b": after(1, Denied("no")), "c": after(1, Denied("no"))})
    assert (await consensus(ballot=LEVELS, quorum=1)(three, None)).outcome == "agreed"


async def test_a_split_and_a_tie_are_outcomes_of_their_own(team):
    split = await consensus("majority")(team({"a": "x", "b": "x", "c": "y", "d": "z"}), None)
    tie = await consensus("majority")(team({"a": "x", "b": "x", "c": "y", "d": "y"}), None)
    assert (split.outcome, tie.outcome) == ("split", "tie")
    assert split.required
    assert tie.value["choice"] is None
    assert tie.value["dissent"] == {}


@pytest.mark.parametrize(("rule", "choice"), [("first", "pass"), ("last", "fail")])
async def test_a_tie_goes_to_the_first_or_last_of_the_ballot(team, rule, choice):
    three = team({"a": "fail", "b": "warn", "c": "pass"})
    result = await consensus("majority", ballot=LEVELS, tie=rule)(three, None)
    assert (result.outcome, result.value["choice"]) == ("agreed", choice)


async def test_an_agent_can_break_a_tie_among_those_tied(team):
    def pair(answer):
        return team({"a": "x", "b": "y"}, beside={"judge": answer})

    strategy = consensus(tie="agent:judge", quorum=1)
    judged = pair("Y")
    assert (await strategy(judged, "p")).value["choice"] == "y"
    assert judged.asked[-1] == ("tie", "judge", {"payload": "p", "tied": ["x", "y"], "votes": {"x": 1, "y": 1}})
    assert (await strategy(pair("z"), "p")).outcome == "tie"
    assert list(strategy.agents_used()) == ["judge"]
    assert strategy.most(2, None) == 3


async def test_a_judge_that_fails_or_says_nothing_leaves_the_tie(team, after):
    strategy = consensus("approval", tie="agent:judge", quorum=1)
    for answer in (after(1, Denied("no")), []):
        pair = team({"a": ["x"], "b": ["y"]}, beside={"judge": answer})
        assert (await strategy(pair, None)).outcome == "tie"
        assert pair.record["tie"]["valid"] is False


async def test_later_rounds_see_the_votes_without_names(team):
    asked = []

    def stubborn(payload):
        asked.append(payload)
        return "y"

    def persuaded(payload):
        return "y" if isinstance(payload, dict) and payload.get("round") == 2 else "x"

    pair = team({"a": stubborn, "b": persuaded})
    result = await consensus("unanimous", rounds=3)(pair, "p")
    assert result.value["choice"] == "y"
    assert asked == ["p", {"payload": "p", "round": 2, "votes": {"x": 1, "y": 1}}]
    assert [key for key, *_ in pair.asked] == ["round-1/a", "round-1/b", "round-2/a", "round-2/b"]
    assert [found["outcome"] for found in pair.record["rounds"]] == ["tie", "agreed"]


async def test_votes_can_be_revealed_with_names(team):
    pair = team({"a": "x", "b": {"vote": "y", "confidence": 0.5}})
    await consensus("unanimous", rounds=2, reveal="named")(pair, "p")
    assert pair.asked[-1][2]["votes"] == {"a": {"choice": "x"}, "b": {"choice": "y", "confidence": 0.5}}


async def test_votes_of_any_weight_make_a_record_that_is_json(team):
    two = team({"a": "yes", "b": "no"}, weights={"a": 1e300, "b": 0.5})
    result = await consensus("weighted")(two, None)
    assert result.value["votes"] == {"yes": 1e300, "no": 0.5}
    assert loads(encode(two.record))["result"]["margin"] == 1e300


async def test_weights_of_the_agents_decide_a_weighted_vote(team):
    three = team({"a": "x", "b": "y", "c": "y"}, weights={"a": 3.0})
    result = await consensus("weighted")(three, None)
    assert result.value["choice"] == "x"
    assert three.record["weights"] == {"a": 3.0, "b": 1.0, "c": 1.0}


@pytest.mark.parametrize("vote", ["borda", "condorcet"])
async def test_rankings_elect_whom_most_prefer(team, vote):
    three = team({"a": ["x", "y", "z"], "b": {"ranking": ["y", "x", "z"]}, "c": ["y", "z", "x"]})
    result = await consensus(vote)(three, None)
    assert result.value["choice"] == "y"
    assert result.value["dissent"] == {"a": ["x", "y", "z"]}


async def test_a_choice_nobody_ranked_is_still_counted(team):
    pair = team({"a": ["x"], "b": ["x"]})
    assert (await consensus("condorcet", ballot=("x", "y"))(pair, None)).value["votes"] == {"x": 1, "y": 0}


async def test_a_median_of_numbers_needs_no_ballot(team):
    five = team({"a": 10, "b": 2, "c": 9, "d": 3, "e": 100})
    assert (await consensus("median")(five, None)).value["choice"] == 9


async def test_approval_counts_who_approves(team):
    three = team({"a": ["x", "y"], "b": ["y"], "c": ["z"]})
    result = await consensus("approval")(three, None)
    assert result.value["choice"] == "y"
    assert result.value["dissent"] == {"c": ["z"]}


async def test_two_f_plus_one_equal_votes_outvote_f_faulty_members(team):
    strategy = consensus("plurality", max_faulty=1)
    assert (await strategy(team({"a": "x", "b": "x", "c": "x", "d": "y"}), None)).value["choice"] == "x"
    assert (await strategy(team({"a": "x", "b": "x", "c": "z", "d": "y"}), None)).outcome == "split"


@pytest.mark.parametrize("vote", ["plurality", "majority", "weighted", "borda", "condorcet", "approval", "median"])
async def test_the_vote_can_be_counted_again_from_the_record(team, vote):
    strategy = consensus(vote, ballot=LEVELS)
    four = team({"a": "pass", "b": "warn", "c": "warn", "d": "fail"}, weights={"a": 5.0})
    result = await strategy(four, None)
    minutes = msgspec.json.decode(msgspec.json.encode(four.record))
    rule = Vote.parse(minutes["vote"])
    paper = Paper(strategy.ballot, rule.mark)
    ballots = [paper.read(raw, minutes["weights"][name]) for name, raw in minutes["rounds"][-1]["ballots"].items()]
    counted = count(rule, ballots, paper.order(ballots), quorum=minutes["quorum"])
    assert (counted.result, counted.scores, counted.margin) == (
        result.outcome,
        result.value["votes"],
        result.value["margin"],
    )


async def test_it_runs_again_from_its_record_with_the_same_result(team, after, again):
    agents = {"a": after(3, "x"), "b": after(1, "y"), "c": after(2, "x"), "d": after(2, Denied("no"))}
    await again(consensus("majority", rounds=2), lambda **more: team(agents, **more))


def test_a_team_too_small_for_its_faulty_members_or_quorum_is_found_when_read():
    strategy = consensus("majority", max_faulty=1)
    assert "need a team of 4" in next(iter(strategy.problems(all_members("a", "b", "c"))))
    assert not list(strategy.problems(all_members("a", "b", "c", "d")))
    heavy = [Member("a", "a", weight=1e308), Member("b", "b", weight=1e308)]
    assert "too large for a number" in next(iter(consensus("weighted").problems(heavy)))
    assert "3 must vote" in next(iter(consensus(quorum=3).problems(all_members("a", "b"))))


@pytest.mark.parametrize(
    "options",
    [
        {"rounds": 0},
        {"confidence": 0.0},
        {"confidence": 1.5},
        {"ballot": ()},
        {"ballot": ("a", "A ")},
        {"tie": "first"},
        {"tie": "last", "ballot": {"type": "string"}},
        {"max_faulty": -1},
        {"ballot": (1.0, float("nan"))},
        {"max_faulty": 1, "vote": "borda"},
        {"max_faulty": 1, "tie": "last", "ballot": LEVELS},
    ],
)
def test_options_that_contradict_each_other_are_refused(options):
    with pytest.raises(ValueError):
        consensus(**options)


def test_an_unknown_tie_rule_is_refused():
    with pytest.raises(ValueError, match="agent:NAME"):
        Tie.parse("coin")
    assert not list(consensus().agents_used())
