"""Ctrl-C, SIGTERM and SIGKILL in the middle of a run, then resume: the same outputs, nothing answered asked again."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import anyio
import pytest

from agentical.cli import executing
from agentical.cli.interrupts import interruptible

OUTPUTS = {"done": [0, 2, 4, 6, 8, 10]}


Start = Callable[..., subprocess.Popen[str]]


@pytest.fixture
def start(folder: Path) -> Iterator[Start]:
    """Starts the command; what still runs at the end of the test is killed."""
    with ExitStack() as stack:

        def started(*arguments: str) -> subprocess.Popen[str]:
            words = [sys.executable, "-m", "agentical", *arguments]
            running = subprocess.Popen(words, cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
            stack.enter_context(running)
            stack.callback(running.kill)
            return running

        yield started


def until(there: Callable[[], bool]) -> None:
    give_up = time.monotonic() + 30
    while not there():
        assert time.monotonic() < give_up
        time.sleep(0.01)


def asked(folder: Path) -> list[str]:
    file = folder / "asked.txt"
    return file.read_text().split() if file.exists() else []


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupted_run_says_how_to_go_on_and_goes_on(
    folder: Path, start: Start, process, number: signal.Signals
) -> None:
    running = start("run", "slow.yaml", "--id", "x", "-i", "each=0.2")
    until(lambda: len(asked(folder)) >= 4)
    running.send_signal(number)
    out, err = running.communicate(timeout=30)
    assert (running.returncode, out) == (130, "")
    assert err.splitlines()[-1] == "interrupted. Go on with: agentical resume x"
    [row] = json.loads(process("list", "--json").out)
    assert row["status"] == "paused"
    status, out, err = process("resume", "x")
    assert (status, json.loads(out)) == (0, OUTPUTS)
    counts = Counter(asked(folder))
    assert counts["0"] == counts["1"] == 1  # answered before the interruption
    assert "x: resumed" in err


def test_an_interrupted_run_with_json_says_where_it_stands(folder: Path, start: Start) -> None:
    running = start("run", "slow.yaml", "--id", "x", "-i", "each=0.2", "--json")
    until(lambda: len(asked(folder)) >= 2)
    running.send_signal(signal.SIGINT)
    out, _ = running.communicate(timeout=30)
    assert (running.returncode, json.loads(out)["status"]) == (130, "paused")


def test_what_cannot_be_resumed_is_not_promised(folder: Path, start: Start) -> None:
    running = start("run", "slow.yaml", "--id", "x", "-i", "each=0.2", "--store", "memory:")
    until(lambda: len(asked(folder)) >= 2)
    running.send_signal(signal.SIGINT)
    assert running.communicate(timeout=30)[1].splitlines()[-1] == "interrupted: x is gone, its store was in memory"


def test_a_second_interruption_ends_it_at_once_even_when_an_agent_keeps_the_loop_busy(
    folder: Path, start: Start, process
) -> None:
    (folder / "agents.py").write_text(
        "import time\nfrom pathlib import Path\nasync def say(text, times=1):\n"
        "    Path(__file__).with_name('asked.txt').write_text('x')\n    time.sleep(60)\n"
    )
    running = start("run", "one.yaml", "--id", "busy")
    until(lambda: bool(asked(folder)))
    running.send_signal(signal.SIGINT)
    assert running.stderr is not None
    lines = iter(running.stderr.readline, "")
    assert any("Once more ends it at once" in line for line in lines)
    running.send_signal(signal.SIGINT)
    assert running.wait(timeout=10) == 130
    assert "Go on with: agentical resume busy" in running.stderr.read()
    [row] = json.loads(process("list", "--json").out)
    assert (row["status"], row["interrupted"]) == ("running", True)


def test_a_killed_run_is_resumed_with_the_same_outputs(folder: Path, start: Start, process) -> None:
    running = start("run", "slow.yaml", "--id", "x", "-i", "each=0.2")
    until(lambda: len(asked(folder)) >= 4)
    running.kill()
    running.communicate(timeout=30)
    assert running.returncode == -signal.SIGKILL
    assert "running (interrupted)" in process("list").out
    status, out, err = process("resume", "x")
    assert (status, json.loads(out)) == (0, OUTPUTS)
    counts = Counter(asked(folder))
    assert counts["0"] == counts["1"] == 1
    assert "x: resumed" in err
    assert json.loads(process("run", "slow.yaml", "--id", "x", "-q").out) == OUTPUTS


def test_following_events_ends_when_it_is_interrupted(folder: Path, start: Start) -> None:
    running = start("run", "slow.yaml", "--id", "x", "-i", "each=20", "-i", "n=1")
    until(lambda: bool(asked(folder)))
    following = start("events", "x", "--follow", "--json")
    assert following.stdout is not None
    assert json.loads(following.stdout.readline())["type"] == "ExecutionStarted"
    following.send_signal(signal.SIGINT)
    assert following.wait(timeout=30) == 130
    assert following.communicate()[1] == ""
    running.send_signal(signal.SIGINT)
    running.communicate(timeout=30)


def test_a_second_process_with_the_same_id_waits_and_gives_the_same(folder: Path, start: Start, process) -> None:
    running = start("run", "slow.yaml", "--id", "x", "-i", "each=0.3")
    until(lambda: bool(asked(folder)))
    status, out, err = process("run", "slow.yaml", "--id", "x")
    assert (status, json.loads(out)) == (0, OUTPUTS)
    assert "another process runs it" in err
    assert running.communicate(timeout=30)[0] == out
    assert Counter(asked(folder)).most_common(1)[0][1] == 1


async def test_the_first_signal_cancels_and_the_second_ends_the_process(monkeypatch: pytest.MonkeyPatch) -> None:
    said: list[object] = []
    monkeypatch.setattr(os, "_exit", said.append)

    async def work() -> None:
        try:
            signal.raise_signal(signal.SIGINT)
            await anyio.sleep_forever()
        finally:
            signal.raise_signal(signal.SIGTERM)

    before = signal.getsignal(signal.SIGINT)
    assert await interruptible(work, lambda: said.append("first"), lambda: said.append("second")) is None
    assert said == ["first", "second", 130]
    assert signal.getsignal(signal.SIGINT) is before


async def test_work_that_is_not_interrupted_gives_what_it_gives() -> None:
    async def work() -> int:
        return 3

    assert await interruptible(work, list, list) == 3


def test_a_run_interrupted_before_its_first_entry_promises_nothing(call, monkeypatch: pytest.MonkeyPatch) -> None:
    async def never(work: object, first: object, second: object) -> None:
        return None

    monkeypatch.setattr(executing, "interruptible", never)
    status, out, err = call("run", "one.yaml", "--id", "x")
    assert (status, out, err) == (130, "", "interrupted before anything was recorded\n")


def test_an_execution_that_has_ended_by_then_is_not_to_be_resumed(call, monkeypatch: pytest.MonkeyPatch) -> None:
    call("run", "one.yaml", "--id", "x")

    async def never(work: object, first: object, second: object) -> None:
        return None

    monkeypatch.setattr(executing, "interruptible", never)
    assert call("resume", "x").err.splitlines()[-1] == "interrupted, but x is completed"
