"""Progress: what a journal adds up to, held against a slow reading of the same rules and against what they promise."""

from __future__ import annotations

import json
import random
from collections import Counter

import msgspec
from hypothesis import given
from hypothesis import strategies as st
from lives import RESULTS, Life, graphs, lives, slow
from msgspec import UNSET, Raw
from slowly import Slow

from agentical import events as ev
from agentical.decisions import Decisions, Rules
from agentical.events import Entry, Failure, Usage, encode_entry
from agentical.graph import Graph, Step
from agentical.progress import Progress

GRAPH = Graph("g", (Step("s", 0, 0, "agent", members=("m",)),))
STARTED, BEGUN = ev.ExecutionStarted("g", "", "", Raw(b"{}")), ev.VisitStarted("s#1", "s", Raw(b"null"))


@slow
@given(graphs(), lives)
def test_progress_agrees_at_every_entry_with_a_slow_reading_of_the_rules(graph, how):
    reference = Slow(graph)

    def watch(life):
        reference.see(life.journal)
        progress = life.progress
        due = Counter(due.step.id for due in progress.due)
        assert due == {step: reference.due(step) for step in reference.steps if reference.due(step) > 0}
        views = {step.id: progress.views[step.index] for step in graph.steps}
        assert {name for name, view in views.items() if view.closed} == set(reference.over)
        assert all(
            view.status == reference.status(name) for name, view in views.items() if view.closed and not view.running
        )

    Life(graph, *how).run(watch)


@slow
@given(graphs(), lives)
def test_every_execution_ends_with_every_step_ended_and_none_is_ever_stuck(graph, how):
    life = Life(graph, *how).run()
    assert life.progress.idle
    assert isinstance(life.ended, (ev.ExecutionCompleted, ev.ExecutionFailed))
    assert not (isinstance(life.ended, ev.ExecutionFailed) and life.ended.failure.code == "STUCK")
    for view in life.progress.views:
        assert view.closed
        assert view.status in ("completed", "failed", "skipped", "cancelled")
        assert (view.queued, view.running, view.arrivals) == (0, 0, [])


@slow
@given(graphs(), lives)
def test_no_step_starts_before_what_it_needs_has_ended(graph, how):
    life = Life(graph, *how).run()
    ended: set[str] = set()
    good: Counter = Counter()
    for entry in life.journal:
        event = entry.event
        if isinstance(event, ev.VisitStarted):
            step = life.progress.by_id[event.step]
            needs = [graph.steps[index].id for index in step.waits]
            if step.join is None:
                assert set(needs) <= ended
            else:
                assert set(needs) <= ended or sum(good[need] > 0 for need in needs) >= step.join
        elif isinstance(event, Slow.ENDS):
            ended.add(event.step)
            good[event.step] += isinstance(event, ev.StepCompleted)


@slow
@given(graphs(listed=False), lives)
def test_a_step_reached_by_edges_alone_is_decided_once_for_each_arrival(graph, how):
    life = Life(graph, *how).run()
    events = [entry.event for entry in life.journal]
    for step in graph.steps:
        if step.starts != "edge":
            continue
        arrivals = sum(getattr(event, "to", None) == step.id for event in events)
        nobody_came = sum(
            isinstance(event, ev.StepSkipped) and event.step == step.id and event.reason == "no edge led here"
            for event in events
        )
        assert life.progress.views[step.index].passes == arrivals + nobody_came
        assert nobody_came <= 1
        begun = [event for event in events if isinstance(event, ev.VisitStarted) and event.step == step.id]
        assert len(begun) <= arrivals


@slow
@given(graphs(), lives)
def test_no_step_is_visited_more_often_than_its_max_visits(graph, how):
    life = Life(graph, *how).run()
    begun = Counter(entry.event.step for entry in life.journal if isinstance(entry.event, ev.VisitStarted))
    assert all(begun[step.id] <= step.max_visits for step in graph.steps)


