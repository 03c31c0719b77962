"""What takes how long, in virtual time through the real engine: streams, balance, limits, retries, timeouts, no waves."""

from __future__ import annotations

import asyncio
from itertools import pairwise
from typing import Any

import pytest
from cases import ID, graph_of, run_prepared
from crews import Crew
from journals import SlowStore, entries_of
from virtual import VirtualClock, run

import agentical
from agentical import events as ev
from agentical.graph import Step
from agentical.ports import TaskContext
from agentical.prepared import of_team
from agentical.sdk import Agentical
from agentical.stores.memory import MemoryStore


async def timed(prepared: Any, store: Any = None, **settings: Any) -> tuple[Any, float]:
    """The run, and its virtual seconds by the journal."""
    done = await run_prepared(prepared, store or MemoryStore(), replay=False, **settings)
    return done, done.receipt.ended - done.receipt.started


def stages(crew: Crew, *takes: float) -> list[Any]:
    return [crew.member(f"stage{n}", lambda item: item, takes=seconds) for n, seconds in enumerate(takes)]


def step(id: str, index: int, waits: tuple[int, ...] = (), **parts: Any) -> Step:
    return Step(id, index, index, "agent", waits=waits, members=(id,), **parts)


def test_a_pipeline_of_three_stages_of_50_ms_takes_1_1_seconds_for_20_items() -> None:
    prepared = of_team("pipeline", stages(Crew(), 0.05, 0.05, 0.05), None, list(range(20)), {})
    done, took = run(timed(prepared))
    assert done.outputs == {"result": list(range(20))}
    assert took == pytest.approx(1.1, abs=0.01)


def test_the_same_pipeline_over_a_store_that_takes_a_millisecond_is_hardly_slower() -> None:
    prepared = of_team("pipeline", stages(Crew(), 0.05, 0.05, 0.05), None, list(range(20)), {})
    _, took = run(timed(prepared, SlowStore(slowest=0.001)))
    assert took < 1.2


def test_a_slow_last_stage_stops_the_first_from_running_ahead() -> None:
    crew = Crew()
    prepared = of_team("pipeline", stages(crew, 0.01, 0.01, 0.2), None, list(range(40)), {"buffer": 3})

    async def main() -> None:
        async with Agentical(store=MemoryStore(), clock=VirtualClock()) as app:
            task = asyncio.create_task(app._run(ID, prepared, None))
            await asyncio.sleep(2.05)
            begun = [sum(f"/stage{n}" in key for _, key in crew.calls) for n in range(3)]
            assert begun[2] == 11
            assert begun[0] - begun[2] <= 3 + 1 + 3 + 1 + 1
            done = await task
        by_stage = done.progress.views[0]["record"]["by_stage"]
        assert max(stage["most_waiting"] for stage in by_stage.values()) <= 3

    run(main())


def test_beside_ten_equal_replicas_one_ten_times_slower_gets_1_to_3_of_110_items() -> None:
    crew = Crew()
    equal = crew.member("equal", lambda item: item, takes=0.05, replicas=10)
    slow = crew.member("slow", lambda item: item, takes=0.5)
    done, took = run(timed(of_team("scatter-gather", [equal, slow], None, list(range(110)), {})))
    assert done.outputs == {"result": list(range(110))}
    assert 1 <= crew.by_member["slow"] <= 3
    assert took < 1.1


def test_steps_start_as_soon_as_their_needs_are_met_never_in_waves() -> None:
    crew = Crew()
    takes = {"slow": 10.0, "quick": 1.0, "after_quick": 1.0, "last": 1.0}
    agents = [crew.member(name, lambda _: 1, takes=seconds) for name, seconds in takes.items()]
    graph = graph_of(
        step("slow", 0), step("quick", 1), step("after_quick", 2, (1,)), step("last", 3, (0, 2)), agents=agents
    )

    async def main() -> None:
        store = MemoryStore()
        _, took = await timed(graph, store)
        ended = {e.event.step: e.at for e in await entries_of(store, ID) if isinstance(e.event, ev.StepCompleted)}
        began = min(ended.values()) - 1.0
        assert {name: round(at - began) for name, at in ended.items()} == {
            "quick": 1, "after_quick": 2, "slow": 10, "last": 11,
        }  # fmt: skip
        assert took == pytest.approx(11.0)

    run(main())


