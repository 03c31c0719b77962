"""Real processes, really killed: what was answered is not asked again, and the result is the same."""

from __future__ import annotations

import json
import random
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import journals
import pytest

from agentical.errors import CrashLoop
from agentical.sdk import Agentical
from agentical.stores.sqlite import open_sqlite

PROGRAM = Path(journals.__file__).with_name("program.py")
WHATS = ["rounds", "pipeline", "scatter-gather"]


class Victim:
    """One execution that is run by processes, one after the other, until one of them ends by itself."""

    def __init__(self, folder: Path, what: str) -> None:
        self.store, self.log, self.what = f"sqlite:///{folder}/store.db", folder / "calls", what
        self.log.touch()

    def start(self) -> subprocess.Popen[str]:
        command = [sys.executable, str(PROGRAM), self.store, str(self.log), self.what]
        return subprocess.Popen(command, stdout=subprocess.PIPE, text=True)

    def finish(self) -> dict[str, Any]:
        process = self.start()
        said, _ = process.communicate(timeout=60)
        assert process.returncode == 0
        return json.loads(said)

    def kill_after(self, calls: int, pause: float) -> bool:
        """Kill a run of it `pause` seconds after the call of that number began; False when it ended before."""
        with self.start() as process:
            begun = len(self.calls())
            while process.poll() is None:
                if len(self.calls()) - begun >= calls:
                    time.sleep(pause)
                    process.send_signal(signal.SIGKILL)
                    break
                time.sleep(0.001)
            return process.wait() == -signal.SIGKILL

    def calls(self) -> list[tuple[str, str]]:
        return [tuple(line.split(" ", 1)) for line in self.log.read_text().splitlines()]

    async def answered(self) -> set[tuple[str, str]]:
        store = await open_sqlite(self.store)
        try:
            return journals.answered(await journals.entries_of(store, "one"))
        finally:
            await store.aclose()


async def kill_and_go_on(folder: Path, what: str, kills: int, draws: random.Random) -> int:
    """Kill it up to so many times, then let it end; the number of kills that hit."""
    whole = Victim(folder / "whole", what)
    expected = whole.finish()
    victim, hits, known = Victim(folder / "killed", what), 0, set[tuple[str, str]]()
    for number in range(kills):
        begun = len(victim.calls())
        # The fifth call of a process follows an answer: every other kill lets one through, or it were a crash loop.
        calls = draws.randint(5, 6) if number % 2 else draws.randint(1, 4)
        hits += victim.kill_after(calls, draws.uniform(0.0, 0.02))
        assert not known & set(victim.calls()[begun:])
        known = await victim.answered()
    begun = len(victim.calls())
    ended = victim.finish()
    assert not known & set(victim.calls()[begun:])
    assert (ended["status"], ended["outputs"]) == ("completed", expected["outputs"])
    assert set(victim.calls()) == set(whole.calls())
    return hits


@pytest.mark.parametrize("what", WHATS)
async def test_killed_at_random_instants_it_asks_nothing_answered_again_and_ends_the_same(
    tmp_path: Path, what: str
) -> None:
    (tmp_path / "whole").mkdir()
    (tmp_path / "killed").mkdir()
    assert await kill_and_go_on(tmp_path, what, 4, random.Random(what)) >= 2


@pytest.mark.soak
@pytest.mark.timeout(1200)
@pytest.mark.parametrize("what", WHATS)
async def test_it_survives_hundreds_of_kills(tmp_path: Path, what: str) -> None:
    draws, hits, number = random.Random(what), 0, 0
    while hits < 70:
        folder = tmp_path / str(number)
        (folder / "whole").mkdir(parents=True)
        (folder / "killed").mkdir()
        hits += await kill_and_go_on(folder, what, 4, draws)
        number += 1


def test_of_two_processes_with_the_same_id_one_runs_and_the_other_gets_its_outputs(tmp_path: Path) -> None:
    victim = Victim(tmp_path, "rounds")
    both = [victim.start() for _ in range(2)]
    said = [json.loads(process.communicate(timeout=60)[0]) for process in both]
    assert said[0]["outputs"] == said[1]["outputs"] is not None
    assert len(victim.calls()) == len(set(victim.calls())) == 16


def test_whoever_waits_for_a_process_that_dies_takes_over(tmp_path: Path) -> None:
    victim = Victim(tmp_path, "rounds")
    first = victim.start()
    while len(victim.calls()) < 4:
        time.sleep(0.001)
    second = victim.start()
    first.kill()
    first.communicate()
    assert json.loads(second.communicate(timeout=60)[0])["status"] == "completed"
    assert len(set(victim.calls())) == 16


PLAYBOOK = """
schema: agentical/v1
name: killer
agents: {first: "python:hands.first", second: "python:hands.second"}
steps:
  one: {agent: first, with: {number: 1}}
  two: {agent: second, with: {number: "${{ steps.one.output }}"}}
outputs: {number: "${{ steps.two.output }}"}
"""
HANDS = """
import os, pathlib, signal

def first(number: int) -> int:
    return number + 1

def second(number: int) -> int:
    if not pathlib.Path(__file__).with_name("healed").exists():
        os.kill(os.getpid(), signal.SIGKILL)
    return number * 10
"""


async def test_what_keeps_ending_the_process_is_stopped_after_three_resumptions_until_that_is_accepted(
    tmp_path: Path,
) -> None:
    (tmp_path / "killer.yaml").write_text(PLAYBOOK)
    (tmp_path / "hands.py").write_text(HANDS)
    victim = Victim(tmp_path, str(tmp_path / "killer.yaml"))
    for _ in range(4):
        with victim.start() as process:
            assert process.wait() == -signal.SIGKILL
    async with Agentical(store=victim.store) as app:
        with pytest.raises(CrashLoop, match="resumed three times"):
            await app.resume("one")
        (tmp_path / "healed").touch()
        with pytest.raises(CrashLoop, match="accept-crash-loop"):
            await app.run(victim.what, id="one")
        run = await app.resume("one", accept_crash_loop=True)
        assert run.outputs == {"number": 20}
        await app.replay("one")
