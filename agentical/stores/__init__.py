"""Where journals, blobs and tallies are kept: one file per implementation of Store (see ports)."""

from __future__ import annotations

from agentical import plugins
from agentical.ports import Store


async def open_store(address: str) -> Store:
    """The store of an address. Raises CallInvalid for one that no installed store knows, StoreError where it cannot be opened."""
    kind = address.partition(":")[0]
    store: Store = await plugins.load("agentical.stores", kind)(address)
    return store
