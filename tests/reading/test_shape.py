"""Flaws are told in plain words, with what to do."""

import pytest

from agentical.reading.shape import read_shape


def told(**keys):
    return {
        ".".join(map(str, flaw.path)): f"{flaw.message} {flaw.hint}".strip()
        for flaw in read_shape({"name": "x"} | keys)[1]
    }


def step(**keys):
    return told(steps={"a": {"agent": "b"} | keys})


def test_a_tree_that_is_no_mapping_is_told_what_a_playbook_is():
    assert read_shape([])[1][0].message == "a playbook is a mapping, not a list."


@pytest.mark.parametrize(
    ("found", "expected"),
    [
        (told(), {"": "`steps` is missing."}),
        (told(steps={}), {"steps": "is empty. Fill it, or leave the key out."}),
        (told(steps=3), {"steps": "must be a mapping of steps or a list of steps with ids, not `3`."}),
        (told(steps=[{"agent": "b"}]), {"steps.0": "`id` is missing."}),
        (told(steps={"a": []}), {"steps.a": "must be a mapping, not a list."}),
        (told(steps={"a": {}}), {"steps.a": "has no body. Give it one of agent, team, set or end."}),
        (step(team=["c"]), {"steps.a.team": "the step has `agent` and `team`. Keep one of them."}),
        (step(needz=[]), {"steps.a.needz": "unknown key. Did you mean `needs`?"}),
        (step(zzz=[]), {"steps.a.zzz": "unknown key."}),
        (step(retry={"limt": 1}), {"steps.a.retry.limt": "unknown key. Did you mean `limit`?"}),
        (step(retry={"transient": {"dealy": 1}}), {"steps.a.retry.transient.dealy": "unknown key. Did you mean `delay`?"}),
        (step(next=[{"too": "a"}]), {"steps.a.next.0": "`to` is missing.", "steps.a.next.0.too": "unknown key. Did you mean `to`?"}),
        (step(**{"max-visits": 0}), {"steps.a.max-visits": "must be a whole number of at least 1, not `0`."}),
        (step(retry=1.5), {"steps.a.retry": "must be a whole number of at least 0, not `1.5`."}),
        (step(retry=None), {"steps.a.retry": "must be a number of retries, the name of a policy, or a mapping, not nothing."}),
        (step(join="some"), {"steps.a.join": "`some` is not a join. Write all, any or first(2)."}),
        (step(**{"if": " "}), {"steps.a.if": "is empty."}),
        (step(output={"type": "strin"}), {"steps.a.output.type": "`strin` is not what JSON Schema takes here."}),
        (told(steps={"a": {"end": "complete"}}), {"steps.a.end": "`complete` is not one of completed, failed, cancelled. Did you mean `completed`?"}),
        (told(steps={"a": {"agent": "b"}}, agents={"c": {"uses": "llm", "idempotent": "yes"}}), {"agents.c.idempotent": "must be true or false, not `yes`."}),
        (told(steps={"a": {"agent": "b"}}, tests=[{"name": "n", "expect": "x"}]), {"tests.0.expect": "must be a list, not `x`."}),
        (told(steps={"a": {"agent": "b"}}, tests=[{"name": "n", "agents": {"b": {}}}]), {"tests.0.agents.b": "needs exactly one of answers, answer, error."}),
        (told(steps={"a": {"agent": "b"}}, secrets={"k": {"env": "A", "file": "b"}}), {"secrets.k": "needs exactly one of env, file."}),
        (told(steps={"a": {"agent": "b"}}, version=1.0), {"version": "must be text, not `1.0`. Put it in quotes."}),
    ],
)  # fmt: skip
def test_each_flaw_in_plain_words(found, expected):
    assert found == expected


@pytest.mark.parametrize("kind", ["person", "http:x", "mcp", "a2a:y"])
def test_kinds_of_agent_that_do_not_run_yet_are_named(kind):
    said = f"`{kind.partition(':')[0]}` is part of the language but does not run in this version yet."
    assert told(agents={"a": kind}, steps={"s": {"agent": "a"}}) == {"agents.a": said}
    assert told(agents={"a": {"uses": kind}}, steps={"s": {"agent": "a"}}) == {"agents.a.uses": said}


def test_an_agent_may_be_called_like_a_kind():
    assert read_shape({"name": "x", "agents": {"http": "llm"}, "steps": {"s": {"agent": "http"}}})[1] == []


def test_a_misspelt_body_is_told_once():
    assert told(steps={"a": {"agnet": "b"}}) == {"steps.a.agnet": "unknown key. Did you mean `agent`?"}


def test_keys_of_steps_within_steps_are_known_as_well():
    within = {"do": {"b": {"agent": "c", "nedes": ["d"]}}}
    assert told(steps={"a": within})["steps.a.do.b.nedes"] == "unknown key. Did you mean `needs`?"


def test_a_flood_of_flaws_is_cut_off():
    assert len(read_shape({"name": "x", "steps": {f"s{n}": {"agent": "a", "zzz": 1} for n in range(5000)}})[1]) == 1000
