"""Receipts, errors and lengths of time, for people."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from agentical.visits import Receipt


def receipt_line(receipt: Receipt) -> str:
    """What was done, in one line."""
    used = receipt.usage
    counts = [
        f"asked {receipt.asked:,}", f"answered {receipt.answered:,}", f"from record {receipt.from_record:,}",
        f"repeated {receipt.repeated:,}", f"retried {receipt.retried:,}", f"failed {receipt.failed:,}",
        f"tokens {used.tokens_in:,} in {used.tokens_out:,} out", f"cost {used.cost:g}",
    ]  # fmt: skip
    if receipt.ended:
        counts.append(f"time {lasted(receipt.ended - receipt.started)}")
    return "receipt: " + ", ".join(counts)


def lasted(seconds: float) -> str:
    """`12 ms`, `3.4 s`, `2 min 05 s`, `1 h 02 min`."""
    seconds = max(0.0, seconds)
    if seconds < 0.9995:
        return f"{seconds * 1000:.0f} ms"
    if seconds < 59.95:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes} min {rest:02d} s" if minutes < 60 else f"{minutes // 60} h {minutes % 60:02d} min"


def error_text(error: Mapping[str, Any]) -> str:
    """`step scan: no answer within 30 s (transient, TIMEOUT)` of `{class, code, message, step}`."""
    message = str(error["message"])
    step = f"step {error['step']}: " if error.get("step") else ""
    return f"{step}{message} ({error['class']}, {error['code']})"
