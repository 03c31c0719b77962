"""Tokens of YAML and JSON, with their places."""

import json
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agentical.reading.tokens import is_json, json_tokens, plain, yaml_tokens


def kinds(tokens):
    return [(token.kind, token.value, token.line, token.column) for token in tokens]


def test_yaml_tokens_carry_place_anchor_and_merge():
    assert kinds(yaml_tokens("a: &x [1, 'b']\n<<: *x\n")) == [
        ("{", None, 1, 1), ("value", "a", 1, 1), ("[", None, 1, 4), ("value", 1, 1, 8), ("value", "b", 1, 11), ("}", None, 1, 14),
        ("merge", "<<", 2, 1), ("alias", "x", 2, 5), ("}", None, 3, 1),
    ]  # fmt: skip
    assert [token.anchor for token in yaml_tokens("&a {b: &c 1}")][:3] == ["a", None, "c"]


def test_json_tokens_are_those_of_the_same_yaml():
    assert kinds(json_tokens('{"a":\n\t[1, "b", null]}')) == [
        ("{", None, 1, 1), ("value", "a", 1, 2), ("[", None, 2, 2), ("value", 1, 2, 3), ("value", "b", 2, 6), ("value", None, 2, 11),
        ("]", None, 2, 15), ("}", None, 2, 16),
    ]  # fmt: skip


@given(st.text() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.booleans() | st.none())
def test_json_scalars_keep_their_values(value):
    if isinstance(value, int) and not isinstance(value, bool):
        value %= 10**300
    assert [token.value for token in json_tokens(json.dumps(value))] == [value]


@pytest.mark.parametrize(
    "text", ["on", "Yes", "12:30", "0b1", "1_0", "1e", "+", "-", ".", "0x", "1.2.3", "nulL", "0o8"]
)
def test_what_is_no_number_or_word_of_yaml_1_2_is_text(text):
    assert plain(text) == text


@pytest.mark.parametrize("text", ["9" * 401, "-" + "9" * 401, "1." + "9" * 401, ".inf", "-.INF"])
def test_numbers_beyond_measure_are_infinite(text):
    assert math.isinf(plain(text))


def test_what_is_json_is_told_from_yaml_with_braces():
    assert is_json('{"a": 1}')
    assert is_json('{"a":' * 100_000)
    assert not is_json("{a: 1}")
