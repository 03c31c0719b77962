"""Language models, over real HTTP against a local server that speaks OpenAI's chat completions."""

from __future__ import annotations

import asyncio
import gc
import json
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from agentical.agents.failures import classify, retry_after
from agentical.agents.llm import LlmAgent
from agentical.errors import Exhausted, Invalid, PluginUnknown, TimedOut
from agentical.executors.local import HereExecutor
from agentical.ports import TaskContext

SCHEMA = {"type": "object", "properties": {"severity": {"enum": ["low", "high"]}}, "required": ["severity"]}


class FakeModel(ThreadingHTTPServer):
    """Answers each request with the next of `answers`: text, a tool call, an HTTP status with headers; an Event: never."""

    daemon_threads = True

    def __init__(self):
        self.answers, self.requests, self.keys = [], [], []
        super().__init__(("127.0.0.1", 0), Endpoint)

    @property
    def url(self):
        return f"http://127.0.0.1:{self.server_port}/v1"


class Endpoint(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_POST(self):
        request = json.loads(self.rfile.read(int(self.headers["content-length"])))
        self.server.requests.append(request)
        self.server.keys.append(self.headers["authorization"])
        answer = self.server.answers.pop(0)
        if isinstance(answer, threading.Event):
            answer.wait(10)
            self.close_connection = True
            return
        status, headers, body = answer
        data = json.dumps(body).encode()
        self.send_response(status)
        for name, value in {"content-type": "application/json", "content-length": str(len(data)), **headers}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, *args):
        pass


def said(text=None, tool=None, arguments=None):
    message = {"role": "assistant", "content": text}
    if tool:
        function = {"name": tool, "arguments": json.dumps(arguments) if not isinstance(arguments, str) else arguments}
        message["tool_calls"] = [{"id": "call_1", "type": "function", "function": function}]
    choice = {"index": 0, "finish_reason": "tool_calls" if tool else "stop", "message": message}
    usage = {"prompt_tokens": 7, "completion_tokens": 5, "total_tokens": 12}
    body = {"id": "c1", "object": "chat.completion", "created": 1, "model": "m", "choices": [choice], "usage": usage}
    return 200, {}, body


def refused(status, **headers):
    return status, headers, {"error": {"message": "no", "type": "x", "code": None, "param": None}}


@pytest.fixture
def server():
    server = FakeModel()
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield server
    server.shutdown()
    thread.join()
    server.server_close()


def agent(server, **options):
    return LlmAgent(model="local", base_url=server.url, **options)


async def test_the_payload_is_the_message_and_the_text_the_answer(server):
    server.answers = [said("fine")]
    answer = await agent(server, instructions="Be short.", temperature=0.5, max_tokens=9)("How?", TaskContext())
    request = server.requests[0]
    assert answer == "fine"
    assert [(m["role"], m["content"]) for m in request["messages"]] == [("system", "Be short."), ("user", "How?")]
    assert request["model"] == "local"
    assert request["temperature"] == 0.5
    assert 9 in (request.get("max_tokens"), request.get("max_completion_tokens"))


async def test_json_is_printed_for_the_model(server):
    server.answers = [said("fine")]
    await agent(server)({"file": "ä.py"}, TaskContext())
    assert server.requests[0]["messages"][-1]["content"] == '{\n  "file": "ä.py"\n}'


async def test_usage_is_charged_to_the_task(server):
    server.answers = [said("fine")]
    context = TaskContext()
    await agent(server)("How?", context)
    assert (context.usage.tokens_in, context.usage.tokens_out) == (7, 5)


async def test_a_key_is_sent_where_there_is_one_and_never_shown(server):
    server.answers = [said("fine")]
    keyed = agent(server, api_key="sesame")
    await keyed("How?", TaskContext())
    assert server.keys == ["Bearer sesame"]
    assert "sesame" not in repr(keyed)


async def test_a_schema_makes_the_answer_typed(server):
    server.answers = [said(tool="final_result", arguments={"severity": "high"})]
    answer = await agent(server)("Judge.", TaskContext(schema=SCHEMA))
    assert answer == {"severity": "high"}
    assert server.requests[0]["tools"][0]["function"]["parameters"]["properties"] == SCHEMA["properties"]


async def test_an_answer_that_is_no_object_is_asked_for_inside_one(server):
    schema = {"type": "array", "items": {"$ref": "#/$defs/n"}, "$defs": {"n": {"type": "integer"}}}
    server.answers = [said(tool="final_result", arguments={"answer": [1, 2]})]
    assert await agent(server)("Count.", TaskContext(schema=schema)) == [1, 2]


@pytest.mark.parametrize("bad", [{"severity": "huge"}, {}, "{not json"])
async def test_a_bad_answer_is_repaired_once_and_the_model_told_why(server, bad):
    server.answers = [
        said(tool="final_result", arguments=bad),
        said(tool="final_result", arguments={"severity": "low"}),
    ]
    context = TaskContext(schema=SCHEMA)
    assert await agent(server)("Judge.", context) == {"severity": "low"}
    assert context.usage.tokens_in == 14
    complaint = json.dumps(server.requests[1]["messages"][-1])
    assert "severity" in complaint or "JSON" in complaint


async def test_a_second_bad_answer_is_invalid_and_what_it_cost_is_charged(server):
    server.answers = [said(tool="final_result", arguments={"severity": "huge"}) for _ in range(2)]
    context = TaskContext(schema=SCHEMA)
    with pytest.raises(Invalid, match=r"local: .*huge"):
        await agent(server)("Judge.", context)
    assert context.usage.tokens_in == 14


