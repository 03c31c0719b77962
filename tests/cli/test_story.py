"""What happened, told from a journal."""

from __future__ import annotations

from msgspec import Raw

from agentical import events as ev
from agentical.cli.story import story, votes
from agentical.events import Entry, Failure


def entries(*events: ev.Event) -> list[Entry]:
    return [Entry(n, float(n), event) for n, event in enumerate(events, 1)]


def test_a_visit_counts_who_answered_and_names_who_failed() -> None:
    [told] = story(
        entries(
            ev.VisitStarted("s#1", "s", Raw(b"{}")),
            ev.TaskAsked("s#1", "k", "a", ""),
            ev.TaskRetried("s#1", "k", "a", Failure("transient", "busy"), 1, 0.0),
            ev.TaskAsked("s#1", "k", "a", "", attempt=2),
            ev.TaskAnswered("s#1", "k", "a", "", Raw(b"1")),
            ev.TaskFailed("s#1", "l", "b", "", Failure("bug", "broken")),
            ev.StepCompleted("s#1", "s", outcome="agreed", record=Raw(b'{"x":1}')),
        )
    )
    assert (told.status, told.outcome, told.asked, told.retried, told.took) == ("completed", "agreed", 1, 1, 6.0)
    assert told.answered == {"a": 1}
    assert told.failed == [
        {"member": "b", "key": "l", "attempts": 1, "class": "bug", "code": "TASK_FAILED", "message": "broken"}
    ]
    assert told.record == {"x": 1}


def test_steps_that_never_started_are_told_too() -> None:
    skipped, failed, cancelled = story(
        entries(
            ev.StepSkipped("a", "not wanted"),
            ev.StepFailed("b#1", "b", Failure("invalid", "bad expression", "EXPRESSION_FAILED")),
            ev.StepCancelled("c#1", "c", "ended"),
        )
    )
    assert (skipped.status, skipped.reason, skipped.took) == ("skipped", "not wanted", None)
    assert (failed.status, failed.error["code"]) == ("failed", "EXPRESSION_FAILED")
    assert (cancelled.status, cancelled.reason) == ("cancelled", "ended")


def test_what_runs_has_no_end() -> None:
    [told] = story(entries(ev.VisitStarted("s#1", "s", Raw(b"{}"))))
    assert (told.status, told.as_json()["took"]) == ("running", None)


def test_votes_are_told_round_by_round_whatever_their_form() -> None:
    record = {
        "rounds": [
            {"ballots": {"a": "yes", "b": {"choice": "no", "confidence": 0.5}}, "outcome": "tie"},
            {"ballots": {"a": {"ranking": ["x", "y"]}}, "outcome": "agreed"},
        ]
    }
    assert votes(record) == ["votes, round 1: a yes, b no → tie", 'votes, round 2: a ["x","y"] → agreed']


def test_records_of_other_strategies_have_no_votes() -> None:
    assert votes(None) == votes({"rounds": 3}) == votes({"rounds": [1]}) == []
