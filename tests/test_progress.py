"""Progress: what a journal adds up to, held against a slow reading of the same rules and against what they promise."""

from __future__ import annotations

import json
import random
from collections import Counter
from dataclasses import dataclass, field

from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st
from msgspec import Raw

from agentical import events as ev
from agentical.compile import compile_playbook
from agentical.decisions import Decisions, Rules
from agentical.errors import PlaybookInvalid
from agentical.events import Entry, Failure, decode_entry, encode_entry
from agentical.graph import Graph, decode_graph, encode_graph
from agentical.parser import parse
from agentical.progress import Progress

VISIT = "${{ output.visit }}"
STATE = {
    "trail": {"type": "array", "merge": "append", "default": []},
    "log": {"type": "array", "merge": "extend", "default": ["start"]},
    "total": {"type": "number", "merge": "add", "default": 0},
    "seen": {"type": "object", "merge": "update", "default": {}},
    "final": {"type": "string", "merge": "last"},
    "opening": {"type": "string", "merge": "first"},
}


# graphs


@st.composite
def playbooks(draw, *, back=True, joins=True, listed=None, most=6):
    """A small playbook as a tree: needs, joins, conditions, and edges in all three forms, also back."""
    names = [f"s{n}" for n in range(draw(st.integers(2, most)))]
    listed = draw(st.booleans()) if listed is None else listed
    steps = {}
    for n, name in enumerate(names):
        step = {"agent": "probe", "with": {}, "max-visits": draw(st.integers(1, 3)) if back else 50}
        step["set"] = {
            "trail": VISIT,
            "log": [VISIT],
            "total": n + 1,
            "seen": {name: VISIT},
            "final": VISIT,
            "opening": VISIT,
        }
        needs = draw(st.lists(st.sampled_from(names[:n]), unique=True, max_size=3)) if n else []
        if needs:
            step["needs"] = needs
            if joins and draw(st.booleans()):
                step["join"] = draw(st.sampled_from(["all", "any", f"first({len(needs)})"]))
        elif not listed and (n == 0 or draw(st.integers(0, 3)) == 0):
            step["needs"] = []
        if draw(st.integers(0, 2)) == 0:
            checks = ["always()", "failed()", "success()", "cancelled()", "inputs.yes", "!inputs.yes"]
            checks += [f"steps.{one}.status == 'failed'" for one in needs]
            step["if"] = draw(st.sampled_from(checks))
        if draw(st.booleans()):
            step["next"] = draw(nexts([*(names if back else names[n + 1 :]), "end", "fail"], skipped=back))
        steps[name] = step
    body = [{"id": name, **step} for name, step in steps.items()] if listed else steps
    return {
        "name": "small", "inputs": {"yes": {"type": "boolean", "default": True}}, "state": STATE,
        "agents": {"probe": {"uses": "command", "argv": ["true"]}}, "steps": body,
    }  # fmt: skip


def nexts(targets, *, skipped):
    target = st.sampled_from(targets)
    outcomes = st.sampled_from(
        ["ok", "bad", "else", "error", "timeout", *(["skipped", "exhausted"] if skipped else [])]
    )
    branch = st.builds(
        lambda word, to: {"if": f"output.word == '{word}'", "to": to}, st.sampled_from(["ok", "bad"]), target
    )
    branches = st.builds(
        lambda some, last: [*some, *([{"to": last}] if last else [])],
        st.lists(branch, min_size=1, max_size=2), st.none() | target,
    )  # fmt: skip
    return target | st.dictionaries(outcomes, target, min_size=1, max_size=4) | branches


def compiled(tree):
    return decode_graph(encode_graph(compile_playbook(parse(json.dumps(tree)))))


def graphs(**how):
    """The graphs of those playbooks that are right."""

    @st.composite
    def drawn(draw):
        try:
            return compiled(draw(playbooks(**how)))
        except PlaybookInvalid:
            assume(condition=False)
            raise

    return drawn()


# one execution in memory


@dataclass
class Life:
    """An execution without engine or agents: takes what is due and ends what runs, in the order `rng` draws."""

    graph: Graph
    oracle: dict
    rng: random.Random
    yes: bool = True
    journal: list[Entry] = field(default_factory=list)

    def __post_init__(self):
        self.progress = Progress(self.graph)
        self.decisions = Decisions("x", self.progress, Rules(self.graph))

    def note(self, event):
        entry = decode_entry(encode_entry(Entry(len(self.journal) + 1, 1000.0 + len(self.journal), event)))
        self.journal.append(entry)
        self.progress.advance(entry.seq, entry.at, entry.event)

    def moves(self):
        first = {due.step.index: due for due in reversed(self.progress.due)}
        return [*first.values(), *self.progress.open.values()]

    def move(self):
        chosen = self.rng.choice(self.moves())
        if hasattr(chosen, "skip"):
            self.note(self.decisions.decide(chosen))
            return
        started = chosen.started
        step = self.progress.by_id[started.step]
        outcome = self.result(step, chosen)
        if outcome == "failed":
            self.note(self.decisions.failed(step, started.visit, Failure("bug", "it broke"), "error"))
        elif outcome == "cancelled":
            self.note(ev.StepCancelled(started.visit, step.id, "asked to"))
        else:
            output = {"word": outcome, "visit": started.visit}
            raw = Raw(json.dumps(output).encode())
            self.note(self.decisions.completed(step, started.visit, output, raw, outcome=outcome))

    def result(self, step, visit):
        results = self.oracle.get(step.id, ["ok"])
        return results[min(visit.number, len(results)) - 1]

    def run(self, watch=lambda life: None):
        self.note(ev.ExecutionStarted("small", "", "", Raw(json.dumps({"yes": self.yes}).encode())))
        watch(self)
        while self.moves():
            assert len(self.journal) < 2000, "it goes on and on"
            self.move()
            watch(self)
        self.ended = self.decisions.ended()
        return self


