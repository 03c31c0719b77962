"""Virtual time: an event loop whose clock jumps to the next timer when nothing else is left to do, and a Clock on it."""

from __future__ import annotations

import asyncio
import random
import selectors
from collections.abc import Coroutine
from typing import Any, TypeVar

Result = TypeVar("Result")

LONGEST = 5_000.0
"""Virtual seconds after which a run is taken to hang: something periodic keeps the loop alive for ever."""
PATIENCE = 20.0
"""Real seconds to wait for a thread."""


class Hangs(AssertionError):
    """Nothing can happen any more, yet something is waited for."""


class _Jump:
    """A selector that does not wait for time, only for threads."""

    def __init__(self, loop: VirtualLoop, real: selectors.BaseSelector) -> None:
        self._loop, self._real = loop, real

    def __getattr__(self, name: str) -> Any:
        return getattr(self._real, name)

    def select(self, timeout: float | None = None) -> Any:
        if timeout != 0 and (self._loop.in_threads or timeout is None):
            found = self._real.select(PATIENCE)
            if not found:
                raise Hangs("nobody will ever wake this loop")
            return found
        if not (found := self._real.select(0)):
            self._loop.now += timeout or 0.0
            if self._loop.now > LONGEST:
                raise Hangs(f"{LONGEST:g} virtual seconds have passed")
        return found


class VirtualLoop(asyncio.SelectorEventLoop):
    """`now` is its time in seconds; it stands still while a thread of its executor works."""

    def __init__(self) -> None:
        self.now, self.in_threads = 100.0, 0
        super().__init__(_Jump(self, selectors.DefaultSelector()))  # type: ignore[arg-type]
        self._clock_resolution = 1e-9

    def time(self) -> float:
        return self.now

    def run_in_executor(self, executor: Any, func: Any, *args: Any) -> Any:
        self.in_threads += 1
        future = super().run_in_executor(executor, func, *args)
        future.add_done_callback(self._returned)
        return future

    async def shutdown_default_executor(self, timeout: float | None = None) -> None:
        """Python 3.12 bounds this by the loop's time, which does not pass while threads end."""
        self.in_threads += 1
        try:
            await super().shutdown_default_executor()
        finally:
            self.in_threads -= 1

    def _returned(self, _: object) -> None:
        self.in_threads -= 1


class VirtualClock:
    """Clock (see ports) on the running loop's time, with seeded draws and ids that count."""

    def __init__(self, seed: int = 0) -> None:
        self._draws, self._ids = random.Random(seed), 0

    def now(self) -> float:
        return 1_700_000_000.0 + self.monotonic()

    def monotonic(self) -> float:
        return asyncio.get_running_loop().time()

    def random(self) -> float:
        return self._draws.random()

    def new_id(self) -> str:
        self._ids += 1
        return f"id{self._ids}"


def run(main: Coroutine[Any, Any, Result]) -> Result:
    """What the coroutine returns, on a loop of its own where waiting takes no time."""
    with asyncio.Runner(loop_factory=VirtualLoop) as runner:
        return runner.run(main)
