"""What the engine costs, as ratios to bare asyncio and raw SQLite measured in the same run.

Run it: `python tests/benchmarks/bench_engine.py`. Nothing is judged here; figures are best of several runs, because
whatever else the machine does only ever adds. Work: a chain of N no-op steps (each step's payload is the answer of the
one before), and a fan-out of N no-op steps with a join.
"""

from __future__ import annotations

import asyncio
import gc
import sqlite3
import tempfile
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

from agentical.graph import AgentSpec, Graph, Step
from agentical.kit import FUNCTION
from agentical.prepared import Prepared
from agentical.sdk import Agentical

ROUNDS = 5


async def nothing(payload: Any) -> Any:
    return payload


def chain(length: int) -> Graph:
    """Each step asks one agent, with the answer of the step before as payload."""
    steps = tuple(
        Step(
            f"s{n}", n, n, "agent", waits=(n - 1,) if n else (), members=("nothing",), has_payload=True,
            payload=f"${{{{ steps.s{n - 1}.output }}}}" if n else 0,
        )
        for n in range(length)
    )  # fmt: skip
    return Graph("chain", steps, agents={"nothing": AgentSpec("nothing", FUNCTION)}, outputs={"n": 0})


def fan(width: int) -> Graph:
    """Steps side by side, and one that needs them all."""
    steps = tuple(Step(f"s{n}", n, n, "agent", members=("nothing",), has_payload=True, payload=n) for n in range(width))
    join = Step(
        "join", width, width, "agent", waits=tuple(range(width)), members=("nothing",), has_payload=True, payload=0
    )
    return Graph("fan", (*steps, join), agents={"nothing": AgentSpec("nothing", FUNCTION)}, outputs={"n": 0})


async def seconds(graph: Graph, store: str) -> float:
    """The best time of a run of the graph, from call to outputs."""
    times = []
    async with Agentical(store=store) as app:
        for n in range(ROUNDS):
            prepared = Prepared(graph.name, graph, b"", {}, functions={"nothing": nothing})
            gc.collect()
            began = time.perf_counter()
            run = await app._run(f"run-{n}-{len(graph.steps)}", prepared, None)
            times.append(time.perf_counter() - began)
            assert run.status == "completed", run.error
    return min(times)


async def best(work: Callable[[], Awaitable[None]]) -> float:
    times = []
    for _ in range(ROUNDS):
        began = time.perf_counter()
        await work()
        times.append(time.perf_counter() - began)
    return min(times)


async def bare_chain(length: int) -> None:
    value: Any = 0
    for _ in range(length):
        value = await asyncio.create_task(nothing(value))


async def bare_fan(width: int) -> None:
    async with asyncio.TaskGroup() as group:
        for n in range(width):
            group.create_task(nothing(n))


def raw_commits(folder: str, count: int) -> float:
    """Seconds for `count` commits of one 400-byte row each: WAL, synchronous=FULL, one prepared INSERT."""
    db = sqlite3.connect(f"{folder}/raw-{time.perf_counter_ns()}.db", isolation_level=None)
    db.execute("PRAGMA journal_mode=WAL")
    db.execute("PRAGMA synchronous=FULL")
    db.execute("CREATE TABLE journal(n INTEGER PRIMARY KEY, execution INTEGER, body BLOB)")
    body = b"x" * 400
    began = time.perf_counter()
    for _ in range(count):
        db.execute("BEGIN IMMEDIATE")
        db.execute("INSERT INTO journal(execution, body) VALUES (1, ?)", (body,))
        db.execute("COMMIT")
    took = time.perf_counter() - began
    db.close()
    return took


async def main() -> None:
    gc.set_threshold(200_000, 50, 1000)  # as the command line does
    print(f"{'work':44} {'ours':>12} {'raw limit':>12} {'ratio':>7}")
    for length in (1000, 5000):
        ours, bare = await seconds(chain(length), "memory:"), await best(lambda n=length: bare_chain(n))
        print(
            f"{f'in-memory chain of {length}, steps/s':44} {length / ours:12,.0f} {length / bare:12,.0f} {bare / ours:7.3f}"
        )
    for width in (1000, 5000):
        ours, bare = await seconds(fan(width), "memory:"), await best(lambda n=width: bare_fan(n))
        print(f"{f'in-memory fan-out of {width} and join, s':44} {ours:12.4f} {bare:12.4f} {bare / ours:7.3f}")
    for root in dict.fromkeys((Path(tempfile.gettempdir()), Path("/dev/shm"))):
        if not root.is_dir():
            continue
        with tempfile.TemporaryDirectory(dir=root) as folder:
            pairs = []
            for n in range(ROUNDS):  # in turns, as disks have moods
                raw = raw_commits(folder, 1000)
                async with Agentical(store=f"sqlite:///{folder}/chain.db") as app:
                    prepared = Prepared("chain", chain(1000), b"", {}, functions={"nothing": nothing})
                    began = time.perf_counter()
                    await app._run(f"chain-{n}", prepared, None)
                    pairs.append((time.perf_counter() - began, raw))
        ours, raw = sorted(pairs, key=lambda pair: pair[1] / pair[0])[len(pairs) // 2]
        print(
            f"{f'durable chain of 1000 in {root}, steps/s':44} {1000 / ours:12,.0f} {1000 / raw:12,.0f} {raw / ours:7.3f}"
        )


if __name__ == "__main__":
    asyncio.run(main())
