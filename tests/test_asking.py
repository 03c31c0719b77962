"""One task: retries, fallback, timeouts, schemas, secrets, budgets, uncertainty, through the real engine."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from cases import ID, run_prepared
from journals import cut, entries_of, lines_of
from msgspec.structs import replace
from virtual import run

import agentical
from agentical import events as ev
from agentical.agents.function import FunctionAgent
from agentical.graph import Retry
from agentical.ports import TaskContext
from agentical.prepared import Prepared, of_team
from agentical.stores.memory import MemoryStore


def team(*functions: Any, strategy: str = "sequential", payload: Any = 1, **spec: Any) -> Prepared:
    """The functions as a team; `spec` changes what is said of the first of them."""
    prepared = of_team(strategy, list(functions), payload, None, {})
    first = next(iter(prepared.graph.agents))
    agents = {**prepared.graph.agents, first: replace(prepared.graph.agents[first], **spec)}
    prepared.graph = replace(prepared.graph, agents=agents)
    return prepared


def helped(prepared: Prepared, **helpers: Any) -> Prepared:
    """Agents beside the team, to fall back on."""
    specs = {name: of_team("sequential", [one], None, None, {}).graph.agents[name] for name, one in helpers.items()}
    prepared.graph = replace(prepared.graph, agents={**prepared.graph.agents, **specs})
    prepared.functions = {**prepared.functions, **helpers}
    return prepared


def once(prepared: Prepared, store: Any = None) -> Any:
    return run(run_prepared(prepared, store or MemoryStore()))


async def failing(payload: Any) -> Any:
    raise agentical.Transient("no luck")


def test_a_class_that_is_not_retried_fails_at_once() -> None:
    calls: list[int] = []

    @agentical.agent(retry={"transient": {"limit": 5}})
    async def denied(payload: Any) -> None:
        calls.append(payload)
        raise agentical.Denied("no")

    done = once(team(denied))
    assert (done.error["class"], len(calls)) == ("denied", 1)


def test_when_retries_are_used_up_the_last_failure_counts() -> None:
    calls: list[int] = []

    @agentical.agent(retry={"limit": 2, "delay": 0.1})
    async def flaky(payload: Any, context: TaskContext) -> None:
        calls.append(context.attempt)
        raise agentical.Transient(f"attempt {context.attempt}")

    done = once(team(flaky))
    assert calls == [1, 2, 3]
    assert "attempt 3" in done.error["message"]


def test_the_idempotency_key_is_the_same_for_every_attempt_and_after_a_crash() -> None:
    keys: list[str] = []

    @agentical.agent(retry={"limit": 3, "delay": 0.1})
    async def flaky(payload: Any, context: TaskContext) -> str:
        keys.append(context.idempotency_key)
        if len(keys) < 3:
            raise agentical.Transient("again")
        return "ok"

    async def main() -> None:
        store = MemoryStore()
        await run_prepared(team(flaky), store)
        for count in range(2, 7):
            again = MemoryStore()
            await cut(store, ID, count, again)
            await run_prepared(team(flaky), again)
        assert len(set(keys)) == 1 < len(keys)

    run(main())


def test_a_retry_that_was_recorded_is_not_made_again_after_a_crash_and_its_wait_goes_on() -> None:
    attempts: list[tuple[int, float]] = []

    @agentical.agent(retry={"limit": 2, "delay": 10.0, "jitter": "none", "backoff": "fixed"})
    async def flaky(payload: Any, context: TaskContext) -> None:
        attempts.append((context.attempt, asyncio.get_running_loop().time()))
        raise agentical.Transient("again")

    async def main() -> None:
        source, store = MemoryStore(), MemoryStore()
        began = asyncio.get_running_loop().time()
        task = asyncio.create_task(run_prepared(team(flaky), source, replay=False))
        await asyncio.sleep(4.0)
        retried = next(n for n, e in enumerate(await entries_of(source, ID)) if isinstance(e.event, ev.TaskRetried))
        await cut(source, ID, retried + 1, store)
        await task
        attempts.clear()
        loop = asyncio.get_running_loop()
        loop.now = began + 4.0  # type: ignore[attr-defined]
        await run_prepared(team(flaky), store)
        assert [(number, round(at - began)) for number, at in attempts] == [(2, 10), (3, 20)]

    run(main())


def test_a_fallback_answers_where_the_agent_failed_for_good() -> None:
    async def spare(payload: Any) -> str:
        return f"spare {payload}"

    done = once(helped(team(failing, fallback="spare"), spare=spare))
    assert done.outputs == {"result": "spare 1"}


def test_a_fallback_has_retries_of_its_own() -> None:
    attempts: list[tuple[str, int]] = []

    async def main_one(payload: Any, context: TaskContext) -> None:
        attempts.append(("main_one", context.attempt))
        raise agentical.Transient("busy")

    async def spare(payload: Any, context: TaskContext) -> str:
        attempts.append(("spare", context.attempt))
        if len(attempts) < 5:
            raise agentical.Transient("busy, too")
        return "ok"

    async def main() -> None:
        retry = {"transient": Retry(2, 0.1)}
        prepared = helped(team(main_one, fallback="spare", retry=retry), spare=spare)
        agents = {**prepared.graph.agents, "spare": replace(prepared.graph.agents["spare"], retry=retry)}
        prepared.graph = replace(prepared.graph, agents=agents)
        store = MemoryStore()
        done = await run_prepared(prepared, store)
        assert done.outputs == {"result": "ok"}
        assert attempts == [("main_one", 1), ("main_one", 2), ("main_one", 3), ("spare", 4), ("spare", 5)]
        retried = [n for n, e in enumerate(await entries_of(store, ID)) if isinstance(e.event, ev.TaskRetried)]
        for nth, expected in ((2, [("spare", 4), ("spare", 5)]), (3, [("spare", 5)])):
            again = MemoryStore()
            await cut(store, ID, retried[nth] + 1, again)
            attempts[:] = [("main_one", 0)] * (nth + 1)
            await run_prepared(prepared, again)
            assert attempts[nth + 1 :] == expected

    run(main())


def test_fallbacks_that_go_round_in_a_circle_end() -> None:
    async def spare(payload: Any) -> None:
        raise agentical.Upstream("dead, too")

    prepared = helped(team(failing, fallback="spare"), spare=spare)
    agents = {**prepared.graph.agents, "spare": replace(prepared.graph.agents["spare"], fallback="failing")}
    prepared.graph = replace(prepared.graph, agents=agents)
    assert "dead, too" in once(prepared).error["message"]


def test_an_answer_that_does_not_meet_its_schema_is_asked_for_once_more_with_what_was_wrong() -> None:
    repairs: list[str | None] = []

    @agentical.agent(output={"type": "integer"})
    async def number(payload: Any, context: TaskContext) -> Any:
        repairs.append(context.repair)
        return "seven" if context.repair is None else 7

    assert once(team(number)).outputs == {"result": 7}
    assert repairs[0] is None
    assert "integer" in str(repairs[1])


def test_an_answer_that_is_wrong_twice_fails_as_invalid() -> None:
    @agentical.agent(output={"type": "integer"})
    async def number(payload: Any) -> Any:
        return "seven"

    error = once(team(number)).error
    assert (error["class"], error["code"]) == ("invalid", "OUTPUT_INVALID")


@pytest.mark.parametrize("answer", [float("nan"), {"a": float("inf")}, object()], ids=["nan", "infinity", "object"])
def test_an_answer_that_json_cannot_hold_is_a_failure_that_says_so(answer: Any) -> None:
    async def odd(payload: Any) -> Any:
        return answer

    error = once(team(odd)).error
    assert error["class"] == "invalid"
    assert "JSON" in error["message"]


def test_an_answer_that_is_too_large_is_a_failure_that_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("agentical.asking.LARGEST_ANSWER", 1 << 20)

    async def chatty(payload: Any) -> str:
        return "x" * payload

    assert once(team(chatty, payload=(1 << 20) - 2)).status == "completed"
    error = once(team(chatty, payload=3 << 20)).error
    assert (error["class"], error["code"]) == ("invalid", "OUTPUT_INVALID")
    assert "3 MiB of JSON; at most 1 can be kept" in error["message"]


def test_an_answer_counts_though_the_code_that_gave_it_can_no_longer_be_read() -> None:
    class Gone(FunctionAgent):
        def code(self) -> str:
            raise FileNotFoundError("gone")

    async def work(payload: Any) -> int:
        return 7

    prepared = team(work)
    prepared.fakes = {"work": Gone(function=work)}
    assert once(prepared).outputs == {"result": 7}


def test_no_answer_in_time_is_a_timeout() -> None:
    @agentical.agent(timeout=1.5)
    async def slow(payload: Any) -> None:
        await asyncio.sleep(100)

    error = once(team(slow)).error
    assert (error["class"], error["code"]) == ("transient", "TIMEOUT")
    assert "1.5 s" in error["message"]


def test_secrets_reach_neither_answers_nor_errors_nor_the_journal(monkeypatch: pytest.MonkeyPatch) -> None:
    value = 'p"ss w\\rd-é'
    monkeypatch.setenv("THE_SECRET", value)

    async def leaky(payload: Any) -> str:
        return f"I know {value}"

    async def loud(payload: Any) -> None:
        raise agentical.Upstream(f"{value} was refused")

    async def main() -> None:
        async def elsewhere(payload: Any) -> agentical.Edge:
            return agentical.Edge(f"to {value}", 1)

        prepared = team(leaky, loud, elsewhere, strategy="parallel", options={"key": "${{ secrets.key }}"})
        prepared.graph = replace(prepared.graph, secrets={"key": "env:THE_SECRET"})
        store = MemoryStore()
        done = await run_prepared(prepared, store)
        assert done.status == "failed"
        journal = b"\n".join(await lines_of(store, ID))
        assert b"I know ***" in journal
        assert b"*** was refused" in journal
        assert b"to ***" in journal
        for secret in (value.encode(), b"rd-\xc3\xa9", b'p\\"ss'):
            assert secret not in journal

    run(main())


def test_who_lost_a_race_has_not_failed_in_the_eyes_of_the_balancer() -> None:
    from agentical.members import Asked, Seats

    seats: list[Seats] = []
    made = Seats.__init__

    async def quick(payload: Any) -> int:
        await asyncio.sleep(0.1)
        return 1

    async def slow(payload: Any) -> int:
        await asyncio.sleep(5)
        return 2

    def keep(self: Seats, *args: Any) -> None:
        made(self, *args)
        seats.append(self)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Seats, "__init__", keep)
        prepared = of_team("parallel", [quick, slow], 1, None, {"complete": "any"})
        assert run(run_prepared(prepared, MemoryStore(), replay=False)).outputs == {"result": 1}
    assert isinstance(seats[0].agents["slow"], Asked)
    assert [load.failure for load in seats[0].agents["slow"].loads] == [0.0]
