"""The tests that a playbook carries: each is one run with fake agents, and what must hold when it has ended."""

from __future__ import annotations

import re
import time
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from msgspec.structs import replace

from agentical import errors
from agentical import events as ev
from agentical.conditions import Expression, truth
from agentical.decisions import Decisions, Rules
from agentical.errors import AgentError, AgenticalError, Invalid
from agentical.graph import Graph
from agentical.inputs import check_inputs
from agentical.jsonvalues import encode
from agentical.ports import Agent, TaskContext
from agentical.prepared import Prepared
from agentical.runs import Run
from agentical.sdk import Agentical

if TYPE_CHECKING:
    from agentical.playbook import Case, Fake

_FAILURES: Mapping[str, type[AgentError]] = {
    kind.failure_class: kind
    for kind in (
        errors.Transient,
        errors.RateLimited,
        errors.Exhausted,
        Invalid,
        errors.Denied,
        errors.Upstream,
        AgentError,
    )
}
LONGEST = 300
MOST_CAUSES = 3
_ILLEGAL = re.compile("[^\t\n -\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


@dataclass(frozen=True, slots=True)
class Suite:
    """A playbook, compiled, with its tests."""

    file: str
    graph: Graph
    text: bytes
    cases: Sequence[Case]


@dataclass(frozen=True, slots=True)
class Result:
    """How one test went. `took` in seconds; without `problems` it passed."""

    name: str
    took: float
    problems: Sequence[str] = ()

    @property
    def passed(self) -> bool:
        return not self.problems


@dataclass(slots=True)
class FakeAgent:
    """Answers as a test says: each ask with the next of `answers`, or always with `answer`, or with a failure.

    As the source of a for-each it yields its answers, or the items of its one answer.
    """

    id: str
    fake: Fake
    asked: int = field(default=0)

    async def __call__(self, payload: Any, context: TaskContext) -> Any:
        self.asked += 1
        if self.fake.error is not None:
            raise self._failure()
        if self.fake.answers is None:
            return self.fake.answer
        if self.asked > len(self.fake.answers):
            raise AgentError(f"the fake {self.id} has {len(self.fake.answers)} answers, and was asked once more")
        return self.fake.answers[self.asked - 1]

    async def stream(self, payload: Any, context: TaskContext) -> AsyncIterator[Any]:
        """The items, without the first `context.skip`."""
        if self.fake.error is not None:
            raise self._failure()
        items = self.fake.answer if self.fake.answers is None else self.fake.answers
        if not isinstance(items, list):
            raise Invalid(f"the fake {self.id} is the source of items, and its answer is no list")
        for item in items[context.skip :]:
            yield item

    def _failure(self) -> AgentError:
        assert self.fake.error is not None
        return _FAILURES[self.fake.error.failure_class](self.fake.error.message or "the test lets it fail")


async def run_case(app: Agentical, suite: Suite, case: Case) -> Result:
    """Run one test. Whatever goes wrong is a problem of the test; nothing is raised but cancellation."""
    began = time.monotonic()
    try:
        run = await app.run(prepared_for(suite, case))
        problems = [*await _ended_otherwise(run, case), *_unmet(run, suite.graph, case)]
    except AgenticalError as error:
        problems = [str(error)]
    return Result(case.name, time.monotonic() - began, problems)


def prepared_for(suite: Suite, case: Case) -> Prepared:
    """The run of a test. Retries of fakes are not waited for. Raises CallInvalid for its inputs."""
    fakes: dict[str, Agent] = {id: FakeAgent(id, fake) for id, fake in case.agents.items()}
    at_once = {id: _without_waiting(suite.graph, id) for id in fakes}
    graph = replace(suite.graph, agents={**suite.graph.agents, **at_once})
    inputs = check_inputs(graph, case.inputs)
    return Prepared(
        graph.name, graph, suite.text, inputs, str(Path(suite.file).resolve().parent), given=True, fakes=fakes
    )


def _without_waiting(graph: Graph, id: str) -> Any:
    spec = graph.agents[id]
    return replace(spec, retry={kind: replace(rule, delay=0.0, max_delay=0.0) for kind, rule in spec.retry.items()})


async def _ended_otherwise(run: Run, case: Case) -> list[str]:
    """That it did not end as it should, and which tasks failed before."""
    if run.status == case.status:
        return []
    why = f": {run.error['message']} (step {run.error['step']})" if run.error else ""
    failed = [entry.event async for entry in run.events() if isinstance(entry.event, ev.TaskFailed)]
    causes = [f"  {one.visit}: {one.member} failed at {one.key}: {one.failure.message}" for one in failed[:MOST_CAUSES]]
    return ["\n".join([f"expected: {case.status}, and it is {run.status}{why}", *causes])]


def _unmet(run: Run, graph: Graph, case: Case) -> list[str]:
    """The expectations that do not hold, with the values they read."""
    scope = Decisions(run.id, run.progress, Rules(graph)).scope(
        outputs=run.outputs, execution={"id": run.id, "status": run.status}
    )
    found: list[str] = []
    for source in case.expect:
        expression = Expression.parse(source)
        try:
            why = None if truth(expression(scope)) else ""
        except AgenticalError as error:
            why = f"\n  {error}"
        if why is not None:
            read = (f"\n  {'.'.join(path)} is {_shown(path, scope)}" for path in sorted(expression.paths))
            found.append(f"expected: {source}{why}{''.join(read)}")
    return found


def _shown(path: tuple[str, ...], scope: Mapping[str, Any]) -> str:
    try:
        value = Expression.parse(".".join(path))(scope)
    except AgenticalError:
        return "not there"
    text = encode(value).decode()
    return text if len(text) <= LONGEST else f"{text[:LONGEST]}…"


def junit_xml(found: Sequence[tuple[Suite, Sequence[Result]]]) -> str:
    """The results in the XML that CI systems read."""
    from xml.etree import ElementTree as ET

    results = [result for _, of_suite in found for result in of_suite]
    root = ET.Element("testsuites", _totals(results))
    for suite, of_suite in found:
        element = ET.SubElement(root, "testsuite", {"name": suite.graph.name, "file": suite.file, **_totals(of_suite)})
        for result in of_suite:
            attributes = {"classname": suite.graph.name, "name": _legal(result.name), "time": f"{result.took:.3f}"}
            case = ET.SubElement(element, "testcase", attributes)
            for problem in result.problems[:1]:
                failure = ET.SubElement(case, "failure", {"message": _legal(problem.split("\n")[0])})
                failure.text = _legal("\n".join(result.problems))
    ET.indent(root)
    return '<?xml version="1.0" encoding="UTF-8"?>\n' + ET.tostring(root, encoding="unicode") + "\n"


def _totals(results: Sequence[Result]) -> dict[str, str]:
    failures = sum(not result.passed for result in results)
    took = sum(result.took for result in results)
    return {"tests": str(len(results)), "failures": str(failures), "errors": "0", "time": f"{took:.3f}"}


def _legal(text: str) -> str:
    """Text without the characters that XML cannot hold."""
    return _ILLEGAL.sub("\N{REPLACEMENT CHARACTER}", text)
