"""Reading and splitting a diff for team-review."""

import subprocess
from pathlib import Path

import pytest

from agentical.agents.modules import load
from agentical.errors import Invalid

review = load(str(Path(__file__).parents[2] / "playbooks" / "team-review"), "team_review_agents")


@pytest.fixture
def repository(tmp_path):
    run = ["git", "-C", str(tmp_path), "-c", "user.name=Ada", "-c", "user.email=ada@example.org"]
    (tmp_path / "a.py").write_text("one\ntwo\n")
    for words in (["init", "-q"], ["add", "a.py"], ["commit", "-q", "-m", "first"]):
        subprocess.run([*run, *words], check=True)
    (tmp_path / "a.py").write_text("one\nthree\nfour\n")
    (tmp_path / "with space.py").write_text("x\n")
    (tmp_path / "uv.lock").write_text("x\n")
    (tmp_path / "b.bin").write_bytes(b"\0\1")
    subprocess.run([*run, "add", "."], check=True)
    return tmp_path


def test_the_changes_of_a_repository_come_by_file(repository):
    changes = review.read_diff(str(repository))
    assert [(f["file"], f["added"], f["removed"]) for f in changes["files"]] == [
        ("a.py", 2, 1),
        ("with space.py", 1, 0),
    ]
    assert changes["left_out"] == ["b.bin", "uv.lock"]
    assert "+three\n" in changes["files"][0]["diff"]


def test_a_patch_file_gives_the_same_files(repository, tmp_path):
    text = subprocess.run(
        ["git", "-C", str(repository), "diff", "HEAD"], capture_output=True, text=True, check=True
    ).stdout
    (tmp_path / "change.patch").write_text(text)
    patched = review.read_diff(diff=str(tmp_path / "change.patch"))
    assert patched["files"] == review.read_diff(str(repository))["files"]


def test_a_plain_diff_is_split_too():
    text = "--- a.py\t2026\n+++ a.py\t2026\n@@ -1 +1 @@\n-x\n+y\n--- b.py\n+++ b.py\n@@ -1 +1 @@\n-x\n+y\n"
    assert [name for name, _ in review.split(text)] == ["a.py", "b.py"]
    assert "".join(part for _, part in review.split(text)) == text


def test_a_long_diff_is_cut_and_says_so(repository):
    changes = review.read_diff(str(repository), limit=10, most=1)
    assert [(len(f["diff"]), f["cut"]) for f in changes["files"]] == [(10, True)]
    assert "with space.py" in changes["left_out"]


def test_no_changes_are_no_files():
    assert review.split("") == []


def test_what_cannot_be_read_is_said_plainly(tmp_path):
    with pytest.raises(Invalid, match="cannot be read"):
        review.read_diff(diff=str(tmp_path / "none"))
    with pytest.raises(Invalid, match="no folder"):
        review.read_diff(str(tmp_path / "none"))
    with pytest.raises(Invalid, match="give commits"):
        review.read_diff(str(tmp_path), range="--output=x")
    with pytest.raises(Invalid, match="ot a git repository"):
        review.read_diff(str(tmp_path), range="main...HEAD")


def test_the_summary_holds_what_was_said_and_not_the_diff():
    file = {"file": "a.py", "added": 1, "removed": 0, "diff": "+x", "cut": True}
    said = review.summarise([file], [{"choice": "minor", "comments": []}], ["b.bin"], "main...HEAD")
    assert said["files"] == [
        {"file": "a.py", "added": 1, "removed": 0, "read_whole": False, "severity": "minor", "comments": []}
    ]
    assert said["left_out"] == ["b.bin"]
