"""Who waits for whom, and which edges lead where."""

from __future__ import annotations

import json
from typing import Any

import pytest

from agentical.compile import compile_playbook
from agentical.errors import PlaybookInvalid
from agentical.graph import Graph, Route, Step
from agentical.parser import parse

AGENT = {"uses": "command", "argv": ["cat"]}


def graph(steps: Any) -> Graph:
    for step in steps.values() if isinstance(steps, dict) else steps:
        if not {"agent", "team", "set", "end"} & step.keys():
            step["agent"] = "a"
    return compile_playbook(parse(json.dumps({"name": "p", "agents": {"a": AGENT, "b": AGENT}, "steps": steps})))


def steps(written: Any) -> dict[str, Step]:
    return {step.id: step for step in graph(written).steps}


def waits(written: Any) -> dict[str, list[str]]:
    made = graph(written)
    return {step.id: [made.steps[index].id for index in step.waits] for step in made.steps}


def order(written: Any) -> list[str]:
    return [step.id for step in sorted(graph(written).steps, key=lambda step: step.rank)]


def wrong(written: Any) -> list[str]:
    with pytest.raises(PlaybookInvalid) as caught:
        graph(written)
    return [f"{mistake.path}: {mistake.message}" for mistake in caught.value.mistakes]


def reads(*ids: str) -> dict[str, str]:
    return {"with": " ".join(f"${{{{ steps.{id}.output }}}}" for id in ids)}


def test_a_reference_is_a_need() -> None:
    assert waits({"a": {}, "b": {"needs": ["a"]}, "c": {**reads("b"), "if": "steps.a.output == 1"}}) == {
        "a": [], "b": ["a"], "c": ["b", "a"],
    }  # fmt: skip


def test_a_need_and_a_reference_to_the_same_step_are_one() -> None:
    assert waits({"a": {}, "b": {"needs": ["a", "a"], **reads("a")}})["b"] == ["a"]


def test_a_reference_to_itself_is_no_need() -> None:
    assert waits({"a": reads("a")}) == {"a": []}


def test_the_target_of_an_edge_starts_by_the_edge() -> None:
    made = steps({"a": {"next": "b"}, "b": {}, "c": {"needs": ["a"]}})
    assert (made["b"].starts, made["b"].waits) == ("edge", ())
    assert (made["c"].starts, made["c"].waits) == ("needs", (0,))


def test_the_target_of_an_edge_with_needs_starts_by_its_needs() -> None:
    assert steps({"a": {"next": "b"}, "z": {}, "b": {"needs": ["z"]}})["b"].starts == "needs"
    assert steps({"a": {"next": {"again": "a"}, "needs": []}})["a"].starts == "needs"


def test_a_step_that_an_edge_starts_waits_for_nothing_that_leads_to_it() -> None:
    assert waits({"a": {}, "b": {"needs": ["a"], "next": "c"}, "other": {}, "c": reads("a", "b", "other")})["c"] == [
        "other"
    ]


def test_a_step_waits_for_nothing_of_its_own_loop_or_after_it() -> None:
    written = {
        "plan": {"next": "draft"},
        "draft": reads("plan", "review", "late"),
        "review": {**reads("draft"), "next": {"again": "draft", "else": "end"}},
        "late": {"needs": ["review"]},
    }
    assert waits(written)["draft"] == []
    assert order(written) == ["plan", "draft", "review", "late"]


def test_a_loop_that_begins_by_needs_does_not_wait_for_itself() -> None:
    written = {
        "plan": {},
        "draft": {"needs": ["plan"], **reads("review")},
        "review": {"needs": ["draft"], "next": {"again": "draft", "else": "end"}},
    }
    assert waits(written) == {"plan": [], "draft": ["plan"], "review": ["draft"]}


def test_rank_follows_the_needs_and_then_declared_order() -> None:
    assert order({"d": {"needs": ["b"]}, "c": {}, "b": {"needs": ["a"]}, "a": {}}) == ["c", "a", "b", "d"]


def test_a_list_runs_in_order() -> None:
    made = steps(
        [{"id": "a"}, {"id": "b"}, {"id": "c", "needs": ["a"]}, {"id": "d", "needs": []}, {"id": "e", "needs": ["d"]}]
    )
    assert [step.waits for step in made.values()] == [(), (0,), (0,), (), (3,)]
    assert [step.previous for step in made.values()] == [None, 0, None, None, 3]


def test_a_map_has_no_step_before() -> None:
    assert steps({"a": {}, "b": {"needs": ["a"]}})["b"].previous is None


def test_a_list_begins_with_its_first_step_even_where_an_edge_leads_back_to_it() -> None:
    made = steps([{"id": "a"}, {"id": "b", "next": {"again": "a", "else": "c"}}, {"id": "c"}])
    assert [step.starts for step in made.values()] == ["needs", "needs", "needs"]


