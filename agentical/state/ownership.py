"""Who runs what: every process holds a lock for as long as it lives, and dead owners are cleaned up after.

An owner is named by a token. Its file `owners/TOKEN` is held locked by `flock` from the start to the end of its
process: the kernel frees it the moment the process dies, however it dies. Beside it `TOKEN.children` lists the
processes it started, so that whoever takes over can end what outlived it before asking anything again.

Why one more lock, `owners/lock`: an owner's file is made first and locked then. Those who make files and those who
remove them take turns, so that nobody removes the file of an owner that is just being born.
"""

from __future__ import annotations

import fcntl
import os
import re
import secrets
import signal
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING

from agentical.errors import StoreError

if TYPE_CHECKING:
    import psutil

_TOKEN = re.compile(r"[\w.-]+-\d+-[0-9a-f]{12}", re.ASCII)
_CHILDREN = ".children"
_SAME_START = 1.0
"""Seconds two readings of one process's start may differ by: the machine's clock is set while it runs."""
_END_WITHIN = 5.0


class Ownership:
    """This process's claim to be alive, for one store. `token` is its name; close it when the process is done.

    Made with a folder, it first cleans up after owners that died. Without one (a store in memory) no other process
    can own anything: only its own token is alive.
    """

    def __init__(self, folder: Path | None) -> None:
        self._host = re.sub(r"[^A-Za-z0-9.-]", "_", socket.gethostname()) or "here"
        self.token = f"{self._host}-{os.getpid()}-{secrets.token_hex(6)}"
        self._folder = None if folder is None else folder / "owners"
        self._children: dict[int, float] = {}
        self._writing = threading.Lock()
        self._lock: int | None = None
        self._closed = False
        if self._folder is not None:
            with _explained(self._folder):
                self._folder.mkdir(parents=True, exist_ok=True)
                with _turn(self._folder):
                    self._lock = _locked(self._folder / self.token)
                self._tidy(self._folder)

    def alive(self, token: str) -> bool:
        """Whether the process of this token still lives. May be called from any thread."""
        if token == self.token:
            return not self._closed
        if self._folder is None or not _TOKEN.fullmatch(token):
            return False
        try:
            lock = os.open(self._folder / token, os.O_RDONLY | os.O_CLOEXEC)
        except FileNotFoundError:
            return False
        try:
            # Shared, so that two who look at the same time do not take each other for the owner.
            fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
        finally:
            os.close(lock)
        return False

    @contextmanager
    def child(self, pid: int) -> Iterator[None]:
        """List a started process while it runs, so that it is ended should this process die before it."""
        self._list(pid, _started(pid))
        try:
            yield
        finally:
            self._list(pid, None)

    def end_children(self, token: str) -> list[int]:
        """Kill what a dead owner left running (with its process groups) and remove the owner's files.

        Returns the pids ended. A process that merely has the pid of a child by now is left alone, and so is everything
        of an owner on another machine. Waits until they are gone; raises StoreError when one cannot be ended.
        """
        if self._folder is None or not _TOKEN.fullmatch(token) or self.alive(token):
            return []
        children = self._folder / f"{token}{_CHILDREN}"
        # Another machine's pids mean nothing here.
        listed = _read_children(children) if token.rsplit("-", 2)[0] == self._host else []
        ended = [pid for pid, started in listed if _end(pid, started)]
        with _explained(self._folder), _turn(self._folder):
            if not self.alive(token):
                children.unlink(missing_ok=True)
                (self._folder / token).unlink(missing_ok=True)
        return ended

    def close(self) -> None:
        """Stop being alive: remove this owner's files and free its lock. Closing twice is harmless."""
        self._closed = True
        if self._lock is None or self._folder is None:
            return
        with _explained(self._folder):
            (self._folder / f"{self.token}{_CHILDREN}").unlink(missing_ok=True)
            (self._folder / self.token).unlink(missing_ok=True)
            os.close(self._lock)
            self._lock = None

    def _list(self, pid: int, started: float | None) -> None:
        with self._writing:
            if started is None:
                self._children.pop(pid, None)
            else:
                self._children[pid] = started
            if self._folder is not None and not self._closed:
                with _explained(self._folder):
                    _write_children(self._folder / f"{self.token}{_CHILDREN}", self._children)

    def _tidy(self, folder: Path) -> None:
        """Clean up after every owner that died without anybody taking over."""
        for path in list(folder.iterdir()):
            token = path.name.removesuffix(".new").removesuffix(_CHILDREN)
            if path.name.endswith(".new") and not self.alive(token):
                path.unlink(missing_ok=True)
            else:
                self.end_children(token)


@contextmanager
def _explained(folder: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise StoreError(f"{folder} cannot be used to say who runs what: {error}") from error


@contextmanager
def _turn(folder: Path) -> Iterator[None]:
    """One at a time makes or removes owners' files."""
    lock = _locked(folder / "lock")
    try:
        yield
    finally:
        os.close(lock)


def _locked(path: Path) -> int:
    """Make a file where there is none and lock it; its descriptor is not inherited by started programs."""
    lock = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
    fcntl.flock(lock, fcntl.LOCK_EX)
    return lock


def _write_children(path: Path, children: dict[int, float]) -> None:
    """Replace the list as a whole: a process killed while it writes leaves the old one or the new one."""
    draft = path.with_name(f"{path.name}.new")
    draft.write_text("".join(f"{pid} {started!r}\n" for pid, started in children.items()), encoding="ascii")
    draft.replace(path)


def _read_children(path: Path) -> list[tuple[int, float]]:
    try:
        lines = path.read_text(encoding="ascii").splitlines()
        return [(int(pid), float(started)) for pid, started in (line.split() for line in lines)]
    except FileNotFoundError:
        return []
    except ValueError as error:
        raise StoreError(f"{path} is damaged ({error}). End what it lists, remove it, then resume.") from error


def _started(pid: int) -> float | None:
    """When a process started (Unix seconds); None where there is none."""
    import psutil

    try:
        return psutil.Process(pid).create_time()
    except psutil.NoSuchProcess:
        return None


def _end(pid: int, started: float) -> bool:
    """Kill a process and all it started, if it is still the one that was listed, and wait until it is gone."""
    import psutil

    try:
        process = psutil.Process(pid)
        if abs(process.create_time() - started) > _SAME_START or not _runs(process):
            return False
        family = [process, *process.children(recursive=True)]
    except psutil.NoSuchProcess:
        return False
    for member in family:
        _kill(member.pid)
    give_up = time.monotonic() + _END_WITHIN
    while left := [member.pid for member in family if _runs(member)]:
        if time.monotonic() > give_up:
            raise StoreError(f"processes of a dead owner cannot be ended: {left}. End them, then resume.")
        time.sleep(0.005)
    return True


def _kill(pid: int) -> None:
    """Kill the group a process leads; one that leads none shares its group with strangers and is killed alone."""
    with suppress(ProcessLookupError, PermissionError):
        if os.getpgid(pid) == pid:
            os.killpg(pid, signal.SIGKILL)
        else:
            os.kill(pid, signal.SIGKILL)


def _runs(process: psutil.Process) -> bool:
    """Whether it still does anything: where nobody collects the dead, a killed process stays listed for ever."""
    import psutil

    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False
