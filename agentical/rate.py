"""How often an agent may be asked. Pure: time is passed in.

Why a window and no token bucket: a full bucket that fills again while it is emptied lets through nearly twice the count.
"""

from __future__ import annotations

from collections import deque


class Bucket:
    """At most `count` asks within any `seconds`, all of which may come at once."""

    __slots__ = ("_asks", "_count", "_seconds")

    def __init__(self, count: int, seconds: float) -> None:
        self._count, self._seconds = count, seconds
        self._asks: deque[float] = deque(maxlen=count)

    def take(self, now: float) -> float:
        """Take a place; seconds to wait until it is there (0.0: it is). `now` is in seconds and never goes back."""
        at = now if len(self._asks) < self._count else max(now, self._asks[0] + self._seconds)
        self._asks.append(at)
        return at - now
