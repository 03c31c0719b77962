"""Kit: agents and strategies are made from plug-ins and options, secrets filled in."""

import pytest

import agentical
from agentical.agents.command import CommandAgent
from agentical.errors import CallInvalid, PluginUnknown
from agentical.events import Failure
from agentical.graph import AgentSpec, Graph, Step
from agentical.kit import FUNCTION, make_kit

COMMAND = AgentSpec("tool", "command", options={"argv": ["curl", "-H", "Bearer ${{ secrets.token }}"]})


def graph(*agents, strategy=None, **options):
    steps = (Step("s", 0, 0, "team", members=tuple(one.id for one in agents), strategy=strategy, options=options),)
    return Graph(
        "g", steps, agents={one.id: one for one in agents}, secrets={"token": "env:TOKEN", "other": "env:NOT_SET"}
    )


def test_a_secret_is_filled_in_where_the_agent_is_made_and_nowhere_else(monkeypatch):
    monkeypatch.setenv("TOKEN", "s3cret")
    monkeypatch.delenv("NOT_SET", raising=False)
    made = graph(COMMAND)
    kit = make_kit(made, "", {}, {}, None)
    spec, agent = kit.agents["tool"]
    assert isinstance(agent, CommandAgent)
    assert list(agent.argv) == ["curl", "-H", "Bearer s3cret"]
    assert "s3cret" not in repr(spec)
    assert "s3cret" not in repr(made)
    assert kit.redaction.failure(Failure("bug", "got s3cret")).message == "got ***"


def test_a_missing_secret_is_named_unless_its_agent_is_a_fake(monkeypatch):
    monkeypatch.delenv("TOKEN", raising=False)
    with pytest.raises(CallInvalid, match="TOKEN"):
        make_kit(graph(COMMAND), "", {}, {}, None)

    async def fake(payload, context):
        return 1

    assert make_kit(graph(COMMAND), "", {}, {"tool": fake}, None).agents["tool"][1] is fake


def test_the_strategies_of_steps_come_with_their_code():
    one = AgentSpec("f", FUNCTION)
    kit = make_kit(graph(one, strategy="sequential", context="full"), "", {"f": print}, {}, None)
    assert kit.strategies[0].context == "full"
    name, code = kit.codes[0]
    assert name == "sequential"
    version, _, digest = code.rpartition("+")
    assert version == agentical.__version__
    assert len(digest) == 16


def test_a_function_of_another_program_is_asked_for():
    with pytest.raises(CallInvalid, match="agent f is a function of the program that began this execution"):
        make_kit(graph(AgentSpec("f", FUNCTION)), "", {}, {}, None)


def test_a_kind_nobody_installed_is_named():
    with pytest.raises(PluginUnknown, match="telepathy"):
        make_kit(graph(AgentSpec("f", "telepathy")), "", {}, {}, None)


def test_each_execution_has_loads_of_its_own():
    kit = make_kit(graph(AgentSpec("f", FUNCTION, replicas=2)), "", {"f": print}, {}, None)
    one, other = kit.asked()["f"], kit.asked()["f"]
    assert [load.name for load in one.loads] == ["f#1", "f#2"]
    assert one.loads[0] is not other.loads[0]
