"""Prepared: a team of callables, or a playbook, as one graph."""

import pytest

import agentical
from agentical.errors import CallInvalid, PlaybookInvalid
from agentical.graph import Retry, decode_graph
from agentical.prepared import of_playbook, of_team


@agentical.agent(
    name="careful", retry=2, timeout="1s", replicas=3, capabilities=["read"], weight=2.0, max_parallel=4,
    idempotent=True, cost=0.5, output={"type": "integer"}, executor="threads",
)  # fmt: skip
def counted(payload):
    return payload + 1


def plain(payload):
    return payload


def test_the_settings_of_a_decorated_callable_are_those_of_an_agent():
    spec = of_team("parallel", [counted], 1, None, {}).graph.agents["careful"]
    assert (spec.timeout, spec.replicas, spec.max_parallel, spec.weight, spec.cost) == (1.0, 3, 4, 2.0, 0.5)
    assert (spec.capabilities, spec.idempotent, spec.output) == (("read",), True, {"type": "integer"})
    assert spec.retry["transient"] == Retry(limit=2)
    assert spec.options == {"executor": "threads"}


def test_a_decorated_callable_is_called_as_before():
    assert counted(1) == 2


async def test_replicas_are_members_and_do_what_the_decorator_says():
    answered = await agentical.coordinate("parallel", [counted, plain], 1)
    assert answered["answers"] == {"careful#1": 2, "careful#2": 2, "careful#3": 2, "plain": 1}


async def test_a_decorated_agent_is_asked_again_as_often_as_it_says_and_no_more():
    asked = []

    @agentical.agent(retry={"limit": 2, "delay": 0.001})
    async def shaky(payload):
        asked.append(payload)
        raise agentical.Transient("not yet")

    answered = await agentical.coordinate("parallel", [shaky, plain], 1, complete="quorum(1)")
    assert answered["errors"]["shaky"]["class"] == "transient"
    assert len(asked) == 3


async def test_an_answer_must_meet_what_a_decorated_agent_declares():
    @agentical.agent(output={"type": "integer"})
    async def wordy(payload):
        return "many"

    answered = await agentical.coordinate("parallel", [wordy, plain], 1, complete="quorum(1)")
    assert answered["errors"]["wordy"]["class"] == "invalid"


@pytest.mark.parametrize(
    "options",
    [
        {"timeout": "soon"},
        {"timeout": 0},
        {"retry": {"delay": "soon"}},
        {"retry": {"limit": "3"}},
        {"replicas": 0},
        {"max_parallel": 0},
        {"weight": -1.0},
    ],
)
def test_a_wrong_setting_of_a_decorated_agent_is_a_wrong_call(options):
    @agentical.agent(**options)
    def wrong(payload):
        return payload

    with pytest.raises(CallInvalid, match="wrong"):
        of_team("parallel", [wrong], 1, None, {})


def test_an_unknown_retry_policy_is_a_wrong_call():
    @agentical.agent(retry="gentle")
    def wrong(payload):
        return payload

    with pytest.raises(CallInvalid, match="'gentle'"):
        of_team("parallel", [wrong], 1, None, {})


def test_a_team_becomes_a_graph_that_can_be_stored():
    prepared = of_team("scatter-gather", [plain], None, [1, 2], {"gather": "sum"})
    assert decode_graph(prepared.graph_bytes) == prepared.graph
    assert prepared.graph.steps[0].for_each == "${{ inputs.items }}"
    assert prepared.inputs == {"payload": None, "items": [1, 2]}
    assert prepared.name == "scatter-gather"


def test_options_that_are_no_json_are_refused():
    with pytest.raises(CallInvalid, match=r"options of a strategy are JSON values.*nan"):
        of_team("consensus", [plain], 1, None, {"ballot": {"const": float("nan")}})


def test_a_playbook_is_read_with_its_inputs(tmp_path):
    file = tmp_path / "p.yaml"
    file.write_text("name: small\ninputs: {n: {type: integer}}\nsteps: {a: {set: {}}}\n")
    file.write_text(
        "name: small\ninputs: {n: {type: integer}}\nstate: {x: {}}\nsteps: {a: {set: {x: '${{ inputs.n }}'}}}\n"
    )
    prepared = of_playbook(file, {"n": 3})
    assert (prepared.name, prepared.inputs, prepared.folder, prepared.given) == ("small", {"n": 3}, str(tmp_path), True)
    with pytest.raises(CallInvalid, match="n"):
        of_playbook(file, {"n": "three"})
    with pytest.raises(PlaybookInvalid):
        of_playbook(tmp_path / "none.yaml", {})


def test_what_a_decorator_says_is_checked_as_a_playbook_would_be():
    @agentical.agent(retry=-1)
    def impatient(payload): ...

    @agentical.agent(output={"type": "strin"})
    def misdeclared(payload): ...

    with pytest.raises(CallInvalid, match="from 0 on, not -1"):
        of_team("parallel", [impatient], 1, None, {})
    with pytest.raises(CallInvalid, match="agent misdeclared: output is no JSON Schema: 'strin'"):
        of_team("parallel", [misdeclared], 1, None, {})
