"""What expressions name must be there, and be known in that place."""

from __future__ import annotations

import json
from typing import Any

import pytest

from agentical.compile import compile_playbook
from agentical.errors import PlaybookInvalid
from agentical.parser import parse

AGENT = {"uses": "command", "argv": ["cat"]}
THING = {
    "type": "object",
    "properties": {
        "name": {"type": "string"},
        "inner": {"type": "object", "properties": {"n": {}}, "additionalProperties": False},
        "open": {"type": "object", "properties": {"n": {}}, "additionalProperties": True},
        "any": {"anyOf": [{"type": "object", "properties": {"n": {}}}]},
        "free": {"type": "object"},
    },
}


def wrong(step: dict[str, Any], **more: Any) -> list[str]:
    """The mistakes of a playbook with this step after `one` (declared output) and `two`."""
    playbook = {
        "name": "p",
        "agents": {"a": {**AGENT, "output": THING}, "b": AGENT},
        "inputs": {"num": {"type": "number"}, "int": {"type": "integer"}, "path": {"type": "string"}, "thing": THING},
        "secrets": {"key": "env:KEY"},
        "state": {"sum": {"type": "number"}, "found": {"type": "array", "default": []}},
        "steps": {"one": {"agent": "a"}, "two": {"agent": "b"}, "last": step},
        **more,
    }
    try:
        compile_playbook(parse(json.dumps(playbook)))
    except PlaybookInvalid as invalid:
        return [f"{mistake.path}: {mistake.message} {mistake.hint}".strip() for mistake in invalid.mistakes]
    return []


def reads(expression: str) -> list[str]:
    return [
        line.removeprefix("steps.last.with: ") for line in wrong({"agent": "b", "with": f"${{{{ {expression} }}}}"})
    ]


@pytest.mark.parametrize(
    "expression",
    [
        "inputs.path", "inputs", "inputs.thing.name", "inputs.thing.any.whatever", "inputs.thing.free.whatever",
        "inputs.thing.open.whatever", "inputs.thing.inner.n.deep", "steps.one.output.name", "steps.two.output.whatever",
        "steps.one.status", "steps.one.outcome == 'x'", "steps.one.error.message", "steps.one.record.votes", "state.found",
        "state", "execution.id", "has(steps.one.output.nope)", "state.found.map(item, item.x)", "has(inputs.thing.nope.x)",
    ],
)  # fmt: skip
def test_what_is_there_may_be_named(expression: str) -> None:
    assert reads(expression) == []


@pytest.mark.parametrize(
    ("expression", "message"),
    [
        ("inputs.pth", "there is no input `pth`. Did you mean `path`?"),
        ("inputs.path.size", "`inputs.path` is declared as string, it has no field `size`."),
        ("inputs.thing.nam", "there is no field of `inputs.thing` called `nam`. Did you mean `name`?"),
        ("inputs.thing.inner.m", "there is no field of `inputs.thing.inner` called `m`. There are: n."),
        ("steps.on.output", "there is no step `on`. Did you mean `one`?"),
        ("steps.one.output.nme", "there is no field of `steps.one.output` called `nme`. Did you mean `name`?"),
        ("steps.one.ouput", "there is no field of a step `ouput`. Did you mean `output`?"),
        ("steps.one.error.klass", "there is no field of an error `klass`. Did you mean `class`?"),
        ("steps.one", "`steps.one` alone is no value. Write steps.one.output."),
        ("steps[inputs.path].output", "`steps` needs the name of a step. Write steps.ID.output."),
        ("state.fond", "there is no state key `fond`. Did you mean `found`?"),
        ("execution.name", "of `execution` there is `execution.id`."),
        ("input.path", "there is no name `input`. Did you mean `inputs`?"),
        ("has(inputs.nope)", "there is no input `nope`. There are: int, num, path, thing."),
        ("siz(state.found)", "there is no function `siz`. Did you mean `size`?"),
        ("now()", "there is no function `now`."),
        ("success()", "success() is known in a step's `if` only."),
        ("item", "`item` is known in a step with `for-each` only."),
        ("index", "`index` is known in a step with `for-each` only."),
        ("output", "`output` is known in `set`, and in the conditions of `next`, only."),
        ("answer", "`answer` is known in `complete: best(…)` and in a strategy's conditions only."),
        ("secrets.key", "`secrets` are known in the settings of agents only."),
        ("round", "`round` is known in loops only."),
        ("1 +", "mismatched input 'the end' (character 9 of `${{ 1 + }}`)."),
    ],
)
def test_what_is_not_there_is_named_with_a_hint(expression: str, message: str) -> None:
    assert [found.partition(" There are: abs")[0] for found in reads(expression)] == [message]


