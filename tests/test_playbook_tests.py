"""The tests that playbooks carry."""

from __future__ import annotations

from pathlib import Path
from xml.etree import ElementTree as ET

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from agentical.compile import compile_playbook
from agentical.graph import Graph
from agentical.parser import read
from agentical.playbook import Case
from agentical.playbook_tests import Result, Suite, junit_xml, run_case
from agentical.sdk import Agentical

PLAYBOOK = """
schema: agentical/v1
name: shop
inputs: {who: {type: string, default: you}}
state: {seen: {type: integer, merge: add, default: 0}}
agents:
  greet: {uses: "python:shop_agents.greet", retry: {limit: 2, delay: 1h}}
  source: "python:shop_agents.source"
steps:
  hello: {agent: greet, with: {who: "${{ inputs.who }}"}, set: {seen: "${{ 1 }}"}}
  each: {agent: greet, for-each: agent:source, with: {who: "${{ item }}"}, needs: [hello]}
outputs: {text: "${{ steps.hello.output }}", all: "${{ steps.each.output }}"}
"""
AGENTS = """
def greet(who):
    return f"hello {who}"
def source():
    yield "a"
    yield "b"
"""


@pytest.fixture
def one(tmp_path: Path):
    """Run one test, given as the playbook's author writes it."""
    (tmp_path / "shop_agents.py").write_text(AGENTS)
    file = tmp_path / "shop.yaml"
    file.write_text(PLAYBOOK)

    async def run(written: str) -> Result:
        case = Case.model_validate(yaml.safe_load(f"{{name: it, {written}}}"))
        parsed = read(file)
        async with Agentical("memory:") as app:
            return await run_case(app, Suite(str(file), compile_playbook(parsed), parsed.text, [case]), case)

    return run


async def test_agents_that_are_not_faked_really_run(one) -> None:
    result = await one("""expect: ["outputs.text == 'hello you'", "outputs.all == ['hello a', 'hello b']"]""")
    assert result.problems == []
    assert result.passed


async def test_inputs_of_a_test_go_in(one) -> None:
    assert (await one("""inputs: {who: me}, expect: ["outputs.text == 'hello me'", "inputs.who == 'me'"]""")).passed


async def test_one_answer_is_the_answer_to_every_ask(one) -> None:
    assert (await one("""agents: {greet: {answer: x}}, expect: ["outputs.all == ['x', 'x']"]""")).passed


async def test_answers_are_given_in_turn_and_a_source_yields_them(one) -> None:
    fakes = "agents: {greet: {answers: [first, second]}, source: {answers: [only]}}"
    assert (await one(f"""{fakes}, expect: ["outputs.text == 'first'", "outputs.all == ['second']"]""")).passed


async def test_a_source_that_has_one_answer_yields_its_items(one) -> None:
    assert (await one("""agents: {source: {answer: []}}, expect: ["outputs.all == []"]""")).passed


async def test_asking_a_fake_more_often_than_it_has_answers_fails(one) -> None:
    result = await one("agents: {greet: {answers: [one]}}")
    assert not result.passed
    assert "each#1: greet failed at item-0: " in result.problems[0]
    assert "has 1 answers, and was asked once more" in result.problems[0]


async def test_a_fake_fails_as_it_is_told_and_its_retries_are_not_waited_for(one) -> None:
    failing = "agents: {greet: {error: {class: transient, message: busy}}}, status: failed"
    checks = """expect: ["steps.hello.error.class == 'transient'", "execution.status == 'failed'", "outputs == null"]"""
    result = await one(f"{failing}, {checks}")
    assert result.problems == []
    assert result.took < 5


async def test_a_run_that_ends_otherwise_than_expected_says_how(one) -> None:
    result = await one("agents: {greet: {error: {class: denied, message: no key}}}")
    [problem] = result.problems
    assert problem.startswith("expected: completed, and it is failed: ")
    assert "no key" in problem


async def test_an_expectation_that_does_not_hold_shows_what_it_read(one) -> None:
    result = await one("""expect: ["state.seen == 2 && steps.hello.status == 'completed'"]""")
    assert result.problems == [
        "expected: state.seen == 2 && steps.hello.status == 'completed'\n"
        '  state.seen is 1\n  steps.hello.status is "completed"'
    ]


async def test_an_expectation_that_cannot_be_evaluated_fails_and_says_why(one) -> None:
    [problem] = (await one("""expect: ["outputs.text.size > 1"]""")).problems
    assert "outputs.text.size is not there" in problem


async def test_every_expectation_that_fails_is_told(one) -> None:
    assert len((await one("""expect: ["1 == 2", "2 == 2", "2 == 3"]""")).problems) == 2


@given(st.lists(st.tuples(st.text(), st.lists(st.text()))))
def test_any_result_is_well_formed_xml(found: list[tuple[str, list[str]]]) -> None:
    results = [Result(name, 0.5, problems) for name, problems in found]
    root = ET.fromstring(junit_xml([(Suite("a.yaml", Graph("shop", ()), b"", ()), results)]).encode())
    assert len(root.findall(".//testcase")) == len(found)
    assert (
        int(root.get("failures", "")) == sum(bool(problems) for _, problems in found) == len(root.findall(".//failure"))
    )
