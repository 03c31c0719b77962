"""Every playbook: sound, its own tests pass, and on real input it gives real results."""

import hashlib
import json
import subprocess
import sysconfig
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from agentical import Agentical
from agentical.compile import compile_playbook
from agentical.parser import read
from agentical.playbook_tests import Suite, run_case

PLAYBOOKS = Path(__file__).parents[1] / "playbooks"
ALL = sorted(PLAYBOOKS.rglob("*.yaml"))
LIBRARY = Path(sysconfig.get_paths()["stdlib"])


def suite_of(path: Path) -> Suite:
    parsed = read(path)
    return Suite(str(path), compile_playbook(parsed), parsed.text, parsed.playbook.tests)


CASES = [(path, n) for path in ALL for n in range(len(read(path).playbook.tests))]


@pytest.mark.parametrize(("path", "n"), CASES, ids=lambda value: value.stem if isinstance(value, Path) else str(value))
async def test_what_a_playbook_says_of_itself_holds(path, n):
    suite = suite_of(path)
    async with Agentical(store="memory:") as app:
        result = await run_case(app, suite, suite.cases[n])
    assert not result.problems, result.problems


@pytest.mark.parametrize("path", ALL, ids=lambda path: path.stem)
def test_a_playbook_says_what_it_does_how_to_run_it_and_is_tested(path):
    text, playbook = path.read_text(), read(path).playbook
    assert f"agentical run playbooks/{path.relative_to(PLAYBOOKS).as_posix()}" in text.split("\nschema:")[0]
    assert len(playbook.description) > 40
    assert len(playbook.tests) >= 2


async def outputs_of(path: str, /, **inputs):
    settings = inputs.pop("settings", {})
    async with Agentical(store="memory:", **settings) as app:
        run = await app.run(PLAYBOOKS / path, inputs)
        assert run.status == "completed", run.error
        return run.outputs


async def error_of(path: str, /, **inputs) -> str:
    async with Agentical(store="memory:") as app:
        run = await app.run(PLAYBOOKS / path, inputs)
        assert run.status == "failed"
        return run.error["message"]


def repository(root: Path, *messages: str) -> str:
    run = ["git", "-C", str(root), "-c", "user.name=Ada", "-c", "user.email=ada@example.org"]
    subprocess.run([*run, "init", "-q"], check=True)
    for message in messages:
        subprocess.run([*run, "commit", "-q", "--allow-empty", "-m", message], check=True)
    return str(root)


async def test_hello_greets():
    assert await outputs_of("hello.yaml", name="Ada") == {
        "text": "HELLO, ADA! That greeting has 8 letters: Hello, Ada!"
    }


@pytest.fixture
def sources(tmp_path):
    """A few packages of the standard library, with a file among them that does not parse."""
    for name in ("json", "asyncio", "email"):
        for file in (LIBRARY / name).glob("*.py"):
            target = tmp_path / "src" / name / file.name
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(file.read_bytes())
    (tmp_path / "src" / "broken.py").write_text("def f(:\n")
    return str(tmp_path / "src")


async def test_repo_audit_gives_the_same_with_1_4_and_16_at_a_time(sources):
    found = [
        await outputs_of("repo-audit/repo-audit.yaml", path=sources, settings={"max_concurrent_agents": n})
        for n in (1, 4, 16)
    ]
    assert found[0] == found[1] == found[2]
    assert found[0]["counts"]["files"] > 50


async def test_repo_audit_names_a_file_that_does_not_parse_and_goes_on(sources, tmp_path):
    outputs = await outputs_of("repo-audit/repo-audit.yaml", path=sources, report=str(tmp_path / "audit.md"))
    assert outputs["counts"]["unparsable"] == ["broken.py"]
    assert outputs["findings"][0]["rule"] == "syntax-error"
    assert {"asyncio", "email"} <= {finding["file"].split("/")[0] for finding in outputs["findings"]}
    assert (tmp_path / "audit.md").read_text() == outputs["report"]


async def test_repo_health_scores_a_folder(sources):
    outputs = await outputs_of("repo-health/repo-health.yaml", path=sources)
    assert set(outputs["parts"]) == {"papers", "tests", "syntax", "sizes", "marks", "keys", "packaging", "history"}
    assert outputs["parts"]["syntax"]["findings"] == ["broken.py:1 does not parse"]
    assert outputs["failed"] == {}
    assert f"{outputs['score']} of 100 ({outputs['grade']})" in outputs["report"]


async def test_release_notes_come_from_the_git_log(tmp_path):
    outputs = await outputs_of(
        "release-notes/release-notes.yaml", path=repository(tmp_path, "Add a thing", "Fix it (#3)")
    )
    assert [group["name"] for group in outputs["groups"]] == ["feature", "fix"]
    assert "- Fix it (#3) (" in outputs["notes"]


async def test_log_triage_streams_a_log_and_finds_the_incident(tmp_path):
    lines = [f"2026-01-01 10:{n // 60 % 60:02}:{n % 60:02} INFO served user {n} in {n % 7} ms" for n in range(3_000)]
    lines[1_500:1_510] = ["2026-01-01 10:25:00 ERROR connection to 10.0.0.7 refused"] * 10
    (tmp_path / "app.log").write_text("\n".join(lines))
    outputs = await outputs_of("log-triage/log-triage.yaml", path=str(tmp_path / "app.log"), lines=100)
    summary = outputs["summary"]
    assert (summary["lines"], summary["batches"]) == (3_000, 30)
    assert [(t["template"], t["count"]) for t in summary["templates"]] == [
        ("ERROR connection to <ip> refused", 10),
        ("INFO served user <num> in <num> ms", 2_990),
    ]
    assert [(i["first"], i["last"], i["count"]) for i in summary["incidents"]] == [(1_501, 1_510, 10)]


