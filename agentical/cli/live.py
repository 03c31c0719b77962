"""Progress on a terminal: a bar, and a line for each step that runs; what has ended stays above them."""

from __future__ import annotations

import os
import time
from types import TracebackType
from typing import Self

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from agentical.cli.output import plain, tell_now
from agentical.cli.progress import Display, Running
from agentical.cli.receipts import lasted
from agentical.graph import Graph

MOST_LINES = 8
_SHOW_CURSOR = b"\x1b[?25h"


class LiveProgress(Display):
    """Drawn eight times a second by a thread of its own, so that seeing an event costs no more than counting it."""

    def __init__(self, execution: str, graph: Graph | None = None) -> None:
        super().__init__(execution, graph)
        self._console = Console(stderr=True, highlight=False)
        self._live = Live(
            console=self._console,
            get_renderable=self.drawn,
            refresh_per_second=8,
            transient=True,
            redirect_stdout=False,
        )

    def drawn(self) -> RenderableType:
        """The bar and the lines as they are now."""
        running = list(self.running.values())
        lines = Table.grid(padding=(0, 2))
        for one in running[:MOST_LINES]:
            lines.add_row("", *(Text(plain(cell)) for cell in self._cells(one)))
        if len(running) > MOST_LINES:
            lines.add_row("", Text(f"and {len(running) - MOST_LINES:,} more"))
        return Group(self._bar(running), lines)

    def line(self, text: str) -> None:
        self._console.print(Text(plain(text)), soft_wrap=True)

    def note(self, text: str) -> None:
        # Not by the console: it may be locked by the very thread that was interrupted.
        tell_now(text)

    def stop(self, text: str) -> None:
        os.write(2, _SHOW_CURSOR)
        tell_now(text)

    def __enter__(self) -> Self:
        self._live.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._live.stop()

    def _bar(self, running: list[Running]) -> RenderableType:
        total = max(len(self.steps), 1)
        done = len(self.ended) + sum(_part(one) for one in running if one.step not in self.ended)
        row = Table.grid(padding=(0, 2))
        row.add_row(
            Text(plain(self.execution)),
            ProgressBar(total, min(done, total), width=24),
            f"{self.answered:,}/{self.asked:,} tasks",
            f"{len(self.ended):,}/{len(self.steps):,} steps",
            lasted(time.time() - self.began),
        )
        return row

    def _cells(self, one: Running) -> tuple[str, str, str, str]:
        step = self.steps.get(one.step)
        how = "" if step is None else step.strategy or next(iter(step.members), step.body)
        failed = f", {one.failed:,} failed" if one.failed else ""
        return one.step, how, f"{one.answered:,}/{one.asked:,} answered{failed}", lasted(time.time() - one.at)


def _part(one: Running) -> float:
    """How much of a step is done, as far as its tasks tell."""
    return min(0.95, (one.answered + one.failed) / one.asked) if one.asked else 0.0
