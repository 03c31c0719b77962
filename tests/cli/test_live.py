"""The display on a terminal."""

from __future__ import annotations

import io
import sys
from pathlib import Path

import pexpect
from msgspec import Raw
from rich.console import Console

from agentical import events as ev
from agentical.cli.live import LiveProgress


def test_a_terminal_shows_a_bar_and_the_running_step_then_the_outputs(folder: Path) -> None:
    words = ["-m", "agentical", "run", "slow.yaml", "--id", "x", "-i", "each=0.3"]
    screen = pexpect.spawn(sys.executable, words, cwd=str(folder), timeout=30, encoding="utf-8", dimensions=(24, 120))
    screen.expect("x: started")
    screen.expect(r"━.* \d/\d tasks +1/2 steps")
    screen.expect(r"work +scatter-gather +\d/\d answered")
    screen.expect(r"work: completed in [\d.]+ m?s, 6 answered")
    screen.expect("receipt: asked 7")
    screen.expect(r'"done"')
    screen.expect(pexpect.EOF)
    screen.close()
    assert screen.exitstatus == 0


def test_ctrl_c_on_a_terminal_leaves_the_cursor_visible_and_says_how_to_go_on(folder: Path) -> None:
    words = ["-m", "agentical", "run", "slow.yaml", "--id", "x", "-i", "each=0.5"]
    screen = pexpect.spawn(sys.executable, words, cwd=str(folder), timeout=30, encoding="utf-8", dimensions=(24, 120))
    screen.expect(r"work +scatter-gather")
    screen.sendintr()
    screen.expect("interrupted: stopping")
    screen.expect(r"\x1b\[\?25h")
    screen.expect("Go on with: agentical resume x")
    screen.expect(pexpect.EOF)
    screen.close()
    assert screen.exitstatus == 130


def test_many_running_steps_are_not_more_lines_than_a_screen_has() -> None:
    display = LiveProgress("x")
    for n in range(30):
        display.see("x", 1.0, ev.VisitStarted(f"s#{n}", "s", Raw(b"{}")))
    console = Console(file=io.StringIO(), width=100)
    console.print(display.drawn())
    shown = console.file.getvalue()
    assert "and 22 more" in shown
    assert shown.count("\n") < 12
