"""A playbook becomes the graph that the engine runs."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from typing import Any

import pytest

from agentical.compile import compile_playbook
from agentical.errors import PlaybookInvalid
from agentical.graph import Graph, Retry, Route, decode_graph, encode_graph
from agentical.parser import parse

AGENT = {"uses": "command", "argv": ["cat"]}


def graph(steps: Any, **more: Any) -> Graph:
    agents = {"a": AGENT, "b": AGENT, "c": AGENT, **more.pop("agents", {})}
    return compile_playbook(parse(json.dumps({"name": "p", "agents": agents, **more, "steps": steps})))


def mistakes(text: str) -> list[str]:
    with pytest.raises(PlaybookInvalid) as caught:
        compile_playbook(parse(text, "p.yaml"))
    return [str(mistake) for mistake in caught.value.mistakes]


def test_the_graph_survives_being_stored() -> None:
    made = graph(
        {"one": {"agent": "a", "next": [{"if": "output == 1", "to": "two"}, {"to": "end"}]}, "two": {"end": "failed"}},
        inputs={"n": {"type": "integer", "default": 1}},
        state={"k": {"type": "array"}},
        outputs={"x": "${{ steps.one.output }}"},
    )
    assert decode_graph(encode_graph(made)) == made


def test_what_a_playbook_says_of_itself_is_in_the_graph() -> None:
    made = graph(
        {"one": {"agent": "a"}},
        version="1.2.0",
        labels={"team": "x"},
        secrets={"key": "env:KEY"},
        budget={"tasks": 7, "time": "1m"},
        outputs={"o": "${{ steps.one.output }}"},
    )
    assert (made.name, made.version, made.labels) == ("p", "1.2.0", {"team": "x"})
    assert (made.secrets, made.budget_tasks, made.budget_time) == ({"key": "env:KEY"}, 7, 60.0)
    assert made.outputs == {"o": "${{ steps.one.output }}"}


def test_a_step_has_all_that_was_written() -> None:
    made = graph(
        {
            "one": {"agent": "a"},
            "two": {
                "agent": "b", "with": {"x": "${{ steps.one.output }}"}, "if": "failed()", "timeout": "2s", "retry": 2,
                "output": {"type": "string"}, "max-visits": 5, "set": {"k": "${{ output }}"}, "next": {"x": "end", "else": "fail"},
            },
        },
        state={"k": {}},
    )  # fmt: skip
    step = made.steps[1]
    assert (step.body, step.waits, step.members, step.payload) == (
        "agent",
        (0,),
        ("b",),
        {"x": "${{ steps.one.output }}"},
    )
    assert (step.condition, step.alone, step.timeout, step.max_visits) == ("failed()", True, 2.0, 5)
    assert step.retry["transient"] == Retry(limit=2)
    assert (step.output, step.writes) == ({"type": "string"}, {"k": "${{ output }}"})
    assert step.routes == (Route("end", on="x"), Route("fail"))


def test_a_payload_of_null_is_a_payload() -> None:
    first, second = graph({"one": {"agent": "a", "with": None}, "two": {"agent": "a"}}).steps
    assert first.has_payload
    assert not second.has_payload


def test_inputs_know_their_schema_and_whether_they_must_be_given() -> None:
    inputs = graph({"one": {"agent": "a"}}, inputs={"n": {"type": "integer"}, "o": {"default": 2, "minimum": 1}}).inputs
    assert (inputs["n"].schema, inputs["n"].required) == ({"type": "integer"}, True)
    assert (inputs["o"].schema, inputs["o"].required, inputs["o"].default) == ({"minimum": 1}, False, 2)


PLAYBOOK = """\
name: p
inputs:
  n: {type: integer, default: x}
agents:
  a: {uses: command, argv: [cat], fallback: z}
state:
  k: {type: array, default: 1}
steps:
  one: {agent: aa, with: "${{ inputs.m }}", retry: sometimes}
  two: {agent: a, needs: [on], set: {kk: 1}}
  three: {agent: a, needs: [three]}