async def test_secret_scan_reports_what_two_detectors_agree_on_and_never_the_secret(tmp_path):
    secret = "ghp_" + "a1B2c3D4e5F6g7H8i9J0k1L2m3N4o5P6q7R8"
    (tmp_path / "app.py").write_text(f"fetch('{secret}')\npassword = 'changeme'\n")
    async with Agentical(store="memory:") as app:
        run = await app.run(PLAYBOOKS / "secret-scan/secret-scan.yaml", {"path": str(tmp_path)})
        journals = [repr([entry.event async for entry in app.events(row.id)]) for row in await app.list(children=True)]
    assert [(s["file"], s["line"], s["kind"]) for s in run.outputs["secrets"]] == [("app.py", 1, "GitHub token")]
    assert len(journals) == 3
    assert secret[4:] not in "".join(journals)


async def test_folder_report_measures_every_subfolder_and_finds_duplicates(sources):
    (Path(sources) / "copy.py").write_bytes((LIBRARY / "email" / "message.py").read_bytes())
    outputs = await outputs_of("folder-report/folder-report.yaml", path=sources)
    assert {folder["folder"] for folder in outputs["folders"]} == {".", "asyncio", "email", "json"}
    assert [group["files"] for group in outputs["duplicates"]] == [["copy.py", "email/message.py"]]
    assert outputs["errors"] == {}
    assert outputs["totals"]["files"] == sum(file.is_file() for file in Path(sources).rglob("*"))


async def test_checksum_tree_gives_the_same_manifest_whichever_strategy_it_picks(sources):
    chosen, found = set(), []
    async with Agentical(store="memory:") as app:
        for _ in range(2):
            run = await app.run(PLAYBOOKS / "checksum-tree/checksum-tree.yaml", {"path": sources})
            assert run.status == "completed", run.error
            view = run.progress.views[run.progress.by_id["hashes"].index]
            chosen.add(view["record"]["choice"])
            found.append(run.outputs)
    assert chosen == {"scatter-gather", "pipeline"}
    assert found[0] == found[1]
    digest = hashlib.sha256((Path(sources) / "broken.py").read_bytes()).hexdigest()
    assert f"{digest}  broken.py\n" in found[0]["manifest"]


async def test_checksum_tree_tells_what_changed(sources, tmp_path):
    old = str(tmp_path / "old.sha256")
    await outputs_of("checksum-tree/checksum-tree.yaml", path=sources, output=old)
    (Path(sources) / "broken.py").unlink()
    outputs = await outputs_of("checksum-tree/checksum-tree.yaml", path=sources, against=old)
    assert outputs["changes"] == {"same": False, "added": [], "removed": ["broken.py"], "changed": []}


class Endpoint(BaseHTTPRequestHandler):
    """Speaks OpenAI's chat completions: a reviewer's typed answer where one is wanted, the lead's text otherwise."""

    def do_POST(self):
        request = json.loads(self.rfile.read(int(self.headers["content-length"])))
        self.server.asked.append(request["messages"][-1]["content"])
        message = {"role": "assistant", "content": "# The review"}
        if request.get("tools"):
            answer = {"choice": "major", "comments": [{"line": 1, "problem": "p", "suggestion": "s"}]}
            function = {"name": request["tools"][0]["function"]["name"], "arguments": json.dumps(answer)}
            message = {"role": "assistant", "tool_calls": [{"id": "c", "type": "function", "function": function}]}
        choice = {"index": 0, "finish_reason": "stop", "message": message}
        body = {"id": "1", "object": "chat.completion", "created": 1, "model": "m", "choices": [choice]}
        data = json.dumps(body).encode()
        self.send_response(200)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, *args):
        pass


@pytest.fixture
def model(monkeypatch):
    server = ThreadingHTTPServer(("127.0.0.1", 0), Endpoint)
    server.asked = []
    monkeypatch.setenv("OPENAI_API_KEY", "sesame-of-the-test")
    monkeypatch.setenv("OPENAI_BASE_URL", f"http://127.0.0.1:{server.server_port}/v1")
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield server
    server.shutdown()
    thread.join()
    server.server_close()


async def test_team_review_asks_any_server_that_speaks_openais_protocol(model, tmp_path):
    patch = tmp_path / "change.patch"
    patch.write_text("".join(f"--- a/{n}.py\n+++ b/{n}.py\n@@ -1 +1 @@\n-x\n+y\n" for n in "ab"))
    outputs = await outputs_of("team-review/team-review.yaml", diff=str(patch))
    assert (outputs["severity"], outputs["report"]) == ("major", "# The review")
    assert [(f["file"], f["severity"]) for f in outputs["reviews"]["files"]] == [("a.py", "major"), ("b.py", "major")]
    assert sum("+y" in text for text in model.asked) == 2


@pytest.mark.parametrize(
    ("name", "inputs", "what"),
    [
        ("repo-audit/repo-audit.yaml", {"path": "/none/such"}, "no folder"),
        ("repo-health/repo-health.yaml", {"path": "/none/such"}, "no folder"),
        ("release-notes/release-notes.yaml", {"path": "/none/such"}, "no folder"),
        ("log-triage/log-triage.yaml", {"path": "/none/such"}, "no file"),
        ("secret-scan/secret-scan.yaml", {"path": "/none/such"}, "no folder"),
        ("folder-report/folder-report.yaml", {"path": "/none/such"}, "no folder"),
        ("checksum-tree/checksum-tree.yaml", {"path": "/none/such"}, "no folder"),
    ],
)
async def test_input_that_is_not_there_is_said_plainly(name, inputs, what):
    assert what in await error_of(name, **inputs)
