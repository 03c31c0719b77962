"""Graphs as pictures."""

from __future__ import annotations

import re

from hypothesis import given
from hypothesis import strategies as st

from agentical.cli.drawings import mermaid, text
from agentical.graph import Graph, Route, Step

NASTY = '"]; click x "javascript:1" --> <b>`|{#;&'


def chain(**of_second: object) -> Graph:
    first = Step("end", 0, 0, "set", writes={"a": 1})
    return Graph("x", (first, Step("b", 1, 1, "set", waits=(0,), writes={"c": 1}, **of_second)))  # type: ignore[arg-type]


@given(st.text())
def test_no_condition_or_outcome_breaks_out_of_its_label(nasty: str) -> None:
    graph = chain(condition=f"{nasty} ", routes=(Route("end", on=nasty or "x"),))
    for label in re.findall(r'"([^"]*)"', mermaid(graph)):
        assert re.fullmatch(r"[\w .,:!?()+\-=/'×#;<>]*", label)
        assert set(re.findall(r"<[^>]*>?", label)) <= {"<br/>"}
    assert all(line.count('"') in (0, 2) for line in mermaid(graph).split("\n"))


def test_ids_that_mermaid_knows_as_words_are_no_words_there() -> None:
    drawn = mermaid(chain())
    assert '  step_end("end<br/>set a")' in drawn
    assert "  step_end --> step_b" in drawn


def test_targets_that_are_no_steps_are_drawn_as_ends() -> None:
    drawn = mermaid(chain(routes=(Route("fail", on="bad"), Route("b"))))
    assert '  to_fail(["failed"])' in drawn
    assert '  step_b ==>|"bad"| to_fail' in drawn
    assert '  step_b ==>|"else"| step_b' in drawn


def test_steps_of_one_depth_stand_side_by_side_as_far_as_there_is_room() -> None:
    steps = tuple(Step(f"s{n}", n, 0, "set", writes={"a": 1}) for n in range(3))
    assert text(Graph("x", steps), width=100).split("\n")[1] == "│ s0    │  │ s1    │  │ s2    │"
    assert text(Graph("x", steps), width=20).count("┌") == 3
    assert max(map(len, text(Graph("x", steps), width=22).split("\n"))) <= 22


def test_a_step_stands_below_all_it_needs() -> None:
    steps = (
        Step("late", 0, 2, "set", waits=(1, 2), writes={"a": 1}),
        Step("mid", 1, 1, "set", waits=(2,), writes={"a": 1}),
        Step("early", 2, 0, "set", writes={"a": 1}),
    )
    drawn = text(Graph("x", steps))
    assert drawn.index("│ early") < drawn.index("│ mid") < drawn.index("│ late")
    assert "  early ──▶ mid, late" in drawn


def test_a_condition_with_control_characters_cannot_steer_the_terminal() -> None:
    assert "\x1b" not in text(chain(condition="a\x1b[31m", routes=(Route("b", on="\x1b[2J"),)))