RESULTS = st.dictionaries(
    st.sampled_from([f"s{n}" for n in range(6)]),
    st.lists(st.sampled_from(["ok", "ok", "bad", "other", "failed", "cancelled"]), min_size=1, max_size=3),
)
slow = settings(
    max_examples=60,
    deadline=None,
    suppress_health_check=[HealthCheck.filter_too_much, HealthCheck.too_slow, HealthCheck.data_too_large],
)
lives = st.tuples(RESULTS, st.randoms(use_true_random=False), st.booleans())


# the slow reading


class Slow:
    """The same rules read from the whole history each time; kept is only what was once found to be over, and how."""

    ENDS = (ev.StepCompleted, ev.StepFailed, ev.StepSkipped, ev.StepCancelled)

    def __init__(self, graph):
        self.steps = {step.id: step for step in sorted(graph.steps, key=lambda step: step.rank)}
        self.needs = {step.id: [graph.steps[index].id for index in step.waits] for step in graph.steps}
        self.leads = {step.id: {route.to for route in step.routes} & set(self.steps) for step in graph.steps}
        self.targets = set().union(*self.leads.values()) | {one.id for one in graph.steps if one.starts == "edge"}
        self.over: dict[str, str] = {}
        self.unreached: set[str] = set()
        self.starts_itself: dict[str, bool] = {}

    def see(self, journal):
        self.history = [entry.event for entry in journal]
        self.let_start()
        while isinstance(self.history[-1], self.ENDS) and self.something_is_over():
            self.let_start()

    def ends(self, step):
        return [one for one in self.history if isinstance(one, self.ENDS) and one.step == step]

    def begun(self, step):
        return [one.visit for one in self.history if isinstance(one, ev.VisitStarted) and one.step == step]

    def running(self, step):
        return len(self.begun(step)) - sum(getattr(one, "visit", None) in self.begun(step) for one in self.ends(step))

    def decided(self, step):
        return len(self.begun(step)) + sum(
            getattr(one, "visit", None) not in self.begun(step) for one in self.ends(step)
        )

    def arrivals(self, step):
        return sum(getattr(one, "to", None) == step for one in self.history)

    def completed_needs(self, step):
        return sum(self.over.get(need) == "completed" for need in self.needs[step])

    def may_start(self, step):
        join = self.steps[step].join
        enough = join is not None and self.completed_needs(step) >= join
        return enough or all(need in self.over for need in self.needs[step])

    def due(self, step):
        """How often it is to be decided now."""
        owed = step in self.unreached
        if self.may_start(step):
            owed += self.arrivals(step) + self.starts_itself.get(step, False)
        return owed - self.decided(step)

    def alive(self):
        """What moves, and all that it may lead to by any arrow."""
        moving = {step for step in self.steps if self.running(step) or self.due(step) > 0}
        found, todo = set(), list(moving)
        while todo:
            one = todo.pop()
            after = self.leads[one] | {step for step, needs in self.needs.items() if one in needs}
            todo += after - found
            found |= after
        return moving, found

    def let_start(self):
        for step, spec in self.steps.items():
            if spec.starts == "needs" and step not in self.starts_itself and self.may_start(step):
                led_here = self.arrivals(step) and self.completed_needs(step) < (spec.join or 1) and not spec.alone
                self.starts_itself[step] = not led_here

    def something_is_over(self):
        moving, reached = self.alive()
        for step, spec in sorted(self.steps.items(), key=lambda one: one[0] in self.targets):
            if step in moving or (step in self.targets and step in reached) or step in self.over:
                continue
            if self.decided(step):
                self.over[step] = self.how(step)
                return True
            if spec.starts == "edge" and not self.arrivals(step):
                self.unreached.add(step)
                return True
        return False

    def status(self, step):
        """Of the visit that ended last, whatever was skipped afterwards."""
        visits = [one for one in self.ends(step) if not isinstance(one, ev.StepSkipped)]
        names = {ev.StepCompleted: "completed", ev.StepFailed: "failed", ev.StepCancelled: "cancelled"}
        return names[type(visits[-1])] if visits else "skipped"

    def how(self, step):
        """How what needs it sees it."""
        return "skipped" if getattr(self.ends(step)[-1], "to", None) else self.status(step)


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


# promises


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


def standing(progress):
    """All of it, as values of its own."""
    views = [
        {name: repr(getattr(view, name)) for name in view.__slots__ if name != "_decoded"} for view in progress.views
    ]
    due = [(due.step.id, due.generation, due.via, due.carried and bytes(due.carried), due.skip) for due in progress.due]
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
