"""The options that several commands share."""

from __future__ import annotations

from typing import Annotated

import typer

Store = Annotated[
    str | None,
    typer.Option(
        help="The store: sqlite:///PATH or memory:. Otherwise AGENTICAL_STORE, or the nearest .agentical/.",
        metavar="ADDRESS",
    ),
]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]
Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="No progress and no receipt on stderr.")]
ExecutionId = Annotated[str, typer.Argument(metavar="ID", help="The id of an execution; see `agentical list`.")]
PlaybookFile = Annotated[str, typer.Argument(metavar="PLAYBOOK", help="A playbook file, YAML or JSON.")]
PlaybookFiles = Annotated[list[str], typer.Argument(metavar="PLAYBOOK...", help="Playbook files, YAML or JSON.")]