@slow
@given(graphs(), lives)
def test_what_was_recorded_folds_to_the_same_whatever_process_reads_it(graph, how):
    seen = []
    life = Life(graph, *how).run(lambda life: seen.append(standing(life.progress)))
    again = Progress(graph)
    decisions = Decisions("x", again, Rules(graph))
    for entry, expected in zip(life.journal, seen, strict=True):
        decided = {decided_of(decisions.decide(due)) for due in again.due}
        if isinstance(entry.event, (ev.VisitStarted, ev.StepSkipped)):
            assert decided_of(entry.event) in decided
        again.advance(entry.seq, entry.at, entry.event)
        assert standing(again) == expected
    assert decisions.ended() == life.ended


def decided_of(event):
    return encode_entry(Entry(0, 0.0, event))


def _due(due):
    return (due.step.id, due.generation, due.via, due.carried and bytes(due.carried), due.skip)


def _shown(value):
    if isinstance(value, list):
        return [_due(one) for one in value]
    return bytes(value) if isinstance(value, msgspec.Raw) else repr(value)


def standing(progress):
    """All of it, as values of its own."""
    views = [
        {name: _shown(getattr(view, name)) for name in view.__slots__ if name != "_decoded"} for view in progress.views
    ]
    due = [_due(one) for one in progress.due]
    state = {name: json.dumps(merged.value) for name, merged in progress.state.items()}
    opened = {name: (visit.number, visit.order) for name, visit in progress.open.items()}
    return (
        progress.status,
        progress.seq,
        progress.ran,
        due,
        views,
        state,
        opened,
        progress.failure,
        repr(progress.receipt),
    )


@slow
@given(graphs(), lives)
def test_whoever_comes_after_another_writes_after_it(graph, how):
    life = Life(graph, *how).run()
    trail = life.progress.state["trail"].value
    place = {visit: n for n, visit in enumerate(trail)}
    ended: dict[str, set[str]] = {step.id: set() for step in graph.steps}
    for entry in life.journal:
        event = entry.event
        if isinstance(event, ev.StepCompleted):
            ended[event.step].add(event.visit)
        elif isinstance(event, ev.VisitStarted) and event.visit in place:
            before = {event.via} if event.via else set()
            for index in life.progress.by_id[event.step].waits:
                before |= ended[graph.steps[index].id]
            assert all(place[one] < place[event.visit] for one in before if one in place)


@slow
@given(graphs(), lives)
def test_all_merge_rules_fold_in_the_same_order(graph, how):
    state = {name: merged.value for name, merged in Life(graph, *how).run().progress.state.items()}
    trail = state["trail"]
    assert state["log"] == ["start", *trail]
    assert state["final"] == (trail[-1] if trail else None)
    assert state["opening"] == (trail[0] if trail else None)
    assert state["seen"] == {visit.partition("#")[0]: visit for visit in trail}
    assert state["total"] == sum(int(visit.partition("#")[0][1:]) + 1 for visit in trail)


@slow
@given(graphs(back=False, joins=False), RESULTS, st.integers(), st.integers())
def test_the_order_in_which_steps_finish_does_not_change_what_comes_out(graph, results, one, other):
    always = {step: some[:1] for step, some in results.items()}
    first, second = (Life(graph, always, random.Random(seed)).run() for seed in (one, other))
    assert [view.status for view in first.progress.views] == [view.status for view in second.progress.views]
    assert [view.visits for view in first.progress.views] == [view.visits for view in second.progress.views]
    assert type(first.ended) is type(second.ended)
    trails = [[visit.partition("#")[0] for visit in life.progress.state["trail"].value] for life in (first, second)]
    assert trails[0] == trails[1]
    assert first.progress.state["total"].value == second.progress.state["total"].value


# tasks


def folded(*events, graph=GRAPH):
    progress = Progress(graph)
    for n, (at, event) in enumerate([(0.0, STARTED), (0.0, BEGUN), *events], 1):
        progress.advance(n, 100.0 + at, event)
    return progress


