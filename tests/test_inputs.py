"""The inputs of a call are checked all at once, and completed."""

from __future__ import annotations

import pytest

from agentical.errors import CallInvalid
from agentical.graph import Graph, InputSpec
from agentical.inputs import check_inputs, wrong_inputs

GRAPH = Graph(
    "g",
    (),
    inputs={
        "path": InputSpec({"type": "string"}, required=False, default="."),
        "limit": InputSpec({"type": "integer", "minimum": 1}, description="How many."),
        "tags": InputSpec({"type": "array"}, required=False),
    },
)


def test_defaults_are_filled_in() -> None:
    assert check_inputs(GRAPH, {"limit": 3}) == {"path": ".", "limit": 3, "tags": None}


def test_everything_wrong_is_said_at_once() -> None:
    with pytest.raises(CallInvalid) as caught:
        check_inputs(GRAPH, {"pth": "x", "tags": 1})
    assert str(caught.value).splitlines() == [
        "input `pth`: there is no such input. Did you mean `path`?",
        "input `tags`: 1 is not of type 'array'.",
        "input `limit`: is missing. How many.",
    ]


def test_a_value_must_meet_the_schema_of_its_input() -> None:
    with pytest.raises(CallInvalid, match="0 is less than the minimum of 1"):
        check_inputs(GRAPH, {"limit": 0})


def test_missing_inputs_pass_where_they_need_not_be_complete() -> None:
    assert list(wrong_inputs(GRAPH.inputs, {}, complete=False)) == []


def test_what_is_declared_as_a_number_is_a_double() -> None:
    graph = Graph("g", (), inputs={"n": InputSpec({"type": "number"}), "m": InputSpec({"type": "number"}, False, 1)})
    assert [type(value) for value in check_inputs(graph, {"n": 2}).values()] == [float, float]
