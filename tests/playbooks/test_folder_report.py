"""Planning, measuring, comparing and reporting of folder-report."""

import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agentical.agents.modules import load
from agentical.errors import Invalid

folder = load(str(Path(__file__).parents[2] / "playbooks" / "folder-report"), "folder_report_agents")


def carried_out(goal, assignments, answers):
    for work in assignments:
        needed = {other: answers[other] for other in work.get("depends-on", ())}
        agent = {"measure": folder.measure, "compare": folder.compare}[work["capability"]]
        answers[work["id"]] = agent({"goal": work["goal"], "payload": work["payload"], "answers": needed})
    return answers


def report_of(path, least=1):
    goal = {"path": str(path), "least": least}
    answers = carried_out(goal, folder.lead("plan", goal)["assignments"], {})
    assert folder.lead("review", goal, answers=answers, errors={}) == {"accept": True}
    return folder.lead("combine", goal, answers=answers, errors={})


@pytest.fixture
def tree(tmp_path):
    for name, text in {
        "top.txt": "x",
        "a/one.py": "same text",
        "a/deep/two.py": "same text",
        "b/three.md": "same size",
    }.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
        os.utime(tmp_path / name, (1_700_000_000, 1_700_000_000))
    os.utime(tmp_path / "b/three.md", (1_700_000_000, 1_800_000_000))
    (tmp_path / "a" / "link.py").symlink_to(tmp_path / "top.txt")
    return tmp_path


def test_there_is_one_assignment_for_each_subfolder_and_one_to_compare(tree):
    goal = {"path": str(tree), "least": 1}
    *parts, last = folder.lead("plan", goal)["assignments"]
    assert [part["payload"]["folders"] for part in parts] == [["."], ["a"], ["b"]]
    assert last["depends-on"] == [part["id"] for part in parts]


def test_the_report_adds_up(tree):
    report = report_of(tree)
    assert report["totals"] == {"files": 4, "bytes": 28, "folders": 2, "wasted": 9, "unreadable": 0}
    assert [(f["folder"], f["files"], f["bytes"]) for f in report["folders"]] == [
        ("a", 2, 18),
        ("b", 1, 9),
        (".", 1, 1),
    ]
    assert report["folders"][1]["newest"] == {"file": "b/three.md", "modified": "2027-01-15T08:00:00+00:00"}


def test_duplicates_are_files_of_equal_contents_not_of_equal_size(tree):
    (group,) = report_of(tree)["duplicates"]
    assert group["files"] == ["a/deep/two.py", "a/one.py"]


def test_small_files_are_not_compared(tree):
    assert report_of(tree, least=10)["duplicates"] == []


def test_a_folder_that_came_meanwhile_is_sent_to_be_measured(tree):
    goal = {"path": str(tree), "least": 1}
    answers = carried_out(goal, folder.lead("plan", goal)["assignments"], {})
    (tree / "c").mkdir()
    (tree / "c" / "late.py").write_text("same text")
    review = folder.lead("review", goal, answers=answers, errors={})
    assert [work["goal"] for work in review["rework"]] == ["measure", "compare"]
    carried_out(goal, review["rework"], answers)
    assert folder.lead("review", goal, answers=answers, errors={}) == {"accept": True}
    assert folder.lead("combine", goal, answers=answers, errors={})["totals"]["files"] == 5


def test_what_failed_is_in_the_report(tree):
    goal = {"path": str(tree), "least": 1}
    errors = {"measure-x": {"class": "bug", "message": "lost"}}
    assert folder.lead("review", goal, answers={}, errors=errors) == {"accept": True}
    assert "- measure-x: lost" in folder.lead("combine", goal, answers={}, errors=errors)["markdown"]


def test_very_many_folders_share_assignments(tmp_path):
    for n in range(250):
        (tmp_path / f"f{n}").mkdir()
    assignments = folder.lead("plan", {"path": str(tmp_path), "least": 1})["assignments"]
    assert len(assignments) <= folder.PARTS + 1
    assert sum(len(work["payload"].get("folders", ())) for work in assignments) == 251
    assert len({work["id"] for work in assignments}) == len(assignments)


def test_what_no_plan_can_be_made_of_is_refused(tmp_path):
    with pytest.raises(Invalid, match="no folder"):
        folder.lead("plan", {"path": str(tmp_path / "none"), "least": 1})
    with pytest.raises(Invalid, match="plan, review or combine"):
        folder.lead("dance", {"path": str(tmp_path), "least": 1})


def test_a_name_that_is_not_utf8_is_shown_and_measured(tmp_path):
    Path(str(tmp_path) + "/a\udcff.txt").write_text("x")
    assert report_of(tmp_path)["folders"][0]["largest"] == [{"file": "a?.txt", "bytes": 1}]


@given(st.integers(0, 10**15))
def test_sizes_are_short_and_never_lose_their_unit(count):
    said = folder.size(count)
    assert said.split(" ")[1] in {"bytes", "kB", "MB", "GB", "TB"}
    assert len(said) <= 10
