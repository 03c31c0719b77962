"""How often an agent may be asked. Pure: time is passed in."""

from __future__ import annotations


class Bucket:
    """A token bucket: `count` asks per `seconds`, all of which may come at once."""

    __slots__ = ("_filled_at", "_interval", "_size", "_tokens")

    def __init__(self, count: int, seconds: float) -> None:
        self._size, self._interval = float(count), seconds / count
        self._tokens, self._filled_at = float(count), 0.0

    def take(self, now: float) -> float:
        """Take one token; seconds to wait until it is there (0.0: it is). `now` is in seconds and never goes back."""
        if self._filled_at:
            self._tokens = min(self._size, self._tokens + (now - self._filled_at) / self._interval)
        self._filled_at = now
        self._tokens -= 1.0
        return 0.0 if self._tokens >= 0.0 else -self._tokens * self._interval
