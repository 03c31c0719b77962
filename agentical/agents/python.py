"""The agent kind `python`: `python:MODULE.CALLABLE`, beside the playbook or installed."""

from __future__ import annotations

import hashlib
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from difflib import get_close_matches
from functools import cached_property
from pathlib import Path
from typing import Any, Literal

from agentical.agents.calling import Callee, Place
from agentical.agents.modules import file_of, is_module, load, top_level_names
from agentical.ports import TaskContext


@dataclass(frozen=True, kw_only=True)
class PythonAgent:
    """A Python callable. Without `executor`, what awaits runs here and what does not in a thread.

    Its module is loaded when it is first asked, never when the playbook is read.
    """

    target: str = ""
    folder: str = ""
    executor: Literal["here", "threads", "processes"] | None = None

    @property
    def runs_in(self) -> Place:
        """The executor that runs it."""
        return self.executor or self.callee.runs_in

    async def __call__(self, payload: Any, context: TaskContext) -> Any:
        callee = self.callee
        if callee.awaits or self.executor == "here":
            return await callee.call(payload, context)
        return await callee.call_in_thread(payload, context)

    def work(self, payload: Any, context: TaskContext) -> Any:
        """The same, where no event loop runs."""
        return self.callee.work(payload, context)

    def stream(self, payload: Any, context: TaskContext) -> AsyncIterator[Any]:
        """The items of a generator as they come, without the first `context.skip`; in this process, always."""
        return self.callee.stream(payload, context)

    @cached_property
    def callee(self) -> Callee:
        """The callable. Loads its module; raises what loading it raises, or LookupError."""
        module, _, name = self.target.rpartition(".")
        found = getattr(load(self.folder, module), name, None)
        if found is None:
            raise LookupError(f"module {module} has no {name}")
        return Callee(found)

    def problems(self) -> Iterator[str]:
        """What is wrong with the target, without running any of it."""
        module, _, name = self.target.rpartition(".")
        if not all(part.isidentifier() for part in self.target.split(".")) or not module:
            yield f"{self.target!r} is not MODULE.CALLABLE"
        elif not is_module(self.folder, module):
            yield f"there is no module {module} beside the playbook, and none is installed"
        elif (file := file_of(self.folder, module)) is not None:
            yield from _problems_of(file, module, name)

    def code(self) -> str:
        """A hash of the module's source; of the target where there is no source."""
        file = file_of(self.folder, self.target.rpartition(".")[0])
        source = file.read_bytes() if file else self.target.encode()
        return hashlib.sha256(source).hexdigest()[:16]


def _problems_of(file: Path, module: str, name: str) -> Iterator[str]:
    try:
        names = top_level_names(file.read_bytes())
    except (SyntaxError, ValueError) as error:
        line = f" line {error.lineno}:" if isinstance(error, SyntaxError) and error.lineno else ""
        yield f"{file.name}:{line} {error.args[0]}"
        return
    if names is not None and name not in names:
        close = get_close_matches(name, names, 1)
        hint = f". Did you mean {close[0]!r}?" if close else ""
        yield f"module {module} defines no {name!r} at its top level{hint}"
