"""Everything periodic: what rides along and waits for a commit is committed when its execution waits for something slow."""

from __future__ import annotations

import anyio

from agentical.state_manager import StateManager

BEAT = 0.1
"""Seconds between two beats."""


async def beat(manager: StateManager) -> None:
    """Beat until cancelled."""
    while True:
        await anyio.sleep(BEAT)
        await manager.flush_idle()
