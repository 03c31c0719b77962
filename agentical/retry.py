"""When a failed task is asked again. Pure: time and draws are passed in."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import msgspec

from agentical.durations import seconds
from agentical.errors import CallInvalid
from agentical.graph import Retry

CLASSES: Final = ("transient", "rate-limited", "exhausted", "invalid", "denied", "upstream", "bug")
"""The failure classes."""
RETRIED: Final = ("transient", "rate-limited", "exhausted", "upstream")
"""Those that a rule without classes retries: asking again may help."""

NONE: Final[dict[str, Retry]] = {}
STANDARD: Final[dict[str, Retry]] = {
    "transient": Retry(limit=3),
    "rate-limited": Retry(limit=5),
    "exhausted": Retry(limit=2),
}
"""The built-in policies `none` and `standard`: retries by failure class."""


def policy(written: int | str | Mapping[str, Any] | None, named: Mapping[str, dict[str, Retry]]) -> dict[str, Retry]:
    """What `retry:` says, by failure class: a number (of retries, of transient failures and the like), a name, or rules.

    Durations in rules are seconds or text (`500ms`). Raises CallInvalid for a name nobody has given.
    """
    if written is None:
        return NONE
    if isinstance(written, str):
        found = {"none": NONE, "standard": STANDARD, **named}.get(written)
        if found is None:
            raise CallInvalid(
                f"no retry policy is called {written!r}. There are: none, standard{''.join(f', {n}' for n in named)}."
            )
        return found
    if isinstance(written, int):
        if written < 0:
            raise CallInvalid(f"retry is a number of retries from 0 on, not {written}")
        return {kind: Retry(limit=written) for kind in RETRIED}
    common = {key: value for key, value in written.items() if key not in CLASSES}
    rules = {kind: _rule({**common, **written[kind]}) for kind in CLASSES if kind in written}
    return {**({kind: _rule(common) for kind in RETRIED} if common else {}), **rules}


def _rule(written: Mapping[str, Any]) -> Retry:
    fields = {key.replace("-", "_"): value for key, value in written.items()}
    for name in ("delay", "max_delay"):
        if isinstance(fields.get(name), str):
            fields[name] = seconds(fields[name])
    return msgspec.convert(fields, Retry)


def wait_before(
    policy: Mapping[str, Retry], failure_class: str, retried: int, draw: float, retry_after: float | None = None
) -> float | None:
    """Seconds to wait before the next attempt, or None when there is none.

    `retried` is how often this class was retried already for the task, `draw` a draw from [0, 1). Exponential backoff
    with full jitter (M. Brooker, "Exponential Backoff And Jitter", AWS Architecture Blog, 2015): uniform in
    [0, min(max_delay, delay * 2**retried)). A server's own `retry_after` is waited for at least.
    """
    rule = policy.get(failure_class)
    if rule is None or retried >= rule.limit:
        return None
    grown = rule.delay * 2.0 ** min(retried, 64) if rule.backoff == "exponential" else rule.delay
    wait = min(rule.max_delay, grown)
    if rule.jitter == "full":
        wait *= draw
    return max(wait, retry_after or 0.0)
