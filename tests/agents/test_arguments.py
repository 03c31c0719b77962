"""Payloads become arguments by one convention, and what does not fit is named."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Literal, TypedDict

import pydantic
import pytest
from hypothesis import given
from hypothesis import strategies as st

from agentical.agents.arguments import Signature
from agentical.errors import Invalid
from agentical.ports import TaskContext

CONTEXT = TaskContext()


class Size(TypedDict):
    width: int


@dataclass
class Point:
    x: int
    y: float = 0.0


class Model(pydantic.BaseModel):
    name: str


def call(function, payload, *, skips=False, skip=0):
    args, named = Signature(function, "f", skips=skips).bind(payload, CONTEXT, skip)
    return function(*args, **named)


@given(st.dictionaries(st.text(), st.integers()) | st.integers() | st.none() | st.lists(st.integers()))
def test_a_parameter_called_payload_gets_the_payload_whole(value):
    assert call(lambda payload: payload, value) is value


@given(st.dictionaries(st.sampled_from("abc"), st.integers(), min_size=3, max_size=3))
def test_the_keys_of_a_mapping_become_keyword_arguments(value):
    assert call(lambda a, *, b, c: {"a": a, "b": b, "c": c}, value) == value


@given(st.integers() | st.text() | st.lists(st.integers()))
def test_any_other_payload_goes_to_the_first_parameter(value):
    assert call(lambda first, second=2: (first, second), value) == (value, 2)


@pytest.mark.parametrize("payload", [{"a": 1}, 1])
def test_a_parameter_called_context_receives_the_context(payload):
    assert call(lambda context, a: (context, a), payload) == (CONTEXT, 1)


def test_a_source_that_takes_skip_receives_it():
    assert call(lambda a, skip: (a, skip), 1, skips=True, skip=5) == (1, 5)


def test_skip_is_an_ordinary_parameter_of_what_is_no_source():
    assert call(lambda skip: skip, {"skip": "x"}) == "x"


def test_a_function_without_parameters_takes_nothing_only():
    assert [call(lambda: "ok", nothing) for nothing in (None, {})] == ["ok", "ok"]
    with pytest.raises(Invalid, match="f takes no payload, but was given a int"):
        call(lambda: "ok", 3)
    with pytest.raises(Invalid, match="unexpected a"):
        call(lambda: "ok", {"a": 3})


def test_positional_only_and_variable_parameters_are_served():
    assert call(lambda a, /, b: (a, b), {"b": 2, "a": 1}) == (1, 2)
    assert call(lambda *rest: rest, 7) == (7,)
    assert call(lambda a, **rest: (a, rest), {"a": 1, "b": 2}) == (1, {"b": 2})
    assert call(max, [3, 1]) == 3


def test_everything_wrong_is_named_at_once():
    def f(a: int, b: list[str], c: int): ...

    with pytest.raises(Invalid) as caught:
        call(f, {"a": "1", "b": ["x", 2], "d": 0})
    text = str(caught.value)
    assert text.startswith("f cannot take this payload: missing c; unexpected d; a: Expected `int`, got `str`")
    assert "b: Expected `str`, got `int` - at `$[1]`" in text


@pytest.mark.parametrize(
    ("annotation", "given", "got"),
    [
        (int, 3, 3),
        (float, 3, 3.0),
        (Literal["a", "b"], "a", "a"),
        (list[int], [1], [1]),
        (tuple[int, ...], [1], (1,)),
        (int | None, None, None),
        (Size, {"width": 1}, {"width": 1}),
        (Point, {"x": 1}, Point(1)),
        (list[Point], [{"x": 1, "y": 2}], [Point(1, 2.0)]),
        (Model, {"name": "n"}, Model(name="n")),
        (list[Model], [{"name": "n"}], [Model(name="n")]),
        (Path, "a/b", Path("a/b")),
        (dict[str, Any], {"a": [1]}, {"a": [1]}),
        (Point | Model, {"name": "n"}, Model(name="n")),
        ("Any", 1, 1),
    ],
)
def test_annotations_shape_the_value(annotation, given, got):
    def f(value): ...

    f.__annotations__["value"] = annotation
    _, named = Signature(f, "f").bind({"value": given}, CONTEXT)
    assert named == {"value": got}
    assert type(named["value"]) is type(got)


@pytest.mark.parametrize(
    ("annotation", "value"),
    [
        (int, "3"), (int, True), (str, 1), (Literal["a"], "b"), (list[int], ["1"]), (Size, {}), (Point, {"x": "1"}),
        (Model, {}), (Path, 3), (Point | Model, {"z": 1}), (int, None),
    ],
)  # fmt: skip
def test_what_does_not_fit_its_annotation_is_invalid(annotation, value):
    def f(value): ...

    f.__annotations__["value"] = annotation
    with pytest.raises(Invalid, match="f cannot take this payload: value: "):
        Signature(f, "f").bind({"value": value}, CONTEXT)


def test_the_payload_parameter_is_checked_too():
    def f(payload: Point) -> Any:
        return payload

    assert call(f, {"x": 1}) == Point(1)
    with pytest.raises(Invalid, match="payload: Object missing required field `x`"):
        call(f, {})


def test_null_is_accepted_where_it_is_the_default():
    def f(a: int = None):  # noqa: RUF013
        return a

    assert call(f, {"a": None}) is None


def test_an_annotation_that_cannot_be_resolved_is_not_checked():
    def f(a: Nowhere):  # noqa: F821
        return a

    assert call(f, {"a": 1}) == 1


def test_a_decorated_callable_and_a_partial_are_looked_through():
    def f(a: int, b: int):
        return a, b

    assert call(partial(f, b=2), {"a": 1}) == (1, 2)


def test_an_object_with_a_call_method_is_called_by_its_signature():
    class Doubler:
        def __call__(self, value: int) -> int:
            return value * 2

    assert call(Doubler(), {"value": 2}) == 4
    with pytest.raises(Invalid, match="Expected `int`"):
        call(Doubler(), {"value": "2"})
