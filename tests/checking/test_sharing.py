"""Steps share state soundly, or the playbook is refused."""

from __future__ import annotations

import json
from typing import Any

import pytest

from agentical.compile import compile_playbook
from agentical.errors import PlaybookInvalid
from agentical.graph import StateKey
from agentical.parser import parse

AGENT = {"uses": "command", "argv": ["cat"]}
READ = {"with": "${{ state.k }}"}
WRITE = {"set": {"k": "${{ output }}"}}


def wrong(steps: Any, state: Any = None) -> list[str]:
    for step in steps.values():
        step.setdefault("agent", "a")
    playbook = {"name": "p", "agents": {"a": AGENT}, "state": {"k": {}} if state is None else state, "steps": steps}
    try:
        compile_playbook(parse(json.dumps(playbook)))
    except PlaybookInvalid as invalid:
        return [f"{mistake.path}: {mistake.message} {mistake.hint}".strip() for mistake in invalid.mistakes]
    return []


def test_a_key_is_read_after_one_of_its_writers() -> None:
    assert wrong({"w": {**WRITE}, "r": {**READ, "needs": ["w"]}}) == []
    assert wrong({"w": {**WRITE}, "m": {"needs": ["w"]}, "r": {**READ, "needs": ["m"]}}) == []


@pytest.mark.parametrize(
    "read",
    [READ, {"if": "state.k == 1"}, {"for-each": "${{ state.k }}"}, {"next": [{"if": "state.k == 1", "to": "end"}]}],
)
def test_a_key_read_beside_or_before_its_writers_is_refused(read: dict[str, Any]) -> None:
    assert (
        "reads state.k, but comes after none of the steps that write it: w. Add `needs`."
        in wrong({"w": {**WRITE}, "r": read})[0]
    )
    assert wrong({"r": dict(read), "w": {**WRITE, "needs": ["r"]}})


def test_a_key_that_nobody_writes_is_a_constant() -> None:
    assert wrong({"r": {**READ}}) == []


def test_a_step_may_read_what_it_and_its_own_loop_write() -> None:
    assert wrong({"w": {"set": {"k": "${{ state.k }}"}}}) == []
    assert wrong({"w": {**READ, "needs": [], "next": {"x": "v"}}, "v": {**WRITE, "next": {"y": "w"}}}) == []


def test_two_steps_that_may_write_at_once_need_a_merge_rule() -> None:
    assert wrong({"v": {**WRITE}, "w": {**WRITE}}) == [
        "steps.w.set.k: steps v and w may write state.k at the same time. "
        "Give state.k a merge rule, such as `merge: last` (in declared order), or one of them `needs`."
    ]
    assert wrong({"v": {**WRITE}, "w": {**WRITE}}, {"k": {"merge": "last"}}) == []


def test_steps_that_write_one_after_the_other_need_no_merge_rule() -> None:
    assert wrong({"x": {**WRITE, "needs": ["w"]}, "v": {**WRITE}, "w": {**WRITE, "needs": ["v"]}}) == []
    assert wrong({"v": {**WRITE, "needs": [], "next": {"x": "w"}}, "w": {**WRITE, "next": {"y": "v"}}}) == []


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ({"type": "string"}, "x"), ({"type": "integer"}, 1), ({"type": "integer"}, 1.0), ({"type": "number"}, 1), ({"type": "boolean"}, True),
        ({"type": "array"}, []), ({"type": "object"}, {}), ({"type": "string"}, None), ({"type": "array", "merge": "append"}, 1),
        ({"type": "array", "merge": "extend"}, [1]), ({"type": "number", "merge": "add"}, 1), ({}, 1),
        ({"type": "integer"}, "${{ output }}"), ({"type": "integer"}, ["${{ output }}"]), ({"type": "integer"}, {"a": "${{ output }}"}),
    ],
)  # fmt: skip
def test_what_fits_may_be_written(key: dict[str, Any], value: Any) -> None:
    assert wrong({"w": {"set": {"k": value}}}, {"k": key}) == []


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ({"type": "string"}, 1), ({"type": "integer"}, 1.5), ({"type": "integer"}, True), ({"type": "number"}, "1"), ({"type": "boolean"}, 1),
        ({"type": "array"}, {}), ({"type": "object"}, []), ({"merge": "extend"}, 1), ({"merge": "update"}, []), ({"merge": "add"}, True),
    ],
)  # fmt: skip
def test_a_literal_of_another_type_is_refused(key: dict[str, Any], value: Any) -> None:
    found = wrong({"w": {"set": {"k": value}}}, {"k": key})
    assert len(found) == 1
    assert found[0].startswith("steps.w.set.k: ")


def test_a_default_of_another_type_is_refused() -> None:
    assert wrong({"w": {}}, {"k": {"type": "array", "default": {}}}) == ["state.k.default: the default is no array."]


def test_a_key_that_is_not_declared_cannot_be_written() -> None:
    assert wrong({"w": {"set": {"kk": 1}}}) == ["steps.w.set.kk: there is no state key `kk`. Did you mean `k`?"]


def test_many_writers_are_named_in_part() -> None:
    steps: dict[str, Any] = {f"w{n}": {**WRITE} for n in range(8)}
    found = wrong({**steps, "r": {**READ}}, {"k": {"merge": "append"}})
    assert found == [
        "steps.r.with: reads state.k, but comes after none of the steps that write it: w0, w1, w2, w3, w4 and 3 more. Add `needs`."
    ]


def test_state_keys_are_as_declared() -> None:
    playbook = {
        "name": "p",
        "agents": {"a": AGENT},
        "state": {"k": {"type": "array", "merge": "extend", "default": [1]}},
        "steps": {"s": {"agent": "a"}},
    }
    assert compile_playbook(parse(json.dumps(playbook))).state == {"k": StateKey("array", "extend", [1])}


def test_the_default_of_a_number_is_a_double() -> None:
    playbook = {
        "name": "p",
        "agents": {"a": AGENT},
        "state": {"k": {"type": "number", "default": 1}},
        "steps": {"s": {"agent": "a"}},
    }
    assert isinstance(compile_playbook(parse(json.dumps(playbook))).state["k"].default, float)
