"""One visit: how it ends by its strategy, its clock, its schema, and what it leaves in the record."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from cases import ID, Case, graph_of, run_case, run_prepared
from crews import Crew
from journals import SlowStore, cut, entries_of
from msgspec.structs import replace
from virtual import VirtualClock, run

import agentical
from agentical import events as ev
from agentical.errors import StrategyMisused
from agentical.events import Tally
from agentical.graph import Route, Step
from agentical.ports import Ask, Edge, TaskContext, Team
from agentical.prepared import of_team
from agentical.stores.memory import MemoryStore


def slow_team(*, timeout: float, **parts: Any) -> Any:
    crew = Crew()
    team = [crew.member("quick", lambda _: "q", takes=1.0), crew.member("slow", lambda _: "s", takes=100.0)]
    prepared = of_team("parallel", team, 1, None, {})
    step = replace(prepared.graph.steps[0], timeout=timeout, **parts)
    prepared.graph = replace(prepared.graph, steps=(step,))
    return prepared


def test_a_step_ends_at_its_timeout_and_keeps_what_was_answered_in_the_journal() -> None:
    async def main() -> None:
        store = SlowStore()
        done = await run_prepared(slow_team(timeout=10.0), store)
        assert (done.error["code"], done.error["class"]) == ("STEP_TIMEOUT", "exhausted")
        assert done.receipt.ended - done.receipt.started == pytest.approx(10.0, abs=0.1)
        ended = [
            e.event for e in await entries_of(store, ID) if isinstance(e.event, ev.TaskAnswered | ev.TaskCancelled)
        ]
        assert [(type(one).__name__, one.key) for one in ended] == [
            ("TaskAnswered", "quick"),
            ("TaskCancelled", "slow"),
        ]

    run(main())


def test_the_timeout_of_a_step_goes_on_where_it_was_after_a_crash() -> None:
    async def main() -> None:
        source, store = MemoryStore(), MemoryStore()
        await run_prepared(slow_team(timeout=10.0), source)
        first = next(n for n, e in enumerate(await entries_of(source, ID)) if isinstance(e.event, ev.TaskAnswered))
        await cut(source, ID, first + 1, store)
        began = asyncio.get_running_loop().time()
        done = await run_prepared(slow_team(timeout=10.0), store)
        assert done.error["code"] == "STEP_TIMEOUT"
        assert asyncio.get_running_loop().time() - began == pytest.approx(9.0, abs=0.2)

    run(main())


@pytest.mark.parametrize("of", ["step", "agent"])
def test_a_timeout_is_an_outcome_with_an_edge_of_its_own(of: str) -> None:
    crew = Crew()
    options = {"timeout": 3.0} if of == "agent" else {}
    agents = [crew.member("slow", lambda _: 1, takes=50.0, **options), crew.member("late", lambda p: p["code"])]
    slow = Step("slow", 0, 0, "agent", members=("slow",), routes=(Route("late", on="timeout"),),
                timeout=3.0 if of == "step" else None)  # fmt: skip
    late = Step("late", 1, 1, "agent", starts="edge", members=("late",))
    code = "STEP_TIMEOUT" if of == "step" else "TIMEOUT"
    assert run(run_prepared(graph_of(slow, late, agents=agents), SlowStore())).outputs == {"late": code}


@pytest.mark.parametrize("strategy", [None, "sequential", "parallel"])
def test_what_a_step_used_until_its_timeout_is_charged(strategy: str | None) -> None:
    @agentical.agent(name="spender")
    async def spender(payload: Any, context: TaskContext) -> None:
        context.charge(tokens_in=1000, cost=5.0)
        await asyncio.sleep(100)

    async def main() -> None:
        body = "agent" if strategy is None else "team"
        step = Step("work", 0, 0, body, members=("spender",), strategy=strategy, timeout=1.0)
        store = SlowStore()
        done = await run_prepared(graph_of(step, agents=[spender]), store)
        assert (done.receipt.usage.tokens_in, done.receipt.usage.cost) == (1000, 5.0)
        cancelled = [e.event for e in await entries_of(store, ID) if isinstance(e.event, ev.TaskCancelled)]
        assert [(one.member, one.usage.cost) for one in cancelled] == [("spender", 5.0)]

    run(main())


def test_the_timeout_of_a_step_does_not_begin_anew_when_it_is_taken_up_again() -> None:
    async def main() -> None:
        store, prepared = SlowStore(), slow_team(timeout=10.0)
        began = asyncio.get_running_loop().time()
        async with agentical.Agentical(store=store, clock=VirtualClock()) as app:
            for _ in range(3):
                task = asyncio.create_task(app._run(ID, prepared, None))
                await asyncio.sleep(3.0)
                task.cancel()
                await asyncio.gather(task, return_exceptions=True)
            done = await app._run(ID, prepared, None)
        assert done.error["code"] == "STEP_TIMEOUT"
        assert asyncio.get_running_loop().time() - began == pytest.approx(10.0, abs=0.5)

    run(main())


def test_an_output_that_is_not_what_the_step_declares_fails_it() -> None:
    prepared = of_team("sequential", [Crew().member("a", lambda _: "text")], 1, None, {})
    step = replace(prepared.graph.steps[0], output={"type": "integer"})
    prepared.graph = replace(prepared.graph, steps=(step,))
    error = run(run_prepared(prepared, MemoryStore())).error
    assert (error["code"], error["class"]) == ("OUTPUT_INVALID", "invalid")


def members(crew: Crew) -> list[Any]:
    return [crew.member("a", lambda p: p), crew.member("b", lambda p: p)]


def ended(strategy: Any, store: Any = None) -> Any:
    return run(run_case(Case("one", strategy, members, 1), Crew(), store or MemoryStore()))


def test_a_strategy_that_raises_fails_its_step_with_what_it_said() -> None:
    async def broken(team: Team, payload: Any) -> Any:
        raise KeyError("nope")

    error = ended(broken).error
    assert (error["class"], error["step"]) == ("bug", "work")
    assert "nope" in error["message"]


def test_a_result_that_is_not_json_fails_the_step() -> None:
    async def odd(team: Team, payload: Any) -> Any:
        return {1, object()}

    assert ended(odd).status == "failed"


def test_a_task_s_failure_that_a_strategy_lets_through_is_the_step_s() -> None:
    async def one(team: Team, payload: Any) -> Any:
        return await team.ask("bad", 1, key="k")

    async def bad(payload: Any) -> None:
        raise agentical.Denied("no key")

    done = run(run_case(Case("one", one, lambda crew: [agentical.agent(name="bad")(bad)], 1), Crew(), MemoryStore()))
    assert done.error["class"] == "denied"


def test_what_a_strategy_leaves_in_the_record_is_kept_also_when_it_fails() -> None:
    async def failing(team: Team, payload: Any) -> Any:
        team.record["done"] = [await team.ask("a", 1, key="k")]
        raise agentical.StepFailed("enough", code="ENOUGH")

    done = ended(failing)
    assert done.error["code"] == "ENOUGH"
    assert done.progress.views[0]["record"] == {"done": [1]}


@pytest.mark.parametrize("left", [object(), float("nan"), "\udcff"], ids=["object", "nan", "half a character"])
def test_a_record_that_json_cannot_hold_fails_the_step_and_says_so(left: Any) -> None:
    async def careless(team: Team, payload: Any) -> Any:
        team.record["left"] = left
        return await team.ask("a", 1, key="k")

    error = ended(careless).error
    assert (error["class"], error["code"]) == ("bug", "RECORD_INVALID")
    assert "team.record" in error["message"]


def test_a_key_that_cannot_be_written_is_the_strategy_s_own_error() -> None:
    async def odd(team: Team, payload: Any) -> Any:
        with pytest.raises(StrategyMisused, match="printable text"):
            await team.ask("a", 1, key="bad\udcff")
        return "went on"

    done = run(run_case(Case("one", odd, members, 1), Crew(), MemoryStore(), replay=False))
    assert done.outputs == {"result": "went on"}


def test_a_record_that_json_cannot_hold_does_not_hide_why_the_step_failed() -> None:
    async def careless(team: Team, payload: Any) -> Any:
        team.record["left"] = object()
        raise agentical.StepFailed("enough", code="ENOUGH")

    error = ended(careless).error
    assert error["code"] == "ENOUGH"
    assert "enough; " in error["message"]
    assert "team.record" in error["message"]


def test_an_outcome_that_must_be_taken_and_is_not_fails_the_step() -> None:
    async def split(team: Team, payload: Any) -> Any:
        return Edge("split", None, required=True)

    assert ended(split).error["code"] == "OUTCOME_UNHANDLED"


def test_tallies_are_added_once_however_often_the_visit_is_run_again() -> None:
    async def counting(team: Team, payload: Any) -> Any:
        team.tally("runs", Tally(count=1, succeeded=1))
        return await team.ask("a", 1, key="k")

    async def main() -> None:
        source = MemoryStore()
        case = Case("one", counting, members, 1)
        await run_case(case, Crew(), source)
        assert (await source.tallies(""))["runs"].count == 1
        for count in range(1, len(await entries_of(source, ID)) - 1):
            store = MemoryStore()
            await cut(source, ID, count, store)
            await run_case(case, Crew(), store)
            finished = any(isinstance(e.event, ev.StepCompleted) for e in (await entries_of(source, ID))[:count])
            assert finished or (await store.tallies(""))["runs"].count == 1

    run(main())


def test_what_loses_a_race_while_its_retry_or_answer_is_being_recorded_does_no_harm() -> None:
    @agentical.agent(name="flaky", retry={"limit": 50, "delay": 0.01, "jitter": "none", "backoff": "fixed"})
    async def flaky(payload: Any) -> None:
        await asyncio.sleep(0.003)
        raise agentical.Transient("again")

    async def race(team: Team, payload: Any) -> Any:
        for name in ("a", "b", "flaky"):
            team.start(Ask(name, 1, name))
        outcome = await team.next()
        assert outcome is not None
        return outcome.key in ("a", "b")

    async def main() -> None:
        for seed in range(25):
            store = SlowStore(seed, slowest=0.05)
            case = Case("one", race, lambda crew: [*members(crew), flaky], 1)
            done = await run_case(case, Crew(seed), store)
            assert done.outputs == {"result": True}
            async with agentical.Agentical(store=store) as app:
                shown = (await app.show(ID)).receipt
            assert (shown.answered, shown.failed) == (done.receipt.answered, done.receipt.failed)

    run(main())


def test_a_cancellation_that_nobody_meant_is_the_agents_own_failure() -> None:
    async def cancels_its_own(payload: Any) -> Any:
        inner = asyncio.ensure_future(asyncio.sleep(9))
        inner.cancel()
        await inner

    async def sound(payload: Any) -> Any:
        return payload

    prepared = of_team("parallel", [cancels_its_own, sound], 1, None, {"complete": "quorum(50%)"})
    done = run(run_prepared(prepared, MemoryStore()))
    assert done.outputs["result"]["answers"] == {"sound": 1}
    assert done.outputs["result"]["errors"]["cancels_its_own"]["class"] == "bug"


async def test_a_strategy_that_only_asks_lets_others_have_their_turn() -> None:
    turns = 0

    async def echo(payload: Any) -> Any:
        return payload

    async def asks(team: Team, payload: Any) -> Any:
        for n in range(1000):
            await team.ask("echo", n, key=f"k{n}")

    async def others() -> None:
        nonlocal turns
        while True:
            await asyncio.sleep(0)
            turns += 1

    beside = asyncio.ensure_future(others())
    await agentical.coordinate(asks, [echo])
    beside.cancel()
    assert turns > 10
