"""What kind of failure an exception is: the one place where exceptions become failure classes."""

from __future__ import annotations

import errno
import socket
import sys
from collections.abc import Mapping
from email.utils import parsedate_to_datetime
from typing import Any, Final

from agentical.errors import (
    AgentError,
    AgenticalError,
    BudgetExceeded,
    CallInvalid,
    PlaybookInvalid,
    StepFailed,
    StoreError,
    StrategyDiverged,
    StrategyMisused,
    TaskFailed,
)
from agentical.events import Failure

LONGEST_MESSAGE: Final = 2000

_TRANSIENT_ERRNOS: Final = frozenset(
    {errno.EAGAIN, errno.EINTR, errno.EBUSY, errno.EHOSTUNREACH, errno.EHOSTDOWN, errno.ENETUNREACH, errno.ENETDOWN}
    | {errno.ENETRESET, errno.ETIMEDOUT, errno.ESTALE}
)
_EXHAUSTED_ERRNOS: Final = frozenset({errno.ENOSPC, errno.EMFILE, errno.ENFILE, errno.ENOMEM, errno.EDQUOT})

# HTTP and model clients do not derive their errors from the built-in ones, and are not imported to find out.
_NAMES: Final = {
    "TransportError": "transient", "ConnectionError": "transient", "Timeout": "transient",
    "TimeoutException": "transient", "APIConnectionError": "transient", "ClientConnectionError": "transient",
    "ModelConnectionError": "transient", "ModelUnavailableError": "transient", "ModelServerError": "transient",
    "ModelQuotaExceededError": "exhausted", "ModelRateLimitError": "rate-limited",
    "ModelAuthenticationError": "denied",
}  # fmt: skip
_STATUSES: Final = {
    400: "invalid", 401: "denied", 402: "denied", 403: "denied", 407: "denied", 408: "transient", 413: "invalid",
    422: "invalid", 425: "transient", 429: "rate-limited",
}  # fmt: skip


def classify(exception: BaseException) -> Failure:
    """The failure an exception stands for. The message is its type and text, never a traceback."""
    exception = _innermost(exception)
    if isinstance(exception, AgenticalError):
        return _classify_ours(exception)
    kind = _kind_of_name(exception) or _kind_of_status(status_code(exception)) or _kind(exception)
    return Failure(kind, _message(exception))


def retry_after(exception: BaseException) -> float | None:
    """The seconds to wait that the exception, or the HTTP answer it carries, asks for; None for what is no time."""
    exception = _innermost(exception)
    said = getattr(exception, "retry_after", None)
    if isinstance(said, int | float):
        return _finite(said)
    for source in (exception, exception.__cause__):
        headers = _headers(source)
        if headers is not None and (seconds := _seconds(headers)) is not None:
            return seconds
    return None


def status_code(exception: BaseException) -> int | None:
    """The HTTP status an exception of an HTTP client carries."""
    for holder in (exception, getattr(exception, "response", None)):
        status = getattr(holder, "status_code", None)
        if isinstance(status, int) and 100 <= status < 600:
            return status
    return None


def _innermost(exception: BaseException) -> BaseException:
    while isinstance(exception, BaseExceptionGroup):
        exception = exception.exceptions[0]
    return exception


def _classify_ours(exception: AgenticalError) -> Failure:
    code = exception.code
    match exception:
        case AgentError():
            kind = exception.failure_class
        case TaskFailed() | StepFailed():
            kind, code = exception.failure_class, exception.failure_code
        case CallInvalid() | PlaybookInvalid():
            kind = "invalid"
        case BudgetExceeded():
            kind = "exhausted"
        case StoreError():
            kind = "transient" if exception.recoverable else "upstream"
        case StrategyDiverged() | StrategyMisused():
            kind = "bug"
        case _:
            kind = "upstream"
    # A class of somebody's own may name its kind or code by what is no text.
    return Failure(_cut(str(kind)), _cut(str(exception) or type(exception).__name__), _cut(str(code)))


def _kind_of_name(exception: BaseException) -> str | None:
    return next((_NAMES[cls.__name__] for cls in type(exception).__mro__ if cls.__name__ in _NAMES), None)


def _kind_of_status(status: int | None) -> str | None:
    if status is None:
        return None
    return "transient" if status >= 500 else _STATUSES.get(status, "bug")


def _kind(exception: BaseException) -> str:
    match exception:
        case ConnectionError() | TimeoutError():
            return "transient"
        case MemoryError():
            return "exhausted"
        case PermissionError():
            return "denied"
        case socket.gaierror():
            return "transient" if exception.errno == socket.EAI_AGAIN else "upstream"
        case OSError() if exception.errno in _TRANSIENT_ERRNOS:
            return "transient"
        case OSError() if exception.errno in _EXHAUSTED_ERRNOS:
            return "exhausted"
    return "bug"


def _message(exception: BaseException) -> str:
    name = type(exception).__name__
    try:
        text = str(exception)
    except Exception as error:
        text = f"its text cannot be had ({type(error).__name__})"
    return _cut(f"{name}: {text}" if text else name)


def _cut(text: str) -> str:
    """As the journal can keep it: not too long, and without halves of surrogate pairs."""
    text = text if len(text) <= LONGEST_MESSAGE else text[: LONGEST_MESSAGE - 1] + "…"
    return text.encode("utf-8", "replace").decode()


def _headers(source: Any) -> Mapping[str, str] | None:
    for holder in (source, getattr(source, "response", None)):
        headers = getattr(holder, "headers", None)
        if isinstance(headers, Mapping):
            return {str(name).lower(): str(value) for name, value in headers.items()}
    return None


def _seconds(headers: Mapping[str, str]) -> float | None:
    """Seconds as `retry-after-ms` or `retry-after` say; a date counts from the answer's own `date`."""
    try:
        if "retry-after-ms" in headers:
            return _finite(float(headers["retry-after-ms"]) / 1000)
        text = headers.get("retry-after", "")
        if not text or text.replace(".", "", 1).isdigit():
            return _finite(float(text)) if text else None
        wait = parsedate_to_datetime(text) - parsedate_to_datetime(headers["date"])
        return max(0.0, wait.total_seconds())
    except (ValueError, TypeError, KeyError):  # a header that says nothing we can use
        return None


def _finite(seconds: float) -> float | None:
    return max(0.0, float(seconds)) if abs(seconds) <= sys.float_info.max else None
