"""Agentical as a program uses it: ids that attach, playbooks within playbooks, one-liners, wrong calls."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest
from crews import Crew
from journals import SlowStore, cut, entries_of
from virtual import VirtualClock, run

import agentical
from agentical import events as ev
from agentical.errors import CallInvalid, ExecutionFailed, ExecutionUnknown, PluginUnknown
from agentical.ports import Ask, Team
from agentical.sdk import Agentical
from agentical.stores.memory import MemoryStore
from agentical.stores.sqlite import open_sqlite


def app_on(store: Any, **settings: Any) -> Agentical:
    return Agentical(store=store, clock=VirtualClock(), **settings)


def adder(crew: Crew, **options: Any) -> Any:
    return crew.member("adder", lambda payload: payload + 1, **options)


@pytest.mark.parametrize("kind", ["memory", "slow", "sqlite"])
def test_the_same_id_at_once_runs_once_and_both_get_the_outputs(kind: str, tmp_path: Path) -> None:
    async def main() -> None:
        crew = Crew()
        store: Any = {"memory": MemoryStore, "slow": SlowStore}.get(kind, lambda: f"sqlite:///{tmp_path}/s.db")()
        async with app_on(store) as app:
            both = await asyncio.gather(*(app.run("parallel", team=[adder(crew)], payload=1, id="x") for _ in range(3)))
        assert {str(one.outputs) for one in both} == {"{'result': {'answers': {'adder': 2}, 'errors': {}}}"}
        assert len(crew.calls) == 1

    asyncio.run(main()) if kind == "sqlite" else run(main())


def test_an_id_that_has_ended_is_given_back_and_asks_nobody() -> None:
    async def main() -> None:
        crew = Crew()
        async with app_on(MemoryStore()) as app:
            first = await app.run("parallel", team=[adder(crew)], payload=1, id="x")
            again = await app.run("parallel", team=[adder(crew)], payload=1, id="x")
            assert (again.outputs, again.status, len(crew.calls)) == (first.outputs, "completed", 1)
            assert (await app.resume("x")).outputs == first.outputs

    run(main())


def test_an_id_begun_with_other_inputs_or_another_strategy_is_refused() -> None:
    async def main() -> None:
        async with app_on(MemoryStore()) as app:
            await app.run("parallel", team=[adder(Crew())], payload=1, id="x")
            with pytest.raises(CallInvalid, match="other inputs"):
                await app.run("parallel", team=[adder(Crew())], payload=2, id="x")
            with pytest.raises(CallInvalid, match="is an execution of parallel"):
                await app.run("sequential", team=[adder(Crew())], payload=1, id="x")

    run(main())


def test_a_strategy_function_is_a_durable_workflow() -> None:
    async def twice(team: Team, payload: Any) -> Any:
        return await team.ask("adder", await team.ask("adder", payload, key="one"), key="two")

    async def main() -> None:
        source, store, crew = MemoryStore(), MemoryStore(), Crew()
        async with app_on(source) as app:
            assert (await app.run(twice, team=[adder(crew)], payload=1, id="x")).outputs == {"result": 3}
            await app.replay("x", strategy=twice)
        answers = [n for n, e in enumerate(await entries_of(source, "x")) if isinstance(e.event, ev.TaskAnswered)]
        await cut(source, "x", answers[0] + 1, store)
        crew.calls.clear()
        async with app_on(store) as app:
            assert (await app.run(twice, team=[adder(crew)], payload=1, id="x")).outputs == {"result": 3}
        assert crew.calls == [("work#1", "two")]

    run(main())


def test_events_can_be_followed_until_the_end() -> None:
    async def main() -> None:
        store = SlowStore()
        async with app_on(store) as app:
            task = asyncio.create_task(app.run("sequential", team=[adder(Crew(), takes=3.0)], payload=1, id="x"))
            await asyncio.sleep(1.0)
            seen = [entry.seq async for entry in app.events("x", follow=True)]
            assert seen == list(range(1, (await store.row("x")).head_seq + 1))
            assert [entry.seq async for entry in app.events("x", after=2)] == seen[2:]
            assert (await task).status == "completed"

    run(main())


def test_an_execution_nobody_knows_is_said_so() -> None:
    async def main() -> None:
        async with app_on(MemoryStore()) as app:
            for look in (app.show("x"), app.resume("x"), app.replay("x")):
                with pytest.raises(ExecutionUnknown, match="'x'"):
                    await look

    run(main())


async def no_strategy(team: Team, payload: Any) -> Any:
    team.start(Ask("adder", 1, "k"))


@pytest.mark.parametrize(
    ("what", "how"),
    [
        ("nonesuch", {"team": [len]}),
        (no_strategy, {}),
        (no_strategy, {"team": [len], "vote": "majority"}),
        ("consensus", {"team": [len], "vote": "shouting"}),
        ("parallel", {"team": [3]}),
        ("parallel", {"team": [len, len]}),
        (3, {"team": [len]}),
        ("hierarchical", {"team": [len], "leader": "len"}),
    ],
)
def test_a_wrong_call_is_refused_before_anything_begins(what: Any, how: dict[str, Any]) -> None:
    async def main() -> None:
        async with app_on(MemoryStore()) as app:
            with pytest.raises((CallInvalid, PluginUnknown)):
                await app.run(what, **how)
            assert await app.list() == []

    run(main())


def test_a_setting_that_is_none_is_refused() -> None:
    with pytest.raises(CallInvalid, match="max_agents"):
        Agentical(store="memory:", max_agents=3)
    with pytest.raises(CallInvalid, match="max_concurrent_agents"):
        Agentical(store="memory:", max_concurrent_agents=0)


async def plus_one(payload: int) -> int:
    return payload + 1


async def test_coordinate_is_one_line_and_durable_with_an_id_and_a_store(tmp_path: Path) -> None:
    assert await agentical.coordinate("sequential", [plus_one], 1) == 2
    crew, store = Crew(), f"sqlite:///{tmp_path}/s.db"
    for _ in range(2):
        assert await agentical.coordinate("sequential", [adder(crew, takes=0.0)], 1, id="x", store=store) == 2
    assert len(crew.calls) == 1

    async def refuse(payload: Any) -> None:
        raise agentical.Denied("no")

    with pytest.raises(ExecutionFailed, match="no"):
        await agentical.coordinate("sequential", [refuse], 1)


def test_run_sync_needs_no_event_loop() -> None:
    assert agentical.run_sync("sequential", store="memory:", team=[plus_one], payload=4).unwrap() == {"result": 5}


async def test_a_run_that_is_cancelled_while_it_starts_can_be_started_again(tmp_path: Path) -> None:
    store = await open_sqlite(f"sqlite:///{tmp_path}/s.db")
    async with Agentical(store=store) as app:
        for turns in range(12):
            id, crew = f"x{turns}", Crew()
            task = asyncio.create_task(app.run("parallel", team=[adder(crew, takes=0.0)], payload=1, id=id))
            for _ in range(turns):
                await asyncio.sleep(0)
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
            async with asyncio.timeout(20):
                done = await app.run("parallel", team=[adder(crew, takes=0.0)], payload=1, id=id)
            assert done.status == "completed"
