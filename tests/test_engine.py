"""The loop of an execution: budgets, interruption, ends, edges, and taking up again."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from cases import CASES, ID, InputSpec, graph_of, run_prepared
from crews import Crew
from journals import SlowStore, cut, entries_of, put
from virtual import VirtualClock, run

from agentical import events as ev
from agentical.engine import Accepted, first_error
from agentical.errors import CodeChanged, CrashLoop, StoreError
from agentical.graph import Route, Step
from agentical.ports import Edge
from agentical.sdk import Agentical
from agentical.stores.memory import MemoryStore

BY_NAME = {case.name: case for case in CASES}


def step(id: str, index: int, waits: tuple[int, ...] = (), **parts: Any) -> Step:
    return Step(id, index, index, "agent", waits=waits, members=(id,), **parts)


def once(prepared: Any, store: Any = None, **how: Any) -> Any:
    return run(run_prepared(prepared, store or MemoryStore(), **how))


def names(entries: Any) -> list[str]:
    return [type(entry.event).__name__ for entry in entries]


def test_without_steps_left_the_outputs_are_those_of_the_last_steps() -> None:
    crew = Crew()
    agents = [crew.member("a", lambda _: 1), crew.member("b", lambda _: 2), crew.member("c", lambda _: 3)]
    graph = graph_of(step("a", 0), step("b", 1, (0,)), step("c", 2, (0,)), agents=agents)
    assert once(graph).outputs == {"b": 2, "c": 3}


def test_a_failed_step_stops_what_needs_it_and_nothing_else() -> None:
    crew = Crew(failing={("a#1", "ask")})
    agents = [crew.member(name, lambda _: 1) for name in "abcd"]
    graph = graph_of(step("a", 0), step("b", 1, (0,)), step("c", 2), step("d", 3, (2,)), agents=agents)
    done = once(graph)
    assert (done.status, done.error["step"]) == ("failed", "a")
    assert [view.status for view in done.progress.views] == ["failed", "skipped", "completed", "completed"]


def test_a_budget_of_tasks_ends_the_execution_and_counts_across_crashes() -> None:
    async def main() -> None:
        crew, store, again = Crew(), MemoryStore(), MemoryStore()
        agents = [crew.member(f"s{n}", lambda _: 1) for n in range(5)]
        steps = [step(f"s{n}", n, (n - 1,) if n else ()) for n in range(5)]
        graph = graph_of(*steps, agents=agents, budget_tasks=3)
        done = await run_prepared(graph, store)
        assert (done.status, done.error["code"], len(crew.calls)) == ("failed", "BUDGET_EXCEEDED", 3)
        entries = await entries_of(store, ID)
        answers = [n for n, e in enumerate(entries) if isinstance(e.event, ev.TaskAnswered)]
        await cut(store, ID, answers[1] + 1, again)
        crew.calls.clear()
        done = await run_prepared(graph, again)
        assert (done.error["code"], len(crew.calls)) == ("BUDGET_EXCEEDED", 1)

    run(main())


def test_a_budget_of_time_counts_running_time_only() -> None:
    async def main() -> None:
        crew, store, again = Crew(), MemoryStore(), MemoryStore()
        agents = [crew.member(f"s{n}", lambda _: 1, takes=4.0) for n in range(3)]
        graph = graph_of(*[step(f"s{n}", n, (n - 1,) if n else ()) for n in range(3)], agents=agents, budget_time=10.0)
        done = await run_prepared(graph, store)
        assert (done.error["code"], done.receipt.ended - done.receipt.started) == (
            "BUDGET_EXCEEDED",
            pytest.approx(10.0),
        )
        second = [n for n, e in enumerate(await entries_of(store, ID)) if isinstance(e.event, ev.TaskAnswered)][1]
        await cut(store, ID, second + 1, again)
        await asyncio.sleep(1_000)
        began = asyncio.get_running_loop().time()
        assert (await run_prepared(graph, again)).error["code"] == "BUDGET_EXCEEDED"
        assert asyncio.get_running_loop().time() - began == pytest.approx(2.0, abs=0.2)

    run(main())


def test_an_execution_that_ends_just_as_its_time_is_up_ends_once() -> None:
    async def main() -> None:
        for late in (0.0, 0.001, 0.01, 0.02):
            store, crew = SlowStore(3, slowest=0.05), Crew()
            graph = graph_of(step("a", 0), agents=[crew.member("a", lambda _: 1, takes=1.0)], budget_time=1.0 + late)
            await run_prepared(graph, store, replay=False)
            ends = [
                name for name in names(await entries_of(store, ID)) if name in ("ExecutionCompleted", "ExecutionFailed")
            ]
            assert len(ends) == 1

    run(main())


@pytest.mark.parametrize("name", ["sequential", "pipeline-source", "parallel-two-at-a-time"])
def test_cancelled_from_outside_it_is_paused_and_goes_on_later(name: str) -> None:
    case = BY_NAME[name]

    async def main() -> None:
        whole = SlowStore()
        expected = await run_prepared(case.prepared(Crew()), whole)
        lasts = expected.receipt.ended - expected.receipt.started
        for share in (0.1, 0.5, 0.9, 0.999, 1.0):
            store = SlowStore()
            async with Agentical(store=store, clock=VirtualClock()) as app:
                task = asyncio.create_task(app._run(ID, case.prepared(Crew()), None))
                await asyncio.sleep(share * lasts)
                task.cancel()
                await asyncio.gather(task, return_exceptions=True)
                ends = names(await entries_of(store, ID))
                assert "ExecutionPaused" not in ends or "ExecutionCompleted" not in ends
                done = await app._run(ID, case.prepared(Crew()), None)
                assert done.outputs == expected.outputs
                assert names(await entries_of(store, ID)).count("ExecutionCompleted") == 1

    run(main())


def test_cancelled_while_its_end_is_being_committed_it_does_not_say_that_it_is_paused() -> None:
    async def main() -> None:
        ends = set[str]()
        for moment in range(40):
            crew, store = Crew(), SlowStore(moment, slowest=0.4)
            one, other = crew.member("one", lambda _: 1, takes=0.5), crew.member("other", lambda _: 1, takes=0.01)
            chain = graph_of(step("other", 0), agents=[other])
            async with Agentical(store=store, clock=VirtualClock()) as app:
                task = asyncio.create_task(app._run(ID, graph_of(step("one", 0), agents=[one]), None))
                others = [asyncio.create_task(app._run(f"other{n}", chain, None)) for n in range(20)]
                await asyncio.sleep(0.5 + moment * 0.05)
                task.cancel()
                await asyncio.gather(task, *others, return_exceptions=True)
                last = names(await entries_of(store, ID))
            if "ExecutionCompleted" in last:
                assert last[-1] == "ExecutionCompleted"
            ends.add(last[-1])
        assert {"ExecutionCompleted", "ExecutionPaused"} <= ends

    run(main())


def test_a_pause_is_no_crash_however_often() -> None:
    async def main() -> None:
        store, prepared = SlowStore(), graph_of(step("a", 0), agents=[Crew().member("a", lambda _: 1, takes=50.0)])
        async with Agentical(store=store, clock=VirtualClock()) as app:
            for _ in range(6):
                task = asyncio.create_task(app._run(ID, prepared, None))
                await asyncio.sleep(1.0)
                task.cancel()
                await asyncio.gather(task, return_exceptions=True)
            assert (await app._run(ID, prepared, None)).status == "completed"

    run(main())


def test_a_visit_resumed_three_times_without_an_answer_is_a_crash_loop_until_it_is_accepted() -> None:
    async def main() -> None:
        source, crew = MemoryStore(), Crew()
        prepared = graph_of(step("a", 0), agents=[crew.member("a", lambda _: 1)])
        await run_prepared(prepared, source)
        lines = (await entries_of(source, ID))[:2]
        for times in (2, 3):
            store = MemoryStore()
            resumed = [ev.Entry(3 + n, lines[1].at, ev.ExecutionResumed(n + 2)) for n in range(times)]
            await put(source, ID, [ev.encode_entry(entry) for entry in [*lines, *resumed]], store)
            if times == 2:
                assert (await run_prepared(prepared, store)).status == "completed"
                continue
            with pytest.raises(CrashLoop, match="a#1"):
                await run_prepared(prepared, store)
            async with Agentical(store=store) as app:
                execution = await app.state.recover(ID)
                assert (await app._carry_on(execution, prepared, Accepted(crash_loop=True))).status == "completed"

    run(main())


def test_a_strategy_with_other_code_is_not_resumed_in_an_open_visit_unless_accepted() -> None:
    async def main() -> None:
        case, source = BY_NAME["sequential"], MemoryStore()
        whole = await run_prepared(case.prepared(Crew()), source)
        entries = await entries_of(source, ID)
        first = entries[0].event
        changed = ev.ExecutionStarted(
            first.playbook,
            first.text,
            first.graph,
            first.inputs,
            first.folder,
            first.options,
            {"sequential": "old code"},
        )
        lines = [ev.encode_entry(ev.Entry(1, entries[0].at, changed)), *map(ev.encode_entry, entries[1:6])]
        store = MemoryStore()
        await put(source, ID, lines, store)
        prepared = case.prepared(Crew())
        with pytest.raises(CodeChanged, match="sequential"):
            await run_prepared(prepared, store)
        async with Agentical(store=store) as app:
            execution = await app.state.recover(ID)
            done = await app._carry_on(execution, prepared, Accepted(code=True))
        assert done.outputs == whole.outputs
        # Accepted once, it is the code of this execution.
        again = MemoryStore()
        await cut(store, ID, 7, again)
        assert (await run_prepared(prepared, again)).status == "completed"

    run(main())


def judged(answer: Any, *routes: Route, **parts: Any) -> Any:
    crew = Crew()
    agents = [crew.member("judge", lambda _: answer), crew.member("yes", lambda p: ["yes", p])]
    return graph_of(step("judge", 0, routes=routes, **parts), step("yes", 1, starts="edge"), agents=agents)


def test_the_outcome_of_an_edge_chooses_the_way_and_its_value_is_carried() -> None:
    assert once(judged(Edge("good", 5), Route("yes", on="good"))).outputs == {"yes": ["yes", 5]}


def test_a_string_answer_is_an_outcome_too() -> None:
    assert once(judged("good", Route("yes", on="good"))).outputs == {"yes": ["yes", "good"]}


def test_an_outcome_that_no_edge_takes_fails_as_no_branch() -> None:
    done = once(judged("odd", Route("yes", on="good")))
    assert (done.error["code"], done.error["step"]) == ("NO_BRANCH", "judge")


def test_an_edge_without_name_takes_the_rest() -> None:
    assert once(judged("odd", Route("yes", on="good"), Route("end"))).status == "completed"


def test_a_way_to_fail_fails_the_execution() -> None:
    assert once(judged("bad", Route("fail", on="bad"))).error["code"] == "LED_TO_FAIL"


def test_a_loop_without_end_stops_at_its_most_visits() -> None:
    crew = Crew()
    again = step("again", 0, routes=(Route("again", on="more"),), max_visits=5)
    done = once(graph_of(again, agents=[crew.member("again", lambda _: "more")]))
    assert (done.error["code"], len(crew.calls)) == ("VISIT_LIMIT", 5)


def test_exhausted_is_an_outcome_that_can_be_taken() -> None:
    crew = Crew()
    again = step("again", 0, routes=(Route("again", on="more"), Route("out", on="exhausted")), max_visits=3)
    out = step("out", 1, starts="edge")
    agents = [crew.member("again", lambda _: "more"), crew.member("out", lambda p: p["code"])]
    assert once(graph_of(again, out, agents=agents)).outputs == {"out": "VISIT_LIMIT"}


@pytest.mark.parametrize("end", ["completed", "failed", "cancelled"])
def test_a_step_that_ends_the_execution_cancels_what_runs(end: str) -> None:
    crew = Crew()
    agents = [crew.member("slow", lambda _: 1, takes=500.0), crew.member("quick", lambda _: 2, takes=1.0)]
    stop = Step("stop", 2, 2, "end", waits=(1,), end=end)
    done = once(graph_of(step("slow", 0), step("quick", 1), stop, agents=agents), SlowStore())
    assert done.status == end
    assert done.progress.views[0].status == "cancelled"
    assert done.receipt.ended - done.receipt.started < 2


def test_an_expression_that_fails_is_the_step_s_failure() -> None:
    graph = graph_of(
        step("a", 0, has_payload=True, payload="${{ inputs.n / 0 }}"), agents=[Crew().member("a", lambda _: 1)],
        inputs={"n": InputSpec(default=1)},
    )  # fmt: skip
    done = once(graph)
    assert (done.error["code"], done.error["step"]) == ("EXPRESSION_FAILED", "a")


def test_outputs_that_cannot_be_made_fail_the_execution() -> None:
    graph = graph_of(
        step("a", 0), agents=[Crew().member("a", lambda _: 1)], outputs={"x": "${{ steps.a.output.nope }}"}
    )
    assert once(graph).error["code"] == "EXPRESSION_FAILED"


def test_of_several_errors_ours_is_shown() -> None:
    ours = StoreError("gone")
    group = BaseExceptionGroup("", [ValueError("x"), BaseExceptionGroup("", [KeyError("y"), ours])])
    assert first_error(group) is ours
    assert isinstance(first_error(BaseExceptionGroup("", [ValueError("x")])), ValueError)