@pytest.mark.parametrize(("join", "count"), [("all", None), ("any", 1), ("first(2)", 2)])
def test_join_says_how_many_needs_are_enough(join: str, count: int | None) -> None:
    assert steps({"a": {}, "b": {}, "c": {"needs": ["a", "b"], "join": join}})["c"].join == count


def test_a_join_that_cannot_be_is_refused() -> None:
    assert wrong({"a": {}, "b": {"needs": ["a"], "join": "first(2)"}, "c": {"join": "any"}}) == [
        "steps.b.join: `first(2)` of 1 needs can never be.",
        "steps.c.join: `join` has no `needs` to join.",
    ]


def test_the_three_forms_of_next_are_routes() -> None:
    made = steps(
        {
            "a": {"next": "b"},
            "b": {"next": {"else": "fail", "good": "c", "error": "end"}},
            "c": {"next": [{"if": "output == 1", "to": "d"}, {"to": "end"}]},
            "d": {},
        }
    )
    assert made["a"].routes == (Route("b"),)
    assert made["b"].routes == (Route("c", on="good"), Route("end", on="error"), Route("fail"))
    assert made["c"].routes == (Route("d", condition="output == 1"), Route("end"))


def test_an_edge_to_nowhere_is_refused() -> None:
    assert wrong({"a": {"next": "bb"}, "b": {"next": {"x": "ed"}}, "c": {"next": [{"to": "q"}]}}) == [
        "steps.a.next: there is no step `bb`.",
        "steps.b.next.x: there is no step `ed`.",
        "steps.c.next.0.to: there is no step `q`.",
    ]


def test_an_edge_that_is_never_followed_is_refused() -> None:
    assert wrong({"a": {"next": [{"to": "end"}, {"if": "true", "to": "fail"}]}}) == [
        "steps.a.next.1: is never followed: the one before has no `if`."
    ]


def test_nothing_comes_after_the_end() -> None:
    assert wrong({"a": {"end": "failed", "next": "b"}, "b": {}}) == [
        "steps.a.next: nothing comes next: this step ends the execution."
    ]


def test_a_cycle_of_needs_is_named_step_by_step() -> None:
    assert wrong({"a": {"needs": ["c"]}, "b": reads("a"), "c": {"needs": ["b"]}, "x": {"needs": ["x"]}}) == [
        "steps.a.needs: cycle: a → b → c → a.",
        "steps.x.needs: cycle: x → x.",
    ]


def test_a_need_of_a_later_step_in_a_list_is_a_cycle() -> None:
    assert wrong([{"id": "a", **reads("b")}, {"id": "b"}]) == ["steps.0: cycle: a → b → a."]


def test_a_loop_that_nothing_leads_into_is_unreachable_and_so_is_what_needs_it() -> None:
    assert wrong(
        {"go": {}, "a": {"next": "b"}, "b": {"next": "a"}, "c": {"needs": ["b"]}, "d": {"needs": ["b", "go"]}}
    ) == [
        "steps.a: unreachable: only steps that come after it lead to it.",
        "steps.b: unreachable: only steps that come after it lead to it.",
        "steps.c: unreachable: what it needs can never start.",
    ]


def test_a_step_whose_condition_alone_decides_is_reachable_whatever_it_needs() -> None:
    found = wrong({"a": {"next": "b"}, "b": {"next": "a"}, "c": {"needs": ["b"], "if": "always()"}})
    assert not any(line.startswith("steps.c") for line in found)


def test_steps_that_wait_for_each_other_across_edges_are_found() -> None:
    written = {
        "go": {"next": {"one": "x", "two": "y"}},
        "x": {**reads("late_y"), "next": {"on": "late_x"}},
        "y": {**reads("late_x"), "next": {"on": "late_y"}},
        "late_x": {},
        "late_y": {},
    }
    assert "which cannot end before it starts" in wrong(written)[0]


def test_outcomes_are_those_of_the_strategy() -> None:
    team = {"team": ["a", "b"], "strategy": {"type": "consensus"}}
    assert wrong({"a": {**team, "next": {"agred": "end", "tie": "end", "timeout": "fail"}}}) == [
        "steps.a.next.agred: there is no outcome `agred`."
    ]


def test_where_outcomes_are_declared_as_texts_a_misspelt_one_is_found() -> None:
    declared = {"output": {"enum": ["bug", "question"]}}
    assert wrong({"a": {**declared, "next": {"questoin": "end", "bug": "fail", "other": "end"}}}) == [
        "steps.a.next.questoin: there is no outcome `questoin`."
    ]


def test_a_step_that_asks_nobody_has_no_outcome_of_its_own() -> None:
    assert wrong({"a": {"end": "completed", "needs": []}, "b": {"set": {"k": 1}, "next": {"done": "end"}}})[:1] == [
        "steps.b.set.k: there is no state key `k`."
    ]
    assert "no outcome `done`" in wrong({"b": {"set": {"k": 1}, "next": {"done": "end"}}})[1]
