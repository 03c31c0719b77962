"""run, resume, replay: commands that go through an execution."""

from __future__ import annotations

from typing import Annotated

import typer

from agentical.cli.options import AsJson, ExecutionId, PlaybookFile, Quiet, Store


def run(
    playbook: PlaybookFile,
    given: Annotated[
        list[str] | None,
        typer.Option(
            "--input", "-i", metavar="KEY=VALUE", help="An input; JSON, unless it is declared as a string. Repeat it."
        ),
    ] = None,
    inputs: Annotated[str | None, typer.Option(metavar="FILE", help="Inputs as JSON or YAML; - is stdin.")] = None,
    id: Annotated[
        str | None, typer.Option(help="The execution's id. One that has begun is resumed or attached to.")
    ] = None,
    as_json: AsJson = False,
    quiet: Quiet = False,
    store: Store = None,
) -> None:
    """Run a playbook.

    Its outputs are printed as one JSON object, and nothing else is; progress goes to stderr. Exit status: 0 completed, 1 failed, 2 the playbook or the call is wrong, 3 paused, 4 cancelled, 130 interrupted.
    With --json: {id, status, outputs, error, receipt}. Ctrl-C leaves an execution that `agentical resume ID` goes on with.
    """
    from agentical.cli.executing import Manner, run_playbook
    from agentical.cli.interrupts import awaited

    raise typer.Exit(awaited(run_playbook, playbook, given or [], inputs, id, Manner(store, as_json, quiet)))


def resume(
    id: ExecutionId,
    accept_code: Annotated[
        bool, typer.Option("--accept-code", help="Go on although a strategy's code has changed.")
    ] = False,
    accept_crash_loop: Annotated[
        bool, typer.Option("--accept-crash-loop", help="Go on although it has ended its process three times.")
    ] = False,
    accept_loss: Annotated[
        int | None,
        typer.Option(
            metavar="SEQ", min=1, help="Go on before the damaged entry SEQ of the journal; what follows is asked again."
        ),
    ] = None,
    as_json: AsJson = False,
    quiet: Quiet = False,
    store: Store = None,
) -> None:
    """Go on with an execution that was interrupted.

    What was answered is not asked again. Prints what `run` prints.
    """
    from agentical.cli.executing import Manner, resume_execution
    from agentical.cli.interrupts import awaited
    from agentical.engine import Accepted

    accepted = Accepted(accept_code, accept_crash_loop, accept_loss)
    raise typer.Exit(awaited(resume_execution, id, accepted, Manner(store, as_json, quiet)))


def replay(id: ExecutionId, as_json: AsJson = False, store: Store = None) -> None:
    """Run an execution again from its journal alone.

    Nobody is asked. Exit status 1 where anything comes out otherwise than it is recorded.
    """
    from agentical.cli.executing import replay_execution
    from agentical.cli.interrupts import awaited

    raise typer.Exit(awaited(replay_execution, id, as_json, store))
