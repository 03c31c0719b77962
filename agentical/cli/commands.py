"""The commands by name, in the order of the help."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated

import typer

from agentical import __version__
from agentical.cli import authoring, history, installed, run

app = typer.Typer(
    name="agentical",
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _print_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"agentical {__version__}")
        raise typer.Exit


@app.callback(invoke_without_command=True)
def _about(
    context: typer.Context,
    version: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    """Multi-agent coordination that survives: seven strategies, one journal, nothing asked twice."""
    if context.invoked_subcommand is None:
        typer.echo(context.get_help())


_COMMANDS: dict[str, Callable[..., None]] = {
    "run": run.run, "resume": run.resume, "replay": run.replay,
    "init": authoring.init, "check": authoring.check, "plan": authoring.plan, "graph": authoring.graph,
    "test": authoring.run_tests, "schema": authoring.schema,
    "list": history.list_, "show": history.show, "events": history.events,
    "strategies": installed.strategies, "agents": installed.agents,
}  # fmt: skip
for name, function in _COMMANDS.items():
    app.command(name)(function)


def command() -> None:
    """The command line of this process."""
    app(prog_name="agentical")
