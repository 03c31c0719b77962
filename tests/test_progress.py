"""Progress: what a journal adds up to, held against a slow reading of the same rules and against what they promise."""

from __future__ import annotations

import json
import random
from dataclasses import dataclass, field

import pytest
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

OUTCOMES = ("ok", "bad", None)
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
def playbooks(draw, *, edges=True, joins=True, listed=None, conditions=True, most=6):
    """A small playbook as a tree: needs, joins, conditions, and edges in all three forms, also back."""
    names = [f"s{n}" for n in range(draw(st.integers(2, most)))]
    listed = draw(st.booleans()) if listed is None else listed
    steps = {}
    for n, name in enumerate(names):
        step = {"agent": "probe", "with": {}, "max-visits": draw(st.integers(1, 3))}
        step["set"] = {"trail": name, "log": [name], "total": n + 1, "seen": {name: n}, "final": name, "opening": name}
        needs = draw(st.lists(st.sampled_from(names[:n]), unique=True, max_size=3)) if n else []
        if needs:
            step["needs"] = needs
            if joins and draw(st.booleans()):
                step["join"] = draw(st.sampled_from(["all", "any", f"first({len(needs)})"]))
        elif not listed and (n == 0 or draw(st.integers(0, 3)) == 0):
            step["needs"] = []
        if conditions and draw(st.integers(0, 2)) == 0:
            checks = ["always()", "failed()", "success()", "cancelled()", "inputs.yes", "!inputs.yes"]
            checks += [f"steps.{one}.status == 'failed'" for one in needs]
            step["if"] = draw(st.sampled_from(checks))
        if edges and draw(st.integers(0, 1)) == 0:
            step["next"] = draw(nexts([*names, "end", "fail"]))
        steps[name] = step
    body = [{"id": name, **step} for name, step in steps.items()] if listed else steps
    return {
        "name": "small", "inputs": {"yes": {"type": "boolean", "default": True}}, "state": STATE,
        "agents": {"probe": {"uses": "command", "argv": ["true"]}}, "steps": body,
    }  # fmt: skip


def nexts(targets):
    target = st.sampled_from(targets)
    outcomes = st.sampled_from(["ok", "bad", "else", "error", "skipped", "exhausted", "timeout"])
    branch = st.builds(lambda word, to: {"if": f"output == '{word}'", "to": to}, st.sampled_from(["ok", "bad"]), target)
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
            assume(False)  # noqa: FBT003
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
            raw = Raw(json.dumps(outcome).encode())
            self.note(self.decisions.completed(step, started.visit, outcome, raw))

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
    max_examples=150, deadline=None, suppress_health_check=[HealthCheck.filter_too_much, HealthCheck.too_slow, HealthCheck.data_too_large]
)
lives = st.tuples(RESULTS, st.randoms(use_true_random=False), st.booleans())


# the slow reading


class Slow:
    """The same rules read from the whole history each time: no bits, no counters, nothing kept but what is over."""

    def __init__(self, graph):
        self.graph = graph
        self.steps = {step.id: step for step in graph.steps}
        self.over: dict[str, str] = {}
        self.released: set[str] = set()

    def see(self, journal):
        self.history = [entry.event for entry in journal]
        while self._look():
            pass

    def ends(self, step):
        kinds = (ev.StepCompleted, ev.StepFailed, ev.StepSkipped, ev.StepCancelled)
        return [one for one in self.history if isinstance(one, kinds) and one.step == step]

    def running(self, step):
        begun = {one.visit for one in self.history if isinstance(one, ev.VisitStarted) and one.step == step}
        return begun - {getattr(one, "visit", None) for one in self.ends(step)}

    def decided(self, step):
        begun = [one.visit for one in self.history if isinstance(one, ev.VisitStarted) and one.step == step]
        return len(begun) + sum(getattr(one, "visit", None) not in begun for one in self.ends(step))

    def arrivals(self, step):
        return sum(getattr(one, "to", None) == step for one in self.history)

    def needs_are_over(self, step):
        spec = self.steps[step]
        ended = [self.over[need] for need in self.needs(step) if need in self.over]
        enough = spec.join is not None and ended.count("completed") >= spec.join
        return enough or len(ended) == len(spec.waits)

    def needs(self, step):
        return [self.graph.steps[index].id for index in self.steps[step].waits]

    def owed(self, step):
        """How often it is to be decided in all, by what has happened so far."""
        spec, arrivals = self.steps[step], self.arrivals(step)
        if not self.needs_are_over(step):
            return 0
        return arrivals + self.by_itself(step) + (step in self.released and not arrivals and spec.starts == "edge")

    def by_itself(self, step):
        return step in self.released and self.steps[step].starts == "needs"

    def due(self):
        owed = {step: self.owed(step) - self.decided(step) for step in self.steps}
        return {step: left for step, left in owed.items() if left}

    def alive(self, step):
        return bool(self.running(step) or step in self.due() or self.arrivals(step) > self.decided(step))
