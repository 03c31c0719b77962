"""Small random playbooks, and an execution of one without engine or agents."""

from __future__ import annotations

import json
import random
from dataclasses import dataclass, field

import yaml
from hypothesis import HealthCheck, assume, settings
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
            self.finish(step, chosen, outcome)

    def finish(self, step, visit, outcome):
        output = {"word": outcome, "visit": visit.started.visit}
        raw = Raw(json.dumps(output).encode())
        self.note(self.decisions.completed(step, visit.started.visit, output, raw, outcome=outcome))

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


TOP = {"name": "small", "agents": {"probe": {"uses": "command", "argv": ["true"]}}}


class Plain(Life):
    """A Life whose visits answer with what `results` says: a word is a failure or cancellation, all else the output."""

    def finish(self, step, visit, outcome):
        raw = Raw(json.dumps(outcome, separators=(",", ":")).encode())
        self.note(self.decisions.completed(step, visit.started.visit, outcome, raw))


def live(steps, results=None, *, seed=0, run=True, **top):
    """An execution of these steps (YAML); `results`: what each visit of a step comes to, `ok` where not said."""
    body = yaml.safe_load(steps)
    for step in body if isinstance(body, list) else body.values():
        if not step.keys() & {"agent", "team", "set", "end"}:
            step["agent"] = "probe"
    life = Plain(compiled({**TOP, **top, "steps": body}), results or {}, random.Random(seed))
    return life.run() if run else life


def statuses(life):
    return {step.id: view.status for step, view in zip(life.graph.steps, life.progress.views, strict=True)}


def visits(life):
    return [entry.event.visit for entry in life.journal if isinstance(entry.event, ev.VisitStarted)]


def payload(life, visit):
    return next(
        bytes(entry.event.payload) for entry in life.journal
        if isinstance(entry.event, ev.VisitStarted) and entry.event.visit == visit
    ).decode()  # fmt: skip


def code(life):
    return life.ended.failure.code if isinstance(life.ended, ev.ExecutionFailed) else None
