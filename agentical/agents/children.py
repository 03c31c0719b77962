"""Child processes: each leads a process group of its own, gives bounded output, and ends with all it started."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import Any, Final, Self

import anyio

GRACE: Final = 5.0
"""Seconds between asking a group to end and ending it."""

REAPED_WITHIN: Final = 5.0
"""Seconds in which a killed process is gone and its pipes closed, unless the machine is in trouble."""

TAIL: Final = 16 * 1024
"""How many bytes of stderr are kept: the last ones."""


class Child(asyncio.SubprocessProtocol):
    """A running program. Made by `start`; whoever starts one must `stop` it."""

    def __init__(self, limit: int) -> None:
        self.stdout = bytearray()
        self.stderr = bytearray()
        self.overflowed = False
        self._limit = limit
        self._scanned = 0
        self._swept = False
        self._news, self._ended, self._closed = asyncio.Event(), asyncio.Event(), asyncio.Event()
        self._transport: asyncio.SubprocessTransport

    @classmethod
    async def start(
        cls,
        argv: Sequence[str],
        *,
        limit: int,
        cwd: str | None = None,
        env: Mapping[str, str] | None = None,
        keep_stderr: bool = True,
    ) -> Self:
        """Start a program, never through a shell. More than `limit` bytes of output end it. Raises OSError."""
        starting = asyncio.ensure_future(
            asyncio.get_running_loop().subprocess_exec(
                lambda: cls(limit),
                *argv,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE if keep_stderr else None,
                cwd=cwd,
                env=env,
                start_new_session=True,
            )
        )
        try:
            await asyncio.shield(starting)
        except asyncio.CancelledError:
            # Cancelled half-way, asyncio ends the program but not what it has started by then.
            with anyio.CancelScope(shield=True):
                await asyncio.wait([starting])
                if starting.exception() is None:
                    await starting.result()[1].stop(0)
            raise
        return starting.result()[1]

    @property
    def pid(self) -> int:
        """Its process id, which is its group's too."""
        return self._transport.get_pid()

    @property
    def returncode(self) -> int | None:
        """As `subprocess` has it: negative for the signal that ended it, None while it runs."""
        return self._transport.get_returncode()

    def write(self, data: bytes, *, last: bool = False) -> None:
        """Send bytes to its stdin; after the `last` ones stdin is closed. A program that does not read is let be."""
        pipe: Any = self._transport.get_pipe_transport(0)
        if pipe is not None and not pipe.is_closing():
            pipe.write(data)
            if last:
                pipe.close()

    async def line(self) -> bytes | None:
        """The next line it writes to stdout; None when it ends without one."""
        while (end := self.stdout.find(b"\n", self._scanned)) < 0:
            self._scanned = len(self.stdout)
            if self._ended.is_set() or self._closed.is_set():
                return None
            self._news.clear()
            await self._news.wait()
        line = bytes(self.stdout[:end])
        del self.stdout[: end + 1]
        self._scanned = 0
        return line

    async def end(self) -> int:
        """Wait until it has ended and said all; gives its return code. What it left running in its group is ended."""
        await self._ended.wait()
        self._signal(signal.SIGKILL)
        with anyio.move_on_after(REAPED_WITHIN):  # somebody outside the group may hold its pipes for ever
            await self._closed.wait()
        return self.returncode or 0

    async def stop(self, grace: float = GRACE) -> None:
        """End it and everything in its group: ask first, then kill. Not interrupted by cancellation."""
        try:
            with anyio.CancelScope(shield=True):
                if not self._ended.is_set():
                    self._signal(signal.SIGTERM)
                    with anyio.move_on_after(grace):
                        await self._ended.wait()
        finally:
            if not self._swept:
                self._signal(signal.SIGKILL)
            with anyio.move_on_after(REAPED_WITHIN, shield=True):
                await self._ended.wait()
            self._transport.close()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.SubprocessTransport)
        self._transport = transport

    def pipe_data_received(self, fd: int, data: bytes) -> None:
        if fd == 2:
            self.stderr += data
            del self.stderr[:-TAIL]
        elif not self.overflowed:
            self.stdout += data
            if len(self.stdout) > self._limit:
                self.overflowed = True
                self._signal(signal.SIGKILL)
            self._news.set()

    def process_exited(self) -> None:
        self._ended.set()
        self._news.set()

    def connection_lost(self, _: Exception | None) -> None:
        self._closed.set()
        self._news.set()

    def _signal(self, number: int) -> None:
        self._swept = number == signal.SIGKILL
        with suppress(ProcessLookupError, PermissionError):  # nobody is left in the group, or only the dead
            os.killpg(self.pid, number)
