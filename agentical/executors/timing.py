"""The clock of one task: started by its executor once the task has got its place, so that queueing costs it nothing."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from time import monotonic

import anyio

from agentical.errors import TimedOut
from agentical.ports import TaskContext


@contextmanager
def clock(context: TaskContext) -> Iterator[None]:
    """Let the task's time begin. Raises TimedOut when `context.timeout` has passed, having cancelled what is inside."""
    began = context.began = monotonic()
    if context.timeout is None:
        yield
        return
    context.deadline = began + context.timeout
    with anyio.move_on_after(context.timeout) as scope:
        yield
    if scope.cancelled_caught:
        raise TimedOut(f"no answer within {context.timeout:g} s") from None
