"""Every exception has one failure class."""

from __future__ import annotations

import errno
import socket
from types import SimpleNamespace

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from agentical import errors
from agentical.agents.failures import LONGEST_MESSAGE, classify, retry_after
from agentical.events import Failure


class HttpError(Exception):
    def __init__(self, status, **headers):
        self.status_code = status
        self.headers = headers


class ResponseError(Exception):
    def __init__(self, status, **headers):
        self.response = SimpleNamespace(status_code=status, headers=headers)


class TransportError(Exception):
    """As httpx calls it."""


@pytest.mark.parametrize(
    ("exception", "kind"),
    [
        (ConnectionResetError("x"), "transient"),
        (TimeoutError(), "transient"),
        (OSError(errno.EHOSTUNREACH, "x"), "transient"),
        (OSError(errno.EAGAIN, "x"), "transient"),
        (OSError(errno.ENOSPC, "x"), "exhausted"),
        (OSError(errno.EMFILE, "x"), "exhausted"),
        (FileNotFoundError(errno.ENOENT, "x"), "bug"),
        (MemoryError(), "exhausted"),
        (PermissionError(errno.EACCES, "x"), "denied"),
        (socket.gaierror(socket.EAI_AGAIN, "x"), "transient"),
        (socket.gaierror(socket.EAI_NONAME, "x"), "upstream"),
        (type("ReadTimeout", (TransportError,), {})("x"), "transient"),
        (ValueError("x"), "bug"),
        (KeyError("x"), "bug"),
        (ZeroDivisionError(), "bug"),
        (HttpError(429), "rate-limited"),
        (HttpError(500), "transient"),
        (HttpError(529), "transient"),
        (HttpError(401), "denied"),
        (HttpError(403), "denied"),
        (HttpError(400), "invalid"),
        (HttpError(422), "invalid"),
        (HttpError(404), "bug"),
        (ResponseError(503), "transient"),
        (errors.Transient("x"), "transient"),
        (errors.RateLimited("x"), "rate-limited"),
        (errors.Exhausted("x"), "exhausted"),
        (errors.Invalid("x"), "invalid"),
        (errors.Denied("x"), "denied"),
        (errors.Upstream("x"), "upstream"),
        (errors.AgentError("x"), "bug"),
        (errors.CallInvalid("x"), "invalid"),
        (errors.BudgetExceeded("tasks", 3), "exhausted"),
        (errors.StoreError("x"), "transient"),
        (errors.OwnershipLost("x"), "transient"),
        (errors.JournalDamaged("x", 1, "y"), "upstream"),
        (errors.StrategyMisused("x"), "bug"),
        (errors.ExecutionFailed("x", "y"), "upstream"),
    ],
)
def test_an_exception_has_its_class(exception, kind):
    assert classify(exception).kind == kind
    assert classify(ExceptionGroup("several", [exception])).kind == kind


def test_the_message_is_type_and_text_and_never_a_traceback():
    with pytest.raises(KeyError) as caught:
        {}["missing"]
    assert classify(caught.value).message == "KeyError: 'missing'"
    assert classify(TimeoutError()).message == "TimeoutError"
    assert classify(errors.Invalid("not a number")).message == "not a number"


@given(st.text())
def test_a_message_is_never_longer_than_its_bound(text):
    assert len(classify(ValueError(text * 3000)).message) <= LONGEST_MESSAGE


def test_a_message_can_always_be_written_down():
    failure = classify(ValueError("cannot read \udcff.txt"))
    assert failure.message == "ValueError: cannot read ?.txt"
    strange = type("Strange", (errors.AgentError,), {"failure_class": None, "code": 42})("\udcff")
    for one in (failure, classify(strange)):
        assert msgspec.json.decode(msgspec.json.encode(one), type=Failure) == one


def test_the_failure_of_a_step_within_keeps_its_code():
    failure = classify(errors.StepFailed("no edge fits", code="NO_BRANCH", failure_class="invalid"))
    assert (failure.kind, failure.code, failure.message) == ("invalid", "NO_BRANCH", "no edge fits")
    failed = errors.TaskFailed("k", "m", "denied", "no", "KEY")
    assert (classify(failed).kind, classify(failed).code) == ("denied", "KEY")


def caused(by):
    error = RuntimeError("wrapped")
    error.__cause__ = by
    return error


@pytest.mark.parametrize(
    ("exception", "seconds"),
    [
        (errors.RateLimited("x", retry_after=3.5), 3.5),
        (errors.RateLimited("x"), None),
        (errors.RateLimited("x", retry_after=-1), 0.0),
        (errors.RateLimited("x", retry_after=float("nan")), None),
        (errors.RateLimited("x", retry_after=float("inf")), None),
        (errors.RateLimited("x", retry_after=10**400), None),
        (HttpError(429, **{"retry-after-ms": "inf"}), None),
        (HttpError(429, **{"Retry-After": "12"}), 12.0),
        (HttpError(429, **{"retry-after-ms": "1500", "retry-after": "9"}), 1.5),
        (ResponseError(429, **{"retry-after": "2"}), 2.0),
        (caused(ResponseError(429, **{"retry-after": "2"})), 2.0),
        (
            HttpError(429, **{"retry-after": "Fri, 31 Dec 1999 23:59:59 GMT", "Date": "Fri, 31 Dec 1999 23:59:29 GMT"}),
            30,
        ),
        (HttpError(429, **{"retry-after": "Fri, 31 Dec 1999 23:59:59 GMT"}), None),
        (HttpError(429, **{"retry-after": "soon"}), None),
        (HttpError(429), None),
        (ValueError("x"), None),
    ],
)
def test_the_wait_that_is_asked_for_is_found(exception, seconds):
    assert retry_after(exception) == seconds
