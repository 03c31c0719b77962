"""Inputs from the shell."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agentical.cli.inputs import inputs_of, value_of
from agentical.errors import CallInvalid
from agentical.graph import Graph, InputSpec

GRAPH = Graph("x", (), inputs={"text": InputSpec({"type": "string"}), "count": InputSpec({"type": "integer"})})
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
)


@given(st.text())
def test_a_declared_string_is_the_text_as_it_is(text: str) -> None:
    assert value_of(text, {"type": "string"}) == text


@given(VALUES)
def test_anything_else_is_json(value) -> None:
    assert value_of(json.dumps(value), {}) == value


@pytest.mark.parametrize(
    ("text", "schema", "value"),
    [
        ("5", {"type": "integer"}, 5),
        ("five", {"type": "integer"}, "five"),
        ("5", {"type": ["string", "null"]}, "5"),
        ("null", {"type": ["string", "null"]}, None),
        ("5", {"enum": ["5"]}, "5"),
        ("a,b", {}, "a,b"),
        ("NaN", {}, "NaN"),
    ],
)
def test_what_the_type_leaves_open_is_decided_by_what_fits(text: str, schema: dict, value) -> None:
    assert value_of(text, schema) == value


def test_a_pair_may_hold_equal_signs_and_the_last_of_a_name_counts() -> None:
    assert inputs_of(GRAPH, ["text=1", "text=a=b", "count=3"], None) == {"text": "a=b", "count": 3}


@pytest.mark.parametrize("pair", ["text", "=x", ""])
def test_a_pair_without_name_or_equal_sign_is_refused(pair: str) -> None:
    with pytest.raises(CallInvalid, match="KEY=VALUE"):
        inputs_of(GRAPH, [pair], None)


@pytest.mark.parametrize(
    ("content", "inputs"),
    [(b"count: 3\ntext: no\n", {"count": 3, "text": "no"}), (b'{"count": 3}', {"count": 3}), (b"", {})],
)
def test_files_are_yaml_or_json(tmp_path: Path, content: bytes, inputs: dict) -> None:
    (tmp_path / "in").write_bytes(content)
    assert inputs_of(GRAPH, [], str(tmp_path / "in")) == inputs


@pytest.mark.parametrize(
    ("content", "told"),
    [(b"[1]", "a mapping"), (b"a: 1\na: 2\n", ":2:1: "), (b"\xff", "UTF-8"), (b"a: [", "in:2:1: is not YAML")],
)
def test_a_file_that_is_none_of_that_says_what_and_where(tmp_path: Path, content: bytes, told: str) -> None:
    (tmp_path / "in").write_bytes(content)
    with pytest.raises(CallInvalid) as raised:
        inputs_of(GRAPH, [], str(tmp_path / "in"))
    assert told in str(raised.value)
