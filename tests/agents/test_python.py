"""Python callables as agents."""

from __future__ import annotations

import asyncio
import threading

import pytest

from agentical.agents.python import PythonAgent
from agentical.errors import Invalid
from agentical.ports import Edge, TaskContext

MODULE = """
import asyncio, sys, threading
from dataclasses import dataclass
from agentical.ports import Edge

@dataclass
class Finding:
    path: str
    line: int = 1

async def echo(payload):
    return payload

def scan(path: str, depth: int = 1) -> Finding:
    return Finding(path, depth)

def where():
    return threading.current_thread() is threading.main_thread()

async def where_async():
    return threading.current_thread() is threading.main_thread()

def choose(payload):
    return Edge("bug", Finding("x"))

def ids(context):
    context.charge(tokens_in=3, cost=0.5)
    return [context.execution, context.visit, context.key, context.idempotency_key]

def late():
    return echo("awaited")

async def leave():
    sys.exit(3)

def leave_plain():
    sys.exit("enough")

def bad():
    return {"a": object()}

LOG = []

async def arrive(n: int):
    try:
        for i in range(n):
            LOG.append(i)
            yield i
    finally:
        LOG.append("closed")

def count(n: int):
    LOG.append(threading.current_thread() is threading.main_thread())
    try:
        for i in range(n):
            LOG.append(i)
            yield Finding(str(i))
    finally:
        LOG.append(("closed", threading.current_thread() is threading.main_thread()))

async def resume(n: int, skip: int):
    for i in range(skip, n):
        yield i

async def stop_short():
    yield 1
    sys.exit(4)

class Doubler:
    async def __call__(self, value: int):
        return value * 2

double = Doubler()
number = 5
"""


@pytest.fixture
def python(tmp_path):
    (tmp_path / "agents.py").write_text(MODULE)

    def agent(name, **options):
        return PythonAgent(target=f"agents.{name}", folder=str(tmp_path), **options)

    return agent


def log_of(agent):
    return agent.callee.function.__globals__["LOG"]


async def until(condition):
    async with asyncio.timeout(5):
        while not condition():  # noqa: ASYNC110 - what is awaited is in another thread or process
            await asyncio.sleep(0.001)


async def test_an_async_function_is_asked_with_its_payload(python):
    assert await python("echo")({"a": [1]}, TaskContext()) == {"a": [1]}


async def test_a_plain_function_gets_keyword_arguments_and_its_result_becomes_json(python):
    assert await python("scan")({"path": "a.py", "depth": 2}, TaskContext()) == {"path": "a.py", "line": 2}
    assert await python("scan")("b.py", TaskContext()) == {"path": "b.py", "line": 1}


async def test_a_wrong_payload_is_invalid_and_named(python):
    with pytest.raises(Invalid, match="scan cannot take this payload: missing path; unexpected file"):
        await python("scan")({"file": "a.py"}, TaskContext())


async def test_a_wrong_answer_is_invalid_and_named(python):
    with pytest.raises(Invalid, match=r"answer\.a is a object"):
        await python("bad")({}, TaskContext())


@pytest.mark.parametrize(
    ("name", "executor", "on_the_loop"),
    [("where_async", None, True), ("where", None, False), ("where", "here", True), ("where_async", "here", True)],
)
async def test_what_awaits_runs_on_the_event_loop_and_what_does_not_in_a_thread(python, name, executor, on_the_loop):
    assert await python(name, executor=executor)({}, TaskContext()) is on_the_loop


def test_it_says_which_executor_runs_it(python):
    assert [python(name).runs_in for name in ("echo", "arrive", "double")] == ["here"] * 3
    assert [python(name).runs_in for name in ("scan", "count")] == ["threads"] * 2
    assert [python("echo", executor=name).runs_in for name in ("here", "threads", "processes")] == [
        "here", "threads", "processes",
    ]  # fmt: skip


def test_it_can_be_asked_where_no_event_loop_runs(python):
    asked = [python(name).work(payload, TaskContext()) for name, payload in (("echo", 1), ("count", 1), ("arrive", 2))]
    assert asked == [1, [{"path": "0", "line": 1}], [0, 1]]


async def test_an_edge_passes_through(python):
    assert await python("choose")({}, TaskContext()) == Edge("bug", {"path": "x", "line": 1})


async def test_the_context_tells_ids_and_charges_the_task(python):
    context = TaskContext("e", "v", "k", idempotency_key="i")
    assert await python("ids")({}, context) == ["e", "v", "k", "i"]
    assert (context.usage.tokens_in, context.usage.cost) == (3, 0.5)


async def test_a_plain_function_that_returns_an_awaitable_is_awaited(python):
    assert await python("late")({}, TaskContext()) == "awaited"
    assert await python("late", executor="here")({}, TaskContext()) == "awaited"


@pytest.mark.parametrize(("name", "code"), [("leave", "3"), ("leave_plain", "'enough'")])
async def test_sys_exit_fails_the_task_and_nothing_else(python, name, code):
    with pytest.raises(RuntimeError, match=rf"{name} called sys.exit\({code}\)"):
        await python(name)({}, TaskContext())


