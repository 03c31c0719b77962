"""Gather: many answers become one value."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agentical.gather import AS_LIST, Gather, agent_named

numbers = st.lists(st.integers(-1000, 1000))


def combine(rule, values):
    return Gather.parse(rule).combine(values)


def test_list_keeps_the_answers_in_order():
    assert AS_LIST.combine([3, None, 1]) == [3, None, 1]


def test_flatten_opens_lists_by_one_level():
    assert combine("flatten", [[1, [2]], [], 3, [None]]) == [1, [2], 3, None]


def test_update_lets_later_keys_win():
    assert combine("update", [{"a": 1, "b": 1}, {"b": 2}]) == {"a": 1, "b": 2}


def test_top_ranks_numbers_and_scores_and_keeps_order_among_equals():
    assert combine("top(2)", [1, 5, 3]) == [5, 3]
    rows = [{"n": 1, "score": 1}, {"n": 2, "score": 7}, {"n": 3, "score": 7}]
    assert [row["n"] for row in combine("top( 2 )", rows)] == [2, 3]


def test_count_and_sum():
    assert combine("count", ["a", None]) == 2
    assert combine("sum", [1, 2.5]) == 3.5


@pytest.mark.parametrize(
    ("rule", "values"),
    [("sum", ["1"]), ("sum", [True]), ("update", [[1]]), ("top(1)", ["x"]), ("top(1)", [{"rank": 1}])],
)
def test_an_answer_that_does_not_fit_is_named(rule, values):
    with pytest.raises(ValueError, match="answer 0"):
        combine(rule, values)


@pytest.mark.parametrize("rule", ["", "top", "top(0)", "top(-1)", "agent:", "agent:A B", "mean", None, 3])
def test_what_is_no_rule_is_refused(rule):
    with pytest.raises(ValueError):
        Gather.parse(rule)


def test_an_agent_is_named():
    assert Gather.parse("agent:merger").agent == "merger"
    assert agent_named("merger") is None
    assert agent_named(7) is None


@given(numbers, numbers)
def test_gathering_in_two_halves_is_gathering_at_once(left, right):
    both = left + right
    assert combine("sum", both) == combine("sum", left) + combine("sum", right)
    assert combine("count", both) == combine("count", left) + combine("count", right)
    assert combine("list", both) == combine("list", left) + combine("list", right)
    assert combine("flatten", [left, right]) == both


@given(numbers, st.integers(1, 10))
def test_the_top_are_the_greatest_in_falling_order(values, n):
    assert combine(f"top({n})", values) == sorted(values, reverse=True)[:n]


@given(st.lists(st.dictionaries(st.sampled_from("abc"), st.integers()), max_size=5))
def test_update_is_a_fold(mappings):
    folded = {}
    for mapping in mappings:
        folded.update(mapping)
    assert combine("update", mappings) == folded
