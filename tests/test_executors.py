"""Agents in worker processes."""

from __future__ import annotations

import asyncio
import os
import sys
import time
from contextlib import contextmanager
from pathlib import Path

import pytest

from agentical.agents.command import CommandAgent
from agentical.agents.python import PythonAgent
from agentical.errors import AgentError, Exhausted, Invalid, RateLimited, TimedOut, Transient
from agentical.events import Failure, Usage
from agentical.executors import processes, worker
from agentical.executors.processes import ProcessesExecutor
from agentical.executors.protocol import Reply, Request
from agentical.ports import Edge, TaskContext

MODULE = """
import os, subprocess, sys, time
from agentical.errors import RateLimited
from agentical.ports import Edge

def double(x: int):
    return {"pid": os.getpid(), "x": 2 * x}

async def awaited(payload):
    return payload

def numbers(n: int):
    yield from range(n)

def choose(payload):
    return Edge("bug", (payload,), required=True)

def noisy(payload):
    print("to stdout")
    sys.stdout.write("no line break")
    os.write(1, b"raw bytes")
    subprocess.run(["echo", "a child"], check=True)
    return [sys.stdin.read(), payload]

def context_of(context):
    context.charge(tokens_in=1, tokens_out=2, cost=0.5)
    return [context.execution, context.visit, context.key, context.member, context.attempt,
            context.idempotency_key, context.deadline, context.schema]

def limited(context):
    context.charge(tokens_in=9)
    raise RateLimited("slow down", retry_after=4)

def broken(payload):
    raise ValueError("no good")

def leave(payload):
    os._exit(payload)

def killed(payload):
    os.kill(os.getpid(), 9)

def large(payload):
    return "x" * payload

def linger(path: str):
    child = subprocess.Popen(["sleep", "60"])
    with open(path + ".new", "w") as file:
        file.write(f"{os.getpid()} {child.pid}")
    os.rename(path + ".new", path)
    time.sleep(60)
"""


@pytest.fixture
def agent(tmp_path):
    (tmp_path / "work.py").write_text(MODULE)
    return lambda name: PythonAgent(target=f"work.{name}", folder=str(tmp_path), executor="processes")


@pytest.fixture
async def pool():
    pool = ProcessesExecutor(2)
    yield pool
    await pool.aclose()


def alive(pid):
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except FileNotFoundError:
        return False


async def until(condition):
    async with asyncio.timeout(20):
        while not condition():  # noqa: ASYNC110 - what is awaited is in another thread or process
            await asyncio.sleep(0.002)


async def test_a_worker_answers_for_every_sort_of_callable(agent, pool):
    context = TaskContext()
    assert (await pool.run(agent("double"), {"x": 4}, context))["x"] == 8
    assert await pool.run(agent("awaited"), {"a": ["ä"]}, context) == {"a": ["ä"]}
    assert await pool.run(agent("numbers"), {"n": 3}, context) == [0, 1, 2]
    assert await pool.run(agent("choose"), 1, context) == Edge("bug", [1], required=True)


async def test_a_worker_is_another_process_and_is_used_again(agent, pool):
    pids = {(await pool.run(agent("double"), 1, TaskContext()))["pid"] for _ in range(5)}
    assert len(pids) == 1
    assert os.getpid() not in pids


async def test_workers_are_as_many_as_are_needed_and_no_more_than_the_size(agent, pool):
    answers = await asyncio.gather(*(pool.run(agent("double"), 1, TaskContext()) for _ in range(6)))
    assert len({answer["pid"] for answer in answers}) == 2


async def test_what_an_agent_prints_never_reaches_the_protocol(agent, pool, capfd):
    assert await pool.run(agent("noisy"), 5, TaskContext()) == ["", 5]
    assert await pool.run(agent("noisy"), 6, TaskContext()) == ["", 6]
    seen = capfd.readouterr()
    assert seen.out == ""
    assert all(text in seen.err for text in ("to stdout", "no line break", "raw bytes", "a child"))


async def test_the_context_goes_along_and_the_charge_comes_back(agent, pool):
    context = TaskContext("e", "v", "k", "m", attempt=2, idempotency_key="i", deadline=9.5, schema={"type": "array"})
    assert await pool.run(agent("context_of"), {}, context) == ["e", "v", "k", "m", 2, "i", 9.5, {"type": "array"}]
    assert (context.usage.tokens_in, context.usage.tokens_out, context.usage.cost) == (1, 2, 0.5)


async def test_a_failure_keeps_its_class_its_wait_and_its_cost(agent, pool):
    context = TaskContext()
    with pytest.raises(RateLimited, match="slow down") as caught:
        await pool.run(agent("limited"), {}, context)
    assert caught.value.retry_after == 4
    assert context.usage.tokens_in == 9


@pytest.mark.parametrize(
    ("name", "payload", "error", "message"),
    [
        ("broken", 1, AgentError, "ValueError: no good"),
        ("double", {"x": "1"}, Invalid, "x: Expected `int`, got `str`"),
        ("gone", 1, AgentError, "LookupError: module work has no gone"),
        ("leave", 7, Transient, "the worker process exited with 7"),
        ("leave", 0, Transient, "the worker process exited with 0"),
        ("killed", 1, Exhausted, "the worker process was killed"),
    ],
)
async def test_what_goes_wrong_in_a_worker_fails_the_task_and_the_next_one_is_served(
    agent, pool, name, payload, error, message
):
    with pytest.raises(error, match=message):
        await pool.run(agent(name), payload, TaskContext())
    assert await pool.run(agent("awaited"), 1, TaskContext()) == 1


