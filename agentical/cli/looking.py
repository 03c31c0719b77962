"""Executions as a store holds them: as lists, in full, as events."""

from __future__ import annotations

import re
import time
from typing import Any

import msgspec

from agentical.cli.output import put_json, put_plain, shortened, table
from agentical.cli.receipts import error_text, lasted, receipt_line
from agentical.cli.stores import existing
from agentical.cli.story import Told, story, votes
from agentical.events import Entry, ExecutionRow
from agentical.jsonvalues import encode
from agentical.runs import Run
from agentical.sdk import Agentical

_DIGEST = re.compile("[0-9a-f]{64}")

LONGEST = 1000
"""Characters of outputs that are shown."""


async def list_executions(as_json: bool, children: bool, limit: int | None, store: str | None) -> int:
    """One row for each."""
    async with Agentical(existing(store)) as app:
        rows = [_row(app, row) for row in await app.list(limit=limit, children=children)]
    if as_json:
        put_json(rows)
    elif not rows:
        put_plain("There are no executions yet.")
    else:
        cells = [
            [row["id"], row["playbook"], _status(row), _local(row["created"]), _local(row["updated"])] for row in rows
        ]
        put_plain(table(["ID", "PLAYBOOK", "STATUS", "CREATED", "UPDATED"], cells))
    return 0


async def show_execution(id: str, as_json: bool, store: str | None) -> int:
    """Everything a person asks about one execution."""
    async with Agentical(existing(store)) as app:
        run, row = await app.show(id), _row(app, await app.state.row(id))
        told = story([entry async for entry in app.events(id)])
        seen = {one.step for one in told}
        told += [Told(step.id, None, status="pending") for step in run.progress.graph.steps if step.id not in seen]
    if as_json:
        shown = {**row, **run.as_json(), "inputs": run.progress.inputs, "steps": [one.as_json() for one in told]}
        put_json(shown)
    else:
        put_plain("\n".join(_described(run, row, told)))
    return 0


async def print_events(id: str, follow: bool, as_json: bool, store: str | None) -> int:
    """One line for each."""
    async with Agentical(existing(store)) as app:
        async for entry in app.events(id, follow=follow):
            if as_json:
                put_json({"seq": entry.seq, "at": entry.at, **_fields(entry)}, indent=0)
            else:
                put_plain(_line(entry))
    return 0


def _row(app: Agentical, row: ExecutionRow) -> dict[str, Any]:
    return {
        "id": row.id, "playbook": row.playbook, "status": row.status, "created": row.created, "updated": row.updated,
        "interrupted": app.state.interrupted(row), "parent": row.parent,
    }  # fmt: skip


def _status(row: dict[str, Any]) -> str:
    return f"{row['status']} (interrupted)" if row["interrupted"] else str(row["status"])


def _described(run: Run, row: dict[str, Any], told: list[Told]) -> list[str]:
    lines = [
        f"{run.id}  {_status(row)}",
        f"playbook  {row['playbook']}",
        f"created   {_local(row['created'])}",
        f"updated   {_local(row['updated'])}",
        f"inputs    {_json(run.progress.inputs)}",
    ]
    if row["parent"]:
        lines.append(f"parent    {row['parent']}")
    if told:
        cells = [_cells(one) for one in told]
        lines += ["", *table(["STEP", "STATUS", "OUTCOME", "TOOK", "ANSWERED", "FAILED"], cells).split("\n")]
    for one in told:
        lines += [f"  {one.visit}: {shortened(text, 400)}" for text in _remarks(one)]
    if run.outputs is not None:
        lines += ["", f"outputs   {_shortened(_json(run.outputs), run.id)}"]
    if run.error is not None:
        lines += ["", f"error     {error_text(run.error)}"]
    return [*lines, "", receipt_line(run.receipt)]


def _cells(one: Told) -> list[str]:
    name = one.step if one.visit in (None, f"{one.step}#1") else str(one.visit)
    answered = ", ".join(member if count == 1 else f"{member} ({count:,})" for member, count in one.answered.items())
    failed = sorted({failure["member"] for failure in one.failed})
    return [
        name, one.status, one.outcome or "", "" if one.took is None else lasted(one.took), shortened(answered, 60),
        shortened(", ".join(failed), 40),
    ]  # fmt: skip


def _remarks(one: Told) -> list[str]:
    remarks = [f"{failure['member']} failed at {failure['key']}: {failure['message']}" for failure in one.failed[:5]]
    if len(one.failed) > 5:
        remarks.append(f"and {len(one.failed) - 5:,} more failures")
    if one.error is not None:
        remarks.append(f"error: {error_text(one.error)}")
    if one.reason is not None and one.visit is not None:
        remarks.append(one.reason)
    return remarks + votes(one.record)


def _fields(entry: Entry) -> dict[str, Any]:
    found: dict[str, Any] = msgspec.json.decode(msgspec.json.encode(entry.event))
    return found


def _line(entry: Entry) -> str:
    fields = _fields(entry)
    name = str(fields.pop("type"))
    told = "  ".join(f"{key}={_brief(value)}" for key, value in fields.items() if value != {})
    clock = time.strftime("%H:%M:%S", time.localtime(entry.at)) + f".{int(entry.at % 1 * 1000):03d}"
    return f"{entry.seq:>5}  {clock}  {name:<18}  {told}".rstrip()


def _brief(value: Any) -> str:
    text = _json(value)
    return text[:12] if _DIGEST.fullmatch(text) else shortened(text, 100)


def _shortened(text: str, id: str) -> str:
    """Outputs may be whole reports; a person who wants all of them asks for JSON."""
    return text if len(text) <= LONGEST else f"{text[:LONGEST]}… (all of it: agentical show {id} --json)"


def _json(value: Any) -> str:
    return value if isinstance(value, str) else encode(value).decode()


def _local(at: float) -> str:
    return time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(at))
