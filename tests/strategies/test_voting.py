"""Voting: the laws that each rule must keep, and known elections."""

from collections import Counter
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agentical_strategies.ballots import Ballot
from agentical_strategies.voting import NOTHING_CAST, Vote, confidence, count, uncatchable

RULES = [
    "plurality",
    "majority",
    "supermajority(2/3)",
    "unanimous",
    "weighted",
    "borda",
    "condorcet",
    "median",
    "approval",
]
NEUTRAL = [rule for rule in RULES if rule != "median"]
OPTIONS = ("a", "b", "c", "d")

rankings = st.permutations(OPTIONS).map(tuple)
ballots = st.lists(
    st.builds(
        Ballot,
        st.integers(1, 4).flatmap(lambda n: rankings.map(lambda r: r[:n])),
        st.sampled_from([0.1, 0.2, 0.3, 1.0]),
    ),
    min_size=1,
    max_size=9,
)


def votes(text):
    return [Ballot(tuple(word)) for word in text.split()]


def elect(rule, cast, order=OPTIONS, **more):
    return count(Vote.parse(rule), cast, order, **more)


@pytest.mark.parametrize("rule", RULES)
@given(ballots, st.randoms(use_true_random=False))
def test_it_does_not_matter_who_votes_or_in_which_order(rule, cast, draw):
    shuffled = list(cast)
    draw.shuffle(shuffled)
    assert elect(rule, shuffled) == elect(rule, cast)


@pytest.mark.parametrize("rule", NEUTRAL)
@given(ballots, st.permutations(OPTIONS))
def test_it_does_not_matter_what_the_choices_are_called(rule, cast, names):
    new = dict(zip(OPTIONS, names, strict=True))
    renamed = [Ballot(tuple(new[option] for option in b.options), b.weight) for b in cast]
    before, after = elect(rule, cast), elect(rule, renamed)
    assert after.result == before.result
    assert after.margin == before.margin
    assert set(after.leaders) == {new[option] for option in before.leaders}
    assert after.scores == {new[option]: score for option, score in before.scores.items()}


@pytest.mark.parametrize("rule", RULES)
@given(rankings, st.integers(1, 7))
def test_what_everybody_wants_is_agreed_by_every_rule(rule, ranking, voters):
    cast = [Ballot(ranking[:1])] * voters if rule == "approval" else [Ballot(ranking)] * voters
    counted = elect(rule, cast)
    assert counted.result == "agreed"
    assert counted.leaders == (ranking[0],)


@given(ballots)
def test_a_stricter_rule_agrees_only_on_what_a_milder_one_agrees_on(cast):
    chain = [elect(rule, cast) for rule in ("unanimous", "supermajority(2/3)", "majority", "plurality")]
    for strict, mild in pairwise(chain):
        if strict.result == "agreed":
            assert mild.result == "agreed"
            assert mild.leaders == strict.leaders


@given(st.lists(rankings.map(Ballot), min_size=1, max_size=9))
def test_who_wins_every_duel_wins_by_schulze(cast):
    def beats(x, y):
        return sum(b.options.index(x) < b.options.index(y) for b in cast) * 2 > len(cast)

    winner = next((x for x in OPTIONS if all(beats(x, y) for y in OPTIONS if y != x)), None)
    if winner is None:
        return
    counted = elect("condorcet", cast)
    assert counted.leaders == (winner,)
    assert counted.result == "agreed"
    assert counted.margin > 0


@given(st.lists(rankings.map(Ballot), min_size=1, max_size=9))
def test_reversing_every_ranking_never_elects_the_same_single_winner(cast):
    winner = elect("condorcet", cast).leaders
    reversed_winner = elect("condorcet", [Ballot(tuple(reversed(b.options))) for b in cast]).leaders
    assert len(winner) > 1 or reversed_winner != winner


def test_schulzes_own_election_of_45_voters():
    cast = [
        ballot
        for number, ranking in [
            (5, "acbed"),
            (5, "adecb"),
            (8, "bedac"),
            (3, "cabed"),
            (7, "caebd"),
            (2, "cbade"),
            (7, "dceba"),
            (8, "ebadc"),
        ]
        for ballot in [Ballot(tuple(ranking))] * number
    ]
    counted = elect("condorcet", cast, order=tuple("abcde"))
    assert counted.leaders == ("e",)
    assert counted.scores == {"a": 3, "b": 1, "c": 2, "d": 0, "e": 4}


def test_bordas_points_of_the_classic_example():
    cast = votes(" ".join(["abc"] * 3 + ["bca"] * 2 + ["cba"] * 2))
    assert elect("borda", cast, order="abc").scores == {"a": 6, "b": 9, "c": 6}


@given(ballots)
def test_borda_hands_out_the_same_number_of_points_whatever_is_left_out(cast):
    assert sum(elect("borda", cast).scores.values()) == len(cast) * 6


