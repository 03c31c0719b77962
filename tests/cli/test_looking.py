"""list, show, events."""

from __future__ import annotations

import json
from pathlib import Path

import pytest


@pytest.mark.parametrize("name", ["list", "show", "events", "resume", "replay"])
def test_looking_for_a_store_that_is_not_there_makes_none(call, folder: Path, name: str) -> None:
    status, out, err = call(name, *([] if name == "list" else ["x"]))
    assert (status, out) == (2, "")
    assert f"there is no .agentical/agentical.db in {folder} or above" in err
    assert not (folder / ".agentical").exists()


def test_a_named_store_that_is_not_there_is_named(call, folder: Path) -> None:
    status, _, err = call("list", "--store", "sqlite:///far/away.db")
    assert (status, f"there is no store {folder}/far/away.db" in err) == (2, True)
    assert not (folder / "far").exists()


def test_the_list_is_newest_first_and_may_be_cut(call) -> None:
    for id in ("a", "b", "c"):
        call("run", "one.yaml", "-q", "--id", id)
    rows = json.loads(call("list", "--json").out)
    assert [row["id"] for row in rows] == ["c", "b", "a"]
    assert {row["status"] for row in rows} == {"completed"}
    assert set(rows[0]) == {"id", "playbook", "status", "created", "updated", "interrupted", "parent"}
    assert [row["id"] for row in json.loads(call("list", "--json", "--limit", 2).out)] == ["c", "b"]


def test_the_list_for_people_has_a_line_for_each(call) -> None:
    call("run", "one.yaml", "-q", "--id", "a")
    head, line = call("list").out.splitlines()
    assert head.split() == ["ID", "PLAYBOOK", "STATUS", "CREATED", "UPDATED"]
    assert line.split()[:3] == ["a", "one", "completed"]


def test_executions_that_answer_a_task_are_listed_only_when_asked_for(call, folder: Path) -> None:
    (folder / "outer.yaml").write_text(
        'schema: agentical/v1\nname: outer\nsteps:\n  inner: {agent: "playbook:./one.yaml", with: {text: deep}}\n'
        'outputs: {inner: "${{ steps.inner.output.text }}"}\n'
    )
    assert json.loads(call("run", "outer.yaml", "-q", "--id", "o").out) == {"inner": "deep"}
    assert [row["id"] for row in json.loads(call("list", "--json").out)] == ["o"]
    rows = json.loads(call("list", "--json", "--all").out)
    assert {row["parent"] for row in rows} == {None, "o"}


def test_show_tells_steps_votes_and_receipt(call) -> None:
    call("run", "vote.yaml", "-q", "--id", "v")
    status, out, _ = call("show", "v")
    assert status == 0
    lines = out.splitlines()
    assert lines[0] == "v  cancelled"
    assert [line.split()[:3] for line in lines if line.startswith("judge")] == [["judge", "completed", "agreed"]]
    assert "judge#1: votes, round 1: " in out
    assert "a pass" in out
    assert lines[-1].startswith("receipt: asked ")


def test_show_tells_what_failed_and_what_never_began(call) -> None:
    call("run", "fails.yaml", "-q", "--id", "f")
    out = call("show", "f").out
    rows = [line.split() for line in out.splitlines() if line.startswith(("first ", "second "))]
    assert [row[:2] for row in rows] == [["first", "failed"], ["second", "skipped"]]
    assert "first#1: fail failed at ask: ValueError: it is Monday" in out
    assert "error     step first: fail: ValueError: it is Monday (bug, TASK_FAILED)" in out


def test_show_as_json_has_all_of_it(call) -> None:
    call("run", "one.yaml", "-q", "--id", "a", "-i", "times=2")
    found = json.loads(call("show", "a", "--json").out)
    assert (found["status"], found["outputs"], found["inputs"]) == (
        "completed",
        {"text": "hihi"},
        {"text": "hi", "times": 2},
    )
    [step] = found["steps"]
    assert (step["id"], step["step"], step["status"], step["answered"]) == ("say#1", "say", "completed", {"say": 1})
    assert step["took"] >= 0


def test_events_as_json_are_one_object_a_line(call) -> None:
    call("run", "one.yaml", "-q", "--id", "a")
    found = [json.loads(line) for line in call("events", "a", "--json").out.splitlines()]
    assert [one["seq"] for one in found] == list(range(1, len(found) + 1))
    assert [one["type"] for one in found if one["type"].startswith("Task")] == ["TaskAsked", "TaskAnswered"]
    assert found[-1] == {
        "seq": len(found),
        "at": found[-1]["at"],
        "type": "ExecutionCompleted",
        "outputs": {"text": "hi"},
    }


def test_events_for_people_are_one_line_each(call) -> None:
    call("run", "one.yaml", "-q", "--id", "a")
    lines = call("events", "a", "--follow").out.splitlines()
    assert "TaskAnswered" in lines[3]
    assert "answer=hi" in lines[3]
