"""Pulse: what rides along is committed although its execution waits for something slow."""

import anyio

import agentical
from agentical import pulse


async def test_what_rides_along_is_committed_while_an_agent_is_slow(monkeypatch):
    monkeypatch.setattr(pulse, "BEAT", 0.001)
    seen = anyio.Event()

    class Watch:
        def see(self, execution, at, event):
            if type(event).__name__ == "TaskAsked":
                seen.set()

        def read(self):
            return []

    async def slow(payload):
        await seen.wait()
        return "seen while it was being asked"

    async with agentical.Agentical(store="memory:", monitors=[Watch()]) as app:
        with anyio.fail_after(10):
            run = await app.run("sequential", team=[slow], payload=1)
    assert run.outputs == {"result": "seen while it was being asked"}


async def test_it_beats_until_it_is_cancelled(monkeypatch):
    monkeypatch.setattr(pulse, "BEAT", 0.0)
    beats = []

    class Manager:
        async def flush_idle(self):
            beats.append(1)
            if len(beats) == 3:
                scope.cancel()

    with anyio.CancelScope() as scope:
        await pulse.beat(Manager())
    assert len(beats) == 3
