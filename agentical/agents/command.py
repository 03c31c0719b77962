"""The agent kind `command`: a program, asked over stdin and stdout."""

from __future__ import annotations

import hashlib
import os
import shutil
import signal
from collections.abc import Iterator, Mapping
from contextlib import nullcontext
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any, Final

import msgspec

from agentical.agents.answers import to_json
from agentical.agents.children import GRACE, TAIL, Child
from agentical.errors import AgentError, Denied, Exhausted, Invalid, Transient, Upstream
from agentical.ports import TaskContext

LARGEST_OUTPUT: Final = 64 * 1024 * 1024

LONGEST_COMPLAINT: Final = 1500

_EXITS: Final[Mapping[int, type[AgentError]]] = {
    os.EX_USAGE: Invalid,
    os.EX_DATAERR: Invalid,
    os.EX_TEMPFAIL: Transient,
    os.EX_NOPERM: Denied,
    -signal.SIGKILL: Exhausted,
    -signal.SIGXCPU: Exhausted,
}
"""What exit statuses (sysexits.h) and signals mean; any other is Upstream."""


@dataclass(frozen=True, kw_only=True)
class CommandAgent:
    """A program and its arguments, never a shell.

    The payload comes as JSON on stdin. What the program writes to stdout is the answer: JSON where it is JSON, else text
    without the last line break. It runs in `cwd`, which counts from the playbook's folder (the default). It inherits the
    environment without AGENTICAL_…, then gets `env` and AGENTICAL_EXECUTION, _VISIT, _KEY and _IDEMPOTENCY_KEY. It leads
    a process group; whatever still runs in it is ended
    with the task, `grace` after it was asked to.
    """

    folder: str = ""
    argv: tuple[str, ...] = ()
    cwd: str = ""
    env: dict[str, str] = field(default_factory=dict, repr=False, hash=False)
    grace: Annotated[float, "seconds"] = GRACE

    async def __call__(self, payload: Any, context: TaskContext) -> Any:
        child = await self._start(context)
        try:
            with context.on_child(child.pid) if context.on_child else nullcontext():
                child.write(msgspec.json.encode(payload), last=True)
                status = await child.end()
        finally:
            await child.stop(self.grace)
        if child.overflowed:
            raise Exhausted(f"{self.argv[0]} wrote more than {LARGEST_OUTPUT >> 20} MiB")
        if status:
            raise _EXITS.get(status, Upstream)(_complaint(self.argv[0], status, bytes(child.stderr)))
        return _answer(bytes(child.stdout))

    def problems(self) -> Iterator[str]:
        """What is wrong with the settings, without starting anything."""
        if not self.argv or not self.argv[0]:
            yield "argv is empty: give the program and its arguments, [PROGRAM, ARGUMENT, …]"
            return
        if not self._directory.is_dir():
            yield f"cwd: there is no folder {self._directory}"
        elif shutil.which(self._program, path=self._path) is None:
            yield f"argv: there is no program {self.argv[0]!r}"

    def code(self) -> str:
        """A hash of the command line."""
        return hashlib.sha256(msgspec.json.encode(self.argv)).hexdigest()[:16]

    @property
    def _directory(self) -> Path:
        return Path(self.folder, self.cwd)

    @property
    def _program(self) -> str:
        """The program; a relative path counts from `cwd`, a bare name is looked up in PATH."""
        name = self.argv[0]
        return str((self._directory / name).absolute()) if "/" in name else name

    @property
    def _path(self) -> str | None:
        return self.env.get("PATH")

    async def _start(self, context: TaskContext) -> Child:
        inherited = {name: value for name, value in os.environ.items() if not name.startswith("AGENTICAL_")}
        told = {
            "AGENTICAL_EXECUTION": context.execution,
            "AGENTICAL_VISIT": context.visit,
            "AGENTICAL_KEY": context.key,
            "AGENTICAL_IDEMPOTENCY_KEY": context.idempotency_key,
        }
        argv, environment = (self._program, *self.argv[1:]), inherited | self.env | told
        try:
            return await Child.start(argv, limit=LARGEST_OUTPUT, cwd=str(self._directory), env=environment)
        except (FileNotFoundError, NotADirectoryError) as error:
            raise Upstream(f"{self.argv[0]} cannot be started: {error}") from error


def _complaint(program: str, status: int, stderr: bytes) -> str:
    how = f"was ended by {signal.Signals(-status).name}" if status < 0 else f"exited with {status}"
    said = stderr.decode(errors="replace").strip()
    if len(said) > LONGEST_COMPLAINT or len(stderr) >= TAIL:
        said = f"…{said[-LONGEST_COMPLAINT:]}"  # the mark tells whoever takes secrets out that one may be cut
    return f"{program} {how}: {said}" if said else f"{program} {how}"


def _answer(stdout: bytes) -> Any:
    """JSON, or text where it is not."""
    try:
        return to_json(msgspec.json.decode(stdout))
    except msgspec.DecodeError:
        return stdout.decode(errors="replace").removesuffix("\n").removesuffix("\r")
