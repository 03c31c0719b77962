"""Threads can be abandoned; what they run keeps its slot until it ends."""

from __future__ import annotations

import asyncio
import contextvars
import subprocess
import sys
import threading
import time

import pytest

from agentical.agents.threads import Threads
from agentical.ports import TaskContext

TASK = TaskContext("e", "v", "k", "m")


async def until(condition):
    async with asyncio.timeout(5):
        while not condition():  # noqa: ASYNC110 - what is awaited is in another thread or process
            await asyncio.sleep(0.001)


@pytest.fixture
def threads():
    threads = Threads(2)
    yield threads
    threads.close()


async def test_a_function_runs_off_the_event_loop(threads):
    name = await threads.run(TASK, lambda suffix: threading.current_thread().name + suffix, "!")
    assert name == "agentical agent!"


async def test_what_it_raises_is_raised(threads):
    with pytest.raises(ZeroDivisionError):
        await threads.run(TASK, lambda: 1 // 0)


async def test_stop_iteration_is_an_error_like_any_other(threads):
    with pytest.raises(RuntimeError, match="StopIteration"):
        await threads.run(TASK, next, iter(()))


async def test_no_more_run_at_a_time_than_there_are_slots(threads):
    running, most, lock = 0, 0, threading.Lock()

    def work():
        nonlocal running, most
        with lock:
            running += 1
            most = max(most, running)
        time.sleep(0.005)
        with lock:
            running -= 1

    await asyncio.gather(*(threads.run(TASK, work) for _ in range(8)))
    assert most == 2


async def test_a_thread_is_used_again(threads):
    assert len({await threads.run(TASK, threading.get_ident) for _ in range(10)}) == 1


async def test_context_variables_reach_the_thread(threads):
    variable = contextvars.ContextVar("variable")
    variable.set("here")
    assert await threads.run(TASK, variable.get) == "here"


async def test_an_abandoned_function_keeps_its_slot_until_it_ends(threads, caplog):
    release = threading.Event()

    def fail_late():
        release.wait(5)
        raise ValueError("late, with a password")

    task = asyncio.create_task(threads.run(TASK, fail_late))
    await until(lambda: threads.busy == 1)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert threads.busy == 1
    release.set()
    await until(lambda: threads.busy == 0)
    assert "an abandoned function failed: ValueError (e: v: k: m)" in caplog.text
    assert "password" not in caplog.text


async def test_who_waits_for_a_slot_can_be_cancelled(threads):
    release = threading.Event()
    busy = [asyncio.create_task(threads.run(TASK, release.wait, 5)) for _ in range(2)]
    await until(lambda: threads.busy == 2)
    waiting = asyncio.create_task(threads.run(TASK, release.wait, 5))
    await asyncio.sleep(0)
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    release.set()
    await asyncio.gather(*busy)
    assert threads.busy == 0


async def test_closed_threads_end_when_what_they_run_has_ended():
    ended, release, threads = threading.Event(), threading.Event(), Threads(1)
    task = asyncio.create_task(threads.run(TASK, release.wait, 5))
    await until(lambda: threads.busy == 1)
    threads.close(ended.set)
    assert not ended.is_set()
    release.set()
    await task
    await until(ended.is_set)


def test_a_function_that_never_returns_does_not_keep_the_process():
    program = """
import asyncio, time
from agentical.agents.threads import Threads
from agentical.ports import TaskContext
async def main():
    try:
        async with asyncio.timeout(0.05):
            await Threads(1).run(TaskContext(), time.sleep, 60)
    except TimeoutError:
        print("abandoned")
asyncio.run(main())
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=20, check=True)
    assert done.stdout == "abandoned\n"


def test_the_event_loop_may_be_gone_when_a_function_ends():
    release, threads = threading.Event(), Threads(1)

    async def abandon():
        task = asyncio.create_task(threads.run(TASK, release.wait, 5))
        await until(lambda: threads.busy == 1)
        task.cancel()

    asyncio.run(abandon())
    before = threading.active_count()
    release.set()
    deadline = time.monotonic() + 5
    while threading.active_count() >= before and time.monotonic() < deadline:
        time.sleep(0.001)
    assert threading.active_count() < before
