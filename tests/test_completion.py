"""Completion: how many must answer, when it is decided, which answers count."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agentical.completion import ALL, Completion, Part

rules = st.one_of(
    st.sampled_from(["all", "any"]),
    st.integers(1, 12).map("first({})".format),
    st.integers(1, 12).map("quorum({})".format),
    st.integers(1, 100).map("quorum({}%)".format),
).map(Completion.parse)
totals = st.integers(1, 20)


@pytest.mark.parametrize("text", ["all", "any", "quorum(90%)", "quorum(3)", "first(2)", "best(answer.score)"])
def test_a_rule_reads_back_as_it_was_written(text):
    assert str(Completion.parse(text)) == text


@pytest.mark.parametrize(
    "text",
    [
        "",
        "most",
        "quorum",
        "quorum()",
        "quorum(0)",
        "quorum(101%)",
        "quorum(-1)",
        "first(50%)",
        "any(2)",
        "best",
        "all(1)",
        3,
        None,
    ],
)
def test_what_is_no_rule_is_refused(text):
    with pytest.raises(ValueError):
        Completion.parse(text)


@pytest.mark.parametrize(
    ("raw", "of_seven"), [(3, 3), ("3", 3), ("90%", 7), ("50%", 4), ("2/3", 5), ("0.9", 7), (0.5, 4), ("33.3%", 3)]
)
def test_a_part_is_a_number_or_a_share_rounded_up(raw, of_seven):
    assert Part.parse(raw).of(7) == of_seven


@pytest.mark.parametrize("raw", [True, None, "1/0", "x", "0", 0, -1, 1.5, "200%", [], "9" * 40])
def test_what_is_no_part_is_refused(raw):
    with pytest.raises(ValueError):
        Part.parse(raw)


def test_all_needs_everybody_and_is_lost_with_the_first_failure():
    assert not ALL.met(2, 3)
    assert ALL.met(3, 3)
    assert ALL.impossible(1, 3)
    assert ALL.impossible(1, None)


def test_a_quorum_hears_everybody_and_a_race_does_not():
    assert not Completion.parse("quorum(2)").done(3)
    assert Completion.parse("first(2)").done(2)
    assert Completion.parse("any").done(1)
    assert not Completion.parse("first(2)").done(1)


def test_while_the_total_is_unknown_a_quorum_stays_possible():
    assert not Completion.parse("quorum(90%)").impossible(1000, None)


def test_the_first_two_count_by_arrival_and_come_in_input_order():
    answers = {"c": 3, "a": 1, "b": 2}
    assert list(Completion.parse("first(2)").counted(answers, ["a", "b", "c"])) == ["a", "c"]
    assert Completion.parse("any").counted(answers, ["a", "b", "c"]) == {"c": 3}


def test_the_best_has_the_highest_score_and_among_equals_comes_first():
    best = Completion.parse("best(answer.score)")
    answers = {"c": {"score": 2}, "b": {"score": 2.0}, "a": {"score": 1}}
    assert list(best.counted(answers, ["a", "b", "c"])) == ["b"]
    assert best.counted({}, ["a"]) == {}


@pytest.mark.parametrize("score", ["high", None, [1]])
def test_a_best_that_is_no_number_is_an_error(score):
    with pytest.raises(ValueError, match="number"):
        Completion.parse("best(answer)").counted({"a": score}, ["a"])


@given(rules, totals, st.data())
def test_a_rule_is_met_or_impossible_when_all_have_ended_and_never_both(rule, total, data):
    failed = data.draw(st.integers(0, total))
    assert rule.met(total - failed, total) != rule.impossible(failed, total)


@given(rules, totals, st.data())
def test_what_became_impossible_stays_so(rule, total, data):
    failed = data.draw(st.integers(0, total - 1))
    assert not rule.impossible(failed, total) or rule.impossible(failed + 1, total)


@given(rules, totals, st.data())
def test_a_race_that_is_won_is_met(rule, total, data):
    answered = data.draw(st.integers(0, total))
    if rule.done(answered):
        assert rule.met(answered, total)


@given(rules, st.permutations(range(8)), st.integers(0, 8))
def test_counted_answers_are_some_of_those_given_in_input_order(rule, arrival, heard):
    answers = {key: key * 10 for key in arrival[:heard]}
    counted = rule.counted(answers, range(8))
    assert list(counted) == sorted(counted)
    assert counted.items() <= answers.items()
    if rule.rule in ("all", "quorum"):
        assert counted == answers


@given(rules)
def test_of_nothing_nothing_is_needed(rule):
    assert rule.met(0, 0)
    assert not rule.impossible(0, 0)


@given(st.integers(1, 100), totals)
def test_a_share_is_the_least_number_that_reaches_it(percent, total):
    needed = Part.parse(f"{percent}%").of(total)
    assert needed * 100 >= percent * total > (needed - 1) * 100
    assert needed == math.ceil(percent * total / 100)
