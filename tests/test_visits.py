"""Visits: the parts of progress as expressions and strategies see them."""

import pytest
from msgspec import Raw

from agentical import events as ev
from agentical.events import Failure
from agentical.visits import StepView, Visit


def test_a_step_before_it_ended_is_pending_and_null():
    view = StepView(0)
    assert [view[name] for name in ("status", "output", "outcome", "error", "record")] == [
        "pending",
        None,
        None,
        None,
        None,
    ]


def test_an_output_is_decoded_once_and_anew_after_another_visit():
    view = StepView(0)
    view.end("completed", Raw(b'{"a":[1]}'), Raw(b'{"asked":1}'))
    assert view["output"] == {"a": [1]}
    assert view["output"] is view["output"]
    assert view["record"] == {"asked": 1}
    view.end("completed", Raw(b"2"))
    assert (view["output"], view["record"]) == (2, None)


def test_an_error_is_seen_with_its_class_and_is_gone_with_the_next_visit():
    view = StepView(0)
    view.end("failed")
    view.error, view.outcome = Failure("denied", "no key", "NO_KEY"), "error"
    assert view["error"] == {"class": "denied", "code": "NO_KEY", "message": "no key"}
    assert view["output"] is None
    view.end("completed", Raw(b"1"))
    assert (view["error"], view["outcome"]) == (None, None)


@pytest.mark.parametrize("name", ["waiting", "visits", "output_raw", "closed", "__class__"])
def test_expressions_see_nothing_else_of_a_step(name):
    with pytest.raises(KeyError):
        StepView(0)[name]


def test_whoever_runs_a_visit_is_told():
    visit, told = Visit(ev.VisitStarted("s#1", "s", Raw(b"1")), 0.0, 1, (0, 0, -1, 1)), []
    visit.told("nobody listens")
    visit.tell = told.append
    visit.told("key")
    visit.told()
    assert told == ["key", None]
