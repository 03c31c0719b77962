"""init, check, plan, graph, test, schema: commands for who writes playbooks."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

import typer

from agentical.cli.options import AsJson, PlaybookFile, PlaybookFiles


class Format(StrEnum):
    """How a graph is drawn."""

    text = "text"
    mermaid = "mermaid"


def init(folder: Annotated[str, typer.Argument(metavar="DIR", help="The folder; made if it is not there.")]) -> None:
    """Write a playbook that runs into a folder.

    Its agents come with it. Nothing is overwritten.
    """
    from agentical.cli.starter import write_starter

    write_starter(folder)


def check(playbooks: PlaybookFiles, as_json: AsJson = False) -> None:
    """Find all mistakes of playbooks.

    They come on stderr, as file:line:column: path: what. hint. Exit status 2 if there is one. With --json, on stdout: {files, mistakes: [{file, line, column, path, message, hint}]}.
    """
    from agentical.cli.checking import check_playbooks

    raise typer.Exit(check_playbooks(playbooks, as_json=as_json))


def plan(playbook: PlaybookFile, as_json: AsJson = False) -> None:
    """Show what a playbook would do.

    Its steps in order, who is asked, when, and the most tasks possible.
    """
    from agentical.cli.checking import compiled
    from agentical.cli.output import put_json, put_plain
    from agentical.cli.plans import plan_lines, plan_of

    found = plan_of(compiled(playbook))
    if as_json:
        put_json(found)
    else:
        put_plain("\n".join(plan_lines(found)))


def graph(
    playbook: PlaybookFile, format: Annotated[Format, typer.Option(help="Boxes and arrows, or Mermaid.")] = Format.text
) -> None:
    """Draw a playbook's graph."""
    from agentical.cli.checking import compiled
    from agentical.cli.drawings import mermaid, text
    from agentical.cli.output import put

    found = compiled(playbook)
    put(mermaid(found) if format is Format.mermaid else text(found))


def run_tests(
    playbooks: PlaybookFiles,
    junit: Annotated[str | None, typer.Option(metavar="FILE", help="Also write the results as JUnit XML.")] = None,
) -> None:
    """Run the tests that playbooks carry.

    Agents that a test fakes answer as it says, the others really run. Exit status: 0 all passed, 1 one failed, 2 a playbook is wrong.
    """
    from agentical.cli.checking import test_playbooks
    from agentical.cli.interrupts import awaited

    raise typer.Exit(awaited(test_playbooks, playbooks, junit))


def schema() -> None:
    """Print the JSON Schema of playbooks."""
    from agentical.cli.output import put_json
    from agentical.schema import schema

    put_json(schema())
