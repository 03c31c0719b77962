"""The public names as a program uses them. Never run: only checked by mypy."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, assert_type

import agentical
from agentical import ANY, Agentical, Ask, Edge, Item, Member, Outcome, Run, TaskContext, Team


@agentical.agent(name="reader", retry=2, timeout="1s", replicas=3, capabilities=["read"])
async def read(payload: dict[str, str], context: TaskContext) -> str:
    context.charge(tokens_in=3, cost=0.1)
    context.logger.info("reading")
    if not payload:
        raise agentical.RateLimited("later", retry_after=2.0)
    return payload["path"]


def route(payload: int) -> Edge:
    return Edge("high" if payload > 3 else "low", payload)


async def strategy(team: Team, payload: Any) -> Any:
    assert_type(team.members, Sequence[Member])
    try:
        first = await team.ask(ANY, payload, key="first")
    except agentical.TaskFailed as error:
        first = error.failure_class
    team.start(Ask(None, first, "second"))
    found = await team.next(or_item=True)
    assert_type(found, Outcome | Item | None)
    async for outcome in team.ask_each([Ask("reader#1", 1, "third")], at_most=2):
        assert_type(outcome, Outcome)
        team.record[outcome.key] = outcome.ok
    async for item in team.items():
        assert_type(item, Item)
    return await team.team(["reader#1"], key="part").remember("draw", now)


async def now() -> int:
    return 1


async def program() -> None:
    answer = await agentical.coordinate("consensus", [read, route], {"path": "."}, vote="majority")
    answer = await agentical.coordinate(strategy, [read], answer, id="once", store="sqlite:///x.db")
    async with Agentical(store="memory:", max_concurrent_agents=4) as app:
        run = await app.run(Path("playbook.yaml"), inputs={"path": "."}, id="mine")
        assert_type(run, Run)
        assert_type(run.status, str)
        assert_type(run.receipt.asked, int)
        async for entry in run.events(follow=True):
            assert_type(entry.seq, int)
        await app.run(strategy, team=[read], payload=1)
        assert_type(await app.resume("mine", accept_code=True), Run)
    assert_type(agentical.run_sync("playbook.yaml", {"path": "."}), Run)
    assert_type(await read({"path": "x"}, TaskContext()), str)


def wrong() -> None:
    agentical.agent(replicas="three")  # type: ignore[arg-type]
    agentical.agent(executor="moon")  # type: ignore[arg-type]
    agentical.agent(reties=2)  # type: ignore[call-arg]
