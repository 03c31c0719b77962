"""The worker process: answers the questions that come over stdin, one after another, until stdin ends.

The agents it runs may print and read as they like: their stdout is this process's stderr, their stdin is empty.
"""

from __future__ import annotations

import os
import sys
from functools import cache
from typing import BinaryIO

import msgspec

from agentical.agents.failures import classify, retry_after
from agentical.agents.python import PythonAgent
from agentical.executors.protocol import READY, Hello, Reply, Request
from agentical.ports import Edge


def main() -> None:
    """Serve the executor that started this process."""
    requests, replies = _take_pipes()
    hello = msgspec.json.decode(requests.readline(), type=Hello)
    sys.path[:] = hello.path
    _send(replies, READY)
    for line in requests:
        reply = answer(msgspec.json.decode(line, type=Request))
        sys.stdout.flush()
        _send(replies, msgspec.json.encode(reply))


def _send(replies: BinaryIO, line: bytes) -> None:
    replies.write(line + b"\n")
    replies.flush()


def answer(request: Request) -> Reply:
    """Ask the agent. Whatever it raises becomes a failure."""
    context = request.context()
    try:
        result = _agent(request.folder, request.target).work(request.payload, context)
    except Exception as error:
        return Reply(failure=classify(error), retry_after=retry_after(error), usage=context.usage)
    if isinstance(result, Edge):
        return Reply(result.value, result.outcome, result.required, usage=context.usage)
    return Reply(result, usage=context.usage)


@cache
def _agent(folder: str, target: str) -> PythonAgent:
    return PythonAgent(folder=folder, target=target)


def _take_pipes() -> tuple[BinaryIO, BinaryIO]:
    """Keep the pipes for the protocol, out of reach of whatever the agents and their children print or read."""
    requests, replies = os.fdopen(os.dup(0), "rb"), os.fdopen(os.dup(1), "wb")
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    os.close(nothing)
    os.dup2(2, 1)
    return requests, replies


if __name__ == "__main__":
    main()
