"""Every example of the README runs as it stands."""

from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text()
BLOCKS = re.findall(r"^```(\w+)\n(.*?)^```$", README, re.MULTILINE | re.DOTALL)
AGENTICAL = str(Path(sys.executable).with_name("agentical"))


def blocks(language: str) -> list[str]:
    return [text for name, text in BLOCKS if name == language]


@pytest.fixture
def desk(tmp_path: Path) -> Path:
    """A folder as the README's reader has it: the playbooks, and the example written down."""
    shutil.copytree(ROOT / "playbooks", tmp_path / "playbooks", ignore=shutil.ignore_patterns("__pycache__"))
    (tmp_path / "agentical").mkdir()
    shutil.copy(ROOT / "agentical" / "ports.py", tmp_path / "agentical")
    (tmp_path / "first.yaml").write_text(blocks("yaml")[0])
    (tmp_path / "first_agents.py").write_text(blocks("python")[0])
    return tmp_path


def run(command: list[str], folder: Path) -> subprocess.CompletedProcess[str]:
    clean = {key: value for key, value in os.environ.items() if not key.startswith("AGENTICAL_")}
    return subprocess.run(command, cwd=folder, env=clean, capture_output=True, text=True, timeout=100)


@pytest.mark.parametrize("text", blocks("console"), ids=lambda text: text.split("\n")[0][12:40])
def test_the_console_examples_run(text: str, desk: Path) -> None:
    for line in text.splitlines():
        done = run([AGENTICAL, *shlex.split(line.removeprefix("$ agentical "))], desk)
        assert done.returncode == 0, f"{line}\n{done.stdout}{done.stderr}"


def test_the_first_command_audits_a_tree_and_writes_its_report(desk: Path) -> None:
    command = blocks("sh")[0].partition(".venv/bin/agentical ")[2]
    done = run([AGENTICAL, *shlex.split(command)], desk)
    assert done.returncode == 0, done.stderr
    assert '"verdict"' in done.stdout
    assert (desk / "audit.md").read_text().startswith("#")


def test_the_python_example_prints_what_was_coordinated(desk: Path) -> None:
    (desk / "example.py").write_text(blocks("python")[1])
    shutil.rmtree(desk / "agentical")
    done = run([sys.executable, "example.py"], desk)
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines() == [
        "ship",
        "completed {'result': {'first': 'wait', 'then': ['ship', 'wait']}}",
    ]


def test_every_playbook_of_the_table_is_there_and_none_is_missing() -> None:
    named = set(re.findall(r"^\| `playbooks/([\w-]+)`", README, re.MULTILINE))
    assert named == {
        folder.name for folder in (ROOT / "playbooks").iterdir() if folder.is_dir() and folder.name[0] not in "._"
    }
