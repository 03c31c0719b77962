"""A playbook as an agent."""

from __future__ import annotations

import asyncio

import pytest

from agentical.agents.playbook import PlaybookAgent
from agentical.errors import TimedOut
from agentical.executors.local import HereExecutor
from agentical.ports import TaskContext


async def test_it_runs_the_file_beside_the_playbook_with_the_payload_as_inputs(tmp_path):
    ran = []

    async def run(path, inputs, context):
        ran.append((path, inputs, context))
        return {"outputs": 1}

    context = TaskContext(on_playbook=run)
    agent = PlaybookAgent(target="./inner.yaml", folder=str(tmp_path))
    assert await agent({"a": 1}, context) == {"outputs": 1}
    assert ran == [(str(tmp_path / "inner.yaml"), {"a": 1}, context)]


async def test_a_timeout_ends_what_it_runs(tmp_path):
    ended = []

    async def run(path, inputs, context):
        try:
            await asyncio.Event().wait()
        finally:
            ended.append(path)

    agent = PlaybookAgent(target="inner.yaml", folder=str(tmp_path))
    with pytest.raises(TimedOut):
        await HereExecutor().run(agent, {}, TaskContext(timeout=0.01, on_playbook=run))
    assert ended == [str(tmp_path / "inner.yaml")]


async def test_outside_agentical_it_says_that_it_cannot_run():
    with pytest.raises(RuntimeError, match="not run by agentical"):
        await PlaybookAgent(target="x.yaml")({}, TaskContext())


def test_a_missing_file_is_found_when_the_playbook_is_read(tmp_path):
    (tmp_path / "there.yaml").write_text("x")
    assert not list(PlaybookAgent(target="there.yaml", folder=str(tmp_path)).problems())
    missing = PlaybookAgent(target="./gone.yaml", folder=str(tmp_path))
    assert list(missing.problems()) == [f"there is no file {tmp_path / 'gone.yaml'}"]
    assert list(PlaybookAgent().problems()) == ["it names no file: playbook:./FILE"]


def test_it_holds_no_slot_and_its_code_is_the_files(tmp_path):
    file = tmp_path / "inner.yaml"
    file.write_text("one")
    agent = PlaybookAgent(target="inner.yaml", folder=str(tmp_path))
    before = agent.code()
    file.write_text("two")
    assert PlaybookAgent.parks
    assert before != agent.code()
