"""What an execution may use: tasks and running time. Pure: time is passed in."""

from __future__ import annotations

from agentical.errors import BudgetExceeded


class Budget:
    """Counts tasks against `tasks` and says how much of `time` (seconds of running, not of downtime) is left."""

    __slots__ = ("asked", "tasks", "time")

    def __init__(self, tasks: int | None, time: float | None, *, asked: int = 0) -> None:
        self.tasks, self.time, self.asked = tasks, time, asked

    def charge(self) -> None:
        """Count one more task. Raises BudgetExceeded where it would be one too many."""
        if self.tasks is not None and self.asked >= self.tasks:
            raise BudgetExceeded("tasks", self.tasks)
        self.asked += 1

    def seconds_left(self, ran: float) -> float | None:
        """Of `time`, after `ran` seconds of running; None without a limit."""
        return None if self.time is None else max(0.0, self.time - ran)
