"""What the memory store promises beside the conformance suite."""

from __future__ import annotations

import pytest

from agentical.errors import CallInvalid, StoreError
from agentical.events import GENESIS, ExecutionRow
from agentical.ports import Append
from agentical.stores.memory import open_memory


async def test_an_append_in_memory_never_suspends() -> None:
    store = await open_memory()
    await store.claim("one", "me", lambda owner: True, create=ExecutionRow("one", "p", "running", 1.0, 1.0))
    call = store.append([Append("one", 1, 0, GENESIS, (b"x",), b"a" * 32, "running", 1.0)])
    with pytest.raises(StopIteration) as returned:
        call.send(None)
    assert returned.value.value == []


async def test_a_blob_under_a_hash_not_its_own_is_never_returned() -> None:
    store = await open_memory()
    await store.claim("one", "me", lambda owner: True, create=ExecutionRow("one", "p", "running", 1.0, 1.0))
    await store.append([Append("one", 1, 0, GENESIS, (b"x",), b"a" * 32, "running", 1.0, {"ab" * 32: b"other"})])
    with pytest.raises(StoreError, match="damaged"):
        await store.blob("ab" * 32)


async def test_the_address_of_another_kind_of_store_is_refused() -> None:
    with pytest.raises(CallInvalid, match="memory:"):
        await open_memory("sqlite:///x.db")


async def test_a_store_in_memory_has_no_folder() -> None:
    assert (await open_memory()).folder is None
