"""Templates are filled in, and evaluating them loads no more than it needs."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agentical.conditions import ExpressionInvalid, Template

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


@pytest.mark.parametrize(
    ("template", "expected"),
    [
        ("${{ steps.scan.output.n }}", 3),
        (" ${{ steps.scan.output.n }}", " 3"),
        ("${{ inputs.path }}/${{ item.name }}.txt", "./é.txt"),
        ("${{ state.x }}|${{ inputs.none }}|${{ success() }}", '[1, {"y": 2}]||true'),
        ("${{ {'a': {'b': 1}} }}", {"a": {"b": 1}}),
        ("${{ '}}' }}", "}}"),
        ("${{ '${{' }} }}", "${{ }}"),
        ({"a": ["${{ item.name }}", 1], "b": {"c": None}}, {"a": ["é", 1], "b": {"c": None}}),
        ("plain }} text", "plain }} text"),
    ],
)
def test_a_template_is_filled_in(template: Any, expected: Any) -> None:
    assert Template.parse(template)(SCOPE) == expected


@given(JSON.filter(lambda data: "${{" not in json.dumps(data)))
def test_a_value_without_expressions_is_constant_and_itself(data: Any) -> None:
    template = Template.parse(data)
    assert template.constant
    assert template({}) is data


def test_a_template_knows_what_its_expressions_read_and_call() -> None:
    template = Template.parse({"a": "${{ item.name }}", "b": ["x ${{ state.x.size() }}"]})
    assert template.paths == {("item", "name"), ("state", "x")}
    assert template.functions == {"size"}
    assert [expression.source.strip() for expression in template.expressions] == ["item.name", "state.x.size()"]
    assert not template.constant


@pytest.mark.parametrize(
    ("template", "at", "offset"),
    [
        ({"a": ["x", "y ${{ 1 + }}"]}, ("a", 1), 10),
        ("a ${{ item.name", (), 2),
        ("a ${{ '}} ", (), 6),
        ({"b": {"${{ x }}": 1}}, ("b",), 0),
    ],
)
def test_a_mistake_in_a_template_is_placed(template: Any, at: tuple[str | int, ...], offset: int) -> None:
    with pytest.raises(ExpressionInvalid) as caught:
        Template.parse(template)
    assert (caught.value.at, caught.value.offset) == (at, offset)


@pytest.mark.parametrize("order", ["", "import cel; "])
def test_evaluating_loads_the_extension_module_and_not_its_command_line(order: str) -> None:
    code = (
        "import sys, agentical.conditions as c; before = set(sys.modules)\n"
        "assert c.Expression.parse('1 + 1')({}) == 2\n"
        "print(*({'cel', 'cel.cli', 'typer', 'rich', 'pydantic', 'networkx'} & set(sys.modules)))\n"
        "import cel; assert cel.evaluate('2 + 2') == 4\n"
    )
    done = subprocess.run([sys.executable, "-c", order + code], capture_output=True, text=True, check=True)
    assert order or done.stdout.strip() == ""


def test_a_path_needs_no_cel_at_all() -> None:
    code = "import sys; from agentical.conditions import *; Expression.parse('a.b')({'a': {'b': 1}}); Expression.parse('always()')"
    done = subprocess.run(
        [sys.executable, "-c", f"{code}; print('cel.cel' in sys.modules)"], capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "False"


def test_what_cel_logs_of_values_is_kept_quiet() -> None:
    code = (
        "import logging; from agentical.conditions import *; logging.basicConfig(level=1)\n"
        "try: Expression.parse('bool(\"a secret\")')({})\nexcept ExpressionFailed: print('failed')"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert (done.stdout.strip(), done.stderr) == ("failed", "")
