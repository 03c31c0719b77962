"""The models hold what an author wrote, by Python names."""

from agentical.parser import parse
from agentical.playbook import Playbook, placed
from agentical.reading.shape import read_shape

EXAMPLE = """
schema: agentical/v1
name: repo-audit
version: 1.0.0
inputs:
  path:  {type: string, default: "."}
  deep:  {type: object, required: [x], minProperties: 1}
  maybe: {type: integer, required: false}
secrets: {one: "env:ONE", two: {env: TWO}, three: {file: /run/three}}
agents:
  walker:  python:audit_agents.list_files
  scanner: {uses: "python:audit_agents.scan", replicas: 4, idempotent: true, timeout: 30s, executor: processes, rate: 10/1m}
state:
  findings: {type: array, merge: extend, default: []}
steps:
  files:  {agent: walker, with: {path: "${{ inputs.path }}"}}
  scan:
    agent: scanner
    for-each: "${{ steps.files.output }}"
    complete: quorum(90%)
    gather: flatten
    max-parallel: 3
    set: {findings: "${{ output }}"}
  judge:
    needs: scan
    if: true
    team: [walker, scanner]
    strategy: {type: consensus, vote: majority}
    with: null
  done: {end: completed, next: [{if: x, to: files}]}
  clear: {set: {findings: []}}
outputs: {report: "${{ steps.judge.output }}"}
tests:
  - name: a clean folder passes
    agents: {walker: {answers: [[]]}, scanner: {error: {class: bug}}}
    expect: ["state.verdict == 'pass'"]
"""


def example() -> Playbook:
    return parse(EXAMPLE).playbook


def test_words_that_python_keeps_have_names_of_their_own():
    judge, scan = example().steps["judge"], example().steps["scan"]
    assert (judge.condition, judge.needs, judge.payload, judge.has("payload"), scan.has("payload")) == (
        "true",
        ["scan"],
        None,
        True,
        False,
    )
    assert scan.writes == {"findings": "${{ output }}"}


def test_a_strategy_has_its_options_beside_its_name():
    assert example().steps["judge"].strategy.options == {"vote": "majority"}
    assert parse("name: x\nsteps: {a: {team: [b], strategy: parallel}}").playbook.steps["a"].strategy.type == "parallel"


def test_a_step_knows_its_body():
    assert {id: step.body for id, _, step in placed(example().steps)} == {
        "files": "agent", "scan": "agent", "judge": "team", "done": "end", "clear": "set",
    }  # fmt: skip


def test_steps_in_a_list_are_placed_by_their_index():
    listed = parse("name: x\nsteps: [{id: a, agent: c}, {id: b, agent: c}]").playbook.steps
    assert [(id, place) for id, place, _ in placed(listed)] == [("a", 0), ("b", 1)]


def test_text_is_no_number_and_a_number_no_text():
    for wrong in ({"max-visits": "1"}, {"max-visits": True}, {"timeout": 1}, {"gather": 1}, {"agent": 1}):
        tree = {"name": "x", "steps": {"a": {"agent": "b"} | wrong}}
        assert read_shape(tree)[1] != []


def test_a_key_without_a_value_is_a_mistake():
    for empty in ("timeout", "needs", "if", "team", "retry", "set", "strategy"):
        assert read_shape({"name": "x", "steps": {"a": {"agent": "b", empty: None}}})[1] != [], empty


def test_the_whole_language_is_understood_even_where_it_does_not_run_yet():
    tree = {
        "name": "x",
        "checkpoint": {"level": "debug", "every-events": 10, "interval": "60s", "keep": 3},
        "concurrency": {"group": "g", "limit": 2},
        "budget": {"tokens": 5, "cost": 1.5, "on-exceed": "stop"},
        "errors": [{"id": "note", "agent": "a"}],
        "finally": {"last": {"agent": "a"}},
        "steps": {
            "one": {
                "do": {"x": {"agent": "a", "compensate": {"agent": "b"}}, "y": {"cancel": ["x"], "rest": "cancel"}},
                "loop": {"while": "a", "until": True, "times": 3, "max": 4, "delay": "1s", "stalled": 2},
                "rescue": [{"id": "r", "wait": {"signal": ["s"], "timeout": "1m"}}],
                "compensate": "two", "stop-on": "halt", "concurrency": "g", "estimate": "1m", "fail-fast": True,
            },
            "two": {"wait": "10m", "agent": "a"},
            "three": {"wait": "2030-01-01T10:00:00Z"},
        },
    }  # fmt: skip
    flaws = read_shape(tree)[1]
    assert {flaw.message.split("`")[1] for flaw in flaws if "does not run in this version yet" in flaw.message} == {
        "checkpoint", "concurrency", "errors", "finally", "tokens", "cost", "on-exceed", "do", "loop", "rescue", "compensate",
        "stop-on", "estimate", "fail-fast", "wait", "cancel", "rest",
    }  # fmt: skip
    assert all("does not run in this version yet" in flaw.message for flaw in flaws)


def test_what_is_wrong_inside_a_word_that_does_not_run_yet_is_told_as_well():
    tree = {"name": "x", "steps": {"a": {"do": {"b": {"agnt": "c"}}, "loop": {"tims": 3}}}}
    assert {".".join(map(str, flaw.path)) for flaw in read_shape(tree)[1]} == {
        "steps.a.do", "steps.a.loop", "steps.a.do.b.agnt", "steps.a.loop.tims",
    }  # fmt: skip
