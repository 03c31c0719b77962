"""Reading playbooks for their mistakes, and running the tests they carry."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

from agentical.cli.faults import tell_mistakes
from agentical.cli.output import put_json, put_plain, stdout_kept
from agentical.cli.receipts import lasted
from agentical.compile import compile_playbook
from agentical.errors import CallInvalid, Mistake, PlaybookInvalid
from agentical.graph import Graph
from agentical.parser import read
from agentical.playbook_tests import Result, Suite, junit_xml, run_case
from agentical.sdk import Agentical


def compiled(playbook: str) -> Graph:
    """The graph of a file. Raises PlaybookInvalid."""
    return compile_playbook(read(playbook))


def check_playbooks(playbooks: Sequence[str], *, as_json: bool) -> int:
    """All mistakes of all files; gives the exit status."""
    sound, mistakes = _each(playbooks)
    if as_json:
        put_json({"files": list(playbooks), "mistakes": [asdict(one) for one in mistakes]})
        return PlaybookInvalid.exit_status if mistakes else 0
    for suite in sound:
        put_plain(f"{suite.file}: {suite.graph.name} is sound, {_counted(suite.graph)}")
    if mistakes:
        tell_mistakes(mistakes)
    return PlaybookInvalid.exit_status if mistakes else 0


async def test_playbooks(playbooks: Sequence[str], junit: str | None) -> int:
    """Run the tests of all files, one after the other; gives the exit status. Raises PlaybookInvalid before any is run."""
    suites, mistakes = _each(playbooks)
    if mistakes:
        raise PlaybookInvalid(mistakes)
    found: list[tuple[Suite, list[Result]]] = []
    async with Agentical("memory:") as app:
        for suite in suites:
            if not suite.cases:
                put_plain(f"{suite.file}: no tests")
            results: list[Result] = []
            found.append((suite, results))
            for case in suite.cases:
                with stdout_kept():
                    result = await run_case(app, suite, case)
                results.append(result)
                _tell_result(suite, result)
    if junit is not None:
        _write(junit, junit_xml(found))
    return _summed([result for _, results in found for result in results])


def _each(playbooks: Sequence[str]) -> tuple[list[Suite], list[Mistake]]:
    sound: list[Suite] = []
    mistakes: list[Mistake] = []
    for file in playbooks:
        try:
            parsed = read(file)
            sound.append(Suite(file, compile_playbook(parsed), parsed.text, parsed.playbook.tests))
        except PlaybookInvalid as error:
            mistakes += error.mistakes
    return sound, mistakes


def _counted(graph: Graph) -> str:
    steps, agents = len(graph.steps), len(graph.agents)
    return f"{steps} step{'s' * (steps != 1)}, {agents} agent{'s' * (agents != 1)}"


def _tell_result(suite: Suite, result: Result) -> None:
    put_plain(f"{'passed' if result.passed else 'FAILED'}  {suite.graph.name}: {result.name} ({lasted(result.took)})")
    for problem in result.problems:
        put_plain("\n".join(f"        {line}" for line in problem.splitlines()))


def _summed(results: Sequence[Result]) -> int:
    failed = sum(not result.passed for result in results)
    put_plain(f"{len(results) - failed} passed" + (f", {failed} failed" if failed else ""))
    return 1 if failed else 0


def _write(file: str, text: str) -> None:
    try:
        Path(file).parent.mkdir(parents=True, exist_ok=True)
        Path(file).write_text(text, encoding="utf-8")
    except OSError as error:
        raise CallInvalid(f"{file} cannot be written: {error.strerror or error}") from None
