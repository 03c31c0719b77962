"""Whether a cancellation is real: meant for the task that feels it, and not something its own code made up."""

from __future__ import annotations

import asyncio


def really_cancelled() -> bool:
    """Whether somebody cancels the current task. Otherwise a CancelledError is an exception like any other."""
    task = asyncio.current_task()
    return task is not None and task.cancelling() > 0
