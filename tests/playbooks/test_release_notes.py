"""Reading, grouping and writing of release-notes."""

import subprocess
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agentical.agents.modules import load
from agentical.errors import Invalid

notes = load(str(Path(__file__).parents[2] / "playbooks" / "release-notes"), "release_notes_agents")


@pytest.fixture
def repository(tmp_path):
    run = ["git", "-C", str(tmp_path), "-c", "user.name=Ada Lovelace", "-c", "user.email=ada@example.org"]
    subprocess.run([*run, "init", "-q", "-b", "main"], check=True)

    def commit(*messages: str, tag: str = "") -> str:
        for message in messages:
            subprocess.run([*run, "commit", "-q", "--allow-empty", "-m", message], check=True)
        if tag:
            subprocess.run([*run, "tag", tag], check=True)
        return str(tmp_path)

    return commit


def subjects(answer):
    return [commit["subject"] for commit in answer["commits"]]


def test_without_a_tag_the_notes_begin_at_the_beginning(repository):
    answer = notes.read_commits(repository("First", "Second"))
    assert subjects(answer) == ["Second", "First"]
    assert (answer["since"], answer["title"]) == ("", "Unreleased")


def test_the_notes_begin_at_the_last_tag(repository):
    repository("First", tag="v1")
    answer = notes.read_commits(repository("Second"))
    assert (subjects(answer), answer["since"]) == (["Second"], "v1")


def test_the_notes_of_a_tag_begin_at_the_tag_before_it(repository):
    repository("First", tag="v1")
    answer = notes.read_commits(repository("Second", "Third", tag="v2"))
    assert (subjects(answer), answer["since"], answer["title"]) == (["Third", "Second"], "v1", "v2")


def test_since_and_until_choose_the_commits(repository):
    repository("First", tag="a")
    repository("Second", tag="b")
    assert subjects(notes.read_commits(repository("Third"), since="a", until="b")) == ["Second"]


def test_a_message_may_hold_any_text(repository):
    answer = notes.read_commits(repository("Ümläut \x1e \x1f \"quoted\" 'single'\n\nBody\n\nBREAKING CHANGE: all"))
    assert answer["commits"][0]["body"] == "Body\n\nBREAKING CHANGE: all"
    assert answer["commits"][0]["author"] == "Ada Lovelace"


def test_what_cannot_be_read_is_said_plainly(repository, tmp_path_factory):
    with pytest.raises(Invalid, match="no commits yet"):
        notes.read_commits(repository())
    with pytest.raises(Invalid, match="no folder"):
        notes.read_commits("/none/such")
    with pytest.raises(Invalid, match="not a git repository"):
        notes.read_commits(str(tmp_path_factory.mktemp("plain")))
    with pytest.raises(Invalid, match="knows no commit 'v9'"):
        notes.read_commits(repository("First"), since="v9")
    with pytest.raises(Invalid, match="knows no commit '--output=x'"):
        notes.read_commits(repository("First"), until="--output=x")


@pytest.mark.parametrize(
    ("subject", "group", "scope", "text"),
    [
        ("feat(cli): add a flag", "feature", "cli", "Add a flag"),
        ("fix: a crash", "fix", "", "A crash"),
        ("refactor(core)!: drop it", "breaking", "core", "Drop it"),
        ("Add a flag", "feature", "", "Add a flag"),
        ("Fixed the build", "fix", "", "Fixed the build"),
        ("parser: fix the last line", "fix", "", "Parser: fix the last line"),
        ("Remove the old way", "removed", "", "Remove the old way"),
        ("Update README", "changed", "", "Update README"),
        ("Bump x to 2", "internal", "", "Bump x to 2"),
        ("note: nothing known", "changed", "", "Note: nothing known"),
    ],
)
def test_a_subject_tells_its_group(subject, group, scope, text):
    assert notes.classify(subject) == {"group": group, "scope": scope, "text": text}


def commit_of(subject, body="", author="Ada", hash="0123456789abcdef"):
    return {"hash": hash, "author": author, "date": "2026-01-31", "subject": subject, "body": body}


def payload_of(*commits):
    return {
        "title": "2.0",
        "since": "v1",
        "until": "HEAD",
        "date": "2026-01-31",
        "output": "",
        "commits": list(commits),
    }


def test_equal_texts_are_one_entry_with_all_commits_and_issues():
    grouped = notes.group_commits(
        payload_of(commit_of("Fix it", "Closes #2"), commit_of("fix: Fix it (#1)"), commit_of("Fix it"))
    )
    entries = grouped["groups"][0]["entries"]
    assert [(len(entry["commits"]), entry["issues"]) for entry in entries] == [(2, [2]), (1, [1])]


def test_the_notes_say_who_did_what(tmp_path):
    payload = payload_of(commit_of("Add a thing", "See #7"), commit_of("Fix it", author="Ben"), commit_of("Fix that"))
    target = tmp_path / "NOTES.md"
    answer = notes.write_notes(notes.group_commits({**payload, "output": str(target)}))
    assert answer["markdown"] == target.read_text()
    assert answer["markdown"].startswith(
        "## 2.0 (2026-01-31)\n\n3 commits since `v1`.\n\n### New\n\n- Add a thing (#7, 0123456789)"
    )
    assert "Ada (2), Ben (1)" in answer["markdown"]
    assert "output" not in answer


def test_no_commits_make_empty_notes():
    assert "0 commits" in notes.write_notes(notes.group_commits(payload_of()))["markdown"]


@given(st.lists(st.text(min_size=1).map(str.strip).filter(bool)))
def test_every_commit_is_in_exactly_one_group(texts):
    commits = [commit_of(text, hash=f"{n:016x}") for n, text in enumerate(texts)]
    grouped = notes.group_commits(payload_of(*commits))
    listed = [hash for group in grouped["groups"] for entry in group["entries"] for hash in entry["commits"]]
    assert sorted(listed) == sorted(commit["hash"][:10] for commit in commits)
    assert grouped["commits"] == len(texts) == sum(author["commits"] for author in grouped["authors"])