async def test_the_model_calls_a_python_function_beside_the_playbook(server, tmp_path):
    (tmp_path / "desk.py").write_text(
        "def count_lines(path: str) -> int:\n    '''How many lines a file has.'''\n    return len(path)\n"
    )
    server.answers = [said(tool="count_lines", arguments={"path": "abc"}), said("three")]
    answer = await agent(server, folder=str(tmp_path), tools=("python:desk.count_lines",))("How long?", TaskContext())
    offered = server.requests[0]["tools"][0]["function"]
    assert answer == "three"
    assert (offered["name"], offered["description"]) == ("count_lines", "How many lines a file has.")
    assert server.requests[1]["messages"][-1] == {"role": "tool", "tool_call_id": "call_1", "content": "3"}


@pytest.mark.parametrize(
    ("answer", "kind", "seconds"),
    [
        (refused(429, **{"retry-after": "7"}), "rate-limited", 7.0),
        (refused(500), "transient", None),
        (refused(503), "transient", None),
        (refused(401), "denied", None),
        (refused(403), "denied", None),
        (refused(400), "invalid", None),
    ],
)
async def test_an_http_error_has_its_class_and_is_not_retried_here(server, answer, kind, seconds):
    server.answers = [answer]
    with pytest.raises(Exception) as caught:
        await agent(server)("How?", TaskContext())
    assert classify(caught.value).kind == kind
    assert retry_after(caught.value) == seconds
    assert len(server.requests) == 1


async def test_a_model_that_does_not_answer_in_time_has_timed_out_and_can_be_asked_again(server):
    done = threading.Event()
    server.answers = [said("fine"), said(tool="look", arguments={}), done, said("better")]
    model = agent(server)
    assert await HereExecutor().run(model, "How?", TaskContext(timeout=30)) == "fine"
    context = TaskContext(timeout=0.3)
    with pytest.raises(TimedOut, match=r"no answer within 0\.3 s"):
        await HereExecutor().run(model, "How?", context)
    done.set()
    assert context.usage.tokens_in == 7
    assert await HereExecutor().run(model, "How?", TaskContext()) == "better"


async def test_a_server_that_is_not_there_is_transient():
    with pytest.raises(Exception) as caught:
        await LlmAgent(model="local", base_url="http://127.0.0.1:9/v1")("How?", TaskContext())
    assert classify(caught.value).kind == "transient"


def test_one_agent_serves_several_event_loops_and_leaves_no_connection_open(server):
    server.answers = [said("one"), said("two")]
    asked = agent(server)
    assert [asyncio.run(asked("How?", TaskContext())) for _ in range(2)] == ["one", "two"]
    gc.collect()  # an unclosed socket would warn, and a warning is an error


async def test_several_asks_at_once_share_the_agent(server):
    server.answers = [said("fine") for _ in range(5)]
    asked = agent(server)
    assert await asyncio.gather(*(asked("How?", TaskContext()) for _ in range(5))) == ["fine"] * 5


async def test_a_model_without_its_key_is_invalid_and_says_which_key(monkeypatch):
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    with pytest.raises(Invalid, match="OPENAI_API_KEY"):
        await LlmAgent(model="openai:gpt-5")("How?", TaskContext())


async def test_a_named_provider_gets_the_key_of_the_playbook(server, monkeypatch):
    monkeypatch.setenv("OPENAI_BASE_URL", server.url)
    monkeypatch.setenv("OPENAI_API_KEY", "another")
    server.answers = [said("fine")]
    assert await LlmAgent(model="openai-chat:gpt-5", api_key="sesame")("How?", TaskContext()) == "fine"
    assert server.keys == ["Bearer sesame"]


async def test_a_model_that_never_stops_calling_tools_is_exhausted(server, tmp_path):
    (tmp_path / "desk.py").write_text("def look() -> int:\n    return 1\n")
    server.answers = [said(tool="look", arguments={}) for _ in range(60)]
    context = TaskContext()
    with pytest.raises(Exhausted, match="local: "):
        await agent(server, folder=str(tmp_path), tools=("python:desk.look",))("Look.", context)
    assert context.usage.tokens_in == 7 * len(server.requests)


async def test_an_answer_that_should_be_wrapped_and_is_not_is_repaired(server):
    server.answers = [said(tool="final_result", arguments={"x": 1}), said(tool="final_result", arguments={"answer": 2})]
    assert await agent(server)("Count.", TaskContext(schema={"type": "integer"})) == 2


async def test_without_the_extra_it_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "pydantic_ai.models", None)
    with pytest.raises(PluginUnknown, match=r"pip install 'agentical\[llm\]'"):
        await LlmAgent(model="openai:gpt-5")("How?", TaskContext())


def test_a_missing_extra_is_found_when_the_playbook_is_read(monkeypatch):
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    assert "pip install 'agentical[llm]'" in next(LlmAgent(model="openai:gpt-5").problems())


def test_what_is_wrong_is_found_without_asking():
    wrong = LlmAgent(model="gpt", tools=("desk.count", "python:nowhere.count"))
    assert list(wrong.problems()) == [
        "model 'gpt' names no provider: PROVIDER:NAME, or give base-url",
        "tool 'desk.count' is not python:MODULE.CALLABLE",
        "tool python:nowhere.count: there is no module nowhere beside the playbook, and none is installed",
    ]
    assert list(LlmAgent().problems()) == ["model is missing: PROVIDER:NAME or, with base-url, NAME"]
    assert not list(LlmAgent(model="gpt", base_url="http://127.0.0.1/v1").problems())


def test_the_code_changes_with_the_instructions_and_not_with_the_key():
    first = LlmAgent(model="a:b", instructions="x", api_key="1")
    assert first.code() == LlmAgent(model="a:b", instructions="x", api_key="2").code()
    assert first.code() != LlmAgent(model="a:b", instructions="y", api_key="1").code()
