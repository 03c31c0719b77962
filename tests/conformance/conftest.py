"""One fixture for the suite: each implementation of the Store port in turn."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from agentical.ports import Store
from agentical.stores.memory import open_memory
from agentical.stores.sqlite import open_sqlite


@pytest.fixture(params=["memory", "sqlite"])
async def store(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Store]:
    opened: Store
    if request.param == "memory":
        opened = await open_memory()
    else:
        opened = await open_sqlite(f"sqlite:///{tmp_path}/deep/down/store.db")
    yield opened
    await opened.aclose()
