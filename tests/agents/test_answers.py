"""What agents return becomes JSON, or an error that says what and where."""

from __future__ import annotations

import json
from collections import OrderedDict, UserDict
from dataclasses import dataclass
from datetime import UTC, date, datetime
from decimal import Decimal
from enum import Enum
from pathlib import Path
from uuid import UUID

import msgspec
import pydantic
import pytest
from hypothesis import given
from hypothesis import strategies as st

from agentical.agents.answers import to_json
from agentical.errors import Invalid
from agentical.ports import Edge

SCALARS = (
    st.none() | st.booleans() | st.integers(-(2**63), 2**64 - 1) | st.floats(allow_nan=False, allow_infinity=False)
)
TEXT = st.text(st.characters(exclude_categories=["Cs"]))
JSON = st.recursive(
    SCALARS | TEXT, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXT, inner, max_size=4), max_leaves=20
)


class Word(str):
    __slots__ = ()


class Count(int): ...


class Ratio(float): ...


class Colour(Enum):
    RED = "red"


@dataclass
class Point:
    x: int
    at: datetime | None = None


class Pair(msgspec.Struct):
    left: Point
    right: Path


class Model(pydantic.BaseModel):
    when: date
    point: Point


class Odd:
    pass


@given(JSON)
def test_json_values_are_left_as_they_are(value):
    assert to_json(value) == value
    assert json.dumps(to_json(value)) == json.dumps(value)


@given(JSON)
def test_what_comes_out_can_always_be_recorded(value):
    recorded = msgspec.json.encode(to_json({"value": (value, [value])}))
    assert msgspec.json.decode(recorded) == {"value": [value, [value]]}


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (Point(1), {"x": 1, "at": None}),
        (Pair(Point(1, datetime(2026, 1, 2, tzinfo=UTC)), Path("a/b")), {
            "left": {"x": 1, "at": "2026-01-02T00:00:00+00:00"}, "right": "a/b"}),
        (Model(when=date(2026, 1, 2), point=Point(3)), {"when": "2026-01-02", "point": {"x": 3, "at": None}}),
        ((1, (2, 3)), [1, [2, 3]]),
        ({3, 1, 2}, [1, 2, 3]),
        (frozenset({"b", "a"}), ["a", "b"]),
        (OrderedDict(a=1), {"a": 1}),
        (UserDict({"a": (1,)}), {"a": [1]}),
        (Colour.RED, "red"),
        ([Word("w"), Count(3), Ratio(0.5)], ["w", 3, 0.5]),
        ({Colour.RED: 1}, {"red": 1}),
        (Decimal("1.10"), "1.10"),
        (UUID(int=1), "00000000-0000-0000-0000-000000000001"),
    ],
)  # fmt: skip
def test_what_python_people_return_becomes_json(value, expected):
    assert to_json(value) == expected


@pytest.mark.parametrize(
    ("value", "message"),
    [
        (Odd(), r"answer is a .*test_answers\.Odd"),
        ({"a": [0, Odd()]}, r"answer\.a\[1\] is a .*Odd"),
        (float("nan"), "answer is nan"),
        ([1.0, float("-inf")], r"answer\[1\] is -inf"),
        ({1: "x"}, "answer has the key 1, a int"),
        ({"a": b"x"}, r"answer\.a is a bytes"),
        (2**64, "more than 64 bits"),
        (-(2**63) - 1, "more than 64 bits"),
        (["\udcff"], r"answer\[0\] is text that is not Unicode"),
        ({"\udcff": 1}, "a key of answer is text that is not Unicode"),
        (Point, "answer is a type"),
        (len, "answer is a builtin_function_or_method"),
    ],
)
def test_anything_else_is_invalid_and_named_with_its_place(value, message):
    with pytest.raises(Invalid, match=message):
        to_json(value)


def test_a_value_that_contains_itself_is_invalid():
    value = []
    value.append(value)
    with pytest.raises(Invalid, match="contains itself"):
        to_json(value)


def test_an_edge_stays_an_edge_with_its_value_made_json():
    assert to_json(Edge("done", (1, Path("x")), required=True)) == Edge("done", [1, "x"], required=True)


def test_an_edge_within_an_answer_is_its_fields():
    assert to_json([Edge("a", 1)]) == [{"outcome": "a", "value": 1, "required": False}]
