"""Coordination in one line, for programs that want neither files nor an app of their own."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from agentical.ports import Store, Strategy
from agentical.runs import Run
from agentical.sdk import Agentical


async def coordinate(
    strategy: str | Strategy | Callable[..., Any],
    team: Sequence[Callable[..., Any]],
    payload: Any = None,
    *,
    for_each: Sequence[Any] | None = None,
    id: str | None = None,
    store: str | Store | None = None,
    **options: Any,
) -> Any:
    """What a strategy makes of a team's answers.

    `strategy` is the name of an installed one, with its `options`, or a strategy function. In memory by default; with
    `id` and `store` it is durable: call it again with the same id after a crash, and nothing answered is asked again.
    Raises ExecutionFailed where it failed, CallInvalid for a wrong call.
    """
    if store is None and id is None:
        store = "memory:"
    async with Agentical(store=store) as app:
        run = await app.run(strategy, id=id, team=team, payload=payload, for_each=for_each, **options)
        return run.unwrap()["result"]


def run_sync(
    what: str | Path | Strategy | Callable[..., Any],
    inputs: Mapping[str, Any] | None = None,
    *,
    store: str | Store | None = None,
    **how: Any,
) -> Run:
    """`Agentical.run` for programs without an event loop; `how` are its other keywords."""

    async def run() -> Run:
        async with Agentical(store=store) as app:
            return await app.run(what, inputs, **how)

    return asyncio.run(run())
