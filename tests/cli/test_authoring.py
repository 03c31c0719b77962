"""init, check, plan, graph, test, schema."""

from __future__ import annotations

import json
from pathlib import Path
from xml.etree import ElementTree as ET

import jsonschema

TESTED = """
schema: agentical/v1
name: tested
agents: {say: "python:agents.say"}
steps:
  say: {agent: say, with: {text: hi}}
outputs: {text: "${{ steps.say.output }}"}
tests:
  - {name: it is polite, agents: {say: {answer: "good day"}}, expect: ["outputs.text == 'good day'"]}
  - {name: it says hi, expect: ["outputs.text == 'ho'", "steps.say.status == 'completed'"]}
"""


def test_what_init_writes_runs_and_passes_its_tests(call, folder: Path) -> None:
    assert call("init", "new/deep").status == 0
    found = json.loads(call("run", "new/deep/word-count.yaml", "-q").out)
    assert found["files"] == 2
    status, out, _ = call("test", "new/deep/word-count.yaml")
    assert (status, out.splitlines()[-1]) == (0, "2 passed")


def test_init_never_overwrites(call, folder: Path) -> None:
    (folder / "word_count_agents.py").write_text("mine")
    status, _, err = call("init", ".")
    assert (status, "word_count_agents.py would be overwritten" in err) == (2, True)
    assert (folder / "word_count_agents.py").read_text() == "mine"
    assert not (folder / "word-count.yaml").exists()


def test_check_finds_all_mistakes_of_all_files(call, folder: Path) -> None:
    (folder / "other.yaml").write_text("schema: agentical/v1\nname: other\n")
    status, out, err = call("check", "one.yaml", "wrong.yaml", "other.yaml", "missing.yaml")
    assert status == 2
    assert out == "one.yaml: one is sound, 1 step, 1 agent\n"
    assert [line.split(":")[0] for line in err.splitlines()[:-1]] == [
        "wrong.yaml",
        "wrong.yaml",
        "other.yaml",
        "missing.yaml",
    ]
    assert err.splitlines()[-1] == "4 mistakes in 3 files."


def test_check_as_json_places_every_mistake(call) -> None:
    status, out, err = call("check", "--json", "wrong.yaml")
    assert (status, err) == (2, "")
    assert json.loads(out)["mistakes"][1] == {
        "file": "wrong.yaml", "line": 5, "column": 21, "path": "steps.say.wth",
        "message": "unknown key.", "hint": "Did you mean `with`?",
    }  # fmt: skip
    assert call("check", "--json", "one.yaml").status == 0


def test_a_plan_tells_who_is_asked_and_how_often(call) -> None:
    out = call("plan", "vote.yaml").out
    assert "  1. judge: asks a, b, c, consensus" in out
    assert "     then      done on agreed" in out
    assert "  2. done: ends the execution as cancelled" in out
    assert "Most tasks in all: 3" in out


def test_a_plan_as_json_says_where_it_depends_on_the_items(call) -> None:
    found = json.loads(call("plan", "slow.yaml", "--json").out)
    assert [(step["id"], step["needs"], step["most_tasks"]) for step in found["steps"]] == [
        ("items", [], 1),
        ("work", ["items"], None),
    ]
    assert found["most_tasks"] is None
    assert found["steps"][1]["agents"] == [{"id": "work", "kind": "python", "target": "agents.work", "replicas": 2}]


def test_a_graph_is_boxes_and_arrows(call) -> None:
    out = call("graph", "vote.yaml").out
    assert "│ judge              │" in out
    assert "  judge ══ agreed ══▶ done" in out
    assert "  judge ══ else ══▶ fail" in out


def test_a_graph_is_mermaid_when_asked_for(call) -> None:
    out = call("graph", "vote.yaml", "--format", "mermaid").out
    assert out.startswith("flowchart TD\n")
    assert '  step_judge ==>|"agreed"| step_done\n' in out


def test_a_failing_test_tells_what_it_read_and_exits_1(call, folder: Path) -> None:
    (folder / "tested.yaml").write_text(TESTED)
    status, out, _ = call("test", "tested.yaml", "--junit", "out/junit.xml")
    assert status == 1
    assert "passed  tested: it is polite" in out
    assert "FAILED  tested: it says hi" in out
    assert "        expected: outputs.text == 'ho'\n          outputs.text is \"hi\"\n1 passed, 1 failed" in out
    root = ET.parse(folder / "out" / "junit.xml").getroot()
    assert (root.get("tests"), root.get("failures")) == ("2", "1")
    assert [case.get("name") for case in root.iter("testcase")] == ["it is polite", "it says hi"]


def test_a_wrong_playbook_exits_2_before_any_test_is_run(call, folder: Path) -> None:
    (folder / "tested.yaml").write_text(TESTED)
    status, out, err = call("test", "tested.yaml", "wrong.yaml")
    assert (status, out) == (2, "")
    assert "unknown key" in err


def test_a_playbook_without_tests_says_so(call) -> None:
    assert call("test", "one.yaml").out == "one.yaml: no tests\n0 passed\n"


def test_a_junit_file_that_cannot_be_written_is_a_wrong_call(call, folder: Path) -> None:
    (folder / "tested.yaml").write_text(TESTED)
    assert call("test", "tested.yaml", "--junit", "one.yaml/x.xml").status == 2


def test_the_schema_is_json_schema_and_takes_a_playbook(call) -> None:
    schema = json.loads(call("schema").out)
    jsonschema.Draft202012Validator.check_schema(schema)
    jsonschema.validate({"name": "x", "steps": {"a": {"set": {"b": 1}}}}, schema)
