"""Callables of a program as agents, and the decorator."""

from __future__ import annotations

import pytest

from agentical.agents.function import AgentOptions, FunctionAgent, agent, options_of
from agentical.errors import Invalid
from agentical.ports import TaskContext


async def test_a_callable_is_asked_by_the_same_convention_as_a_module_s():
    def scan(path: str):
        return {"path": path}

    asked = FunctionAgent(function=scan)
    assert await asked({"path": "a"}, TaskContext()) == {"path": "a"}
    assert await asked("b", TaskContext()) == {"path": "b"}
    with pytest.raises(Invalid, match="scan cannot take this payload: missing path"):
        await asked({}, TaskContext())


def test_where_it_runs_follows_what_it_is():
    async def awaits(): ...

    assert FunctionAgent(function=awaits).runs_in == "here"
    assert FunctionAgent(function=lambda: 1).runs_in == "threads"
    assert FunctionAgent(function=lambda: 1, executor="here").runs_in == "here"
    assert FunctionAgent(function=lambda: 1).work(None, TaskContext()) == 1


async def test_a_plain_function_may_be_kept_on_the_event_loop():
    assert await FunctionAgent(function=lambda payload: payload, executor="here")(4, TaskContext()) == 4


async def test_a_generator_is_a_source():
    async def numbers(payload):
        for number in range(payload):
            yield number

    source = FunctionAgent(function=numbers)
    assert [item async for item in source.stream(4, TaskContext(skip=2))] == [2, 3]


async def test_a_decorated_callable_is_still_called_as_before():
    @agent(name="judge", capabilities=["law"], weight=2, timeout="30s", retry=3, replicas=2, cost=0.1, executor="here")
    async def decide(case):
        return case

    assert await decide("x") == "x"
    assert options_of(decide) == AgentOptions(
        name="judge", capabilities=("law",), weight=2, timeout="30s", retry=3, replicas=2, cost=0.1, executor="here"
    )


def test_a_callable_is_named_after_itself():
    @agent()
    def decide(): ...

    class Judge:
        def __call__(self): ...

    assert options_of(decide).name == "decide"
    assert options_of(len) == AgentOptions(name="len")
    assert options_of(Judge()).name == "Judge"


def test_its_code_changes_with_its_source():
    def one():
        return 1

    def two():
        return 2

    codes = {FunctionAgent(function=function).code() for function in (one, two, len, sum)}
    assert len(codes) == 4
