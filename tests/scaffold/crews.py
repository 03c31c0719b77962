"""Crews: agents whose answers are functions of their payloads, slow by seeded draws, that remember what they were asked."""

from __future__ import annotations

import asyncio
import random
from collections import Counter
from collections.abc import Callable, Mapping
from typing import Any

import agentical
from agentical.agents.function import FunctionAgent
from agentical.ports import Agent, TaskContext


class Crew:
    """`calls` are (visit, key) in order of asking, `peak` the most at work at once; what `failing` holds fails for good."""

    def __init__(
        self, seed: int = 0, *, failing: frozenset[tuple[str, str]] | set[tuple[str, str]] = frozenset()
    ) -> None:
        self.seed, self.failing = seed, failing
        self.calls: list[tuple[str, str]] = []
        self.by_member: Counter[str] = Counter()
        self.at_work = self.peak = 0

    def member(self, name: str, answer: Callable[[Any], Any], *, takes: float | None = None, **options: Any) -> Any:
        """A function for a team. It answers after `takes` seconds, else after a draw that depends on seed, name and key."""

        async def work(payload: Any, context: TaskContext) -> Any:
            self.calls.append((context.visit, context.key))
            self.by_member[context.member] += 1
            self.at_work += 1
            self.peak = max(self.peak, self.at_work)
            try:
                await asyncio.sleep(self._latency(context) if takes is None else takes)
            finally:
                self.at_work -= 1
            if (context.visit, context.key) in self.failing:
                raise agentical.Upstream(f"{context.key} is bound to fail")
            return answer(payload)

        return agentical.agent(name=name, **options)(work)

    def _latency(self, context: TaskContext) -> float:
        return random.Random(f"{self.seed}/{context.member}/{context.visit}/{context.key}").uniform(0.001, 0.2)


def fakes(functions: Mapping[str, Callable[..., Any]]) -> dict[str, Agent]:
    """The functions as agents that stand in for those of a playbook."""
    return {name: FunctionAgent(function=one) for name, one in functions.items()}
