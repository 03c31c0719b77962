"""list, show, events: commands that look at what a store holds and change nothing."""

from __future__ import annotations

from typing import Annotated

import typer

from agentical.cli.options import AsJson, ExecutionId, Store


def list_(
    as_json: AsJson = False,
    children: Annotated[bool, typer.Option("--all", help="Also executions that answer a task of another one.")] = False,
    limit: Annotated[int | None, typer.Option(min=1, help="At most so many.")] = None,
    store: Store = None,
) -> None:
    """List executions, newest first.

    With --json: [{id, playbook, status, created, updated, interrupted, parent}].
    """
    from agentical.cli.interrupts import awaited
    from agentical.cli.looking import list_executions

    raise typer.Exit(awaited(list_executions, as_json, children, limit, store))


def show(id: ExecutionId, as_json: AsJson = False, store: Store = None) -> None:
    """Show how an execution stands or ended.

    Its steps, who answered, votes, outputs, error, receipt.
    """
    from agentical.cli.interrupts import awaited
    from agentical.cli.looking import show_execution

    raise typer.Exit(awaited(show_execution, id, as_json, store))


def events(
    id: ExecutionId,
    follow: Annotated[bool, typer.Option("--follow", "-f", help="Go on until the execution has ended.")] = False,
    as_json: AsJson = False,
    store: Store = None,
) -> None:
    """Print the journal of an execution.

    With --json: one object a line, {seq, at, type, …}.
    """
    from agentical.cli.interrupts import awaited
    from agentical.cli.looking import print_events

    raise typer.Exit(awaited(print_events, id, follow, as_json, store))
