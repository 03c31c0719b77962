"""The same chain of no-op steps in LangGraph, in the same run: `pip install -e '.[bench]'` first.

Both in memory, and both durable in SQLite (WAL, synchronous=FULL, a checkpoint or commit after every step). Nothing is
judged here; figures are the best of several runs.
"""

from __future__ import annotations

import asyncio
import gc
import tempfile
import time
from typing import Any, TypedDict

import aiosqlite
from bench_engine import chain, seconds
from langgraph.checkpoint.sqlite.aio import AsyncSqliteSaver
from langgraph.graph import END, START, StateGraph

LENGTH = 1000
ROUNDS = 3


class State(TypedDict):
    value: Any


async def nothing(state: State) -> State:
    return {"value": state["value"]}


def peer() -> Any:
    """A LangGraph of LENGTH nodes, one after the other."""
    graph = StateGraph(State)
    for n in range(LENGTH):
        graph.add_node(f"s{n}", nothing)
        graph.add_edge(START if n == 0 else f"s{n - 1}", f"s{n}")
    graph.add_edge(f"s{LENGTH - 1}", END)
    return graph


async def peer_in_memory() -> float:
    compiled = peer().compile()
    times = []
    for _ in range(ROUNDS):
        began = time.perf_counter()
        await compiled.ainvoke({"value": 0}, {"recursion_limit": LENGTH + 10})
        times.append(time.perf_counter() - began)
    return min(times)


async def peer_durable(folder: str) -> float:
    times = []
    async with aiosqlite.connect(f"{folder}/peer.db") as connection:
        saver = AsyncSqliteSaver(connection)
        await saver.setup()
        await connection.execute("PRAGMA synchronous=FULL")
        compiled = peer().compile(checkpointer=saver)
        for n in range(ROUNDS):
            config = {"recursion_limit": LENGTH + 10, "configurable": {"thread_id": str(n)}}
            began = time.perf_counter()
            await compiled.ainvoke({"value": 0}, config, durability="sync")
            times.append(time.perf_counter() - began)
    return min(times)


async def main() -> None:
    gc.set_threshold(200_000, 50, 1000)
    print(f"{f'chain of {LENGTH} no-op steps, steps/s':44} {'ours':>12} {'LangGraph':>12} {'ratio':>7}")
    ours, theirs = await seconds(chain(LENGTH), "memory:"), await peer_in_memory()
    print(f"{'in memory':44} {LENGTH / ours:12,.0f} {LENGTH / theirs:12,.0f} {theirs / ours:7.1f}")
    with tempfile.TemporaryDirectory() as folder:
        ours, theirs = await seconds(chain(LENGTH), f"sqlite:///{folder}/ours.db"), await peer_durable(folder)
    print(f"{'durable':44} {LENGTH / ours:12,.0f} {LENGTH / theirs:12,.0f} {theirs / ours:7.1f}")


if __name__ == "__main__":
    asyncio.run(main())
