"""Going through an execution in front of a person or a script: progress, interruption, result, exit status."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from agentical.cli.faults import INTERRUPTED
from agentical.cli.inputs import inputs_of
from agentical.cli.interrupts import interruptible
from agentical.cli.output import OutputClosed, put_json, put_plain, stdout_kept, tell
from agentical.cli.progress import Display, display_for
from agentical.cli.receipts import error_text, receipt_line
from agentical.cli.stores import address_of, existing, option_for
from agentical.clock import SystemClock
from agentical.engine import Accepted
from agentical.errors import CallInvalid, ExecutionUnknown
from agentical.jsonvalues import digest
from agentical.prepared import of_playbook
from agentical.runs import Run
from agentical.sdk import Agentical

EXITS = {"completed": 0, "failed": 1, "paused": 3, "cancelled": 4}


@dataclass(frozen=True, slots=True)
class Manner:
    """How a command was asked to do it."""

    store: str | None = None
    as_json: bool = False
    quiet: bool = False


async def run_playbook(playbook: str, pairs: Sequence[str], file: str | None, id: str | None, manner: Manner) -> int:
    """Start it, or go on with what has begun under this id."""
    prepared = of_playbook(Path(playbook), lambda graph: inputs_of(graph, pairs, file))
    name = f"{prepared.name}-{SystemClock().new_id()}" if id is None else id
    display = display_for(name, prepared.graph, quiet=manner.quiet)
    async with Agentical(address_of(manner.store), monitors=[display]) as app:
        if id is not None:
            await _catch_up(app, id, display, prepared.text)
        return await _go(app, name, lambda: app.run(prepared, id=name), display, manner)


async def resume_execution(id: str, accepted: Accepted, manner: Manner) -> int:
    """Go on with it."""
    address = existing(manner.store)
    display = display_for(id, None, quiet=manner.quiet)
    async with Agentical(address, monitors=[display]) as app:
        if accepted.loss is None:
            await _catch_up(app, id, display)

        def work() -> Awaitable[Run]:
            return app.resume(
                id, accept_code=accepted.code, accept_crash_loop=accepted.crash_loop, accept_loss=accepted.loss
            )

        return await _go(app, id, work, display, manner)


async def replay_execution(id: str, as_json: bool, store: str | None) -> int:
    """Run it again from its journal. Raises StrategyDiverged."""
    async with Agentical(existing(store)) as app:
        with stdout_kept():
            run = await app.replay(id)
        if as_json:
            put_json({**run.as_json(), "same": True})
        else:
            entries = f"{run.progress.seq} entries"
            put_plain(
                f"{id}: the same again, nobody was asked ({entries}, {run.receipt.answered} answers, {run.status})"
            )
    return 0


async def _catch_up(app: Agentical, id: str, display: Display, text: bytes | None = None) -> None:
    """Show what is recorded already; an id that is not begun has nothing. `text` is the playbook as it is now."""
    row = await app.state.store.row(id)
    if row is None or not row.head_seq:
        return
    progress = await app.state.look(id)
    display.catch_up(progress)
    if text is not None and progress.started is not None and progress.started.text != digest(text):
        display.line(f"{id}: the playbook's file has changed since; this goes on with it as it was")
    if row.owner is not None and app.state.ownership.alive(row.owner):
        display.line(f"{id}: another process runs it, this one waits for its end")


async def _go(app: Agentical, id: str, work: Callable[[], Awaitable[Run]], display: Display, manner: Manner) -> int:
    again = f"agentical resume {id}{option_for(manner.store)}"
    with display, stdout_kept():
        run = await interruptible(
            work,
            lambda: display.note("interrupted: stopping. Once more ends it at once."),
            lambda: display.stop(f"ended. Go on with: {again}"),
        )
    if run is None:
        return await _interrupted(app, id, again, manner)
    return _report(run, manner)


async def _interrupted(app: Agentical, id: str, again: str, manner: Manner) -> int:
    try:
        run = await app.show(id)
    except (ExecutionUnknown, CallInvalid):
        tell("interrupted before anything was recorded")
        return INTERRUPTED
    if manner.as_json:
        put_json(run.as_json())
    if run.status not in ("running", "paused"):
        tell(f"interrupted, but {id} is {run.status}")
    elif app.state.store.folder is None:
        tell(f"interrupted: {id} is gone, its store was in memory")
    else:
        tell(f"interrupted. Go on with: {again}")
    return INTERRUPTED


def _report(run: Run, manner: Manner) -> int:
    if not manner.quiet:
        tell(receipt_line(run.receipt))
    if run.error is not None and run.status == "failed":
        tell(f"{run.id} failed: {error_text(run.error)}")
    elif run.status != "completed":
        tell(f"{run.id} is {run.status}")
    try:
        if manner.as_json:
            put_json(run.as_json())
        elif run.status == "completed":
            put_json(run.outputs)
    except OutputClosed as error:
        raise OutputClosed(
            f"{error.why}. The outputs of {run.id} are kept: agentical show {run.id}{option_for(manner.store)}"
        ) from None
    return EXITS.get(run.status, EXITS["paused"])
