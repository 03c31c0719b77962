"""Agents on the event loop and in threads, and the clock that starts once they have got their place."""

from __future__ import annotations

import asyncio
import threading
import time

import pytest

from agentical.agents.function import FunctionAgent
from agentical.errors import TimedOut
from agentical.executors.local import HereExecutor, ThreadsExecutor
from agentical.ports import TaskContext


async def until(condition):
    async with asyncio.timeout(20):
        while not condition():  # noqa: ASYNC110 - what is awaited is in another thread or process
            await asyncio.sleep(0.002)


async def thread_name(payload, context):
    return threading.current_thread().name


async def test_here_is_the_event_loop_of_whoever_asks():
    executor = HereExecutor()
    assert await executor.run(thread_name, {}, TaskContext()) == "MainThread"
    await executor.aclose()


async def test_a_thread_runs_plain_functions_and_gives_what_awaits_a_loop_of_its_own():
    executor = ThreadsExecutor()
    name = FunctionAgent(function=lambda: threading.current_thread().name)
    assert await executor.run(name, {}, TaskContext()) == "agentical agent"
    assert await executor.run(thread_name, {}, TaskContext()) == "agentical agent"
    await executor.aclose()


async def test_here_an_agent_that_takes_too_long_is_cancelled_and_has_timed_out():
    ended = []

    async def stuck(payload, context):
        try:
            await asyncio.Event().wait()
        finally:
            ended.append(context.deadline - context.began)

    with pytest.raises(TimedOut, match=r"^no answer within 0\.01 s$"):
        await HereExecutor().run(stuck, {}, TaskContext(timeout=0.01))
    assert ended == [pytest.approx(0.01)]


async def test_time_is_taken_without_a_timeout_too():
    for executor in (HereExecutor(), ThreadsExecutor()):
        context = TaskContext()
        await executor.run(thread_name, {}, context)
        assert context.began <= time.monotonic()
        assert context.deadline is None
        await executor.aclose()


async def test_waiting_for_a_thread_takes_none_of_the_timeout():
    executor, release = ThreadsExecutor(1), threading.Event()
    busy = asyncio.create_task(executor.run(FunctionAgent(function=lambda: release.wait(5)), {}, TaskContext()))
    await asyncio.sleep(0)
    context = TaskContext(timeout=0.25)
    queued = asyncio.create_task(executor.run(FunctionAgent(function=lambda: "ran"), {}, context))
    await asyncio.sleep(0.3)
    assert context.began is None
    release.set()
    assert await queued == "ran"
    assert context.deadline == context.began + 0.25
    await busy
    await executor.aclose()


async def test_a_thread_that_times_out_is_abandoned_and_keeps_its_slot():
    executor, release = ThreadsExecutor(1), threading.Event()
    with pytest.raises(TimedOut):
        await executor.run(FunctionAgent(function=lambda: release.wait(5)), {}, TaskContext(timeout=0.01))
    assert executor._threads.busy == 1
    release.set()
    await until(lambda: executor._threads.busy == 0)
    await executor.aclose()


async def test_a_cancelled_thread_keeps_its_slot_until_it_ends():
    executor, release = ThreadsExecutor(1), threading.Event()
    started = threading.Event()

    def wait():
        started.set()
        release.wait(5)

    stuck = asyncio.create_task(executor.run(FunctionAgent(function=wait), {}, TaskContext()))
    await until(started.is_set)
    stuck.cancel()
    with pytest.raises(asyncio.CancelledError):
        await stuck
    waiting = asyncio.create_task(executor.run(FunctionAgent(function=lambda: "ran"), {}, TaskContext()))
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    assert not waiting.done()
    release.set()
    assert await waiting == "ran"
    await executor.aclose()
