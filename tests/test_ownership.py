"""What ownership promises: the dead are known at once, and what they left running is ended."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil
import pytest

from agentical.errors import StoreError
from agentical.state import ownership as module
from agentical.state.ownership import Ownership

OWNER = """
import subprocess, sys
from pathlib import Path
from agentical.state.ownership import Ownership
owner = Ownership(Path(sys.argv[1]))
sleep = [sys.executable, "-c", "import time; time.sleep(600)"]
leader = subprocess.Popen(["/bin/sh", "-c", "sleep 600 & echo $!; wait"], start_new_session=True, stdout=subprocess.PIPE)
plain = subprocess.Popen(sleep)
with owner.child(leader.pid), owner.child(plain.pid):
    print(owner.token, leader.pid, int(leader.stdout.readline()), plain.pid, flush=True)
    sys.stdin.readline()
"""


def runs(pid: int) -> bool:
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


@contextmanager
def owner_process(folder: Path) -> Iterator[tuple[subprocess.Popen[str], str, list[int]]]:
    """A process that owns something and runs three others: one it leads a group with, its child, a plain one."""
    process = subprocess.Popen(
        [sys.executable, "-c", OWNER, str(folder)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    token, *pids = process.stdout.readline().split()
    try:
        yield process, token, [int(pid) for pid in pids]
    finally:
        for pid in (process.pid, *map(int, pids)):
            if runs(pid):
                os.kill(pid, signal.SIGKILL)
        process.communicate()


@pytest.fixture
def mine(tmp_path: Path) -> Iterator[Ownership]:
    owner = Ownership(tmp_path)
    yield owner
    owner.close()


def leave_behind(folder: Path, children: str = "") -> str:
    """The files of an owner that died."""
    gone = Ownership(folder)
    gone.close()
    (folder / "owners" / gone.token).write_text("")
    (folder / "owners" / f"{gone.token}.children").write_text(children)
    return gone.token


def test_a_killed_owner_is_dead_at_once_and_its_children_are_ended(mine: Ownership, tmp_path: Path) -> None:
    with owner_process(tmp_path) as (process, token, pids):
        assert mine.alive(token)
        assert mine.end_children(token) == []
        assert all(runs(pid) for pid in pids)
        process.kill()
        process.wait()
        assert not mine.alive(token)
        leader, grandchild, plain = pids
        assert sorted(mine.end_children(token)) == sorted([leader, plain])
        assert not any(runs(pid) for pid in (leader, grandchild, plain))
        assert {path.name for path in (tmp_path / "owners").iterdir()} == {"lock", mine.token}
        assert mine.end_children(token) == []


def test_a_new_owner_cleans_up_after_the_dead(tmp_path: Path) -> None:
    with owner_process(tmp_path) as (process, _, pids):
        process.kill()
        process.wait()
        (tmp_path / "owners" / "gone-1-000000000000.children.new").write_text("half a l")
        owner = Ownership(tmp_path)
        assert not any(runs(pid) for pid in pids)
        assert {path.name for path in (tmp_path / "owners").iterdir()} == {"lock", owner.token}
        owner.close()


def test_the_living_are_left_alone_by_a_new_owner(mine: Ownership, tmp_path: Path) -> None:
    other = Ownership(tmp_path)
    with mine.child(os.getpid()):
        Ownership(tmp_path).close()
        assert other.alive(mine.token)
        assert (tmp_path / "owners" / f"{mine.token}.children").exists()
    other.close()
    assert not mine.alive(other.token)


def test_a_token_is_alive_until_it_is_closed(tmp_path: Path) -> None:
    owner = Ownership(tmp_path)
    assert owner.alive(owner.token)
    owner.close()
    owner.close()
    assert not owner.alive(owner.token)
    assert [path.name for path in (tmp_path / "owners").iterdir()] == ["lock"]


def test_without_a_folder_only_the_own_token_is_alive() -> None:
    one, two = Ownership(None), Ownership(None)
    assert one.alive(one.token)
    assert not one.alive(two.token)
    assert one.end_children(two.token) == []
    with one.child(os.getpid()):
        assert one.alive(one.token)
    one.close()
    assert not one.alive(one.token)


def test_a_process_that_only_has_the_pid_of_a_child_is_left_alone(mine: Ownership, tmp_path: Path) -> None:
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as stranger:
        token = leave_behind(tmp_path, f"{stranger.pid} 12345.5\n999999999 1.0\n")
        assert mine.end_children(token) == []
        assert stranger.poll() is None
        stranger.communicate(b"\n")


def test_pids_of_another_machine_are_left_alone(mine: Ownership, tmp_path: Path) -> None:
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as stranger:
        started = psutil.Process(stranger.pid).create_time()
        token = "elsewhere-1-0123456789ab"
        (tmp_path / "owners" / f"{token}.children").write_text(f"{stranger.pid} {started}\n")
        assert mine.end_children(token) == []
        assert stranger.poll() is None
        stranger.communicate(b"\n")


def test_a_name_that_is_no_token_touches_no_file(mine: Ownership, tmp_path: Path) -> None:
    (tmp_path / "precious").write_text("keep")
    assert not mine.alive("../precious")
    assert mine.end_children("../precious") == []
    assert (tmp_path / "precious").read_text() == "keep"


def test_a_damaged_list_of_children_is_named(mine: Ownership, tmp_path: Path) -> None:
    token = leave_behind(tmp_path, "12 not-a-number\n")
    with pytest.raises(StoreError, match=f"{token}.children is damaged"):
        mine.end_children(token)


def test_children_are_listed_only_while_they_run(mine: Ownership, tmp_path: Path) -> None:
    listed = tmp_path / "owners" / f"{mine.token}.children"
    me = os.getpid()
    with mine.child(me):
        pid, started = listed.read_text().split()
        assert (int(pid), float(started)) == (me, psutil.Process(me).create_time())
    assert listed.read_text() == ""


def test_a_child_that_is_gone_already_is_not_listed(mine: Ownership, tmp_path: Path) -> None:
    with mine.child(999_999_999):
        assert (tmp_path / "owners" / f"{mine.token}.children").read_text() == ""


def test_a_child_that_cannot_be_ended_is_named(
    mine: Ownership, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_kill", lambda pid: None)
    monkeypatch.setattr(module, "_END_WITHIN", 0.0)
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as child:
        token = leave_behind(tmp_path, f"{child.pid} {psutil.Process(child.pid).create_time()!r}\n")
        with pytest.raises(StoreError, match=f"cannot be ended: \\[{child.pid}\\]"):
            mine.end_children(token)
        assert (tmp_path / "owners" / f"{token}.children").exists()
        child.communicate(b"\n")


def test_started_programs_do_not_inherit_the_lock(mine: Ownership) -> None:
    assert not os.get_inheritable(mine._lock)


def test_looking_from_many_threads_at_once_never_takes_a_dead_owner_for_alive(mine: Ownership, tmp_path: Path) -> None:
    token = leave_behind(tmp_path)
    seen: list[bool] = []
    threads = [threading.Thread(target=lambda: seen.extend(mine.alive(token) for _ in range(200))) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert seen == [False] * 800


def test_a_folder_that_cannot_be_used_is_named(tmp_path: Path) -> None:
    (tmp_path / "owners").write_text("")
    with pytest.raises(StoreError, match="who runs what"):
        Ownership(tmp_path)
