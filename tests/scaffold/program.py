"""A program to be killed: runs one of a few strategies durably, and writes every call of an agent to a file.

`program.py STORE LOG WHAT` prints the outputs as JSON; `WHAT` may be a playbook. `LOG` gets a line `visit key` when a
call begins.
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
from pathlib import Path
from typing import Any

import agentical
from agentical.ports import Ask, TaskContext
from agentical.prepared import Prepared, of_team

ID = "one"


class Hand:
    """Makes members that write down that they were called, then work for `takes` seconds."""

    def __init__(self, log: str) -> None:
        self._log = os.open(log, os.O_WRONLY | os.O_APPEND | os.O_CREAT)

    def note(self, context: TaskContext) -> None:
        os.write(self._log, f"{context.visit} {context.key}\n".encode())

    def member(self, name: str, answer: Any, takes: float = 0.015, **options: Any) -> Any:
        async def work(payload: Any, context: TaskContext) -> Any:
            self.note(context)
            await asyncio.sleep(takes)
            return answer(payload)

        return agentical.agent(name=name, **options)(work)


async def rounds(team: Any, payload: Any) -> Any:
    """A workflow as a function: three rounds of everybody, each on the sum of the last; a draw; a chain."""
    total = payload
    for number in range(3):
        asks = [Ask(member.name, total, f"round-{number}/{member.name}") for member in team.members]
        answers = [outcome.unwrap() async for outcome in team.ask_each(asks, at_most=3)]
        total = sum(answers) % 1009
    draw = await team.remember("draw", lambda: asyncio.sleep(0, 7))
    return [total, draw, await team.ask(team.members[0].name, total + draw, key="last")]


def prepared(what: str, hand: Hand) -> Prepared:
    fast = [hand.member(f"m{n}", lambda payload, n=n: payload * 3 + n) for n in range(5)]
    if what == "rounds":
        return of_team(rounds, fast, 5, None, {})
    if what == "pipeline":
        stages = [hand.member(name, lambda item, n=n: item * 2 + n) for n, name in enumerate("abc")]
        return of_team("pipeline", stages, None, list(range(12)), {"buffer": 2})
    if what == "scatter-gather":
        return of_team(
            "scatter-gather", [hand.member("w", lambda item: item * item, replicas=4)], None, list(range(24)), {}
        )
    raise SystemExit(f"no such program: {what}")


async def main(store: str, log: str, what: str) -> None:
    async with agentical.Agentical(store=store) as app:
        if what.endswith(".yaml"):
            run = await app.run(what, id=ID)
        else:
            run = await app._run(ID, prepared(what, Hand(log)), None)
        print(json.dumps({"status": run.status, "outputs": run.outputs, "repeated": run.receipt.repeated}))


if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).parent))
    asyncio.run(main(*sys.argv[1:]))