async def test_sys_exit_in_a_generator_fails_the_task_and_nothing_else(python):
    with pytest.raises(RuntimeError, match=r"stop_short called sys.exit\(4\)"):
        [item async for item in python("stop_short").stream({}, TaskContext())]


def test_a_plain_function_that_returns_an_awaitable_is_awaited_without_a_loop_too(python):
    assert python("late").work({}, TaskContext()) == "awaited"


async def test_an_object_with_a_call_method_is_an_agent(python):
    assert await python("double")({"value": 4}, TaskContext()) == 8


async def test_a_plain_generator_that_ends_by_itself_is_closed(python):
    assert [item["path"] async for item in python("count").stream({"n": 2}, TaskContext())] == ["0", "1"]


@pytest.mark.parametrize("name", ["arrive", "count"])
async def test_a_generator_asked_as_an_agent_gives_the_list_of_its_items(python, name):
    answer = await python(name)({"n": 2}, TaskContext())
    assert answer in ([0, 1], [{"path": "0", "line": 1}, {"path": "1", "line": 1}])


async def test_a_stream_yields_items_as_they_are_made(python):
    agent = python("arrive")
    stream = agent.stream({"n": 3}, TaskContext())
    assert await anext(stream) == 0
    assert log_of(agent) == [0]
    await stream.aclose()
    assert log_of(agent) == [0, "closed"]


async def test_a_plain_generator_runs_lazily_in_one_thread_of_its_own(python):
    agent = python("count")
    stream = agent.stream({"n": 3}, TaskContext())
    assert await anext(stream) == {"path": "0", "line": 1}
    assert log_of(agent) == [False, 0]
    await stream.aclose()
    await until(lambda: len(log_of(agent)) == 3)
    assert log_of(agent) == [False, 0, ("closed", False)]


@pytest.mark.parametrize("name", ["arrive", "resume"])
async def test_a_stream_leaves_out_what_is_recorded_already(python, name):
    agent = python(name)
    assert [item async for item in agent.stream({"n": 5}, TaskContext(skip=3))] == [3, 4]


async def test_a_generator_that_takes_skip_does_not_make_them_again(python):
    assert await python("resume")({"n": 3}, TaskContext()) == [0, 1, 2]


async def test_what_is_no_generator_is_no_source(python):
    with pytest.raises(Invalid, match="echo yields nothing"):
        [item async for item in python("echo").stream({}, TaskContext())]


async def test_a_module_is_not_run_before_it_is_asked(tmp_path):
    (tmp_path / "loud.py").write_text("raise RuntimeError('ran')\ndef f(): ...\n")
    agent = PythonAgent(target="loud.f", folder=str(tmp_path))
    assert not list(agent.problems())
    assert agent.code()
    with pytest.raises(RuntimeError, match="ran"):
        await agent({}, TaskContext())


@pytest.mark.parametrize(
    ("target", "problem"),
    [
        ("agents.scam", "module agents defines no 'scam' at its top level. Did you mean 'scan'?"),
        ("agents.zzz", "module agents defines no 'zzz' at its top level"),
        ("nowhere.f", "there is no module nowhere beside the playbook, and none is installed"),
        ("broken.f", "broken.py: line 2: invalid syntax"),
        (
            "email.message.Massage",
            "module email.message defines no 'Massage' at its top level. Did you mean 'Message'?",
        ),
        ("scan", "'scan' is not MODULE.CALLABLE"),
        ("a-b.c", "'a-b.c' is not MODULE.CALLABLE"),
        ("", "'' is not MODULE.CALLABLE"),
    ],
)
def test_what_is_wrong_is_found_without_running_it(python, tmp_path, target, problem):
    python("x")
    (tmp_path / "broken.py").write_text("x = 1\ndef f(:\n")
    assert list(PythonAgent(target=target, folder=str(tmp_path)).problems()) == [problem]


@pytest.mark.parametrize("target", ["agents.scan", "agents.double", "math.sqrt", "email.message.Message"])
def test_a_good_target_has_no_problems(python, target):
    folder = python("x").folder
    assert not list(PythonAgent(target=target, folder=folder).problems())


@pytest.mark.parametrize(
    ("target", "error"), [("agents.gone", LookupError), ("agents.number", TypeError), ("gone.f", ModuleNotFoundError)]
)
async def test_what_cannot_be_called_fails_when_asked(python, target, error):
    with pytest.raises(error):
        await PythonAgent(target=target, folder=python("x").folder)({}, TaskContext())


def test_the_code_is_the_hash_of_the_source(python, tmp_path):
    before = python("echo").code()
    assert before == python("scan").code()
    (tmp_path / "agents.py").write_text(MODULE + "\n")
    assert python("echo").code() != before
    assert PythonAgent(target="math.sqrt").code() != PythonAgent(target="math.cos").code()


async def test_many_plain_functions_run_at_once(python):
    barrier = threading.Barrier(3, timeout=5)
    agent = python("echo")
    agent.callee.function.__globals__["meet"] = lambda: barrier.wait() >= 0
    meet = python("meet")
    assert await asyncio.gather(*(meet({}, TaskContext()) for _ in range(3))) == [True] * 3
