"""The log monitor: events as lines of logging, never with a payload or an answer."""

import logging

import pytest
from msgspec import Raw

import agentical
from agentical import events as ev
from agentical.events import Failure
from agentical.ports import Reading
from agentical_monitors.log import LogMonitor

SECRET = Raw(b'"do not log me"')
FAILURE = Failure("transient", "do not log me", "TIMEOUT")
EVENTS = [
    (ev.ExecutionStarted("p", "t", "g", SECRET), logging.INFO),
    (ev.VisitStarted("s#1", "s", SECRET), logging.INFO),
    (ev.TaskAsked("s#1", "k", "m", "h", 2), logging.DEBUG),
    (ev.TaskAnswered("s#1", "k", "m", "h", SECRET), logging.DEBUG),
    (ev.ItemTaken("s#1", 0, SECRET), logging.DEBUG),
    (ev.Remembered("s#1", "k", SECRET), logging.DEBUG),
    (ev.TaskRetried("s#1", "k", "m", FAILURE, 1, 5.0), logging.WARNING),
    (ev.TaskFailed("s#1", "k", "m", "h", FAILURE), logging.WARNING),
    (ev.StepFailed("s#1", "s", FAILURE), logging.ERROR),
    (ev.StepCompleted("s#1", "s", SECRET), logging.INFO),
    (ev.ExecutionFailed(FAILURE, "s"), logging.ERROR),
]


@pytest.mark.parametrize(("event", "level"), EVENTS, ids=lambda one: type(one).__name__)
def test_each_event_is_one_line_at_its_level_without_what_was_said(event, level, caplog):
    with caplog.at_level(logging.DEBUG, "agentical.events"):
        LogMonitor().see("x-1", 5.0, event)
    (line,) = caplog.records
    assert line.levelno == level
    assert line.getMessage().startswith(f"{type(event).__name__} execution=x-1")
    assert "do not log me" not in line.getMessage()
    assert "do not log me" not in repr(line.agentical)
    assert line.agentical["event"] == type(event).__name__


def test_ids_and_failure_classes_are_named(caplog):
    with caplog.at_level(logging.DEBUG, "agentical.events"):
        LogMonitor().see("x-1", 5.0, ev.TaskRetried("s#1", "k", "m", FAILURE, 1, 5.0))
    assert caplog.records[0].getMessage() == (
        "TaskRetried execution=x-1 visit=s#1 key=k member=m attempt=1 class=transient code=TIMEOUT"
    )


def test_what_is_below_the_level_is_counted_all_the_same(caplog):
    monitor = LogMonitor(logging.getLogger("quiet"))
    with caplog.at_level(logging.ERROR, "quiet"):
        for event, _ in EVENTS:
            monitor.see("x-1", 5.0, event)
        monitor.see("x-1", 5.0, EVENTS[0][0])
    assert Reading("events", 2, labels={"event": "ExecutionStarted"}) in list(monitor.read())
    assert sum(one.value for one in monitor.read()) == len(EVENTS) + 1
    assert {record.levelno for record in caplog.records} == {logging.ERROR}


async def test_it_is_attached_by_its_name(caplog, monkeypatch):
    async def answer(payload):
        return payload

    with caplog.at_level(logging.INFO, "agentical.events"):
        async with agentical.Agentical(store="memory:", monitors=[LogMonitor()]) as app:
            await app.run("parallel", team=[answer], payload=1)
        monkeypatch.setenv("AGENTICAL_MONITORS", "log")
        async with agentical.Agentical(store="memory:") as app:
            await app.run("parallel", team=[answer], payload=1)
    assert sum("ExecutionCompleted" in record.getMessage() for record in caplog.records) == 2
