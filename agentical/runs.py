"""What a run gives back: outputs, status, error, receipt, events."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from typing import Any

from agentical.errors import ExecutionFailed
from agentical.events import Entry
from agentical.jsonvalues import loads
from agentical.progress import Progress
from agentical.visits import Receipt


class Run:
    """How an execution stands, or how it ended.

    `status` is completed, failed, cancelled, paused or running; `outputs` the playbook's outputs (None unless
    completed); `error` is `{class, code, message, step}` or None; `receipt` counts what was done.
    """

    def __init__(self, id: str, progress: Progress, read: Callable[[bool], AsyncIterator[Entry]]) -> None:
        self.id, self.progress, self._read = id, progress, read

    @property
    def status(self) -> str:
        return self.progress.status

    @property
    def outputs(self) -> Any:
        return None if self.progress.outputs is None else loads(self.progress.outputs)

    @property
    def error(self) -> dict[str, Any] | None:
        if self.progress.failure is None or self.status not in ("failed", "paused", "running"):
            return None
        failure, step = self.progress.failure
        return {"class": failure.kind, "code": failure.code, "message": failure.message, "step": step}

    @property
    def receipt(self) -> Receipt:
        return self.progress.receipt

    def events(self, *, follow: bool = False) -> AsyncIterator[Entry]:
        """The journal: each entry has `seq`, `at` (Unix seconds) and `event`. With `follow`, until it has ended."""
        return self._read(follow)

    def unwrap(self) -> Any:
        """The outputs. Raises ExecutionFailed where there are none."""
        if self.status == "completed":
            return self.outputs
        why = self.error["message"] if self.error else f"it is {self.status}"
        raise ExecutionFailed(self.id, why)

    def as_json(self) -> dict[str, Any]:
        """`{id, status, outputs, error, receipt}`, as `agentical run --json` prints it."""
        return {
            "id": self.id,
            "status": self.status,
            "outputs": self.outputs,
            "error": self.error,
            "receipt": receipt_json(self.receipt),
        }


def receipt_json(receipt: Receipt) -> dict[str, Any]:
    """The receipt as JSON; `took` in seconds, 0 while it runs."""
    return {
        "asked": receipt.asked,
        "answered": receipt.answered,
        "answered_from_record": receipt.from_record,
        "failed": receipt.failed,
        "retried": receipt.retried,
        "repeated": receipt.repeated,
        "tokens": {"in": receipt.usage.tokens_in, "out": receipt.usage.tokens_out},
        "cost": receipt.usage.cost,
        "took": round(max(0.0, receipt.ended - receipt.started), 6),
    }