def test_the_receipt_counts_what_the_journal_says():
    used = Usage(3, 4, 0.5)
    progress = folded(
        (1, ev.TaskAsked("s#1", "a", "m", "h")),
        (2, ev.TaskAsked("s#1", "b", "m", "h")),
        (3, ev.TaskAsked("s#1", "a", "m", "h")),
        (4, ev.TaskRetried("s#1", "b", "m", Failure("transient", "x"), 1, 9.0, used)),
        (5, ev.TaskAsked("s#1", "b", "m", "h", 2)),
        (6, ev.TaskAnswered("s#1", "a", "m", "h", Raw(b"1"), usage=used)),
        (7, ev.TaskFailed("s#1", "b", "m", "h", Failure("bug", "x"), 2)),
        (8, ev.TaskCancelled("s#1", "c", "m", used)),
    )
    receipt = progress.receipt
    assert (receipt.asked, receipt.answered, receipt.failed, receipt.retried, receipt.repeated) == (2, 1, 1, 1, 1)
    assert receipt.usage == Usage(9, 12, 1.5)
    assert progress.open["s#1"].retried == {}
    assert list(progress.open["s#1"].outcomes) == ["a", "b", "c"]


def test_an_output_that_is_an_answer_is_kept_once_and_found():
    answered = ev.TaskAnswered("s#1", "ask", "m", "h", Raw(b'{"x":1}'))
    progress = folded((1, answered), (2, ev.StepCompleted("s#1", "s", UNSET, "ask")))
    assert progress.views[0]["output"] == {"x": 1}
    assert progress.idle


def test_time_in_which_nothing_ran_does_not_count():
    progress = folded(
        (5, ev.ExecutionPaused("interrupted")), (1000, ev.ExecutionResumed(2)), (1003, ev.Remembered("s#1", "k", Raw(b"1")))
    )  # fmt: skip
    assert progress.ran == 8.0


def test_resuming_after_a_crash_is_counted_until_something_new_is_known():
    resumed, crashes = ev.ExecutionResumed(2), [(n, ev.ExecutionResumed(n)) for n in (1, 2, 3)]
    assert folded(*crashes).open["s#1"].resumed == 3
    for news in (
        ev.TaskAnswered("s#1", "a", "m", "h", Raw(b"1")), ev.Remembered("s#1", "k", Raw(b"1")), ev.ItemTaken("s#1", 0, Raw(b"1")),
    ):  # fmt: skip
        assert folded(*crashes, (4, news)).open["s#1"].resumed == 0
    assert folded(*crashes, (4, ev.ExecutionResumed(5, forgiven=True))).open["s#1"].resumed == 0
    assert folded((1, ev.ExecutionPaused("interrupted")), (2, resumed)).open["s#1"].resumed == 0


def test_items_are_kept_until_they_are_handed_over():
    progress = folded(
        (1, ev.ItemTaken("s#1", 0, Raw(b"7"))), (2, ev.ItemTaken("s#1", 1, Raw(b"8"))), (3, ev.ItemsEnded("s#1", 2))
    )
    visit = progress.open["s#1"]
    assert [bytes(item.item) for _, _, item in visit.items] == [b"7", b"8"]
    assert (visit.taken, visit.items_ended) == (2, (5, 103.0))


def test_what_ends_after_its_visit_is_charged_and_changes_nothing_else():
    ended = ev.StepCompleted("s#1", "s", Raw(b"1"))
    late = [ev.TaskAsked("s#1", "a", "m", "h"), ev.TaskAnswered("s#1", "a", "m", "h", Raw(b"2"), usage=Usage(1))]
    progress = folded((1, ended), *((n, event) for n, event in enumerate(late, 2)))
    assert progress.receipt.usage == Usage(1)
    assert progress.views[0]["output"] == 1


def test_whichever_way_it_ends_the_execution_says_so():
    for event, status in (
        (ev.ExecutionCompleted(Raw(b"1")), "completed"), (ev.ExecutionCancelled("x"), "cancelled"),
        (ev.ExecutionFailed(Failure("bug", "x"), "s"), "failed"),
    ):  # fmt: skip
        progress = folded((9, event))
        assert (progress.status, progress.receipt.ended) == (status, 109.0)
