"""Playbooks within playbooks: executions of their own, resumed and not run again, only so deep."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest
from journals import GHOST, SlowStore, cut, lines_of, put
from msgspec.structs import replace
from virtual import VirtualClock, run

from agentical.errors import CodeChanged
from agentical.events import decode_entry, encode_entry
from agentical.nested import DEEPEST
from agentical.sdk import Agentical
from agentical.stores.memory import MemoryStore


def app_on(store: Any) -> Agentical:
    return Agentical(store=store, clock=VirtualClock())


PARENT = """
schema: agentical/v1
name: parent
agents: {child: "playbook:./child.yaml", local: "python:hands.double"}
steps:
  first: {agent: child, with: {n: 1}}
  then: {agent: local, with: {n: "${{ steps.first.output.n }}"}}
outputs: {n: "${{ steps.then.output }}"}
"""
CHILD = """
schema: agentical/v1
name: child
inputs: {n: {type: integer}}
agents: {add: "python:hands.add", double: "python:hands.double"}
steps:
  - {id: a, agent: add, with: {n: "${{ inputs.n }}"}}
  - {id: b, agent: double, with: {n: "${{ steps.a.output }}"}}
outputs: {n: "${{ steps.b.output }}"}
"""
HANDS = """
import asyncio, pathlib

async def add(n: int, context) -> int:
    note(f"add {n}")
    await asyncio.sleep(0.1)
    context.charge(tokens_in=5)
    return n + 1

async def double(n: int) -> int:
    note(f"double {n}")
    await asyncio.sleep(0.1)
    if n < 0:
        raise ValueError("too small")
    return n * 2

def note(what):
    with pathlib.Path(__file__).with_name("calls").open("a") as file:
        file.write(what + "\\n")
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name, text in {"parent.yaml": PARENT, "child.yaml": CHILD, "hands.py": HANDS, "calls": ""}.items():
        (tmp_path / name).write_text(text)
    return tmp_path


def calls(folder: Path) -> list[str]:
    return (folder / "calls").read_text().splitlines()


def test_a_playbook_within_a_playbook_is_an_execution_of_its_own_charged_to_its_parent(folder: Path) -> None:
    async def main() -> None:
        async with app_on(MemoryStore()) as app:
            done = await app.run(folder / "parent.yaml", id="p")
            assert (done.outputs, done.receipt.usage.tokens_in) == ({"n": 8}, 5)
            (parent,) = await app.list()
            both = await app.list(children=True)
            assert (parent.id, len(both), {row.parent for row in both}) == ("p", 2, {None, "p"})
            for row in both:
                await app.replay(row.id)

    run(main())


def test_a_child_that_was_interrupted_is_resumed_not_run_again(folder: Path) -> None:
    async def main() -> None:
        source, store = SlowStore(slowest=0.001), MemoryStore()
        async with app_on(source) as app:
            task = asyncio.create_task(app.run(folder / "parent.yaml", id="p"))
            await asyncio.sleep(0.15)
            assert calls(folder) == ["add 1", "double 2"]
            for row in await app.list(children=True):
                await cut(source, row.id, row.head_seq, store)
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
        async with app_on(store) as app:
            done = await app.resume("p")
            assert done.outputs == {"n": 8}
        assert calls(folder) == ["add 1", "double 2", "double 2", "double 4"]

    run(main())


def test_a_child_that_fails_fails_the_task_with_its_own_error(folder: Path) -> None:
    (folder / "parent.yaml").write_text(PARENT.replace("n: 1", "n: -9"))

    async def main() -> None:
        async with app_on(MemoryStore()) as app:
            error = (await app.run(folder / "parent.yaml")).error
            assert (error["step"], error["class"]) == ("first", "bug")
            assert "too small" in error["message"]

    run(main())


def test_playbooks_are_nested_at_most_so_deep(folder: Path) -> None:
    (folder / "deep.yaml").write_text(
        "schema: agentical/v1\nname: deep\nagents: {again: 'playbook:./deep.yaml'}\nsteps: {only: {agent: again}}\n"
    )

    async def main() -> None:
        async with app_on(MemoryStore()) as app:
            assert (await app.run(folder / "deep.yaml")).status == "failed"
            rows = await app.list(children=True)
            assert len(rows) == DEEPEST + 1
            deepest = await app.show(max((row.id for row in rows), key=len))
            assert f"more than {DEEPEST} deep" in deepest.error["message"]

    run(main())


def test_what_a_dead_process_left_is_interrupted_and_resumable_by_name_of_the_playbook(folder: Path) -> None:
    async def main() -> None:
        source, store = MemoryStore(), MemoryStore()
        async with app_on(source) as app:
            await app.run(folder / "parent.yaml", id="p")
        await cut(source, "p", 2, store)
        async with app_on(store) as app:
            row = await app.state.row("p")
            assert (row.owner, app.state.interrupted(row)) == (GHOST, True)
            assert (await app.run(folder / "parent.yaml", id="p")).outputs == {"n": 8}

    run(main())


TEAM = """
schema: agentical/v1
name: child
inputs: {n: {type: integer}}
agents: {one: "python:hands.plus_one", two: "python:hands.plus_two"}
steps: {both: {team: [one, two], with: "${{ inputs.n }}"}}
outputs: {n: "${{ steps.both.output }}"}
"""


def test_a_child_that_cannot_go_on_now_is_no_failure_of_its_parent(folder: Path) -> None:
    (folder / "child.yaml").write_text(TEAM)
    plus = "async def plus_{}(n: int) -> int:\n    await asyncio.sleep(0.1)\n    return n + {}\n"
    (folder / "hands.py").write_text(HANDS + plus.format("one", 1) + plus.format("two", 2))

    async def main() -> None:
        source, store, crashed = SlowStore(slowest=0.001), MemoryStore(), MemoryStore()
        async with app_on(source) as app:
            task = asyncio.create_task(app.run(folder / "parent.yaml", id="p"))
            await asyncio.sleep(0.15)
            rows = await app.list(children=True)
            for row in rows:
                await cut(source, row.id, row.head_seq, store)
            (child,) = [row.id for row in rows if row.parent]
            assert (await task).outputs == {"n": 8}
        lines = await lines_of(store, child)
        first = decode_entry(lines[0])
        old = replace(first, event=replace(first.event, plugins={"sequential": "old code"}))
        await put(store, child, [encode_entry(old), *lines[1:]], crashed)
        await cut(store, "p", 100, crashed)
        async with app_on(crashed) as app:
            with pytest.raises(CodeChanged):
                await app.resume("p")
            assert (await app.resume(child, accept_code=True)).outputs == {"n": 4}
            assert (await app.resume("p")).outputs == {"n": 8}

    run(main())