outputs:
  o: "${{ steps.four.output }} ${{ }"
tests:
  - name: t
    inputs: {q: 1}
    agents: {bb: {answer: 1}}
    expect: ["steps.one.result == 1", "1 +"]
"""


def test_all_mistakes_are_found_at_once_and_each_in_its_place() -> None:
    assert mistakes(PLAYBOOK) == [
        "p.yaml:3:31: inputs.n.default: the default does not fit: 'x' is not of type 'integer'.",
        "p.yaml:5:45: agents.a.fallback: there is no agent `z`. There are: a.",
        "p.yaml:7:29: state.k.default: the default is no array.",
        "p.yaml:9:16: steps.one.agent: there is no agent `aa`. Did you mean `a`?",
        "p.yaml:9:26: steps.one.with: there is no input `m`. There are: n.",
        "p.yaml:9:52: steps.one.retry: there is no retry policy `sometimes`. There are: none, standard.",
        "p.yaml:10:27: steps.two.needs.0: there is no step `on`. Did you mean `one`?",
        "p.yaml:10:38: steps.two.set.kk: there is no state key `kk`. Did you mean `k`?",
        "p.yaml:11:21: steps.three.needs: cycle: three → three. A step needs what it refers to. Leave one of these out, "
        "or go back with `next`.",
        "p.yaml:13:6: outputs.o: `${{` is not closed by `}}` (character 26 of `${{ steps.four.output }} ${{ }`).",
        "p.yaml:16:14: tests.0.inputs.q: there is no such input. There are: n.",
        "p.yaml:17:14: tests.0.agents.bb: there is no agent `bb`. There are: a.",
        "p.yaml:18:14: tests.0.expect.0: there is no field of a step `result`. "
        "There are: error, outcome, output, record, status.",
        "p.yaml:18:39: tests.0.expect.1: mismatched input 'the end' (character 4 of `1 +`).",
    ]


def test_too_many_steps_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("agentical.compile.MOST_STEPS", 2)
    assert graph({"one": {"agent": "a"}, "two": {"agent": "a"}})
    with pytest.raises(PlaybookInvalid, match="has 3 steps, at most 2 can be run"):
        graph({"one": {"agent": "a"}, "two": {"agent": "a"}, "three": {"agent": "a"}})


@pytest.mark.parametrize("shape", ["chain", "list", "edges"])
def test_compiling_takes_time_in_proportion_to_the_steps(shape: str) -> None:
    def made(count: int) -> float:
        steps: Any = {f"s{n}": {"agent": "a"} for n in range(count)}
        for n in range(1, count):
            steps[f"s{n}"] |= {"with": f"${{{{ steps.s{n - 1}.output }}}}"} if shape == "chain" else {}
            steps[f"s{n - 1}"] |= {"next": {"x": f"s{n}", "y": f"s{max(n - 3, 0)}"}} if shape == "edges" else {}
        if shape == "list":
            reads = {"set": {"k": 1}, "if": "state.k == 0 || true"}
            steps = [{"id": "first", "set": {"k": 0}}, *({"id": id, **step, **reads} for id, step in steps.items())]
        else:
            steps["s0"] |= {"needs": []}
        text = json.dumps({"name": "p", "agents": {"a": AGENT}, "state": {"k": {}}, "steps": steps})
        parsed = parse(text)
        start = time.process_time()
        compile_playbook(parsed)
        return time.process_time() - start

    made(200)
    small, large = min(made(200) for _ in range(3)), min(made(1600) for _ in range(2))
    assert large < 8 * small * 6  # 64 times would be quadratic


def test_a_playbook_without_edges_is_compiled_without_networkx() -> None:
    text = json.dumps(
        {"name": "p", "agents": {"a": AGENT}, "steps": {"s": {"agent": "a"}, "t": {"agent": "a", "needs": ["s"]}}}
    )
    code = (
        f"import sys; from agentical.parser import parse; from agentical.compile import compile_playbook\n"
        f"compile_playbook(parse({text!r})); print(*({{'networkx', 'sqlmodel', 'typer'}} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == ""