def test_item_and_index_are_known_in_with_where_there_is_a_for_each() -> None:
    assert wrong({"agent": "b", "for-each": "${{ state.found }}", "with": "${{ item.x }} ${{ index }}"}) == []
    assert "`item` is known" in wrong({"agent": "b", "for-each": "${{ item }}"})[0]


def test_output_is_known_in_set_and_in_the_conditions_of_next() -> None:
    step = {"agent": "b", "set": {"found": "${{ output.x }}"}, "next": [{"if": "output.y == 1", "to": "end"}]}
    assert wrong(step) == []


def test_status_functions_are_known_in_if_only() -> None:
    assert wrong({"agent": "b", "if": "failed() || steps.one.status == 'skipped'"}) == []
    assert wrong({"agent": "b", "next": [{"if": "always()", "to": "end"}]}) == [
        "steps.last.next.0.if: always() is known in a step's `if` only."
    ]


def test_a_condition_stands_without_brackets() -> None:
    assert wrong({"agent": "b", "if": "${{ true }}"}) == [
        "steps.last.if: a condition stands without `${{ }}`. Write the expression alone."
    ]


def test_a_mistake_deep_in_a_value_is_placed_there() -> None:
    assert wrong({"agent": "b", "with": {"x": ["ok", {"y": "${{ inputs.q }}"}]}})[0].startswith(
        "steps.last.with.x.1.y: "
    )
    assert wrong({"agent": "b", "with": {"${{ x }}": 1}}) == [
        "steps.last.with: a key cannot hold an expression (character 1 of `${{ x }}`)."
    ]


def test_the_outputs_and_expectations_of_a_playbook_are_checked() -> None:
    tests = [
        {
            "name": "t",
            "inputs": {"path": "x", "thing": {}, "num": 1, "int": 1},
            "expect": ["outputs.x == inputs.path", "item"],
        }
    ]
    assert wrong({"agent": "b"}, outputs={"x": ["${{ steps.nope.output }}"]}, tests=tests) == [
        "outputs.x.0: there is no step `nope`. There are: last, one, two.",
        "tests.0.expect.1: `item` is known in a step with `for-each` only.",
    ]


def test_an_expression_of_a_strategy_sees_the_answer_only() -> None:
    team = {"team": ["a", "b"]}
    assert wrong({**team, "strategy": {"type": "sequential", "stop-when": "answer.done"}}) == []
    found = wrong({**team, "strategy": {"type": "sequential", "stop-when": "inputs.path == siz(answer)"}})
    assert [line.partition(" Did")[0].partition(" There")[0] for line in found] == [
        "steps.last.strategy.stop-when: there is no function `siz`.",
        "steps.last.strategy.stop-when: there is no name `inputs`.",
    ]
    assert "no name `state`" in wrong({**team, "strategy": "parallel", "complete": "best(state.found.size())"})[0]


@pytest.mark.parametrize(
    ("expression", "message"),
    [
        ("inputs.num * 2", "inputs.num is a double and 2 a whole number. Write 2.0."),
        ("1 - state.sum > 0.0", "state.sum is a double and 1 a whole number. Write 1.0."),
        ("(inputs.int + 0.5)", "inputs.int is a whole number and 0.5 a double. Write double(inputs.int)."),
    ],
)
def test_whole_numbers_and_doubles_are_not_mixed(expression: str, message: str) -> None:
    assert reads(expression) == [message]


@pytest.mark.parametrize(
    "expression",
    [
        "inputs.num * 2.0",
        "inputs.int * 2",
        "inputs.num > 2",
        "2 + inputs.path.size()",
        "inputs.thing.name + 1",
        "'inputs.num * 2'",
    ],
)
def test_numbers_of_one_kind_may_be_reckoned_with(expression: str) -> None:
    assert reads(expression) == []
