"""What a step reads is gathered from all its expressions."""

from __future__ import annotations

import json
from typing import Any

import pytest

from agentical.checking.mistakes import Known, Mistakes
from agentical.checking.readings import Reading, read_step
from agentical.graph import StateKey
from agentical.parser import parse
from agentical.playbook import placed


def reading(step: dict[str, Any]) -> Reading:
    parsed = parse(json.dumps({"name": "p", "steps": {"x": {"end": "completed"}, "s": {"agent": "a", **step}}}))
    known = Known(Mistakes(parsed), {"x": 0, "s": 1}, {}, {"k": StateKey(), "l": StateKey()}, ())
    found = read_step(known, list(placed(parsed.playbook.steps))[1])
    assert known.mistakes.found == []
    return found


@pytest.mark.parametrize(
    ("step", "place"),
    [
        ({"with": {"y": "${{ steps.x.output + state.k }}"}}, "with"),
        ({"for-each": "${{ steps.x.output + state.k }}"}, "for-each"),
        ({"set": {"l": "${{ steps.x.output + state.k }}"}}, "set"),
        ({"if": "steps.x.output == state.k"}, "if"),
        ({"next": [{"if": "steps.x.output == state.k", "to": "end"}]}, "next"),
    ],
)
def test_steps_and_state_are_read_wherever_an_expression_stands(step: dict[str, Any], place: str) -> None:
    found = reading(step)
    assert (set(found.steps), set(found.state)) == ({"x"}, {"k"})
    assert found.state["k"][:3] == ("steps", "s", place)


@pytest.mark.parametrize(
    ("condition", "alone"),
    [
        ("always()", True),
        ("state.k == 1 || failed()", True),
        ("steps.x.status == 'skipped'", True),
        ("steps.x.output == 'status'", False),
    ],
)
def test_a_condition_that_looks_at_how_steps_ended_decides_alone(condition: str, alone: bool) -> None:
    assert reading({"if": condition}).alone is alone
