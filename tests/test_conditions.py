"""Expressions read what they are given, call what is listed, and touch nothing else."""

from __future__ import annotations

import pickle
from collections.abc import Iterator, Mapping
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agentical import conditions
from agentical.conditions import Expression, ExpressionFailed, ExpressionInvalid, truth

SCOPE: dict[str, Any] = {
    "inputs": {"path": ".", "ratio": 0.5, "none": None},
    "steps": {"scan": {"output": {"n": 3, "names": ["a", "b"]}, "status": "completed"}},
    "state": {"x": [1, {"y": 2}], "odd key": True},
    "item": {"name": "é"},
    "success": lambda: True,
    "failed": lambda: False,
}

JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**53), 2**53)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=5), inner, max_size=4),
    max_leaves=12,
)


class Asked(Mapping[str, Any]):
    """A mapping that notes what was asked of it."""

    def __init__(self, values: Mapping[str, Any]) -> None:
        self.values_, self.asked = values, []

    def __getitem__(self, key: str) -> Any:
        self.asked.append(key)
        return self.values_[key]

    def __iter__(self) -> Iterator[str]:
        return iter(self.values_)

    def __len__(self) -> int:
        return len(self.values_)


def value(source: str, scope: Mapping[str, Any] = SCOPE) -> Any:
    return Expression.parse(source)(scope)


def why(source: str, scope: Mapping[str, Any] = SCOPE) -> str:
    with pytest.raises(ExpressionFailed) as caught:
        value(source, scope)
    return caught.value.why


def invalid(source: str) -> ExpressionInvalid:
    with pytest.raises(ExpressionInvalid) as caught:
        Expression.parse(source)
    return caught.value


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("inputs.path", "."),
        (" steps . scan . output . n ", 3),
        ("steps['scan'].output[\"n\"]", 3),
        ("state.x[0]", 1),
        ("state.x[1].y", 2),
        ("state['odd key']", True),
        ("inputs.none", None),
        ("inputs.ratio", 0.5),
    ],
)
def test_a_path_alone_is_resolved_without_cel(source: str, expected: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(conditions, "compiled", lambda source: pytest.fail("CEL was asked"))
    assert Expression(source)(SCOPE) == expected


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("steps.scan.output.n > 2 && success()", True),
        ("inputs.ratio * 2.0", 1.0),
        ("state.x.size() == 2 ? 'two' : 'more'", "two"),
        ("steps.scan.output.names.exists(n, n == 'b')", True),
        ("steps.scan.output.names.map(n, n + '!')", ["a!", "b!"]),
        ("has(steps.scan.output.zip) || !has(steps.scan.output.n)", False),
        ("has(steps.other)", False),
        ("{'a': [inputs.path], 'b': inputs.none}", {"a": ["."], "b": None}),
        ("item.name == 'é' && size(item.name) == 1", True),
        ('\'}}\' + "\\"" // a remark', '}}"'),
        ("size('é') + 'size(x)'.size() + size('size')", 12),
        ("state.x", [1, {"y": 2}]),
        ("failed() || success()", True),
    ],
)
def test_an_expression_gives_plain_json(source: str, expected: Any) -> None:
    assert value(source) == expected


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("steps.nope.output", "steps has no 'nope'"),
        ("nope", "there is no 'nope' here"),
        ("state.x[2]", "state.x has 2 items, so none at 2"),
        ("item.name[0]", "item.name is text, it has no items"),
        ("item.name.first", "item.name is text, it has no 'first'"),
        ("inputs.none.x", "inputs.none is null, it has no 'x'"),
        ("inputs.nope + 1", "there is no 'nope'"),
        ("nope + 1", "there is no 'nope' here"),
        (
            "inputs.ratio * 2",
            "the types do not fit. Whole numbers and numbers with a point do not mix: use double() or int().",
        ),
        ("1 / 0", "division by zero in CEL expression"),
        ("min([])", "min(): an empty list has none"),
        ("size(1)", "size(): object of type 'int' has no len()"),
        ("int('x')", "int(): string parse error: invalid digit found in string"),
        ("always()", "always() means nothing here"),
        ("now() > 1", "there is no 'now' here"),
    ],
)
def test_what_cannot_be_evaluated_says_why(source: str, expected: str) -> None:
    assert why(source) == expected


def test_a_failure_is_one_of_the_step_and_shows_the_expression() -> None:
    with pytest.raises(ExpressionFailed, match=r"`inputs\.nope`: inputs has no 'nope'") as caught:
        value("inputs.nope")
    assert (caught.value.failure_code, caught.value.failure_class) == ("EXPRESSION_FAILED", "invalid")


@pytest.mark.parametrize(
    "source", ["1.0 / 0.0", "b'x'", "timestamp('2020-01-01T00:00:00Z')", "duration('1h')", "{1: 2}", "[[0.0 / 0.0]]"]
)
def test_a_result_that_json_cannot_hold_is_refused(source: str) -> None:
    assert "result" in why(source)