@pytest.mark.parametrize("limit", [1, 4, 20])
def test_at_most_so_many_tasks_of_an_execution_run_at_once(limit: int) -> None:
    crew = Crew()
    names = [f"s{n}" for n in range(30)]
    agents = [crew.member(name, lambda _: 1, takes=1.0) for name in names] + [
        crew.member("team", lambda item: item, takes=1.0, replicas=30)
    ]
    items = Step("items", 30, 30, "team", members=("team",), strategy="scatter-gather", for_each=list(range(30)))
    graph = graph_of(*[step(name, n) for n, name in enumerate(names)], items, agents=agents)
    done, took = run(timed(graph, max_concurrent_agents=limit))
    assert done.status == "completed"
    assert crew.peak == limit
    assert took == pytest.approx(60 / limit)


def test_twenty_tasks_of_an_execution_and_ten_executions_run_at_once_unless_set_otherwise() -> None:
    crew = Crew()

    async def main() -> None:
        async with Agentical(store=MemoryStore(), clock=VirtualClock()) as app:
            work = crew.member("work", lambda item: item, takes=1.0, replicas=30)
            await app.run("scatter-gather", team=[work], for_each=list(range(60)))
            assert crew.peak == 20
            crew.peak = 0
            one = crew.member("one", lambda payload: payload, takes=1.0)
            await asyncio.gather(*(app.run("parallel", team=[one], payload=n) for n in range(30)))
            assert crew.peak == 10

    run(main())


def test_retries_wait_for_full_jitter_delays_that_grow_and_are_recorded_with_their_due_time() -> None:
    asked: list[float] = []

    @agentical.agent(retry={"limit": 4, "delay": 2.0, "max-delay": 10.0})
    async def flaky(payload: int) -> int:
        asked.append(asyncio.get_running_loop().time())
        if len(asked) < 5:
            raise agentical.Transient("busy")
        return payload

    async def main() -> None:
        store, draws = MemoryStore(), VirtualClock()
        done, _ = await timed(of_team("parallel", [flaky], 7, None, {}), store)
        expected = [draws.random() * longest for longest in (2.0, 4.0, 8.0, 10.0)]
        waits = [after - before for before, after in pairwise(asked)]
        assert waits == pytest.approx(expected)
        dues = [e.event.due - e.at for e in await entries_of(store, ID) if isinstance(e.event, ev.TaskRetried)]
        assert dues == pytest.approx(expected)
        assert (done.receipt.retried, done.receipt.asked, done.receipt.answered) == (4, 1, 1)

    run(main())


def test_a_retry_waits_without_a_slot() -> None:
    tried: list[str] = []

    @agentical.agent(retry={"limit": 1, "delay": 50.0, "jitter": "none"})
    async def flaky(payload: Any) -> str:
        tried.append("flaky")
        if len(tried) == 1:
            raise agentical.Transient("busy")
        return "late"

    async def steady(payload: Any) -> str:
        tried.append("steady")
        return "soon"

    _, took = run(timed(of_team("parallel", [flaky, steady], None, None, {}), max_concurrent_agents=1))
    assert tried == ["flaky", "steady", "flaky"]
    assert took == pytest.approx(50.0)


def test_a_server_that_says_when_to_come_back_is_not_asked_before() -> None:
    asked: list[float] = []

    @agentical.agent(retry=3)
    async def limited(payload: Any) -> str:
        asked.append(asyncio.get_running_loop().time())
        if len(asked) == 1:
            raise agentical.RateLimited("slow down", retry_after=30.0)
        return "ok"

    run(timed(of_team("parallel", [limited], None, None, {})))
    assert asked[1] - asked[0] == pytest.approx(30.0)


def test_a_timeout_of_an_agent_ends_one_attempt_and_its_class_is_transient() -> None:
    @agentical.agent(timeout="2s", retry={"limit": 2, "delay": 1.0, "jitter": "none", "backoff": "fixed"})
    async def stuck(payload: Any, context: TaskContext) -> str:
        if context.attempt < 3:
            await asyncio.sleep(1_000)
        return "at last"

    done, took = run(timed(of_team("parallel", [stuck], None, None, {})))
    assert done.outputs == {"result": {"answers": {"stuck": "at last"}, "errors": {}}}
    assert took == pytest.approx(2 + 1 + 2 + 1)


def test_an_agent_with_a_rate_is_asked_no_faster() -> None:
    from msgspec.structs import replace

    crew = Crew()
    prepared = of_team(
        "scatter-gather", [crew.member("work", lambda item: item, takes=0.0, replicas=8)], None, list(range(20)), {}
    )
    spec = replace(prepared.graph.agents["work"], rate=(2, 1.0))
    prepared.graph = replace(prepared.graph, agents={"work": spec})
    _, took = run(timed(prepared))
    assert took == pytest.approx(9.0, abs=0.01)
