"""Ctrl-C and SIGTERM: the first cancels what runs, so that it can be resumed; a second one ends the process at once.

Why plain signal handlers and not the event loop's: an agent that keeps the loop busy would keep it from hearing of them.
"""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import Awaitable, Callable, Coroutine
from types import FrameType
from typing import Any, TypeVar

import anyio

from agentical.cli.faults import INTERRUPTED

T = TypeVar("T")

SIGNALS = (signal.SIGINT, signal.SIGTERM)


def awaited(command: Callable[..., Coroutine[Any, Any, int]], *args: Any) -> int:
    """The exit status of a command that awaits."""
    try:
        return asyncio.run(command(*args))
    except KeyboardInterrupt:
        return INTERRUPTED


async def interruptible(
    work: Callable[[], Awaitable[T]], on_first: Callable[[], None], on_second: Callable[[], None]
) -> T | None:
    """What `work` gives; None where it was interrupted. Both calls are made within the signal's handler."""
    loop, scope = asyncio.get_running_loop(), anyio.CancelScope()
    heard = False

    def hear(number: int, frame: FrameType | None) -> None:
        nonlocal heard
        if heard:
            on_second()
            os._exit(INTERRUPTED)
        else:
            heard = True
            on_first()
            loop.call_soon_threadsafe(scope.cancel)

    before = {number: signal.signal(number, hear) for number in SIGNALS}
    try:
        with scope:
            return await work()
        return None
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
