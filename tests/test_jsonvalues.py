"""JSON values as bytes."""

import hashlib
import math
from dataclasses import dataclass

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agentical.jsonvalues import digest, encode, loads

numbers = st.integers(-(2**63), 2**64 - 1) | st.floats(allow_nan=False, allow_infinity=False)
texts = st.text(st.characters(exclude_categories=["Cs"]))
values = st.recursive(
    st.none() | st.booleans() | numbers | texts,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(texts, inner, max_size=4),
    max_leaves=20,
)
paths = st.lists(st.sampled_from("abc") | st.integers(0, 2), max_size=6)


@given(values)
def test_what_is_encoded_is_read_back_the_same(value):
    assert loads(encode(value)) == value
    assert encode(loads(encode(value))) == encode(value)


@given(paths, st.sampled_from([math.nan, math.inf, -math.inf]), st.booleans())
def test_a_number_that_json_cannot_hold_is_refused_with_its_path(path, number, as_tuples):
    value, shown = number, ""
    for part in reversed(path):
        if isinstance(part, str):
            value, shown = {"x": None, part: value}, f".{part}{shown}"
        else:
            value = [0] * part + [value]
            value, shown = (tuple(value) if as_tuples else value), f"[{part}]{shown}"
    with pytest.raises(ValueError) as error:
        encode(value)
    assert str(error.value) == f"value{shown} is {number}, which JSON cannot hold"


def test_a_number_within_an_object_of_a_class_is_refused_as_well():
    @dataclass
    class Point:
        x: float

    assert encode(Point(1.5)) == b'{"x":1.5}'
    with pytest.raises(ValueError, match=r"value\[0\].x is nan"):
        encode([Point(math.nan)])


@pytest.mark.parametrize("value", [object(), {"a": object()}, [lambda: 1], {("a", "b"): 1}, "\ud800", 1j])
def test_what_is_no_json_value_is_refused(value):
    with pytest.raises((TypeError, ValueError)):
        encode(value)


def test_null_itself_is_a_value():
    assert encode({"a": [None]}) == b'{"a":[null]}'
    assert encode("null") == b'"null"'


def test_a_digest_is_sha_256_in_hex():
    assert digest(b"abc") == hashlib.sha256(b"abc").hexdigest()
