"""The real clock: time, draws and ids of this machine."""

from __future__ import annotations

import random
import secrets
import time

_ALPHABET = "abcdefghijkmnpqrstuvwxyz23456789"


class SystemClock:
    """Clock (see ports) of the operating system."""

    now = staticmethod(time.time)
    monotonic = staticmethod(time.monotonic)
    random = staticmethod(random.random)

    def new_id(self) -> str:
        """Ten letters or digits: fifty random bits, none that are read for another."""
        return "".join(secrets.choice(_ALPHABET) for _ in range(10))
