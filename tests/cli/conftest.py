"""Tiny playbooks in a folder of their own, and the command called in this process or as one of its own."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import pytest

from agentical.cli import main

PLAYBOOKS = {
    "one.yaml": """
name: one
inputs: {text: {type: string, default: hi}, times: {type: integer, default: 1}}
agents: {say: "python:agents.say"}
steps:
  say: {agent: say, with: {text: "${{ inputs.text }}", times: "${{ inputs.times }}"}}
outputs: {text: "${{ steps.say.output }}"}
""",
    "fails.yaml": """
name: fails
agents: {fail: "python:agents.fail"}
steps:
  first: {agent: fail, with: {why: "it is Monday"}}
  second: {agent: fail, needs: [first]}
""",
    "slow.yaml": """
name: slow
inputs: {n: {type: integer, default: 6}, each: {type: number, default: 0.1}}
agents: {items: "python:agents.items", work: {uses: "python:agents.work", replicas: 2}}
steps:
  items: {agent: items, with: {n: "${{ inputs.n }}"}}
  work: {agent: work, for-each: "${{ steps.items.output }}", with: {item: "${{ item }}", each: "${{ inputs.each }}"}}
outputs: {done: "${{ steps.work.output }}"}
""",
    "vote.yaml": """
name: vote
budget: {tasks: 100}
agents: {a: "python:agents.yes", b: "python:agents.yes", c: "python:agents.no"}
steps:
  judge:
    team: [a, b, c]
    strategy: {type: consensus, vote: majority, ballot: [pass, fail]}
    with: {}
    next: {agreed: done, else: fail}
  done: {end: cancelled}
""",
    "wrong.yaml": """
name: Wrong
agents: {say: "python:agents.say"}
steps:
  say: {agent: say, wth: {text: hi}}
""",
}
AGENTS = """
import time
from pathlib import Path


def say(text, times=1):
    print("an agent's own words")
    return text * times


def fail(why=""):
    raise ValueError(why)


def items(n):
    return list(range(n))


def work(item, each):
    with Path(__file__).with_name("asked.txt").open("a") as log:
        log.write(f"{item}\\n")
    time.sleep(each)
    return item * 2


def yes():
    return "pass"


def no():
    return "fail"
"""


class Called(NamedTuple):
    """How a call of the command went."""

    status: int
    out: str
    err: str


Call = Callable[..., Called]


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The working directory: the playbooks and their agents, and no store yet."""
    for name, text in PLAYBOOKS.items():
        (tmp_path / name).write_text("schema: agentical/v1" + text)
    (tmp_path / "agents.py").write_text(AGENTS)
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("AGENTICAL_STORE", raising=False)
    return tmp_path


@pytest.fixture
def call(folder: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> Call:
    """The command in this process."""

    def called(*arguments: object) -> Called:
        monkeypatch.setattr(sys, "argv", ["agentical", *map(str, arguments)])
        capfd.readouterr()
        with pytest.raises(SystemExit) as ended:
            main()
        written = capfd.readouterr()
        return Called(int(ended.value.code or 0), written.out, written.err)

    return called


@pytest.fixture
def process(folder: Path) -> Call:
    """The command as a process of its own, to its end."""

    def called(*arguments: object, **how: object) -> Called:
        done = subprocess.run(command(*arguments), capture_output=True, text=True, timeout=60, **{"cwd": folder, **how})
        return Called(done.returncode, done.stdout, done.stderr)

    return called


def command(*arguments: object) -> list[str]:
    """What starts the command in this Python."""
    return [sys.executable, "-m", "agentical", *map(str, arguments)]
