"""What every implementation of the Store port promises of a journal that is damaged."""

from __future__ import annotations

import hashlib

import pytest

from agentical.errors import OwnershipLost
from agentical.events import GENESIS, ExecutionRow
from agentical.ports import Append, Store


async def test_what_is_set_aside_leaves_the_journal_and_its_head(store: Store) -> None:
    """Whole appends after an entry are gone, and the next append goes on top of that entry."""
    claim = await store.claim("x", "me", lambda _: False, create=ExecutionRow("x", "p", "running", 1.0, 1.0))
    first = hashlib.sha256(GENESIS + b"[1]").digest()
    second = hashlib.sha256(first + b"[2]").digest()
    await store.append([Append("x", claim.row.epoch, 0, GENESIS, (b"[1]",), first, "running", 1.0)])
    await store.append([Append("x", claim.row.epoch, 1, first, (b"[2]",), second, "running", 2.0)])
    assert await store.set_aside("x", claim.row.epoch, 1, first) == 1
    assert [one.lines async for one in store.journal("x")] == [(b"[1]",)]
    third = hashlib.sha256(first + b"[3]").digest()
    assert not await store.append([Append("x", claim.row.epoch, 1, first, (b"[3]",), third, "running", 3.0)])
    with pytest.raises(OwnershipLost):
        await store.set_aside("x", claim.row.epoch - 1, 1, first)