def test_the_median_is_the_lower_middle_of_the_rising_order():
    assert elect("median", votes("a d b b d")).leaders == ("b",)
    assert elect("median", votes("a b c d")).leaders == ("b",)


@given(st.lists(st.sampled_from(OPTIONS), min_size=1, max_size=9), st.data())
def test_the_margin_of_a_median_is_how_many_ballots_would_have_to_change(cast, data):
    counted = elect("median", votes(" ".join(cast)))
    fewer = data.draw(st.integers(0, int(counted.margin) - 1))
    changed = [data.draw(st.sampled_from("ad")) for _ in range(fewer)] + cast[fewer:]
    assert elect("median", votes(" ".join(changed))).leaders == counted.leaders


def test_weights_are_added_exactly():
    cast = [Ballot(("a",), 0.1), Ballot(("a",), 0.2), Ballot(("b",), 0.3)]
    assert elect("weighted", cast).result in ("agreed", "tie")
    assert elect("weighted", cast) == elect("weighted", cast[::-1])
    assert elect("weighted", [Ballot(("a",), 3.0), Ballot(("b",)), Ballot(("b",))]).leaders == ("a",)


def test_approval_counts_each_choice_approved_of():
    assert elect("approval", votes("ab bc b")).scores == {"a": 1, "b": 3, "c": 1}
    assert elect("approval", [Ballot(())]).result == "split"


@pytest.mark.parametrize(
    ("rule", "cast", "result"),
    [
        ("plurality", "a a b c", "agreed"),
        ("majority", "a a b c", "split"),
        ("majority", "a a a b c", "agreed"),
        ("majority", "a a b b", "tie"),
        ("supermajority(2/3)", "a a b", "agreed"),
        ("supermajority(75%)", "a a b", "split"),
        ("unanimous", "a a b", "split"),
        ("unanimous", "a a", "agreed"),
    ],
)
def test_how_a_vote_ends(rule, cast, result):
    assert elect(rule, votes(cast)).result == result


def test_too_few_ballots_are_no_quorum():
    assert elect("plurality", votes("a a"), quorum=3).result == "no-quorum"
    assert elect("plurality", []).result == NOTHING_CAST.result == "no-quorum"


def test_as_many_equal_votes_as_asked_for_are_needed():
    assert elect("majority", votes("a a b"), equal_votes=3).result == "split"
    assert elect("majority", votes("a a a b"), equal_votes=3).result == "agreed"


@pytest.mark.parametrize("rule", ["plurality", "majority", "supermajority(2/3)", "unanimous", "weighted", "approval"])
@given(ballots, st.data())
def test_a_leader_that_cannot_be_caught_wins_whatever_follows(rule, cast, data):
    vote = Vote.parse(rule)
    heard = data.draw(st.integers(1, len(cast)))
    so_far = count(vote, cast[:heard], OPTIONS)
    if not uncatchable(vote, so_far, cast[:heard], [b.weight for b in cast[heard:]]):
        return
    missing = data.draw(st.integers(0, len(cast) - heard))
    final = count(vote, cast[:heard] + cast[heard + missing :], OPTIONS)
    assert final.result == "agreed"
    assert final.leaders == so_far.leaders


@pytest.mark.parametrize("rule", ["borda", "condorcet", "median"])
def test_rankings_and_medians_are_heard_out(rule):
    cast = votes("a a a")
    assert not uncatchable(Vote.parse(rule), elect(rule, cast), cast, [1.0])


def test_a_leader_with_half_of_all_voices_can_still_be_caught():
    cast = votes("a a")
    assert not uncatchable(Vote.parse("plurality"), elect("plurality", cast), cast, [1.0, 1.0])
    assert uncatchable(Vote.parse("plurality"), elect("plurality", cast), cast, [1.0])


def test_confidence_is_the_mean_of_those_who_voted_so():
    cast = [Ballot(("a",), confidence=0.8), Ballot(("a",)), Ballot(("b",), confidence=1.0)]
    assert confidence(cast, "a") == 0.4
    assert confidence(cast, "z") == 0.0


@given(st.lists(st.sampled_from(OPTIONS), min_size=1, max_size=9))
def test_plurality_is_the_most_common(cast):
    assert elect("plurality", votes(" ".join(cast))).scores == Counter(cast)


@pytest.mark.parametrize(
    "text", ["", "most", "supermajority", "supermajority(1/3)", "supermajority(3)", "supermajority(50%)", None]
)
def test_what_is_no_rule_is_refused(text):
    with pytest.raises(ValueError):
        Vote.parse(text)


@pytest.mark.parametrize("text", ["plurality", "supermajority(75%)"])
def test_a_rule_reads_back_as_it_was_written(text):
    assert str(Vote.parse(text)) == text
