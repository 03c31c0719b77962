"""agentical: a multi-agent coordination framework that survives its process."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from agentical.agents.function import agent as agent
    from agentical.calls import coordinate as coordinate
    from agentical.calls import run_sync as run_sync
    from agentical.errors import AgenticalError as AgenticalError
    from agentical.errors import Denied as Denied
    from agentical.errors import Exhausted as Exhausted
    from agentical.errors import Invalid as Invalid
    from agentical.errors import RateLimited as RateLimited
    from agentical.errors import StepFailed as StepFailed
    from agentical.errors import TaskFailed as TaskFailed
    from agentical.errors import Transient as Transient
    from agentical.errors import Upstream as Upstream
    from agentical.ports import ANY as ANY
    from agentical.ports import Ask as Ask
    from agentical.ports import Edge as Edge
    from agentical.ports import Item as Item
    from agentical.ports import Member as Member
    from agentical.ports import Outcome as Outcome
    from agentical.ports import TaskContext as TaskContext
    from agentical.ports import Team as Team
    from agentical.runs import Run as Run
    from agentical.sdk import Agentical as Agentical

_HOMES = {
    "agentical.agents.function": ["agent"],
    "agentical.calls": ["coordinate", "run_sync"],
    "agentical.errors": [
        "AgenticalError", "Denied", "Exhausted", "Invalid", "RateLimited", "StepFailed", "TaskFailed", "Transient", "Upstream",
    ],
    "agentical.ports": ["ANY", "Ask", "Edge", "Item", "Member", "Outcome", "TaskContext", "Team"],
    "agentical.runs": ["Run"],
    "agentical.sdk": ["Agentical"],
}  # fmt: skip
_HOME = {name: module for module, names in _HOMES.items() for name in names}

__all__ = sorted(_HOME)
__version__ = "0.1.0"


if not TYPE_CHECKING:  # for a type checker a name that is not above does not exist

    def __getattr__(name: str) -> Any:
        """Public names are imported when first used, so that `agentical --help` need not wait for them."""
        if name not in _HOME:
            raise AttributeError(f"module 'agentical' has no attribute {name!r}")
        from importlib import import_module

        return getattr(import_module(_HOME[name]), name)

    def __dir__() -> list[str]:
        return [*__all__, "__version__"]