@pytest.mark.parametrize(
    ("source", "offset"),
    [("1 +", 3), ("(a", 2), ("a b", 2), ("1\n+ +", 4), (".a", 0), ("a == .b", 5), ("1 + T{b: 1}", 4), ("loop", 0)],
)
def test_what_is_no_expression_is_refused_with_its_place(source: str, offset: int) -> None:
    error = invalid(source)
    assert (error.source, error.offset) == (source, offset)


def test_an_empty_expression_is_refused() -> None:
    assert "no expression" in invalid("  ").message


def test_the_length_of_an_expression_is_bounded() -> None:
    assert Expression.parse("a" + " " * 4095).source
    assert "4,096" in invalid("a" + " " * 4096).message


@pytest.mark.parametrize(
    ("source", "paths", "functions"),
    [
        ("steps.scan.output.n + 1", {"steps.scan.output.n"}, set()),
        ("state['x'] == inputs.path", {"state.x", "inputs.path"}, set()),
        ("state.x[0].y", {"state.x"}, set()),
        ("state[inputs.path].y", {"state", "inputs.path"}, set()),
        ("state.x.exists(v, v.name == item.name)", {"state.x", "item.name"}, {"exists"}),
        ("state.x.map(item, item.a).size() > item.b", {"state.x", "item.b"}, {"map", "size"}),
        ("state.x.map(v, state.y.filter(w, w > v)) == v.z", {"state.x", "state.y", "v.z"}, {"map", "filter"}),
        ("success() || always()", set(), {"success", "always"}),
        ('\'steps.x.output\' + r\'a.b\\\' + """c.d""" // e.f', set(), set()),
        ("true && null != false", set(), set()),
        ("item in state.x", {"item", "state.x"}, set()),
        ("(state.x).y", {"state.x"}, set()),
        ("{state.k: 1}", {"state.k"}, set()),
        ("state.x.lower().upper()", {"state.x"}, {"lower", "upper"}),
    ],
)
def test_the_paths_and_functions_of_an_expression_are_known(source: str, paths: set[str], functions: set[str]) -> None:
    expression = Expression.parse(source)
    assert {".".join(path) for path in expression.paths} == paths
    assert expression.functions == functions


def test_a_path_that_is_only_asked_about_is_told_apart() -> None:
    assert Expression.parse("has(state.x) && has(state.y) && state.y > 0").tested == {("state", "x")}


def test_equal_text_is_the_same_expression() -> None:
    assert Expression.parse("1 + 1") is Expression.parse("1 + 1")
    assert Expression("a") == Expression("a") != Expression("b")
    assert len({Expression("a"), Expression("a")}) == 1
    assert pickle.loads(pickle.dumps(Expression.parse("a.b"))) == Expression.parse("a.b")


def test_cel_is_handed_only_what_the_expression_names() -> None:
    steps = Asked({"a": Asked({"output": 1, "record": 2}), "b": {}})
    assert value("steps.a.output + 1", {"steps": steps, "inputs": pytest.fail}) == 2
    assert (steps.asked, steps.values_["a"].asked) == (["a"], ["output"])


def test_a_lazy_mapping_as_a_whole_becomes_a_plain_one() -> None:
    scope = {"inputs": Asked({"a": Asked({"b": 1})})}
    assert value("inputs", scope) == {"a": {"b": 1}}
    assert type(value("inputs", scope)["a"]) is dict
    assert value("inputs == {'a': {'b': 1}}", scope) is True


def test_no_attribute_of_a_python_object_can_be_reached() -> None:
    for source in ("item.__class__", "item.name.__class__ == 1", "state.x.append(1)", "item.keys().__self__"):
        assert why(source)


def test_more_input_than_cel_should_copy_is_refused() -> None:
    assert "8 MiB" in why("size(state)", {"state": "x" * (8 * 1024**2)})
    assert "8 MiB" in why("size(state)", {"state": [[0] * 1000 for _ in range(1050)]})


def test_there_is_no_clock_and_no_chance() -> None:
    assert not {"now", "random", "uuid", "today"} & conditions.FUNCTIONS


@given(JSON)
def test_a_value_passes_through_cel_unchanged(data: Any) -> None:
    assert value("[data][0]", {"data": data}) == data


@given(st.text(max_size=40))
def test_any_text_is_an_expression_or_is_refused(text: str) -> None:
    try:
        expression = Expression(text)
    except ExpressionInvalid as error:
        place = error.offset
    else:
        place = len(expression.source)
    assert 0 <= place <= len(text)


@given(
    st.lists(
        st.sampled_from(["a", ".b", "['c']", "[0]", "(", ")", " + ", ".map(x, ", "x", "{", "}", "has(", "'"]),
        max_size=9,
    )
)
def test_no_token_leads_the_reading_of_references_astray(pieces: list[str]) -> None:
    try:
        expression = Expression("".join(pieces))
    except ExpressionInvalid:
        return
    assert all(set(path[0]) <= set("axhsmpb") for path in expression.paths)


def test_a_condition_is_true_or_false_and_nothing_else() -> None:
    assert truth(True) is True
    assert truth(False) is False
    for other in (1, 0, "true", None, []):
        with pytest.raises(ExpressionFailed, match="neither true nor false"):
            truth(other)
