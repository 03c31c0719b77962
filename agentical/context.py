"""TaskContext: what an agent is told beside its payload."""

from __future__ import annotations

import logging
import sys
from collections.abc import Awaitable, Callable, Mapping
from contextlib import AbstractContextManager
from typing import Any

from agentical.events import Usage


class TaskContext:
    """What an agent is told beside its payload.

    `idempotency_key` is the same however often the same task is asked, also after a crash: hand it to whatever the
    agent changes outside. `timeout` is how many seconds the agent has, None without one; they count from `began`, when it
    had got its thread or process, to `deadline` (both in seconds of `time.monotonic()`, set by the executor). `skip` is
    how many items of a source are recorded already. `schema` is the JSON Schema the answer must meet; `repair` says,
    the second time an agent is asked because of it, what was wrong with the first answer.
    """

    __slots__ = (
        "attempt", "began", "deadline", "execution", "folder", "idempotency_key", "key", "member", "on_child",
        "on_playbook", "repair", "schema", "skip", "timeout", "usage", "visit",
    )  # fmt: skip

    def __init__(
        self,
        execution: str = "",
        visit: str = "",
        key: str = "ask",
        member: str = "",
        *,
        attempt: int = 1,
        idempotency_key: str = "",
        timeout: float | None = None,
        began: float | None = None,
        deadline: float | None = None,
        folder: str = "",
        schema: Mapping[str, Any] | None = None,
        skip: int = 0,
        repair: str | None = None,
        on_playbook: Callable[[str, Any, TaskContext], Awaitable[Any]] | None = None,
        on_child: Callable[[int], AbstractContextManager[None]] | None = None,
    ) -> None:
        self.execution, self.visit, self.key, self.member = execution, visit, key, member
        self.attempt, self.idempotency_key = attempt, idempotency_key
        self.timeout, self.began, self.deadline = timeout, began, deadline
        self.folder, self.schema, self.skip, self.repair = folder, schema, skip, repair
        self.on_playbook, self.on_child = on_playbook, on_child
        self.usage = Usage()

    @property
    def logger(self) -> logging.LoggerAdapter[logging.Logger]:
        """A logger whose lines carry the ids of this task."""
        ids = {"execution": self.execution, "visit": self.visit, "key": self.key, "member": self.member}
        return logging.LoggerAdapter(logging.getLogger("agentical.agent"), ids)

    def charge(self, *, tokens_in: int = 0, tokens_out: int = 0, cost: float = 0.0) -> None:
        """Add to what this task used; it is recorded with the answer, or with the failure.

        Raises ValueError for tokens that are not whole numbers from 0 on, and for a cost that is not a number from 0 on.
        """
        for tokens in (tokens_in, tokens_out):
            if type(tokens) is not int or tokens < 0:
                raise ValueError(f"tokens are counted in whole numbers from 0 on, not {tokens!r}")
        if not _is_amount(cost) or not _is_amount(self.usage.cost + cost):
            raise ValueError(f"a cost is a finite number from 0 on, and so is a sum of costs; this is {cost!r}")
        self.usage = self.usage + Usage(tokens_in, tokens_out, float(cost))

    async def run_playbook(self, path: str, inputs: Any) -> Any:
        """Run another playbook as part of this task; its outputs are the answer. Resumed with the task."""
        if self.on_playbook is None:
            raise RuntimeError("this agent is not run by agentical, so it cannot run a playbook")
        return await self.on_playbook(path, inputs, self)


def _is_amount(value: object) -> bool:
    return isinstance(value, int | float) and 0 <= value <= sys.float_info.max
