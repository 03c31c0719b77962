"""Stores that fail, refuse, or give back something else than was written: said clearly, never a wrong result."""

from __future__ import annotations

import asyncio
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
from cases import CASES, ID, Case, run_case, run_prepared
from crews import Crew
from journals import GHOST, FailingStore, SlowStore, answered, cut, entries_of
from virtual import run

from agentical.errors import JournalDamaged, OwnershipLost, StoreError
from agentical.sdk import Agentical
from agentical.stores.memory import MemoryStore
from agentical.stores.sqlite import open_sqlite

BY_NAME = {case.name: case for case in CASES}
CHOSEN = [BY_NAME[name] for name in ("sequential", "parallel-two-at-a-time", "pipeline-source", "hierarchical")]


@pytest.mark.parametrize("written", [False, True], ids=["lost", "written-but-not-acknowledged"])
@pytest.mark.parametrize("case", CHOSEN, ids=lambda case: case.name)
def test_a_commit_that_fails_is_said_and_the_execution_goes_on_later(case: Case, written: bool) -> None:
    async def main() -> None:
        whole = SlowStore()
        expected = await run_case(case, Crew(), whole)
        for number in range(1, whole.commits + 1):
            store = FailingStore(lambda n, number=number: n == number, written=written)
            with pytest.raises(StoreError, match="the disk is full"):
                await run_case(case, Crew(), store)
            known, crew = answered(await entries_of(store, ID)), Crew(1)
            done = await run_case(case, crew, store)
            assert done.outputs == expected.outputs
            assert not known & set(crew.calls)

    run(main())


def test_a_store_that_failed_lets_the_same_process_try_again() -> None:
    async def main() -> None:
        case, store = BY_NAME["sequential"], FailingStore(lambda n: n in (1, 4))
        async with Agentical(store=store) as app:
            for _ in range(2):
                with pytest.raises(StoreError, match="the disk is full"):
                    await app._run(ID, case.prepared(Crew()), None)
            async with asyncio.timeout(60):
                assert (await app._run(ID, case.prepared(Crew()), None)).status == "completed"

    run(main())


def test_who_was_taken_over_stops_writing() -> None:
    async def main() -> None:
        case, store = BY_NAME["sequential"], SlowStore()

        async def take_over() -> None:
            await asyncio.sleep(0.2)
            await store.claim(ID, GHOST, lambda _: False)

        thief = asyncio.create_task(take_over())
        with pytest.raises(OwnershipLost):
            await run_case(case, Crew(), store)
        await thief
        stood = await entries_of(store, ID)
        done = await run_case(case, Crew(), store)
        assert (await entries_of(store, ID))[: len(stood)] == stood
        assert done.status == "completed"

    run(main())


def test_resuming_what_somebody_runs_waits_for_its_end() -> None:
    async def main() -> None:
        store = SlowStore()
        async with Agentical(store=store) as app:
            first = asyncio.create_task(app._run(ID, BY_NAME["sequential"].prepared(Crew()), None))
            await asyncio.sleep(0.1)
            resumed = await app.resume(ID)
            assert first.done()
            assert resumed.outputs == (await first).outputs

    run(main())


async def half_done(folder: Path, count: int = 9) -> tuple[Path, Case]:
    """A SQLite file with the first entries of an execution."""
    case, source, path = BY_NAME["sequential"], MemoryStore(), folder / "store.db"
    await run_case(case, Crew(), source)
    store = await open_sqlite(f"sqlite:///{path}")
    await cut(source, ID, count, store)
    await store.aclose()
    return path, case


async def go_on(path: Path, case: Case, crew: Crew | None = None) -> object:
    return (await run_prepared(case.prepared(crew or Crew()), await open_sqlite(f"sqlite:///{path}"))).outputs


async def test_an_undamaged_file_goes_on(tmp_path: Path) -> None:
    path, case = await half_done(tmp_path)
    expected = await run_case(case, Crew(), MemoryStore())
    assert await go_on(path, case) == expected.outputs


@pytest.mark.parametrize("row", range(9))
async def test_a_flipped_byte_in_any_entry_is_found(tmp_path: Path, row: int) -> None:
    path, case = await half_done(tmp_path)
    with closing(sqlite3.connect(path)) as db:
        (body,) = db.execute("SELECT body FROM journal WHERE first = ?", (row + 1,)).fetchone()
        changed = bytearray(body)
        changed[len(changed) // 2] ^= 4
        db.execute("UPDATE journal SET body = ? WHERE first = ?", (bytes(changed), row + 1))
        db.commit()
    crew = Crew()
    with pytest.raises(JournalDamaged) as caught:
        await go_on(path, case, crew)
    assert caught.value.seq == row + 1
    assert crew.calls == []


@pytest.mark.parametrize(
    "change",
    [
        "DELETE FROM journal WHERE first = 9",
        "DELETE FROM journal WHERE first = 4",
        "DELETE FROM journal WHERE first >= 1",
        "UPDATE journal SET body = (SELECT body FROM journal WHERE first = 6) WHERE first = 7",
        "UPDATE executions SET head_hash = zeroblob(32)",
        "UPDATE executions SET head_seq = 8",
    ],
)
async def test_a_cut_or_mixed_up_journal_is_found(tmp_path: Path, change: str) -> None:
    path, case = await half_done(tmp_path)
    with closing(sqlite3.connect(path)) as db:
        db.execute(change)
        db.commit()
    crew = Crew()
    with pytest.raises(StoreError):
        await go_on(path, case, crew)
    assert crew.calls == []


async def test_a_finished_journal_whose_tail_was_cut_is_not_shown_as_whole(tmp_path: Path) -> None:
    path, case = await half_done(tmp_path, count=10_000)
    with closing(sqlite3.connect(path)) as db:
        db.execute("DELETE FROM journal WHERE first = (SELECT max(first) FROM journal)")
        db.commit()
    async with Agentical(store=f"sqlite:///{path}") as app:
        for look in (app.show(ID), app.resume(ID), app._run(ID, case.prepared(Crew()), None), app.replay(ID)):
            with pytest.raises(JournalDamaged):
                await look
        with pytest.raises(JournalDamaged):
            [entry async for entry in app.events(ID)]


async def test_a_damaged_playbook_is_found(tmp_path: Path) -> None:
    path, case = await half_done(tmp_path)
    with closing(sqlite3.connect(path)) as db:
        db.execute(
            "UPDATE blobs SET body = CAST(replace(CAST(body AS TEXT), 'm1', 'm2') AS BLOB), codec = 0 WHERE size > 0"
        )
        db.commit()
    with pytest.raises(StoreError):
        await go_on(path, case)
