"""The agents of a playbook: kinds, own keys, defaults, retries, fallbacks, short forms."""

from __future__ import annotations

import json
from typing import Any

from agentical.compile import compile_playbook
from agentical.errors import PlaybookInvalid
from agentical.graph import AgentSpec, Graph, Retry
from agentical.parser import parse
from agentical.retry import RETRIED, STANDARD

CAT = {"uses": "command", "argv": ["cat"]}


def graph(agents: Any, steps: Any = None, **more: Any) -> Graph:
    return compile_playbook(
        parse(json.dumps({"name": "p", "agents": agents, "steps": steps or {"s": {"agent": "a"}}, **more}))
    )


def agent(**words: Any) -> AgentSpec:
    return graph({"a": {**CAT, **words}}).agents["a"]


def wrong(agents: Any, steps: Any = None, **more: Any) -> list[str]:
    try:
        graph(agents, steps, **more)
    except PlaybookInvalid as invalid:
        return [f"{mistake.path}: {mistake.message} {mistake.hint}".strip() for mistake in invalid.mistakes]
    return []


def test_an_agent_has_all_that_was_written() -> None:
    spec = agent(
        replicas=3, capabilities=["x"], weight=2, timeout="30s", idempotent=True, rate="10/1m", cost=0.5, output={"type": "string"},
        **{"max-parallel": 2, "on-uncertain": "fail"},
    )  # fmt: skip
    assert spec == AgentSpec(
        "a", "command", "", {"argv": ["cat"]}, replicas=3, capabilities=("x",), weight=2.0, timeout=30.0, idempotent=True,
        rate=(10, 60.0), cost=0.5, output={"type": "string"}, max_parallel=2, on_uncertain="fail",
    )  # fmt: skip


def test_the_kind_and_the_target_stand_in_uses() -> None:
    spec = graph({"a": "python:json.dumps"}).agents["a"]
    assert (spec.kind, spec.target, spec.options) == ("python", "json.dumps", {})


def test_an_unknown_kind_is_refused_with_the_nearest() -> None:
    assert wrong({"a": "comand:x"}) == ["agents.a.uses: no agent is called 'comand'. Did you mean `command`?"]
    assert wrong({"a": {"uses": "comand:x"}})[0].startswith("agents.a.uses: ")


def test_the_own_keys_of_a_kind_are_checked() -> None:
    assert wrong({"a": {**CAT, "argvv": [], "cwd": 5}}) == [
        "agents.a.argvv: there is no option `argvv`. Did you mean `argv`?",
        "agents.a.cwd: Expected `str`, got `int`.",
    ]


def test_what_an_agent_itself_finds_wrong_is_said() -> None:
    assert wrong({"a": "python:no_such_module_here.f"})[0].startswith(
        "agents.a: there is no module no_such_module_here"
    )


def test_defaults_hold_where_an_agent_says_nothing_else() -> None:
    defaults = {"timeout": "5s", "retry": 1, "cwd": "/tmp"}
    made = graph(
        {"a": CAT, "b": {**CAT, "timeout": "1s", "cwd": "/"}, "c": "python:json.dumps"}, defaults=defaults
    ).agents
    assert (made["a"].timeout, made["a"].options) == (5.0, {"cwd": "/tmp", "argv": ["cat"]})
    assert (made["b"].timeout, made["b"].options["cwd"]) == (1.0, "/")
    assert (made["c"].timeout, made["c"].options) == (5.0, {})
    assert set(made["a"].retry) == set(RETRIED)


def test_a_default_that_no_agent_takes_is_refused() -> None:
    assert wrong({"a": CAT}, defaults={"cwdd": "/"}) == ["defaults.cwdd: no agent here has a key `cwdd`."]


def test_nothing_is_retried_unless_the_playbook_says_so() -> None:
    assert agent().retry == {}
    assert agent(retry="none").retry == {}


