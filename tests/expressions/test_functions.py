"""The functions beside CEL's own do what their names say."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agentical.conditions import Expression, ExpressionFailed


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("abs(-2)", 2),
        ("bool('true') && !bool(false)", True),
        ("ceil(1.2)", 2),
        ("floor(-1.2)", -2),
        ("[[1], [2, [3]], 4].flatten()", [1, 2, [3], 4]),
        ("[1, 2].first()", 1),
        ("[].first() == null && last([]) == null", True),
        ("[1, 2].last()", 2),
        ("{'a': 1}.get('b', 5)", 5),
        ("{'a': 1}.get('a')", 1),
        ("[7].get(0)", 7),
        ("[7].get(1, 0)", 0),
        ("'x'.get(1, 0)", 0),
        ("['a', 1, true].join('-')", "a-1-true"),
        ("['a', 'b'].join()", "ab"),
        ("json({'b': 1, 'a': ['é']})", '{"a": ["é"], "b": 1}'),
        ("{'a': 1}.keys() + ['z']", ["a", "z"]),
        ("{'a': 1}.values()", [1]),
        ("'ÀB'.lower() + 'é'.upper()", "àbÉ"),
        ("max(1, 3, 2) - [4, 2].min()", 1),
        ("mean([1, 2])", 1.5),
        ("range(3)", [0, 1, 2]),
        ("'a.b'.replace('.', '/')", "a/b"),
        ("'abc'.reverse() == 'cba' && [1, 2].reverse() == [2, 1]", True),
        ("[round(2.5), round(-2.5), round(2.4)]", [3, -3, 2]),
        ("round(2.345, 2)", 2.35),
        ("[1, 2, 3].slice(1)", [2, 3]),
        ("'abc'.slice(0, 2)", "ab"),
        ("[3, 1, 2].sort()", [1, 2, 3]),
        ("'a,b,c'.split(',')", ["a", "b", "c"]),
        ("'a,b,c'.split(',', 1)", ["a", "b,c"]),
        ("sum([1, 2]) + sum([])", 3),
        ("sum(1.5, 2.5)", 4.0),
        ("' a '.trim()", "a"),
        ("[1, true, 1, 'a', 'a', [1], [1]].unique()", [1, True, "a", [1]]),
    ],
)
def test_a_function_gives(source: str, expected: Any) -> None:
    result = Expression.parse(source)({})
    assert result == expected
    assert type(result) is type(expected)


@pytest.mark.parametrize(
    "source",
    [
        "bool('yes')",
        "min([])",
        "mean([])",
        "'a'.replace('', 'b')",
        "range(1000001)",
        "sort([1, 'a'])",
        "big.replace('a', 'bbbbbbbbbb')",
    ],
)
def test_what_a_function_cannot_do_it_refuses(source: str) -> None:
    with pytest.raises(ExpressionFailed):
        Expression.parse(source)({"big": "a" * 1_000_000})


@given(st.lists(st.integers() | st.booleans() | st.text(max_size=2)))
def test_unique_keeps_the_first_of_each_in_order(items: list[Any]) -> None:
    seen = list(dict.fromkeys((type(item), item) for item in items if not (type(item) is int and abs(item) > 2**62)))
    small = [item for item in items if not (type(item) is int and abs(item) > 2**62)]
    assert [(type(item), item) for item in Expression.parse("a.unique()")({"a": small})] == seen
