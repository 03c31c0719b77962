"""Who a step asks, by which strategy, with which options."""

from __future__ import annotations

import json
from typing import Any

import pytest

from agentical.compile import compile_playbook
from agentical.errors import PlaybookInvalid
from agentical.graph import Step
from agentical.parser import parse

CAT = {"uses": "command", "argv": ["cat"]}
ITEMS = {"for-each": [1, 2]}


def compiled(step: dict[str, Any]) -> Step:
    agents = {"a": CAT, "b": CAT, "c": {**CAT, "replicas": 2}, "d": CAT}
    return compile_playbook(
        parse(json.dumps({"name": "p", "agents": agents, "state": {"k": {}}, "steps": {"s": step}}))
    ).steps[0]


def wrong(step: dict[str, Any]) -> list[str]:
    with pytest.raises(PlaybookInvalid) as caught:
        compiled(step)
    return [f"{mistake.path}: {mistake.message} {mistake.hint}".strip() for mistake in caught.value.mistakes]


@pytest.mark.parametrize(
    ("step", "strategy"),
    [
        ({"agent": "a"}, None),
        ({"agent": "a", **ITEMS}, "scatter-gather"),
        ({"agent": "a", "for-each": []}, "scatter-gather"),
        ({"team": ["a", "b"]}, "sequential"),
        ({"team": ["a", "b"], **ITEMS}, "scatter-gather"),
        ({"team": ["a", "b"], "strategy": "pipeline", **ITEMS}, "pipeline"),
        ({"team": ["a", "b"], "strategy": {"type": "parallel"}}, "parallel"),
        ({"set": {"k": 1}}, None),
        ({"end": "failed"}, None),
    ],
)
def test_the_strategy_follows_from_what_is_asked(step: dict[str, Any], strategy: str | None) -> None:
    assert compiled(step).strategy == strategy


def test_options_are_those_of_the_strategy_and_the_keys_of_the_step() -> None:
    step = compiled({"team": ["a", "b"], **ITEMS, "complete": "quorum(50%)", "max-parallel": 3, "gather": "top(1)"})
    assert step.options == {"complete": "quorum(50%)", "max_parallel": 3, "gather": "top(1)"}
    step = compiled({"team": ["a", "b"], "strategy": {"type": "sequential", "stop-when": "answer == 1"}})
    assert step.options == {"stop_when": "answer == 1"}


def test_keys_that_the_strategy_has_no_use_for_are_refused() -> None:
    assert wrong({"team": ["a"], "complete": "any", "gather": "list"}) == [
        "steps.s.complete: `complete` does not apply to sequential.",
        "steps.s.gather: `gather` does not apply to sequential.",
    ]
    assert wrong({"agent": "a", "max-parallel": 2}) == [
        "steps.s.max-parallel: `max-parallel` does not apply to an agent asked once. Write `for-each`, or `team: [a]`."
    ]


def test_a_strategy_belongs_to_a_team() -> None:
    assert "`strategy` belongs to a `team`" in wrong({"agent": "a", "strategy": "parallel"})[0]


def test_an_unknown_strategy_is_refused_with_the_nearest() -> None:
    assert wrong({"team": ["a"], "strategy": "paralel"}) == [
        "steps.s.strategy.type: no strategy is called 'paralel'. Did you mean `parallel`?"
    ]


def test_options_are_checked_all_at_once() -> None:
    strategy = {"type": "consensus", "vot": "majority", "rounds": "2", "quorum": "most"}
    assert [line.split(": ")[0] for line in wrong({"team": ["a"], "strategy": strategy})] == [
        "steps.s.strategy.vot", "steps.s.strategy.rounds", "steps.s.strategy.quorum",
    ]  # fmt: skip


def test_a_wrong_key_of_the_step_is_placed_at_the_step() -> None:
    found = wrong({"agent": "a", **ITEMS, "complete": "best(answer +)"})
    assert [line.split(": ")[0] for line in found] == ["steps.s.complete"]


def test_what_the_strategy_finds_wrong_with_the_team_is_said() -> None:
    found = wrong({"team": ["a", "b"], "strategy": {"type": "consensus", "max-faulty": 1}})
    assert found == ["steps.s.strategy: max-faulty: 1 faulty members need a team of 4, this one has 2."]
    assert compiled({"team": ["a", "b", "c"], "strategy": {"type": "consensus", "max-faulty": 1}}).members == (
        "a",
        "b",
        "c",
    )


def test_items_and_strategies_must_fit() -> None:
    assert wrong({"team": ["a"], "strategy": "pipeline"}) == [
        "steps.s.strategy.type: pipeline needs `for-each`: the items it works on."
    ]
    assert wrong({"team": ["a"], "strategy": "consensus", **ITEMS}) == [
        "steps.s.for-each: `for-each` does not apply to consensus. Use scatter-gather or pipeline."
    ]


def test_agents_that_a_strategy_asks_beside_its_team_are_helpers() -> None:
    assert compiled({"agent": "a", **ITEMS, "gather": "agent:b"}).helpers == ("b",)
    tie = {"type": "consensus", "tie": "agent:d"}
    assert compiled({"team": ["a", "b"], "strategy": tie}).helpers == ("d",)
    assert compiled({"team": ["a", "d"], "strategy": tie}).helpers == ()
    assert "there is no agent `zz`" in wrong({"team": ["a", "b"], "strategy": {**tie, "tie": "agent:zz"}})[0]


def test_an_agent_may_yield_the_items() -> None:
    step = compiled({"agent": "a", "for-each": "agent:b"})
    assert (step.source, step.for_each, step.strategy) == ("b", None, "scatter-gather")
    assert "there is no agent `bb`" in wrong({"agent": "a", "for-each": "agent:bb"})[0]


def test_an_unknown_member_is_named_and_the_team_not_judged_without_it() -> None:
    strategy = {"type": "consensus", "max-faulty": 1}
    assert wrong({"team": ["a", "b", "c", "q"], "strategy": strategy}) == [
        "steps.s.team.3: there is no agent `q`. There are: a, b, c, d."
    ]


def test_a_step_that_asks_nobody_takes_no_keys_of_asking() -> None:
    assert wrong({"set": {"k": 1}, "with": 1, "timeout": "1s"}) == [
        "steps.s.with: `with` needs an `agent` or a `team` to ask.",
        "steps.s.timeout: `timeout` needs an `agent` or a `team` to ask.",
    ]


def test_a_file_in_a_team_is_called_by_its_name() -> None:
    from agentical.checking.staffing import _name_in

    assert _name_in("playbook:./parts/review.yaml") == "review"
    assert _name_in("python:judges.strict_judge") == "strict_judge"
    assert _name_in("command:7") == "command"


def test_no_retries_is_something_else_than_nothing_said_of_retries() -> None:
    assert compiled({"agent": "a"}).retry is None
    assert compiled({"agent": "a", "retry": "none"}).retry == {}
    assert compiled({"team": ["a"], "retry": 2}).retry != {}
