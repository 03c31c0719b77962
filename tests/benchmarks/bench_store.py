"""What a durable append costs, beside one raw commit to SQLite with `synchronous=FULL` on the same disk.

Run it as `python tests/benchmarks/bench_store.py`; it prints a small table. The two are measured in turns, so that a
busy machine slows both.
"""

from __future__ import annotations

import asyncio
import hashlib
import shutil
import sqlite3
import statistics
import tempfile
import time
from pathlib import Path

from agentical.events import GENESIS, ExecutionRow
from agentical.ports import Append
from agentical.stores.sqlite import SqliteStore, open_sqlite

LINES = tuple(
    b'[%d,1700000000.123456,{"type":"TaskAnswered","visit":"s%d#1","key":"ask","member":"a","answer":%d}]' % (n, n, n)
    for n in range(4)
)
ROUNDS, COMMITS = 15, 330


def open_raw(path: Path) -> sqlite3.Connection:
    connection = sqlite3.connect(path, isolation_level=None)
    for pragma in ("journal_mode = WAL", "synchronous = FULL", "wal_autocheckpoint = 0"):
        connection.execute(f"PRAGMA {pragma}")
    connection.execute("CREATE TABLE rows (n INTEGER PRIMARY KEY, body BLOB)")
    return connection


def raw_round(connection: sqlite3.Connection) -> float:
    body = b"\n".join(LINES)
    start = time.perf_counter()
    for _ in range(COMMITS):
        connection.execute("BEGIN IMMEDIATE")
        connection.execute("INSERT INTO rows (body) VALUES (?)", (body,))
        connection.execute("COMMIT")
    # The store's own checkpoints (one for every 4 MB of log) are in its figures too.
    connection.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchall()
    return (time.perf_counter() - start) / COMMITS


async def store_round(store: SqliteStore, head: tuple[int, bytes]) -> tuple[float, tuple[int, bytes]]:
    seq, before = head
    appends = []
    for _ in range(COMMITS):
        after = hashlib.sha256(before).digest()
        appends.append(Append("e", 1, seq, before, LINES, after, "running", 1.0))
        seq, before = seq + len(LINES), after
    start = time.perf_counter()
    for append in appends:
        if await store.append((append,)):
            raise SystemExit("an append was refused")
    return (time.perf_counter() - start) / COMMITS, (seq, before)


async def measure(folder: Path) -> None:
    raw, store = open_raw(folder / "raw.db"), await open_sqlite(f"sqlite:///{folder / 'store.db'}")
    row = ExecutionRow("e", "bench", "running", 1.0, 1.0)
    await store.claim("e", "bench", lambda owner: True, create=row)
    head = (0, GENESIS)
    pairs: list[tuple[float, float]] = []
    for _ in range(ROUNDS):
        plain = raw_round(raw)
        kept, head = await store_round(store, head)
        pairs.append((plain, kept))
    await store.aclose()
    raw.close()
    # The first rounds also make the write-ahead logs grow; only later ones write over what is there.
    settled = pairs[2:]
    plain, kept = (statistics.median(column) * 1e6 for column in zip(*settled, strict=True))
    ratio = statistics.median(a / b for a, b in settled)
    print(f"raw commit, one row              {plain:8.1f} µs")
    print(f"SqliteStore.append, 4 lines      {kept:8.1f} µs")
    print(f"ratio                            {ratio:8.2f}")


if __name__ == "__main__":
    place = Path(tempfile.mkdtemp(prefix="bench-store-"))
    try:
        asyncio.run(measure(place))
    finally:
        shutil.rmtree(place)
