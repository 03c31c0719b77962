"""What goes between an executor and its worker processes: one JSON object per line, each way."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final, Self

import msgspec

from agentical.agents.python import PythonAgent
from agentical.events import NOTHING_USED, Failure, Usage
from agentical.ports import TaskContext

READY: Final = b"{}"
"""What a worker says once it is there."""


class Hello(msgspec.Struct, frozen=True):
    """The first line a worker gets: where the executor's process finds its modules."""

    path: list[str]


class Request(msgspec.Struct, frozen=True, omit_defaults=True):
    """A question to an agent. `began` and `deadline` are of a clock that all processes of a machine share."""

    target: str
    folder: str
    payload: Any
    execution: str
    visit: str
    key: str
    member: str
    attempt: int
    idempotency_key: str
    timeout: float | None = None
    began: float | None = None
    deadline: float | None = None
    schema: Mapping[str, Any] | None = None

    @classmethod
    def of(cls, agent: PythonAgent, payload: Any, context: TaskContext) -> Self:
        return cls(
            target=agent.target,
            folder=agent.folder,
            payload=payload,
            execution=context.execution,
            visit=context.visit,
            key=context.key,
            member=context.member,
            attempt=context.attempt,
            idempotency_key=context.idempotency_key,
            timeout=context.timeout,
            began=context.began,
            deadline=context.deadline,
            schema=context.schema,
        )

    def context(self) -> TaskContext:
        """The context the agent sees in the worker: it can start no playbook there."""
        return TaskContext(
            self.execution,
            self.visit,
            self.key,
            self.member,
            attempt=self.attempt,
            idempotency_key=self.idempotency_key,
            timeout=self.timeout,
            began=self.began,
            deadline=self.deadline,
            folder=self.folder,
            schema=self.schema,
        )


class Reply(msgspec.Struct, frozen=True, omit_defaults=True):
    """What came of it: an answer (with the outcome an Edge named), or a failure."""

    answer: Any = None
    edge: str | None = None
    required: bool = False
    failure: Failure | None = None
    retry_after: float | None = None
    usage: Usage = NOTHING_USED