def test_retries_are_a_number_a_name_or_rules() -> None:
    assert agent(retry=2).retry["transient"] == Retry(limit=2)
    assert agent(retry="standard").retry == STANDARD
    rules = {"limit": 2, "delay": "500ms", "backoff": "fixed", "max-delay": "5s", "bug": {"limit": 1}}
    assert agent(retry=rules).retry["bug"] == Retry(1, 0.5, "fixed", "full", 5.0)
    assert agent(retry=rules).retry["transient"] == Retry(2, 0.5, "fixed", "full", 5.0)


def test_retry_policies_have_names() -> None:
    made = graph({"a": {**CAT, "retry": "patient"}}, retries={"patient": {"transient": {"limit": 9}}}).agents["a"]
    assert made.retry == {"transient": Retry(9)}


def test_an_unknown_retry_policy_is_refused() -> None:
    assert wrong({"a": {**CAT, "retry": "standrd"}}) == [
        "agents.a.retry: there is no retry policy `standrd`. Did you mean `standard`?"
    ]


def test_rules_that_never_say_how_often_are_refused() -> None:
    assert wrong({"a": {**CAT, "retry": {"delay": "1s"}}}) == [
        "agents.a.retry: says how to retry, but not how often. Give it a `limit`."
    ]


def test_a_fallback_is_another_agent_and_leads_to_an_end() -> None:
    assert wrong({"a": {**CAT, "fallback": "b"}, "b": CAT}) == []
    assert wrong({"a": {**CAT, "fallback": "bb"}, "b": CAT}) == [
        "agents.a.fallback: there is no agent `bb`. Did you mean `b`?"
    ]
    assert wrong({"a": {**CAT, "fallback": "b"}, "b": {**CAT, "fallback": "a"}}) == [
        "agents.a.fallback: cycle: a → b → a. A fallback leads to another agent.",
        "agents.b.fallback: cycle: b → a → b. A fallback leads to another agent.",
    ]


def test_secrets_stand_alone_in_the_settings_of_an_agent() -> None:
    env = {"env": {"KEY": "${{ secrets.key }}", "URL": "https://${{ secrets.key }}@x"}}
    assert wrong({"a": {**CAT, **env}}, secrets={"key": "env:KEY"}) == []
    assert wrong({"a": {**CAT, "cwd": "${{ secrets.key }}"}}, secrets={"key": "env:KEY"}) == []
    assert wrong({"a": {**CAT, "env": {"K": "${{ secrets.kye }}"}}}, secrets={"key": "env:KEY"}) == [
        "agents.a.env.K: there is no secret `kye`. Did you mean `key`?"
    ]
    assert wrong({"a": {**CAT, "argv": ["cat", "${{ secrets.key + 'x' }}"]}}, secrets={"key": "env:KEY"}) == [
        "agents.a.argv: in an agent's settings stands ${{ secrets.NAME }} only, nothing computed."
    ]
    assert "there is no name `inputs`" in wrong({"a": {**CAT, "argv": ["cat", "${{ inputs.x }}"]}})[0]


def test_a_short_form_in_a_step_is_an_agent_of_its_own() -> None:
    steps = {
        "s": {"agent": "python:json.dumps"},
        "t": {"agent": "python:json.dumps"},
        "u": {"team": ["python:json.loads", "a"]},
    }
    made = graph({"a": CAT}, steps)
    assert [step.members for step in made.steps] == [("s",), ("s",), ("loads", "a")]
    assert made.agents["s"].target == "json.dumps"


def test_the_id_of_a_short_form_is_free() -> None:
    made = graph({"a": CAT, "s": CAT}, {"s": {"agent": "python:json.dumps"}})
    assert made.steps[0].members == ("s_2",)


def test_a_mistake_in_a_short_form_is_placed_at_the_step() -> None:
    assert wrong({"a": CAT}, {"s": {"agent": "python:nowhere_at_all.f"}})[0].startswith(
        "steps.s.agent: there is no module"
    )


def test_an_output_of_true_or_false_is_a_schema_too() -> None:
    assert agent(output=True).output == {}
    assert agent(output=False).output == {"not": {}}
