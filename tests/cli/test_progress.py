"""What a display counts and says."""

from __future__ import annotations

from msgspec import Raw

from agentical import events as ev
from agentical.cli.progress import Display, PlainProgress
from agentical.events import Failure
from agentical.graph import Graph, Step
from agentical.progress import Progress

STARTED = ev.ExecutionStarted("x", "", "", Raw(b"{}"))
GRAPH = Graph("x", (Step("a", 0, 0, "agent"), Step("b", 1, 1, "agent", waits=(0,))))


def test_tasks_and_steps_are_counted_while_they_run() -> None:
    display = Display("x", GRAPH)
    display.see("x", 1.0, ev.VisitStarted("a#1", "a", Raw(b"{}")))
    for key in ("k", "l"):
        display.see("x", 1.0, ev.TaskAsked("a#1", key, "m", ""))
    display.see("x", 1.0, ev.TaskAsked("a#1", "k", "m", "", attempt=2))
    display.see("x", 1.0, ev.TaskAnswered("a#1", "k", "m", "", Raw(b"1")))
    assert (display.answered, display.asked, len(display.ended), len(display.steps)) == (1, 2, 0, 2)
    assert (display.running["a#1"].answered, display.running["a#1"].asked) == (1, 2)
    display.see("x", 2.0, ev.StepCompleted("a#1", "a"))
    assert (display.running, display.ended) == ({}, {"a"})


def test_events_of_other_executions_pass_by() -> None:
    display = Display("x", GRAPH)
    display.see("x.child", 1.0, ev.VisitStarted("a#1", "a", Raw(b"{}")))
    assert display.running == {}


def test_a_resumed_execution_begins_where_it_stands() -> None:
    progress = Progress(GRAPH)
    facts = [
        STARTED, ev.VisitStarted("a#1", "a", Raw(b"{}")), ev.TaskAsked("a#1", "ask", "a", ""),
        ev.TaskAnswered("a#1", "ask", "a", "", Raw(b"1")), ev.StepCompleted("a#1", "a", answer_of="ask"),
        ev.VisitStarted("b#1", "b", Raw(b"{}")), ev.TaskAsked("b#1", "ask", "b", ""),
    ]  # fmt: skip
    for n, fact in enumerate(facts, 1):
        progress.advance(n, float(n), fact)
    display = Display("x")
    display.catch_up(progress)
    assert (display.answered, display.asked, display.ended) == (1, 2, {"a"})
    assert (display.running["b#1"].asked, display.running["b#1"].at) == (1, 6.0)


def test_each_step_that_ends_is_a_line(capsys) -> None:
    display = PlainProgress("x", GRAPH)
    display.see("x", 0.0, STARTED)
    display.see("x", 0.0, ev.VisitStarted("a#1", "a", Raw(b"{}")))
    for key in ("k", "l"):
        display.see("x", 0.0, ev.TaskAsked("a#1", key, "m", ""))
    display.see("x", 1.0, ev.TaskAnswered("a#1", "k", "m", "", Raw(b"1")))
    display.see("x", 1.0, ev.TaskFailed("a#1", "l", "m", "", Failure("bug", "broken")))
    display.see("x", 1.5, ev.StepCompleted("a#1", "a", outcome="agreed"))
    display.see("x", 2.0, ev.VisitStarted("a#2", "a", Raw(b"{}")))
    display.see("x", 2.5, ev.StepFailed("a#2", "a", Failure("bug", "no\nway")))
    display.see("x", 3.0, ev.StepSkipped("b", "not x"))
    display.see("x", 3.0, ev.StepCancelled("c#1", "c", "ended"))
    assert capsys.readouterr().err.splitlines() == [
        "x: started",
        "a#1: m failed at l: broken",
        "a: completed in 1.5 s, 1 answered, 1 failed, outcome agreed",
        "a#2: failed in 500 ms: no way",
        "b: skipped, not x",
        "c: cancelled: ended",
    ]
