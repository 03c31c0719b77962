"""Ballots: what an answer is worth as a vote."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agentical_strategies.ballots import Ballot, Paper, form, shown, spelling

json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=5,
)


@pytest.mark.parametrize("answer", ["PASS", " pass\n", {"choice": "Pass"}, {"vote": "pass", "why": "clean"}])
def test_case_and_outer_space_do_not_matter(answer):
    assert Paper(("pass", "fail"), "choice").read(answer).values == ("pass",)


def test_numbers_match_however_they_are_written():
    paper = Paper((1, 2, 3), "choice")
    assert [paper.read(answer).values for answer in (2, 2.0, "2")] == [(2,), (2,), (2,)]


@pytest.mark.parametrize(
    "answer", ["maybe", None, {"choice": "maybe"}, {"choice": "pass", "vote": "fail"}, ["pass"], {}]
)
def test_what_is_not_on_the_ballot_is_no_vote(answer):
    with pytest.raises(ValueError, match="not on the ballot"):
        Paper(("pass", "fail"), "choice").read(answer)


@pytest.mark.parametrize("confidence", [-0.1, 1.1, "high", True])
def test_a_confidence_that_is_no_share_is_refused(confidence):
    with pytest.raises(ValueError, match="confidence"):
        Paper(None, "choice").read({"choice": "x", "confidence": confidence})


def test_rankings_and_approvals_are_lists():
    assert Paper(("a", "b", "c"), "ranking").read(["B", "a"]).options == ("b", "a")
    assert Paper(("a", "b"), "approve").read({"approve": []}).options == ()
    assert Paper(("a", "b"), "ranking").read("a").options == ("a",)


@pytest.mark.parametrize(
    ("mark", "answer", "why"), [("ranking", ["a", "A"], "twice"), ("ranking", [], "ranks nothing")]
)
def test_a_ranking_names_each_choice_once(mark, answer, why):
    with pytest.raises(ValueError, match=why):
        Paper(("a", "b"), mark).read(answer)


def test_a_schema_says_what_a_ballot_is():
    paper = Paper({"type": "object", "required": ["severity"]}, "choice")
    assert paper.read({"severity": 3}).values == ({"severity": 3},)
    assert paper.read({"choice": {"severity": 3}, "confidence": 1}) == Ballot(({"severity": 3},), 1.0, 1.0)
    with pytest.raises(ValueError, match="schema"):
        paper.read({"size": 3})


def test_a_median_without_a_ballot_takes_numbers():
    paper = Paper(None, "choice", numbers=True)
    assert paper.order([paper.read(10), paper.read(9.5)]) == ("9.5", "10")
    with pytest.raises(ValueError, match="not a number"):
        paper.read("ten")


def test_of_several_spellings_the_same_one_is_shown_whoever_wrote_it():
    cast = [Ballot(("paris",)), Ballot(("Paris",)), Ballot(("Rome",))]
    assert spelling(cast) == spelling(cast[::-1]) == {"paris": "Paris", "rome": "Rome"}


def test_choices_that_are_no_text_are_shown_as_json():
    assert shown({"b": 1, "a": [True]}) == '{"a":[true],"b":1}'
    assert shown("text") == "text"


@given(json_values)
def test_a_written_ballot_reads_back_as_the_same_vote(value):
    paper = Paper(None, "choice")
    ballot = paper.read({"choice": value, "confidence": 0.5})
    assert paper.read(ballot.written("choice")) == ballot


@given(st.dictionaries(st.text(max_size=3), st.integers(), max_size=4))
def test_the_order_of_keys_does_not_matter(mapping):
    assert form(mapping) == form(dict(reversed(mapping.items())))
