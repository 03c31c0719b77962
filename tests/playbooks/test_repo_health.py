"""The inspectors of repo-health and their summary."""

import os
import subprocess
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agentical.agents.modules import load
from agentical.errors import Invalid

FOLDER = str(Path(__file__).parents[2] / "playbooks" / "repo-health")
health, report = load(FOLDER, "repo_health_agents"), load(FOLDER, "repo_health_report")

INSPECTORS = ["papers", "tests", "syntax", "sizes", "marks", "keys", "packaging", "history"]


@pytest.fixture
def project(tmp_path):
    def write(files: dict[str, str]) -> str:
        for name, text in files.items():
            (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / name).write_text(text)
        return str(tmp_path)

    return write


@pytest.mark.parametrize("inspector", [*INSPECTORS, "folder"])
def test_every_inspector_refuses_a_folder_that_is_not_there(inspector, tmp_path):
    with pytest.raises(Invalid, match="no folder"):
        getattr(health, inspector)(str(tmp_path / "none"))


@pytest.mark.parametrize("inspector", INSPECTORS)
def test_every_inspector_can_look_at_an_empty_folder(inspector, tmp_path):
    answer = getattr(health, inspector)(str(tmp_path))
    assert answer["score"] is None or 0 <= answer["score"] <= 100


def test_papers_are_known_by_their_usual_names(project):
    path = project({"README.rst": "", "LICENSE-MIT": "", "CHANGES.md": "", "CONTRIBUTING.md": "", ".gitignore": ""})
    assert health.papers(path) == {
        "score": 100,
        "findings": [],
        "facts": dict.fromkeys(["readme", "licence", "changelog", "contributing", "ignore file"], True),
    }


def test_half_as_many_test_lines_as_code_is_a_full_score(project):
    path = project({"a.py": "x = 1\n" * 10, "tests/test_a.py": "x = 1\n" * 5})
    assert health.tests(path)["score"] == 100


def test_no_tests_is_no_score(project):
    assert health.tests(project({"a.py": "x = 1\n"}))["findings"] == ["no tests"]


def test_a_broken_file_is_named_with_its_line(project):
    answer = health.syntax(project({"a.py": "x = 1\n", "b.py": "x = 1\ny = (\n"}))
    assert answer["findings"] == ["b.py:2 does not parse"]
    assert answer["score"] == 0


def test_a_long_source_file_is_named(project):
    assert health.sizes(project({"a.py": "x = 1\n" * 1_001}))["findings"] == ["a.py is 1001 lines long"]


def test_a_mark_is_named_with_its_line(project):
    assert health.marks(project({"a.py": "x = 1\n# TODO: y\n"}))["findings"] == ["a.py:2 TODO"]


def test_key_files_are_known_by_name_and_examples_are_not(project):
    names = [".env", ".env.example", "deploy/id_rsa", "tls/server.key", "keys.py", ".env.production"]
    answer = health.keys(project(dict.fromkeys(names, "")))
    assert answer["findings"] == [".env", ".env.production", "deploy/id_rsa", "tls/server.key"]


def test_packaging_looks_for_build_checks_and_pins(project):
    assert health.packaging(project({"pyproject.toml": "", ".ci": "", "uv.lock": ""}))["score"] == 100


def test_history_tells_authors_and_what_is_not_committed(project):
    path = project({"a.py": "x = 1\n"})
    run = ["git", "-C", path, "-c", "user.name=Ada", "-c", "user.email=ada@example.org"]
    for words in (["init", "-q"], ["add", "a.py"], ["commit", "-q", "-m", "first"]):
        subprocess.run([*run, *words], check=True)
    project({"b.py": ""})
    answer = health.history(path)
    assert answer["findings"] == ["one author only", "1 uncommitted changes"]
    assert answer["facts"]["commits_of_a_year"] == 1


def test_a_folder_without_history_is_not_judged(tmp_path):
    assert health.history(str(tmp_path))["score"] is None


def answer(score, *findings):
    return {"score": score, "findings": list(findings), "facts": {}}


def test_what_could_not_be_judged_does_not_count():
    summary = report.summarise({"answers": {"tests": answer(80), "history": answer(None)}})
    assert (summary["score"], summary["grade"]) == (80, "B")


def test_what_failed_is_named():
    failed = {"papers": {"class": "bug", "message": "out of ink"}}
    summary = report.summarise({"answers": {"tests": answer(100, "slow")}, "errors": failed}, "src")
    assert "| papers | failed | out of ink |" in summary["markdown"]
    assert "- slow" in summary["markdown"]


def test_nothing_judged_is_the_lowest_grade():
    assert report.summarise({"answers": {}, "errors": {}})["grade"] == "E"


@given(st.dictionaries(st.sampled_from(INSPECTORS), st.integers(0, 100), min_size=1))
def test_the_score_lies_between_the_worst_and_the_best(scores):
    summary = report.summarise({"answers": {name: answer(score) for name, score in scores.items()}})
    assert min(scores.values()) <= summary["score"] <= max(scores.values())


def test_history_counts_the_authors_of_the_year_before_the_last_commit(project):
    path = project({"a.txt": "a"})
    subprocess.run(["git", "init", "-q", path], check=True)
    for name, day in (("Ada", "2023-01-01"), ("Ben", "2025-02-01"), ("Cy", "2025-06-01")):
        who = ["-c", f"user.name={name}", "-c", f"user.email={name}@example.org"]
        date = {"GIT_COMMITTER_DATE": f"{day}T12:00:00Z", "GIT_AUTHOR_DATE": f"{day}T12:00:00Z"}
        (Path(path) / "a.txt").write_text(name)
        subprocess.run(["git", "-C", path, "add", "a.txt"], check=True)
        command = ["git", "-C", path, *who, "commit", "-qm", "more"]
        subprocess.run(command, check=True, env={**os.environ, **date})
    answer = health.history(path)
    assert (answer["facts"]["commits_of_a_year"], answer["facts"]["authors"]) == (2, 2)
