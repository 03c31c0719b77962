"""Attempts: the same rule decides live and from the record; what was in flight goes to whom it was with."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from cases import ID, graph_of, run_prepared
from hypothesis import given
from hypothesis import strategies as st
from journals import SlowStore, entries_of
from msgspec import Raw
from msgspec.structs import replace
from virtual import VirtualClock, run

import agentical
from agentical import events as ev
from agentical.attempts import Turn
from agentical.events import Failure
from agentical.executors.local import HereExecutor
from agentical.graph import AgentSpec, Retry, Step
from agentical.members import Asked, Seats
from agentical.ports import Ask, TaskContext, Team
from agentical.prepared import of_team
from agentical.retry import CLASSES
from agentical.sdk import Agentical
from agentical.stores.memory import MemoryStore
from agentical.visits import Visit


async def nobody(payload: Any, context: TaskContext) -> None:
    """Never called."""


def visit() -> Visit:
    return Visit(ev.VisitStarted("s#1", "s", Raw(b"null")), 0.0, 1, (0, 0, 0, 0))


def table(fallbacks: dict[str, str], limits: dict[str, dict[str, int]]) -> Seats:
    specs = [
        AgentSpec(id, "python", fallback=fallbacks.get(id), retry={kind: Retry(n) for kind, n in limits[id].items()})
        for id in limits
    ]
    return Seats({spec.id: Asked.of(spec, nobody) for spec in specs}, 9)


LIMITS = st.dictionaries(st.sampled_from(CLASSES), st.integers(0, 3), max_size=3)


@given(
    st.fixed_dictionaries(dict.fromkeys("abc", LIMITS)),
    st.dictionaries(st.sampled_from("abc"), st.sampled_from("abc")),
    st.lists(st.tuples(st.sampled_from(CLASSES), st.floats(0, 0.99), st.sampled_from([None, 5.0])), max_size=12),
)
def test_what_was_recorded_leads_to_where_it_led_when_it_happened(
    limits: dict[str, dict[str, int]], fallbacks: dict[str, str], failures: list[tuple[str, float, float | None]]
) -> None:
    seats, its = table(fallbacks, limits), visit()
    turn = Turn(("a",))
    for kind, draw, asked_for in failures:
        member, failure = turn.members[0], Failure(kind, "no")
        number = turn.number
        if turn.failed(seats.agent_of(member), failure, draw, asked_for) is None:
            break
        its.retried.setdefault("k", []).append(ev.TaskRetried("s#1", "k", member, failure, number, 0.0))
        assert Turn.of(its, "k", ("a",), None, seats) == turn


@given(st.dictionaries(st.sampled_from("abc"), st.sampled_from("abc")), st.integers(0, 3))
def test_a_task_that_always_fails_fails_for_good_in_the_end(fallbacks: dict[str, str], limit: int) -> None:
    seats = table(fallbacks, {id: {"bug": limit} for id in "abc"})
    turn, asked = Turn(("a",)), list[str]()
    while True:
        asked.append(turn.members[0])
        if turn.failed(seats.agent_of(asked[-1]), Failure("bug", "no")) is None:
            break
    assert all(asked.count(id) == limit + 1 for id in set(asked))


def test_what_was_asked_and_not_retried_is_in_flight() -> None:
    seats, its = table({}, {"a": {"bug": 3}, "b": {}}), visit()
    its.asked["k"] = ev.TaskAsked("s#1", "k", "b", "", 1)
    assert Turn.of(its, "k", ("a", "b"), None, seats).in_flight == its.asked["k"]
    its.asked["k"] = ev.TaskAsked("s#1", "k", "a", "", 1)
    its.retried["k"] = [ev.TaskRetried("s#1", "k", "a", Failure("bug", "no"), 1, 0.0)]
    turn = Turn.of(its, "k", ("a", "b"), None, seats)
    assert (turn.in_flight, turn.number) == (None, 2)


async def broken_off(prepared: Any, store: SlowStore, after: float) -> Any:
    """Run, cut off after so many seconds, and run again."""
    async with Agentical(store=store, clock=VirtualClock()) as app:
        task = asyncio.create_task(app._run(ID, prepared, None))
        await asyncio.sleep(after)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        done = await app._run(ID, prepared, None)
        await app.replay(ID, strategy=prepared.strategy)
        return done


@pytest.mark.parametrize("replicas", [1, 3])
def test_who_was_being_asked_when_the_process_died_is_asked_again(replicas: int) -> None:
    asked: dict[str, list[str]] = {}
    waits = [100.0]

    def member(name: str) -> Any:
        @agentical.agent(name=name, replicas=replicas)
        async def work(payload: Any, context: TaskContext) -> Any:
            asked.setdefault(context.idempotency_key, []).append(context.member)
            await asyncio.sleep(waits[0] if payload else 0.1)
            return payload

        return work

    async def deal(team: Team, payload: Any) -> Any:
        for n in range(6):
            team.start(Ask(None, n, f"item-{n}"))
        return sorted([(await team.next()).unwrap() for _ in range(6)])  # type: ignore[union-attr]

    async def main() -> None:
        prepared = of_team(deal, [member("one"), member("two")], None, None, {})
        prepared.strategy = deal
        async with Agentical(store=SlowStore(), clock=VirtualClock()) as app:
            task = asyncio.create_task(app._run(ID, prepared, None))
            await asyncio.sleep(1.0)
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
            waits[0] = 0.1
            assert (await app._run(ID, prepared, None)).outputs == {"result": [0, 1, 2, 3, 4, 5]}
        assert sorted(len(members) for members in asked.values()) == [1, 2, 2, 2, 2, 2]
        assert all(len(set(members)) == 1 for members in asked.values())

    run(main())


def fallen_back(calls: list[tuple[str, int]], **spec: Any) -> Any:
    """One step of an agent that fails for good after a second, and of a spare that takes ten."""

    @agentical.agent(name="first")
    async def first(payload: Any, context: TaskContext) -> None:
        calls.append(("first", context.attempt))
        context.charge(cost=1.0)
        await asyncio.sleep(1.0)
        raise ValueError("charged, then failed")

    @agentical.agent(name="spare")
    async def spare(payload: Any, context: TaskContext) -> str:
        calls.append(("spare", context.attempt))
        await asyncio.sleep(10.0)
        return "ok"

    prepared = graph_of(Step("s", 0, 0, "agent", members=("first",)), agents=[first, spare])
    agents = prepared.graph.agents
    agents = {**agents, "first": replace(agents["first"], fallback="spare", **spec)}
    prepared.graph = replace(prepared.graph, agents=agents)
    return prepared


@pytest.mark.parametrize("on_uncertain", ["ask-again", "fail"])
def test_who_failed_for_good_is_not_asked_again_once_its_fallback_is_at_work(on_uncertain: str) -> None:
    calls: list[tuple[str, int]] = []

    async def main() -> None:
        store = SlowStore()
        done = await broken_off(fallen_back(calls, on_uncertain=on_uncertain), store, 5.0)
        assert done.outputs == {"s": "ok"}
        assert calls == [("first", 1), ("spare", 2), ("spare", 2)]
        retried = [e.event for e in await entries_of(store, ID) if isinstance(e.event, ev.TaskRetried)]
        assert [(one.member, one.failure.message, one.usage.cost) for one in retried] == [
            ("first", "ValueError: charged, then failed", 1.0)
        ]
        assert done.receipt.usage.cost == 1.0

    run(main())


def test_what_an_attempt_used_counts_once_when_the_task_is_cut_off_before_the_next() -> None:
    @agentical.agent(name="flaky", retry={"limit": 1, "delay": 50.0, "jitter": "none"})
    async def flaky(payload: Any, context: TaskContext) -> None:
        context.charge(cost=1.0)
        raise agentical.Transient("again")

    @agentical.agent(name="sure")
    async def sure(payload: Any) -> int:
        await asyncio.sleep(1.0)
        return 1

    prepared = of_team("parallel", [flaky, sure], 1, None, {"complete": "any"})
    assert run(run_prepared(prepared, SlowStore())).receipt.usage.cost == 1.0


def test_what_an_attempt_took_does_not_count_its_wait_for_a_thread(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("agentical.asking.monotonic", lambda: 100.0)

    async def crowded(self: HereExecutor, agent: Any, payload: Any, context: TaskContext) -> int:
        await asyncio.sleep(3.0)
        context.began = 103.0
        await asyncio.sleep(1.0)
        return 1

    monkeypatch.setattr(HereExecutor, "run", crowded)

    async def main() -> None:
        store = MemoryStore()
        await run_prepared(of_team("sequential", [agentical.agent(name="a")(nobody)], 1, None, {}), store)
        took = [e.event.took for e in await entries_of(store, ID) if isinstance(e.event, ev.TaskAnswered)]
        assert took == [pytest.approx(1.0)]

    run(main())


def test_a_policy_of_the_step_holds_instead_of_the_agents_also_the_one_that_retries_nothing() -> None:
    calls: list[int] = []

    @agentical.agent(retry={"limit": 3, "delay": 0.1})
    async def flaky(payload: Any, context: TaskContext) -> None:
        calls.append(context.attempt)
        raise agentical.Transient("again")

    for policy, attempts in ((None, [1, 2, 3, 4]), ({}, [1]), ({"transient": Retry(1, 0.1)}, [1, 2])):
        prepared = of_team("sequential", [flaky], 1, None, {})
        for strategy in ("sequential", None):
            one = replace(prepared.graph.steps[0], retry=policy, strategy=strategy)
            prepared.graph = replace(prepared.graph, steps=(one,))
            calls.clear()
            run(run_prepared(prepared, MemoryStore()))
            assert calls == attempts


def test_who_must_not_be_asked_twice_is_being_asked_once_the_journal_says_so_and_holds_no_slot_before() -> None:
    """Twenty slots, a hundred tasks: their `TaskAsked` go to disk together, not twenty at a time."""

    @agentical.agent(name="careful", replicas=1)
    async def careful(payload: Any) -> Any:
        return payload

    async def main() -> None:
        prepared = of_team("scatter-gather", [careful], None, list(range(100)), {"max_parallel": 100})
        spec = replace(prepared.graph.agents["careful"], on_uncertain="fail")
        prepared.graph = replace(prepared.graph, agents={"careful": spec})
        store = SlowStore(slowest=0.0)
        async with Agentical(store=store, clock=VirtualClock()) as app:
            assert (await app._run(ID, prepared, None)).status == "completed"
        assert store.commits < 12
        entries = [e.event for e in await entries_of(store, ID)]
        for n, event in enumerate(entries):
            if isinstance(event, ev.TaskAnswered):
                assert any(isinstance(one, ev.TaskAsked) and one.key == event.key for one in entries[:n])

    run(main())
