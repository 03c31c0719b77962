"""What was being asked when the process died: asked again, or known to be uncertain."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from cases import ID, run_prepared
from journals import SlowStore, cut, lines_of
from msgspec.structs import replace
from virtual import run

import agentical
from agentical.graph import Retry
from agentical.ports import TaskContext
from agentical.prepared import Prepared, of_team
from agentical.stores.memory import MemoryStore


def uncertain(calls: list[str], how: str, **options: Any) -> Prepared:
    async def pay(payload: Any, context: TaskContext) -> str:
        calls.append(f"{context.attempt}")
        await asyncio.sleep(1.0)
        if len(calls) == 1 and options.get("retry"):
            raise agentical.Transient("try again")
        return "paid"

    prepared = of_team("sequential", [pay], 1, None, {})
    spec = replace(prepared.graph.agents["pay"], on_uncertain=how, **options)
    prepared.graph = replace(prepared.graph, agents={"pay": spec})
    return prepared


async def crashed_while_asking(prepared: Prepared, seconds: float) -> MemoryStore:
    """What a process that died so long after the start left."""
    source, store = SlowStore(slowest=0.001), MemoryStore()
    task = asyncio.create_task(run_prepared(prepared, source, replay=False))
    await asyncio.sleep(seconds)
    await cut(source, ID, len(await lines_of(source, ID)), store)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    return store


@pytest.mark.parametrize(("how", "status", "asked"), [("ask-again", "completed", 2), ("fail", "failed", 1)])
def test_what_was_in_flight_at_a_crash_is_asked_again_or_fails_as_uncertain(how: str, status: str, asked: int) -> None:
    calls: list[str] = []

    async def main() -> None:
        store = await crashed_while_asking(uncertain(calls, how), 0.5)
        done = await run_prepared(uncertain(calls, how), store)
        assert (done.status, len(calls)) == (status, asked)
        if status == "failed":
            assert done.error["code"] == "UNCERTAIN"

    run(main())


@pytest.mark.parametrize(("seconds", "status"), [(1.5, "completed"), (2.5, "failed")])
def test_between_two_attempts_nothing_is_uncertain_during_the_second_it_is(seconds: float, status: str) -> None:
    async def main() -> None:
        calls: list[str] = []
        retry = {"transient": Retry(2, 1.0, "fixed", "none")}
        store = await crashed_while_asking(uncertain(calls, "fail", retry=retry), seconds)
        done = await run_prepared(uncertain(calls, "fail", retry=retry), store)
        assert (done.status, calls) == (status, ["1", "2"])

    run(main())
