"""The command `agentical`: what the SDK does, for the shell.

Why imports stand inside functions here: `agentical --help` answers at once, and loads nothing that only a run needs.
"""

from __future__ import annotations

import gc
import io
import os
import sys


def main() -> None:
    """Run the command of `sys.argv` and end the process with its exit status."""
    # logfire's pydantic plug-in would load its SDK with the first model class, which takes most of a second.
    os.environ.setdefault("PYDANTIC_DISABLE_PLUGINS", "logfire-plugin")
    gc.set_threshold(200_000, 50, 1000)
    _hold_standard_descriptors()
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(encoding="utf-8", errors="backslashreplace")
    from agentical.cli.commands import command
    from agentical.cli.faults import guarded

    sys.exit(guarded(command))


def _hold_standard_descriptors() -> None:
    """Let nothing that is opened later become stdin, stdout or stderr where one of them was closed."""
    for number in range(3):
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, os.O_RDWR)
