"""run, resume, replay: what is printed where, and the exit statuses."""

from __future__ import annotations

import json
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from agentical.runs import Run
from agentical.sdk import Agentical


def test_a_run_prints_its_outputs_as_one_json_object_and_nothing_else_on_stdout(process) -> None:
    status, out, err = process("run", "one.yaml", "-i", "text=hello")
    assert (status, json.loads(out)) == (0, {"text": "hello"})
    assert "an agent's own words" in err


def test_progress_and_receipt_are_lines_on_stderr_the_id_first(process) -> None:
    lines = process("run", "one.yaml", "--id", "mine").err.splitlines()
    assert lines[0] == "mine: started"
    assert [line for line in lines if line.startswith("say: completed in ")]
    assert lines[-1].startswith(
        "receipt: asked 1, answered 1, from record 0, repeated 0, retried 0, failed 0, tokens 0 in"
    )


def test_quiet_leaves_stderr_to_the_agents(call) -> None:
    assert call("run", "one.yaml", "--quiet").err == "an agent's own words\n"


def test_with_json_a_run_prints_id_status_outputs_error_and_receipt(call) -> None:
    status, out, _ = call("run", "one.yaml", "--json", "--id", "mine")
    found = json.loads(out)
    receipt = found.pop("receipt")
    assert (status, found) == (0, {"id": "mine", "status": "completed", "outputs": {"text": "hi"}, "error": None})
    assert (receipt["asked"], receipt["answered_from_record"], receipt["repeated"]) == (1, 0, 0)


def test_a_failed_run_tells_step_class_and_message_and_exits_1(call) -> None:
    status, out, err = call("run", "fails.yaml", "--id", "f")
    assert (status, out) == (1, "")
    assert err.splitlines()[-1] == "f failed: step first: fail: ValueError: it is Monday (bug, TASK_FAILED)"
    assert "second: skipped, a step it needs failed" in err


def test_a_failed_run_with_json_says_so_in_json(call) -> None:
    status, out, _ = call("run", "fails.yaml", "--json", "-q")
    found = json.loads(out)
    assert (status, found["status"], found["outputs"]) == (1, "failed", None)
    assert (found["error"]["class"], found["error"]["step"]) == ("bug", "first")


def test_a_cancelled_run_exits_4(call) -> None:
    status, out, err = call("run", "vote.yaml", "--id", "v")
    assert (status, out) == (4, "")
    assert err.splitlines()[-1] == "v is cancelled"


def test_a_wrong_playbook_is_its_mistakes_and_exits_2(call) -> None:
    status, out, err = call("run", "wrong.yaml")
    assert (status, out) == (2, "")
    assert err.splitlines() == [
        "wrong.yaml:2:7: name: `Wrong` is not a name. Use small letters, digits and -.",
        "wrong.yaml:5:21: steps.say.wth: unknown key. Did you mean `with`?",
        "2 mistakes.",
    ]


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["-i", "nonsense"], "-i takes KEY=VALUE"),
        (["-i", "txt=a"], "Did you mean `text`?"),
        (["-i", "times=many"], "'many' is not of type 'integer'"),
        (["--inputs", "missing.json"], "missing.json cannot be read"),
        (["--store", "what:ever"], "no store is called 'what'"),
    ],
)
def test_a_wrong_call_says_what_is_wrong_and_exits_2(call, arguments: list[str], told: str) -> None:
    status, out, err = call("run", "one.yaml", *arguments)
    assert (status, out) == (2, "")
    assert told in err


def test_a_store_that_cannot_be_written_is_one_clear_line(call, folder: Path) -> None:
    status, out, err = call("run", "one.yaml", "--store", f"sqlite:///{folder}/one.yaml/store.db")
    assert (status, out, err.count("\n")) == (1, "", 1)
    assert "its folder cannot be made" in err


