"""The command as a whole: help, version, what it loads, how it fails."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

import agentical

HEAVY = ("pydantic", "yaml", "cel", "networkx", "sqlmodel", "jsonschema", "asyncio", "rich", "logfire", "agentical.sdk")


def _told(err: str) -> list[str]:
    return [line for line in err.splitlines() if line != "an agent's own words"]


def test_without_arguments_it_shows_its_help(call) -> None:
    status, out, _ = call()
    assert status == 0
    for name in "run resume replay init check plan graph test schema list show events strategies agents".split():
        assert f"\n  {name} " in out


def test_the_version_is_the_packages(call) -> None:
    assert call("--version") == (0, f"agentical {agentical.__version__}\n", "")


@pytest.mark.parametrize("name", ["run", "resume", "check", "test", "list", "events"])
def test_every_command_explains_itself(call, name: str) -> None:
    status, out, _ = call(name, "--help")
    assert (status, out.startswith(f"Usage: agentical {name}")) == (0, True)


def test_an_unknown_command_is_a_wrong_call_with_a_hint(call) -> None:
    status, out, err = call("rum")
    assert (status, out) == (2, "")
    assert "run" in err


def test_help_loads_nothing_that_only_a_run_needs() -> None:
    code = (
        "import sys\nsys.argv = ['agentical', '--help']\nfrom agentical.cli import main\n"
        f"try:\n    main()\nexcept SystemExit:\n    print([m for m in {HEAVY} if m in sys.modules], file=sys.stderr)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stderr.strip() == "[]"


def test_it_is_ready_before_anything_is_imported() -> None:
    code = (
        "import sys, os, gc\nsys.argv = ['agentical', '--version']\nfrom agentical.cli import main\n"
        "try:\n    main()\nexcept SystemExit:\n    print(os.environ['PYDANTIC_DISABLE_PLUGINS'], gc.get_threshold())"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[1] == "logfire-plugin (200000, 50, 1000)"


def test_a_closed_stdout_is_one_clear_line_and_the_outputs_are_kept(folder: Path) -> None:
    line = f"exec {sys.executable} -m agentical run one.yaml -q --id kept >&-"
    done = subprocess.run(["sh", "-c", line], cwd=folder, stderr=subprocess.PIPE, text=True)
    assert done.returncode == 1
    [line] = _told(done.stderr)
    assert "agentical show kept" in line


def test_a_reader_of_the_outputs_that_is_gone_is_one_clear_line(folder: Path) -> None:
    reading, writing = os.pipe()
    os.close(reading)
    arguments = [sys.executable, "-m", "agentical", "run", "one.yaml", "-q"]
    done = subprocess.run(arguments, cwd=folder, stdout=writing, stderr=subprocess.PIPE, text=True)
    os.close(writing)
    [line] = _told(done.stderr)
    assert done.returncode == 1
    assert "Broken pipe" in line


def test_a_reader_that_has_seen_enough_of_a_list_is_told_nothing(folder: Path, process) -> None:
    process("run", "one.yaml", "-q", "--id", "one")
    reading, writing = os.pipe()
    os.close(reading)
    arguments = [sys.executable, "-m", "agentical", "events", "one"]
    done = subprocess.run(arguments, cwd=folder, stdout=writing, stderr=subprocess.PIPE, text=True)
    os.close(writing)
    assert (done.returncode, done.stderr) == (1, "")


def test_a_closed_stderr_changes_nothing(folder: Path) -> None:
    line = f"exec {sys.executable} -m agentical run one.yaml 2>&-"
    done = subprocess.run(["sh", "-c", line], cwd=folder, stdout=subprocess.PIPE, text=True)
    assert (done.returncode, done.stdout) == (0, '{\n  "text": "hi"\n}\n')


def test_shells_can_complete_it(process) -> None:
    environment = {
        **os.environ,
        "_AGENTICAL_COMPLETE": "complete_bash",
        "COMP_WORDS": "agentical re",
        "COMP_CWORD": "1",
    }
    assert process(env=environment).out.split() == ["resume", "replay"]
