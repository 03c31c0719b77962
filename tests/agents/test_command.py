"""Programs as agents: what they are told, what their ending means, and that nothing of them is left."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agentical.agents import command
from agentical.agents.children import TAIL, Child
from agentical.agents.command import CommandAgent
from agentical.agents.failures import classify
from agentical.errors import AgentError, Exhausted, Invalid, Upstream
from agentical.ports import TaskContext
from agentical.secrets import Redaction


def shell(script, **options):
    return CommandAgent(argv=("sh", "-c", script), **options)


def alive(pid):
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except FileNotFoundError:
        return False


def running():
    """The command lines of all processes that are not over."""
    lines = []
    for process in Path("/proc").glob("[0-9]*"):
        with suppress(FileNotFoundError, ProcessLookupError):
            lines.append((process / "cmdline").read_bytes().decode(errors="replace"))
    return "\n".join(lines)


async def until(condition):
    async with asyncio.timeout(10):
        while not condition():  # noqa: ASYNC110 - what is awaited is in another thread or process
            await asyncio.sleep(0.002)


def numbers_in(file):
    return [int(word) for word in file.read_text().split()] if file.exists() else []


async def cancelled(agent, pids, count):
    """Ask, cancel as soon as it is started and `count` process ids are written to the file `pids`; gives them."""
    started = asyncio.Event()

    @contextmanager
    def on_child(pid):
        started.set()
        yield

    task = asyncio.create_task(agent({}, TaskContext(on_child=on_child)))
    await started.wait()
    await until(lambda: len(numbers_in(pids)) == count)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    return numbers_in(pids)


async def test_the_payload_comes_as_json_on_stdin_and_json_on_stdout_is_the_answer():
    assert await CommandAgent(argv=("cat",))({"a": [1, "ä", None]}, TaskContext()) == {"a": [1, "ä", None]}


@pytest.mark.parametrize(
    ("output", "answer"),
    [("plain words", "plain words"), ("two\\nlines\\n", "two\nlines"), ("", ""), ("[1, 2]\\n", [1, 2]), ("NaN", "NaN")],
)
async def test_what_is_not_json_is_text_without_its_last_line_break(output, answer):
    assert await CommandAgent(argv=("printf", output))({}, TaskContext()) == answer


async def test_a_program_need_not_read_its_payload():
    assert await CommandAgent(argv=("echo", "hi"))({"long": "x" * 1_000_000}, TaskContext()) == "hi"


async def test_arguments_are_never_seen_by_a_shell():
    assert await CommandAgent(argv=("printf", "%s", "$HOME; `id` * ${{ x }}"))({}, TaskContext()) == (
        "$HOME; `id` * ${{ x }}"
    )


async def test_it_inherits_the_environment_but_for_our_settings_and_is_told_its_task(monkeypatch):
    monkeypatch.setenv("AGENTICAL_STORE", "secret")
    monkeypatch.setenv("OTHER", "kept")
    agent = CommandAgent(
        argv=(sys.executable, "-c", "import os, json; print(json.dumps(dict(os.environ)))"), env={"A": "1"}
    )
    told = await agent({}, TaskContext("e", "v", "k", idempotency_key="i"))
    ours = {name: value for name, value in told.items() if name.startswith("AGENTICAL_")}
    assert (told["OTHER"], told["A"]) == ("kept", "1")
    assert ours == {
        "AGENTICAL_EXECUTION": "e", "AGENTICAL_VISIT": "v", "AGENTICAL_KEY": "k", "AGENTICAL_IDEMPOTENCY_KEY": "i",
    }  # fmt: skip


async def test_it_runs_in_the_playbooks_folder_or_in_cwd_counted_from_there(tmp_path):
    (tmp_path / "inner").mkdir()
    script = tmp_path / "where.sh"
    script.write_text("#!/bin/sh\npwd -P\n")
    script.chmod(0o755)
    folder = str(tmp_path)
    assert await CommandAgent(argv=("./where.sh",), folder=folder)({}, TaskContext()) == os.path.realpath(folder)
    inner = CommandAgent(argv=("../where.sh",), folder=folder, cwd="inner")
    assert await inner({}, TaskContext()) == os.path.realpath(tmp_path / "inner")
    assert not list(inner.problems())


@pytest.mark.parametrize(
    ("script", "kind"),
    [
        ("exit 75", "transient"), ("exit 77", "denied"), ("exit 65", "invalid"), ("exit 64", "invalid"),
        ("exit 1", "upstream"), ("kill -KILL $$", "exhausted"), ("kill -XCPU $$", "exhausted"),
        ("kill -SEGV $$", "upstream"),
    ],
)  # fmt: skip
async def test_how_it_ends_gives_the_failure_class(script, kind):
    with pytest.raises(AgentError) as caught:
        await shell(script)({}, TaskContext())
    assert classify(caught.value).kind == kind


async def test_the_error_carries_the_end_of_stderr():
    with pytest.raises(Upstream) as caught:
        await shell("yes noise | head -n 100000 >&2; echo the reason >&2; exit 3")({}, TaskContext())
    assert str(caught.value).startswith("sh exited with 3: …")
    assert str(caught.value).endswith("noise\nthe reason")
    assert len(str(caught.value)) < 2000


@given(st.integers(-40, 10), st.sampled_from([40, command.LONGEST_COMPLAINT, TAIL]), st.sampled_from("=\n"))
def test_what_a_cut_left_of_a_secret_at_the_start_of_stderr_is_taken_out(more, kept, after):
    secret = "sk-verysecretvalue-1234567890"
    stderr = (f"[{secret}]" + after * (kept + more)).encode()[-TAIL:]
    failure = classify(Upstream(command._complaint("x", 1, stderr)))
    message = Redaction({"it": secret}).failure(failure).message
    assert not any(secret[at : at + 4] in message for at in range(len(secret) - 3))


async def test_too_much_output_ends_it(monkeypatch):
    monkeypatch.setattr(command, "LARGEST_OUTPUT", 1 << 20)
    with pytest.raises(Exhausted, match="yes wrote more than 1 MiB"):
        await CommandAgent(argv=("yes",))({}, TaskContext())


async def test_an_answer_over_64_bits_is_invalid():
    with pytest.raises(Invalid, match="64 bits"):
        await CommandAgent(argv=("echo", "[1" + "0" * 30 + "]"))({}, TaskContext())


async def test_cancelling_ends_the_whole_group(tmp_path):
    pids = tmp_path / "pids"
    agent = shell(f"sleep 60 & echo $$ $! > {pids}.new; mv {pids}.new {pids}; wait")
    family = await cancelled(agent, pids, 2)
    await until(lambda: not any(alive(pid) for pid in family))


@pytest.mark.parametrize("turns", range(12))
async def test_cancelling_while_it_is_being_started_leaves_nothing(turns):
    mark = f"60.{os.getpid()}{turns:02}"
    task = asyncio.create_task(shell(f"sleep {mark} & sleep {mark}")({}, TaskContext()))
    for _ in range(turns):
        await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    await until(lambda: mark not in running())


async def test_a_group_that_does_not_want_to_end_is_killed_after_the_grace(tmp_path):
    pids = tmp_path / "pids"
    script = f"trap '' TERM; (trap '' TERM; sleep 60 & wait) & echo $$ $! > {pids}.new; mv {pids}.new {pids}; wait"
    family = await cancelled(shell(script, grace=0.05), pids, 2)
    await until(lambda: not any(alive(pid) for pid in family))


async def test_it_may_clean_up_within_the_grace(tmp_path):
    pids, cleaned = tmp_path / "pids", tmp_path / "cleaned"
    script = f"trap 'echo yes > {cleaned}; exit' TERM; sleep 60 & echo $$ > {pids}.new; mv {pids}.new {pids}; wait"
    await cancelled(shell(script), pids, 1)
    assert cleaned.read_text() == "yes\n"


async def test_what_it_leaves_running_is_ended_and_does_not_hold_up_the_answer(tmp_path):
    pids = tmp_path / "pids"
    async with asyncio.timeout(10):
        assert await shell(f"sleep 60 & echo $! > {pids}; echo done")({}, TaskContext()) == "done"
    await until(lambda: not any(alive(pid) for pid in numbers_in(pids)))


async def test_whoever_cares_is_told_of_the_child_for_as_long_as_it_lives():
    told = []

    @contextmanager
    def on_child(pid):
        told.append((pid, alive(pid)))
        yield
        told.append("over")

    pid = await shell("read payload; echo $$")({}, TaskContext(on_child=on_child))
    assert told == [(pid, True), "over"]


async def test_a_program_that_is_not_there_is_an_error_when_read_and_when_asked():
    agent = CommandAgent(argv=("no-such-program",))
    assert list(agent.problems()) == ["argv: there is no program 'no-such-program'"]
    with pytest.raises(Upstream, match="no-such-program cannot be started"):
        await agent({}, TaskContext())


async def test_a_file_that_may_not_be_run_is_denied(tmp_path):
    (tmp_path / "tool").write_text("")
    with pytest.raises(PermissionError) as caught:
        await CommandAgent(argv=("./tool",), folder=str(tmp_path))({}, TaskContext())
    assert classify(caught.value).kind == "denied"


def test_what_is_wrong_is_found_without_starting_anything(tmp_path):
    assert "argv is empty" in next(CommandAgent().problems())
    assert "argv is empty" in next(CommandAgent(argv=("",)).problems())
    assert list(CommandAgent(argv=("cat",), cwd="gone", folder=str(tmp_path)).problems()) == [
        f"cwd: there is no folder {tmp_path / 'gone'}"
    ]
    assert not list(CommandAgent(argv=("cat",)).problems())


def test_its_code_is_its_command_line_and_its_environment_is_not_shown():
    agent = CommandAgent(argv=("cat",), env={"TOKEN": "sesame"})
    assert agent.code() == CommandAgent(argv=("cat",)).code() != CommandAgent(argv=("cat", "-n")).code()
    assert "sesame" not in repr(agent)


async def test_lines_of_a_child_come_one_by_one_and_none_when_it_ends():
    child = await Child.start(("sh", "-c", "echo one; printf 'two\\nthr'; exec sleep 60"), limit=1000)
    try:
        assert [await child.line(), await child.line()] == [b"one", b"two"]
        os.killpg(child.pid, signal.SIGKILL)
        assert await child.line() is None
        assert await child.end() == -signal.SIGKILL
    finally:
        await child.stop()