async def test_an_answer_that_is_too_large_is_exhausted(agent, pool, monkeypatch):
    monkeypatch.setattr(processes, "LARGEST_ANSWER", 1 << 20)
    with pytest.raises(Exhausted, match="larger than 1 MiB"):
        await pool.run(agent("large"), 1 << 21, TaskContext())
    assert len(await pool.run(agent("large"), 1 << 19, TaskContext())) == 1 << 19


async def test_cancelling_ends_the_worker_and_all_it_started(agent, pool, tmp_path):
    file = tmp_path / "pids"
    task = asyncio.create_task(pool.run(agent("linger"), {"path": str(file)}, TaskContext()))
    await until(file.exists)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    await until(lambda: not any(alive(int(pid)) for pid in file.read_text().split()))
    assert await pool.run(agent("awaited"), 1, TaskContext()) == 1


async def test_a_worker_that_times_out_is_ended_with_all_it_started(agent, pool, tmp_path):
    file = tmp_path / "pids"
    with pytest.raises(TimedOut, match="no answer within 1 s"):
        await pool.run(agent("linger"), {"path": str(file)}, TaskContext(timeout=1))
    await until(lambda: not any(alive(int(pid)) for pid in file.read_text().split()))
    assert await pool.run(agent("awaited"), 1, TaskContext()) == 1


async def test_the_start_of_a_worker_and_waiting_for_one_take_none_of_the_timeout(agent, tmp_path):
    pool, file = ProcessesExecutor(1), tmp_path / "pids"
    asked = time.monotonic()
    first = TaskContext(timeout=30)
    busy = asyncio.create_task(pool.run(agent("linger"), {"path": str(file)}, first))
    context = TaskContext(timeout=30)
    queued = asyncio.create_task(pool.run(agent("context_of"), {}, context))
    await until(file.exists)
    assert first.began > asked + 0.03  # an interpreter takes longer to start than that
    assert context.began is None
    busy.cancel()
    assert (await queued)[6] == context.deadline == context.began + 30
    await pool.aclose()


async def test_a_worker_that_died_while_idle_is_replaced(agent, pool):
    first = (await pool.run(agent("double"), 1, TaskContext()))["pid"]
    os.kill(first, 9)
    await until(lambda: pool._idle[0].child.returncode is not None)
    assert (await pool.run(agent("double"), 1, TaskContext()))["pid"] != first


async def test_a_worker_is_listed_once_from_its_start_to_its_end(agent):
    told, pool = [], ProcessesExecutor(1)

    @contextmanager
    def on_child(pid):
        told.append((pid, alive(pid)))
        yield
        told.append((pid, alive(pid)))

    pids = {(await pool.run(agent("double"), 1, TaskContext(on_child=on_child)))["pid"] for _ in range(3)}
    assert told == [(pid, True) for pid in pids]
    await pool.aclose()
    assert told == [(pid, running) for pid in pids for running in (True, False)]


async def test_a_worker_that_cannot_be_listed_is_ended(agent):
    started, pool = [], ProcessesExecutor(1)

    @contextmanager
    def on_child(pid):
        started.append(pid)
        raise OSError("the disk is full")
        yield

    with pytest.raises(OSError, match="disk is full"):
        await pool.run(agent("double"), 1, TaskContext(on_child=on_child))
    assert not alive(started[0])


async def test_closing_ends_the_workers(agent):
    pool = ProcessesExecutor(1)
    pid = (await pool.run(agent("double"), 1, TaskContext()))["pid"]
    await pool.aclose()
    await until(lambda: not alive(pid))


def test_the_worker_makes_a_reply_of_whatever_comes_of_a_question(agent):
    def reply(name, payload, **context):
        return worker.answer(Request.of(agent(name), payload, TaskContext(**context)))

    assert reply("awaited", [1]) == Reply(answer=[1])
    assert reply("choose", 2) == Reply(answer=[2], edge="bug", required=True)
    assert reply("broken", 1) == Reply(failure=Failure("bug", "ValueError: no good"))
    assert reply("limited", {}) == Reply(
        failure=Failure("rate-limited", "slow down"), retry_after=4, usage=Usage(tokens_in=9)
    )


async def test_only_python_agents_run_in_processes(pool):
    with pytest.raises(Invalid, match="only python agents run in processes, not a CommandAgent"):
        await pool.run(CommandAgent(argv=("cat",)), {}, TaskContext())


async def test_a_worker_finds_the_modules_this_process_finds(tmp_path, pool, monkeypatch):
    (tmp_path / "installed_here_only.py").write_text("def f(): return 'found'")
    monkeypatch.setattr(sys, "path", [*sys.path, str(tmp_path)])
    assert await pool.run(PythonAgent(target="installed_here_only.f"), None, TaskContext()) == "found"
