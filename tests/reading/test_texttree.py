"""The tree of a text: values, places, and what is wrong on the way."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agentical.reading.texttree import MOST_VALUES, Place, TextTree, Token, Unreadable
from agentical.reading.tokens import yaml_tokens


def tree(text):
    return TextTree(yaml_tokens(text))


def test_values_and_places_come_in_one_pass():
    found = tree("a: [1, {b: 2}]\nc: x\n")
    assert found.value == {"a": [1, {"b": 2}], "c": "x"}
    assert isinstance(found.place, Place)
    key, inner = found.place.inner["a"]
    assert (key, inner.spot, inner.inner[0]) == ((1, 1), (1, 4), ((1, 5), (1, 5)))
    assert found.place.inner["c"] == ((2, 1), (2, 4))


def test_no_tokens_make_an_empty_tree():
    assert tree("# nothing").empty
    assert not tree("~").empty


def test_a_merged_key_keeps_the_place_where_it_was_written():
    found = tree("a: &a {x: 1}\nb: {<<: *a, y: 2}\n")
    assert found.value["b"] == {"x": 1, "y": 2}
    assert found.place.inner["b"][1].inner["x"] == ((1, 8), (1, 11))


def test_a_key_may_override_what_was_merged_but_only_once():
    assert tree("a: &a {x: 1}\nb: {<<: *a, x: 2}").flaws == []
    assert tree("a: &a {x: 1}\nb: {x: 2, <<: *a}").value["b"] == {"x": 2}
    assert len(tree("a: &a {x: 1}\nb: {<<: *a, x: 2, x: 3}").flaws) == 1


def test_an_anchor_given_twice_means_the_nearest_before():
    assert tree("[&a 1, *a, &a 2, *a]").value == [1, 1, 2, 2]


def test_the_number_of_values_is_bounded():
    endless = (Token("[" if n == 0 else "value", 1, 1, n + 1) for n in range(MOST_VALUES + 1))
    with pytest.raises(Unreadable, match="more than 1,000,000 values"):
        TextTree(endless)


def test_exactly_a_hundred_levels_are_read():
    assert tree("[" * 100 + "]" * 100).flaws == []
    with pytest.raises(Unreadable, match="deeper than 100 levels"):
        tree("[" * 101 + "]" * 101)


@settings(max_examples=100)
@given(st.integers(1, 60), st.integers(1, 60))
def test_depth_counts_through_aliases(inner, outer):
    text = f"[&a {'[' * inner}{']' * inner}, {'[' * outer}*a{']' * outer}]"
    if 1 + inner + outer > 100:
        with pytest.raises(Unreadable):
            tree(text)
    else:
        assert tree(text).flaws == []
