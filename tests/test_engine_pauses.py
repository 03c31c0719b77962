"""What stops an execution without ending it, and what is left when a step ends it all; how workers share a loop."""

from __future__ import annotations

import asyncio
import itertools
from types import SimpleNamespace
from typing import Any

import pytest
from cases import ID, graph_of, run_prepared
from crews import Crew
from journals import SlowStore, entries_of
from virtual import VirtualClock, run

import agentical
from agentical import engine
from agentical import events as ev
from agentical.errors import StrategyDiverged
from agentical.graph import Step
from agentical.ports import Ask, TaskContext, Team
from agentical.prepared import of_team
from agentical.sdk import Agentical
from agentical.stores.memory import MemoryStore


def step(id: str, index: int, waits: tuple[int, ...] = (), **parts: Any) -> Step:
    return Step(id, index, index, "agent", waits=waits, members=(id,), **parts)


def test_a_strategy_that_comes_out_otherwise_pauses_the_execution_and_is_no_crash() -> None:
    payloads = iter(range(100))

    async def moody(team: Team, payload: Any) -> Any:
        await team.ask("a", next(payloads), key="one")
        await team.ask("a", 1, key="two")

    async def main() -> None:
        store, prepared = SlowStore(), of_team(moody, [Crew().member("a", lambda p: p, takes=1.0)], None, None, {})
        prepared.strategy = moody
        async with Agentical(store=store, clock=VirtualClock()) as app:
            task = asyncio.create_task(app._run(ID, prepared, None))
            await asyncio.sleep(1.5)
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
            for _ in range(5):
                with pytest.raises(StrategyDiverged):
                    await app._run(ID, prepared, None)
                last = (await entries_of(store, ID))[-1].event
                assert isinstance(last, ev.ExecutionPaused)
                assert "one" in last.reason
                assert (await app.show(ID)).status == "paused"

    run(main())


@pytest.mark.parametrize("end", ["completed", "failed", "cancelled"])
def test_a_step_that_ends_the_execution_leaves_undone_what_is_due_and_replays(end: str) -> None:
    crew = Crew()
    spent: list[float] = []

    @agentical.agent(name="slow")
    async def slow(payload: Any, context: TaskContext) -> None:
        context.charge(cost=2.0)
        spent.append(2.0)
        await asyncio.sleep(500.0)

    agents = [slow, crew.member("quick", lambda _: 2, takes=1.0), crew.member("late", lambda _: 3)]
    stop = Step("stop", 2, 2, "end", waits=(1,), end=end)
    late = Step("late", 3, 3, "agent", waits=(0,), alone=True, condition="true", members=("late",))
    done = run(run_prepared(graph_of(step("slow", 0), step("quick", 1), stop, late, agents=agents), SlowStore()))
    assert (done.status, done.progress.views[0].status) == (end, "cancelled")
    assert done.progress.views[3].status == "pending"
    assert done.receipt.usage.cost == sum(spent) == 2.0


def test_a_visit_with_many_tasks_that_wait_makes_room_for_one_more_only() -> None:
    """Each of ten teams waits for fifty retries: they open no more visits than there are slots and waiting teams."""
    opened: list[int] = []

    async def patient(team: Team, payload: Any) -> Any:
        for n in range(50):
            team.start(Ask("busy", n, f"k{n}"))
        return [(await team.next()).ok for _ in range(50)]  # type: ignore[union-attr]

    @agentical.agent(name="busy", retry={"limit": 1, "delay": 5.0, "jitter": "none"})
    async def busy(payload: Any, context: TaskContext) -> Any:
        if context.attempt == 1:
            raise agentical.Transient("later")
        return 1

    now: list[int] = [0]

    @agentical.agent(name="other")
    async def other(payload: Any) -> Any:
        now[0] += 1
        opened.append(now[0])
        await asyncio.sleep(1.0)
        now[0] -= 1

    async def main() -> None:
        team = Step("team", 0, 0, "team", members=("busy",), strategy="own")
        others = [Step(f"o{n}", n + 1, n + 1, "agent", members=("other",)) for n in range(30)]
        prepared = graph_of(team, *others, agents=[busy, other])
        prepared.strategy = patient
        store = SlowStore()
        done = await run_prepared(prepared, store, replay=False, max_concurrent_agents=4)
        assert done.status == "completed"
        open_visits, most = 0, 0
        for entry in await entries_of(store, ID):
            open_visits += isinstance(entry.event, ev.VisitStarted)
            open_visits -= isinstance(entry.event, ev.StepCompleted | ev.StepFailed)
            most = max(most, open_visits)
        assert most <= 5
        assert max(opened) == 4

    run(main())


def test_many_executions_leave_the_loop_to_others_nearly_as_often_as_one(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each look at the clock takes a millisecond: thirty chains give way after a step each, not after five."""
    ticks = itertools.count()
    monkeypatch.setattr(engine, "time", SimpleNamespace(monotonic=lambda: next(ticks) / 1000))

    def quick(name: str) -> Any:
        @agentical.agent(name=name)
        async def work(payload: Any) -> int:
            return 1

        return work

    async def longest_turn(chains: int) -> int:
        agents = [quick(f"s{n}") for n in range(40)]
        graph = graph_of(*[step(f"s{n}", n, (n - 1,) if n else ()) for n in range(40)], agents=agents)
        turns = [next(ticks)]
        async with Agentical(store=MemoryStore(), max_concurrent_executions=chains) as app:
            runs = [asyncio.create_task(app._run(f"x{n}", graph, None)) for n in range(chains)]
            while not all(one.done() for one in runs):
                await asyncio.sleep(0)
                turns.append(next(ticks))
        assert {one.result().status for one in runs} == {"completed"}
        return max(later - earlier for earlier, later in itertools.pairwise(turns))

    assert 5 <= asyncio.run(longest_turn(1)) <= 10
    assert asyncio.run(longest_turn(30)) <= 30 * 3