def test_inputs_come_from_a_file_and_single_ones_go_over_them(call, folder: Path) -> None:
    (folder / "inputs.yaml").write_text("text: from the file\ntimes: 2\n")
    assert json.loads(call("run", "one.yaml", "--inputs", "inputs.yaml", "-i", "text=a").out) == {"text": "aa"}


def test_inputs_come_from_stdin(process) -> None:
    assert json.loads(process("run", "one.yaml", "--inputs", "-", input='{"text": "b"}').out) == {"text": "b"}


def test_the_same_id_never_starts_twice(call, folder: Path) -> None:
    first = call("run", "slow.yaml", "--id", "once", "-i", "n=2", "-i", "each=0")
    again = call("run", "slow.yaml", "--id", "once")
    assert (again.status, again.out) == (0, first.out)
    assert sorted((folder / "asked.txt").read_text().split()) == ["0", "1"]


def test_other_inputs_under_an_id_that_has_begun_are_a_wrong_call(call) -> None:
    call("run", "one.yaml", "--id", "once")
    status, _, err = call("run", "one.yaml", "--id", "once", "-i", "text=other")
    assert (status, "with other inputs" in err) == (2, True)


def test_the_environment_names_the_store(call, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AGENTICAL_STORE", f"sqlite:///{folder}/elsewhere/s.db")
    assert call("run", "one.yaml", "-q").status == 0
    assert (folder / "elsewhere" / "s.db").exists()
    assert not (folder / ".agentical").exists()


def test_resuming_what_has_ended_gives_its_outputs_again(call) -> None:
    call("run", "one.yaml", "--id", "done")
    status, out, _ = call("resume", "done", "-q")
    assert (status, json.loads(out)) == (0, {"text": "hi"})
    call("run", "fails.yaml", "--id", "failed")
    assert call("resume", "failed", "-q").status == 1


def test_replay_says_that_everything_is_the_same_again(call) -> None:
    call("run", "one.yaml", "--id", "done")
    status, out, err = call("replay", "done")
    assert (status, err) == (0, "")
    assert out.startswith("done: the same again, nobody was asked")
    assert json.loads(call("replay", "done", "--json").out)["same"] is True


@pytest.mark.parametrize("name", ["resume", "replay", "show", "events"])
def test_an_id_that_nobody_knows_is_a_wrong_call(call, name: str) -> None:
    call("run", "one.yaml", "-q")
    status, out, err = call(name, "nobody")
    assert (status, out) == (2, "")
    assert "holds no execution 'nobody'" in err


def test_a_damaged_journal_goes_on_only_when_its_loss_is_accepted(call, folder: Path) -> None:
    call("run", "slow.yaml", "-q", "--id", "d", "-i", "n=2", "-i", "each=0")
    with closing(sqlite3.connect(folder / ".agentical" / "agentical.db")) as store, store:
        [(n, first, body)] = store.execute("SELECT n, first, body FROM journal ORDER BY n DESC LIMIT 1").fetchall()
        store.execute("UPDATE journal SET body = ? WHERE n = ?", (bytes([body[0] ^ 1]) + body[1:], n))
        store.execute("UPDATE executions SET status = 'running'")
    status, out, err = call("resume", "d")
    assert (status, out) == (1, "")
    assert f"agentical resume d --accept-loss {first}" in err
    status, out, _ = call("resume", "d", "--accept-loss", first)
    assert (status, json.loads(out)) == (0, {"done": [0, 2]})


def test_what_a_person_accepts_is_handed_on(call, monkeypatch: pytest.MonkeyPatch) -> None:
    call("run", "one.yaml", "-q", "--id", "x")
    handed: list[dict[str, object]] = []

    async def resume(app: Agentical, id: str, **accepted: object) -> Run:
        handed.append(accepted)
        return await app.show(id)

    monkeypatch.setattr(Agentical, "resume", resume)
    assert call("resume", "x", "--accept-code", "--accept-crash-loop").status == 0
    assert handed == [{"accept_code": True, "accept_crash_loop": True, "accept_loss": None}]
