"""The JSON Schema is valid and accepts exactly what the parser accepts."""

import copy
import json
import warnings

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from agentical.reading.shape import read_shape
from agentical.reading.words import LATER
from agentical.schema import schema

FULL = {
    "schema": "agentical/v1",
    "name": "full-tour",
    "version": "1.0.0",
    "description": "every word that runs",
    "labels": {"team": "a"},
    "inputs": {
        "path": {"type": "string", "default": ".", "minLength": 1, "pattern": "^a"},
        "deep": {"type": "object", "required": ["x"], "properties": {"x": {"type": "integer"}}, "additionalProperties": False},
        "list": {"type": "array", "items": {"type": "number"}, "required": False, "enum": [[1], [2]]},
    },
    "secrets": {"key": "env:KEY", "file": {"file": "/run/key"}, "long": {"env": "OTHER_KEY"}},
    "agents": {
        "short": "python:mod.call",
        "long": {
            "uses": "command", "argv": ["ls"], "replicas": 2, "max-parallel": 1, "capabilities": ["a"], "weight": 0.5,
            "timeout": "1h30m", "retry": 3, "fallback": "short", "idempotent": True, "on-uncertain": "fail",
            "output": {"type": "array"}, "rate": "10/1m", "cost": 0.1,
        },
        "other": {"uses": "llm", "retry": {"limit": 2, "delay": "500ms", "rate-limited": {"limit": 9, "jitter": "none"}}},
    },
    "state": {"seen": {"type": "array", "merge": "extend", "default": []}},
    "steps": {
        "one": {"agent": "short", "with": None, "timeout": "PT1M", "next": {"a": "two", "else": "end"}, "max-visits": 3},
        "two": {"team": ["short", "long"], "strategy": "parallel", "needs": "one", "if": True, "join": "first(1)"},
        "three": {"team": ["short", "python:a.b"], "strategy": {"type": "consensus", "vote": "majority"}, "needs": ["one"]},
        "four": {"set": {"seen": "${{ steps.one.output }}"}, "next": [{"if": "a", "to": "five"}, {"to": "fail"}]},
        "five": {"agent": "long", "for-each": "${{ inputs.list }}", "complete": "quorum(90%)", "gather": "top(3)", "max-parallel": 2},
        "six": {"end": "failed", "output": {"type": "string"}, "retry": "mine"},
    },
    "outputs": {"x": "${{ steps.one.output }}"},
    "defaults": {"timeout": "2m", "model": "x"},
    "retries": {"mine": {"limit": 1, "backoff": "fixed", "max-delay": "0s"}},
    "budget": {"time": "10m", "tasks": 100},
    "tests": [
        {"name": "t", "inputs": {"path": "a"}, "expect": ["true"], "status": "failed",
         "agents": {"short": {"answers": [1]}, "long": {"answer": None}, "other": {"error": {"class": "bug", "message": "m"}}}},
    ],
}  # fmt: skip
LISTED = {"name": "l", "steps": [{"id": "a", "agent": "playbook:./x.yaml"}, {"id": "b", "team": ["a"]}]}

WORDS = sorted(
    {*FULL["steps"]["five"], *FULL, *FULL["agents"]["long"], *LATER["step"], *LATER["playbook"], *LATER["budget"]}
    | {"agent", "team", "set", "end", "id", "limit", "type", "env", "file", "answer", "error", "$ref", "x", "end\n"}
)
VALUES = st.one_of(
    st.none(), st.booleans(), st.sampled_from([0, 1, -1, 2.0, 0.5, 1.5, 10**6]),
    st.sampled_from(
        ["", " ", "a", "end", "fail", "in", "A", "a\n", "1", "30s", "0s", "500ms", "1h30m", "30m1h", "PT1M", "P1DT2H", "PT", "P", "1.5s",
         "all", "any", "first(0)", "first(02)", "quorum(2/3)", "best(answer.x)", "best()", "top(1)", "agent:a", "agent:A", "10/1m", "0/1m",
         "1/0s", "env:A", "env:1", "file:", "http:x", "person", "person:x", "python:a", "python:", "completed", "ask-again", "object",
         "${{ a }}", "x ${{ a }}", "^[", "last", "none", "standard", "exponential", "agentical/v1"]
    ),
    st.sampled_from([[], {}, ["a"], ["a", "a"], {"a": "b"}, {"type": "string"}, {"type": "wrong"}, {"limit": 1}, {"env": "A", "file": "b"},
                     [{"to": "a"}], {"answer": 1, "answers": []}, [{"type": 3}], {"uses": "a2a"}, {"agent": "a"}, {"set": {"a": 1}}]),
)  # fmt: skip


def validator():
    found = schema()
    Draft202012Validator.check_schema(found)
    return Draft202012Validator(found, format_checker=Draft202012Validator.FORMAT_CHECKER)


def accepted_by_parser(tree):
    playbook, flaws = read_shape(tree)
    assert (playbook is None) == bool(flaws)
    return playbook is not None


def places(tree):
    """Every container of a tree with each of its keys."""
    todo, found = [tree], []
    while todo:
        node = todo.pop()
        keys = list(node) if isinstance(node, dict) else range(len(node))
        for key in keys:
            found.append((node, key))
            if isinstance(node[key], dict | list):
                todo.append(node[key])
    return found


@st.composite
def changed(draw):
    tree = copy.deepcopy(draw(st.sampled_from([FULL, FULL, LISTED])))
    for _ in range(draw(st.integers(1, 2))):
        found = places(tree)
        node, key = found[draw(st.integers(0, len(found) - 1))]
        match draw(st.sampled_from(["replace", "replace", "replace", "drop", "add", "rename"])):
            case "replace":
                node[key] = copy.deepcopy(draw(VALUES))
            case "drop":
                del node[key]
            case "add" if isinstance(node, dict):
                node[draw(st.sampled_from(WORDS))] = copy.deepcopy(draw(VALUES))
            case "rename" if isinstance(node, dict):
                node[draw(st.sampled_from(WORDS))] = node.pop(key)
            case _:
                node.insert(key, copy.deepcopy(draw(VALUES))) if isinstance(node, list) else None
    return tree


def test_the_schema_is_valid_json_and_valid_json_schema():
    assert json.loads(json.dumps(schema())) == schema()
    Draft202012Validator.check_schema(schema())


@pytest.mark.parametrize("tree", [FULL, LISTED])
def test_both_accept_a_playbook_with_every_word_that_runs(tree):
    assert list(validator().iter_errors(tree)) == []
    assert accepted_by_parser(tree)


CHECK = validator()


@settings(max_examples=1500, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(changed())
def test_what_one_accepts_the_other_accepts(tree):
    with warnings.catch_warnings(action="ignore"):  # of regular expressions that Python will read otherwise one day
        by_schema = CHECK.is_valid(tree)
    assert accepted_by_parser(tree) == by_schema, [e.message for e in CHECK.iter_errors(tree)] or read_shape(tree)[1]


@pytest.mark.parametrize("word", sorted(LATER["step"]))
def test_words_that_do_not_run_yet_are_accepted_by_neither(word):
    step = {"agent": "a", word: "finish"}
    tree = {"name": "x", "steps": {"a": step}}
    assert not CHECK.is_valid(tree)
    assert any("does not run in this version yet" in flaw.message for flaw in read_shape(tree)[1])
