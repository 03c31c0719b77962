"""The agent kind `playbook`: another playbook, run as part of the task."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

from agentical.ports import TaskContext


@dataclass(frozen=True, kw_only=True)
class PlaybookAgent:
    """`playbook:./file.yaml`: its inputs are the payload, its outputs the answer. It waits, so it holds no slot."""

    parks: ClassVar[bool] = True
    repairs: ClassVar[bool] = True
    """Asked once more, the same execution would give the same outputs."""

    target: str = ""
    folder: str = ""

    @property
    def path(self) -> Path:
        """The file: relative ones lie beside the playbook that asks."""
        return Path(self.folder, self.target)

    async def __call__(self, payload: Any, context: TaskContext) -> Any:
        return await context.run_playbook(str(self.path), payload)

    def problems(self) -> Iterator[str]:
        """What is wrong with the target. The file is not read."""
        if not self.target:
            yield "it names no file: playbook:./FILE"
        elif not self.path.is_file():
            yield f"there is no file {self.path}"

    def code(self) -> str:
        """A hash of the file."""
        return hashlib.sha256(self.path.read_bytes()).hexdigest()[:16]
