"""CEL is handed what it needs, and what it says is said in plain words."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agentical.expressions.evaluation import LARGEST, compiled, missing, part, parts, reason, too_large, tree
from agentical.expressions.references import ExpressionInvalid

PATHS = st.sets(st.lists(st.sampled_from("abc"), min_size=1, max_size=3).map(tuple), max_size=5)
TREE = st.recursive(st.integers(), lambda inner: st.dictionaries(st.sampled_from("abc"), inner), max_leaves=8)


def at(value: Any, path: tuple[str, ...]) -> Any:
    for name in path:
        if not isinstance(value, dict) or name not in value:
            return None
        value = value[name]
    return value


@given(PATHS, st.dictionaries(st.sampled_from("abc"), TREE))
def test_what_is_wanted_is_handed_over_and_is_the_same(paths: set[tuple[str, ...]], scope: dict[str, Any]) -> None:
    handed = part(scope, tree(paths))
    for path in paths:
        assert at(handed, path) == at(scope, path)


def test_a_path_within_a_wanted_whole_adds_nothing() -> None:
    assert tree([("a", "b"), ("a",), ("c", "d"), ("c", "e")]) == {"a": None, "c": {"d": None, "e": None}}


def test_parts_are_all_values_however_deep() -> None:
    assert sorted(map(str, parts([{"a": [1, {"b": 2}]}]))) == [
        "1",
        "2",
        "[1, {'b': 2}]",
        "{'a': [1, {'b': 2}]}",
        "{'b': 2}",
    ]


def test_text_and_values_count_towards_the_size() -> None:
    assert not too_large(["x" * (LARGEST - 8)])
    assert too_large(["x" * (LARGEST - 7)])
    assert too_large([[0] * (LARGEST // 8)])


def test_what_is_missing_is_named() -> None:
    assert missing({"a": {"b": [1]}}, ("a", "b", 1)) == "a.b has 1 items, so none at 1"
    assert missing({"a": True}, ("a", "b")) == "a is true or false, it has no 'b'"


def test_errors_of_cel_are_shortened() -> None:
    assert reason(KeyError("x")) == "there is no 'x'"
    assert (
        reason(
            RuntimeError(
                "Function 'f' error: Python function call failed: ValueError: no. Check function arguments and their types."
            )
        )
        == "f(): no"
    )


def test_the_place_of_a_mistake_counts_from_the_start_of_the_text() -> None:
    with pytest.raises(ExpressionInvalid) as caught:
        compiled("1 +\n  + 2 +")
    assert caught.value.offset == 6
