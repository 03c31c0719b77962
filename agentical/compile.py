"""Playbook → graph: checks all there is to check, and gives what the engine runs."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from agentical.checking.mistakes import BASE, Known, Mistakes
from agentical.checking.readings import read_step
from agentical.checking.roster import Roster
from agentical.checking.sharing import check_order, check_writes, state_keys
from agentical.checking.staffing import Staff, Staffing
from agentical.checking.wiring import Wiring
from agentical.errors import PlaybookInvalid
from agentical.graph import Graph, InputSpec, Step
from agentical.inputs import wrong_inputs
from agentical.parser import Parsed
from agentical.playbook import Placed, Playbook, placed
from agentical.validation import mismatch

MOST_STEPS: Final = 20_000
_IN_TESTS: Final = BASE | {"outputs"}


def compile_playbook(parsed: Parsed) -> Graph:
    """The graph of a playbook. Raises PlaybookInvalid with all its mistakes, each in its place."""
    playbook, mistakes = parsed.playbook, Mistakes(parsed)
    steps = list(placed(playbook.steps))
    if len(steps) > MOST_STEPS:
        mistakes.add(("steps",), f"has {len(steps):,} steps, at most {MOST_STEPS:,} can be run.", "Use sub-playbooks.")
        raise PlaybookInvalid(mistakes.found)
    inputs = _inputs(mistakes, playbook)
    state = state_keys(mistakes)
    schemas = {name: spec.schema for name, spec in inputs.items()}
    index = {one.id: n for n, one in enumerate(steps)}
    known = Known(mistakes, index, schemas, state, playbook.secrets)
    roster = Roster(mistakes, known)
    staffing = Staffing(mistakes, known, roster)
    staff = [staffing.of(one) for one in steps]
    roster.check_defaults()
    known.outputs.update(_declared_outputs(steps, staff, roster))
    readings = [read_step(known, one) for one in steps]
    wiring = Wiring(mistakes, steps, readings, [one.outcomes for one in staff])
    check_writes(mistakes, steps, state)
    if wiring.sound:
        check_order(mistakes, steps, readings, wiring.ancestry)
    _check_outputs(known, playbook)
    _check_tests(known, playbook, inputs, roster)
    if mistakes.found:
        raise PlaybookInvalid(mistakes.found)
    compiled = tuple(_step(n, one, staff[n], wiring, alone=readings[n].alone) for n, one in enumerate(steps))
    return _graph(playbook, compiled, inputs=inputs, state=state, agents=roster.specs)


def _graph(playbook: Playbook, steps: tuple[Step, ...], **parts: Any) -> Graph:
    return Graph(
        playbook.name,
        steps,
        version=playbook.version,
        labels=playbook.labels,
        secrets=playbook.secrets,
        outputs=playbook.outputs,
        budget_tasks=playbook.budget.tasks,
        budget_time=playbook.budget.time,
        **parts,
    )


def _step(n: int, one: Placed, staff: Staff, wiring: Wiring, *, alone: bool) -> Step:
    step = one.step
    return Step(
        one.id,
        n,
        wiring.ranks[n] or 0,
        step.body,
        starts="edge" if wiring.by_edge[n] else "needs",
        waits=tuple(wiring.waits[n]),
        join=wiring.joins[n],
        condition=step.condition,
        alone=alone,
        members=staff.members,
        helpers=staff.helpers,
        strategy=staff.strategy,
        options=dict(staff.options),
        payload=step.payload,
        has_payload=step.has("payload"),
        for_each=None if staff.source else step.for_each,
        source=staff.source,
        writes=step.writes or {},
        routes=wiring.routes[n],
        timeout=step.timeout,
        output=schema_of(step.output),
        retry=None if staff.retry is None else dict(staff.retry),
        max_visits=step.max_visits,
        end=step.end,
        previous=wiring.previous[n],
    )


def _inputs(mistakes: Mistakes, playbook: Playbook) -> dict[str, InputSpec]:
    specs: dict[str, InputSpec] = {}
    for name, written in playbook.inputs.items():
        schema = written.json_schema()
        specs[name] = InputSpec(schema, written.must_be_given, written.default, written.description or "")
        if written.has("default") and (wrong := mismatch(schema, written.default)) is not None:
            mistakes.add(("inputs", name, "default"), f"the default does not fit: {wrong}.")
    return specs


def _declared_outputs(steps: list[Placed], staff: list[Staff], roster: Roster) -> dict[str, Any]:
    """The JSON Schemas of steps' outputs: the step's own, or that of its agent where it is asked once."""
    found: dict[str, Any] = {}
    for one, its in zip(steps, staff, strict=True):
        if one.step.output is not None:
            found[one.id] = one.step.output
        elif its.strategy is None and its.members:
            found[one.id] = roster.specs[its.members[0]].output
    return found


def _check_outputs(known: Known, playbook: Playbook) -> None:
    for _ in known.template(("outputs",), playbook.outputs, BASE):
        pass


def _check_tests(known: Known, playbook: Playbook, inputs: Mapping[str, InputSpec], roster: Roster) -> None:
    for n, case in enumerate(playbook.tests):
        path = ("tests", n)
        for name, message, hint in wrong_inputs(inputs, case.inputs):
            known.mistakes.add((*path, "inputs", name), message, hint, key=name not in inputs)
        for name in case.agents:
            if name not in roster.specs:
                known.mistakes.unknown((*path, "agents", name), "agent", name, roster.specs, key=True)
        for k, source in enumerate(case.expect):
            for _ in known.condition((*path, "expect", k), source, _IN_TESTS):
                pass


def schema_of(declared: Mapping[str, Any] | bool | None) -> dict[str, Any] | None:
    """A JSON Schema as a mapping: `true` takes everything, `false` nothing."""
    if declared is None or isinstance(declared, bool):
        return None if declared is None else {} if declared else {"not": {}}
    return dict(declared)
