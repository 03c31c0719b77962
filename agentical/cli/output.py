"""What the command writes: results to stdout, all else to stderr, lines for people without control characters."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, redirect_stdout, suppress
from typing import Any, ClassVar

from agentical.errors import AgenticalError

_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]")


class OutputClosed(AgenticalError):
    """Nobody takes what is written to stdout. `gone`: its reader has left, as `head` does when it has seen enough."""

    code: ClassVar[str] = "OUTPUT_CLOSED"

    def __init__(self, why: str, *, gone: bool = False) -> None:
        self.why, self.gone = why, gone
        super().__init__(f"stdout cannot be written to: {why}")


def put(text: str) -> None:
    """A line to stdout. Raises OutputClosed."""
    if sys.stdout is None:
        raise OutputClosed("it is closed")
    try:
        sys.stdout.write(f"{text}\n")
        sys.stdout.flush()
    except OSError as error:
        # What is left in the buffer must not fail again when Python flushes it at the end.
        with suppress(OSError, ValueError):
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        raise OutputClosed(error.strerror or str(error), gone=isinstance(error, BrokenPipeError)) from None


def put_json(value: Any, *, indent: int = 2) -> None:
    """A JSON value to stdout; in one line with `indent=0`."""
    import msgspec

    data = msgspec.json.encode(value)
    put((msgspec.json.format(data, indent=indent) if indent else data).decode())


def put_plain(text: str) -> None:
    """Lines for a person to stdout."""
    put(plain(text))


def tell(text: str) -> None:
    """Lines to stderr. A stderr that is gone changes nothing."""
    if sys.stderr is not None:
        with suppress(OSError):
            sys.stderr.write(f"{plain(text)}\n")
            sys.stderr.flush()


def tell_now(text: str) -> None:
    """A line to stderr from within a signal's handler, where Python's own streams may be in the middle of a write."""
    with suppress(OSError):
        os.write(2, f"\r{plain(text)}\r\n".encode() if os.isatty(2) else f"{plain(text)}\n".encode())


def plain(text: str) -> str:
    """Text that cannot move the cursor or recolour the terminal: agents and journals may hold any character."""
    return _CONTROL.sub("\N{REPLACEMENT CHARACTER}", text)


def shortened(text: str, longest: int = 120) -> str:
    """One line of at most `longest` characters."""
    line = " ".join(text.split())
    return line if len(line) <= longest else f"{line[: longest - 1]}…"


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Rows under their headings, each column as wide as its widest cell."""
    lines = [list(head), *([shortened(cell, 400) for cell in row] for row in rows)]
    widths = [max(len(line[n]) for line in lines) for n in range(len(head))]
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip() for line in lines
    )


@contextmanager
def stdout_kept() -> Iterator[None]:
    """While agents run, whatever they or their libraries print to stdout goes to stderr."""
    with suppress(OSError, ValueError, AttributeError):
        sys.stdout.flush()
    kept = _diverted()
    try:
        with redirect_stdout(sys.stderr):
            yield
    finally:
        if kept is not None:
            os.dup2(kept, 1)
            os.close(kept)


def _diverted() -> int | None:
    """Let descriptor 1 lead where 2 leads; gives a copy of the old one, None where either is closed."""
    try:
        kept = os.dup(1)
    except OSError:
        return None
    try:
        os.dup2(2, 1)
    except OSError:
        os.close(kept)
        return None
    return kept
