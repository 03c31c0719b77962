"""Run: what is given back, also of what failed."""

import json

import pytest
from msgspec import Raw

import agentical
from agentical import events as ev
from agentical.errors import ExecutionFailed
from agentical.events import Failure
from agentical.graph import Graph, Step
from agentical.progress import Progress
from agentical.runs import Run


async def answer(payload):
    return payload


async def broken(payload):
    raise agentical.Denied("no key")


def run_of(*events):
    progress = Progress(Graph("g", (Step("a", 0, 0, "set"),)))
    for n, event in enumerate([ev.ExecutionStarted("g", "", "", Raw(b"{}")), *events], 1):
        progress.advance(n, 10.0 + n, event)
    return Run("x-1", progress, lambda follow: None)


async def test_a_completed_run_has_outputs_events_and_a_receipt():
    async with agentical.Agentical(store="memory:") as app:
        run = await app.run("parallel", team=[answer], payload={"a": 1})
        assert run.unwrap() == run.outputs == {"result": {"answers": {"answer": {"a": 1}}, "errors": {}}}
        names = [type(entry.event).__name__ async for entry in run.events()]
        assert [entry.seq async for entry in run.events(follow=True)] == list(range(1, len(names) + 1))
    assert (names[0], names[-1]) == ("ExecutionStarted", "ExecutionCompleted")
    assert names.count("TaskAnswered") == 1
    shown = json.loads(json.dumps(run.as_json()))
    assert {key: shown[key] for key in ("id", "status", "error")} == {
        "id": run.id,
        "status": "completed",
        "error": None,
    }
    assert (shown["receipt"]["asked"], shown["receipt"]["answered"], shown["receipt"]["failed"]) == (1, 1, 0)
    assert shown["receipt"]["took"] >= 0


async def test_a_failed_run_says_why_and_has_no_outputs():
    async with agentical.Agentical(store="memory:") as app:
        run = await app.run("sequential", team=[broken], payload=1)
    assert (run.status, run.outputs) == ("failed", None)
    assert run.error["class"] == "denied"
    assert run.error["step"] == "work"
    assert "no key" in run.error["message"]
    with pytest.raises(ExecutionFailed, match="no key"):
        run.unwrap()


def test_a_run_that_has_not_ended_cannot_be_unwrapped():
    for run, status in (
        (run_of(), "running"),
        (run_of(ev.ExecutionPaused("x")), "paused"),
        (run_of(ev.ExecutionCancelled("x")), "cancelled"),
    ):
        assert run.status == status
        with pytest.raises(ExecutionFailed, match=f"it is {status}"):
            run.unwrap()


def test_a_completed_run_has_no_error_though_a_step_of_it_failed():
    run = run_of(ev.StepFailed("a#1", "a", Failure("bug", "it broke")), ev.ExecutionCompleted(Raw(b"{}")))
    assert (run.status, run.error, run.outputs) == ("completed", None, {})
    assert run_of(ev.StepFailed("a#1", "a", Failure("bug", "it broke"))).error == {
        "class": "bug", "code": "TASK_FAILED", "message": "it broke", "step": "a",
    }  # fmt: skip


def test_the_receipt_of_what_runs_took_no_time_yet():
    assert run_of().as_json()["receipt"]["took"] == 0
    assert run_of(ev.ExecutionCompleted(Raw(b"1"))).as_json()["receipt"]["took"] == 1.0
