"""Choosing: which candidates suit a task, and which of them did best before. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal

from agentical.events import Tally

Objective = Literal["success", "latency", "cost"]

LARGE = 16 * 1024 * 1024
"""Bytes that go to the members together: above it, strategies that send the payload to everybody are left out."""


@dataclass(frozen=True, slots=True)
class Features:
    """What the rules look at. `capabilities_differ`: not all members can do the same."""

    items: bool
    item_count: int | None
    members: int
    agents: int
    payload_bytes: int
    capabilities_differ: bool

    def json(self) -> dict[str, Any]:
        return asdict(self)


@dataclass(frozen=True, slots=True)
class Candidate:
    """What is known of a candidate before it runs. `given`: the author named it, so only what cannot work is left out."""

    name: str
    kind: str
    takes_items: bool
    needs_items: bool
    given: bool = True


def suited(candidates: Sequence[Candidate], seen: Features) -> tuple[list[Candidate], list[str]]:
    """The candidates that suit the task, and the rules that left others out; a rule that would leave nobody is void."""
    left = list(candidates)
    reasons: list[str] = []
    for reason, out in _rules(seen):
        kept = [c for c in left if not out(c)]
        if kept and len(kept) < len(left):
            left, reasons = kept, [*reasons, reason]
    return left, reasons


def best(names: Sequence[str], tallies: Mapping[str, Tally], objective: Objective) -> tuple[str, str]:
    """Who did best by `objective`, and why; among equals the first. Raises ValueError without names.

    success: (successes + 1) / (runs + 2), Laplace's rule, so that one failure does not condemn. latency and cost: what a
    success took, failures included; who was never tried comes first.
    """
    chosen = max(names, key=lambda name: _merit(tallies.get(name, Tally()), objective))
    known = tallies.get(chosen, Tally())
    if not known.count:
        return chosen, "not tried before"
    return chosen, f"best {objective}: {known.succeeded} of {known.count} succeeded"


def _merit(known: Tally, objective: Objective) -> float:
    if objective == "success":
        return (known.succeeded + 1) / (known.count + 2)
    if not known.count:
        return 1.0
    spent = known.took if objective == "latency" else known.cost
    return -spent / known.succeeded if known.succeeded else -float("inf")


def _rules(seen: Features) -> list[tuple[str, Any]]:
    rules: list[tuple[str, Any]] = []
    if seen.items:
        rules.append(("there are items", lambda c: not c.takes_items))
        if seen.capabilities_differ:
            rules.append(("the members can do different things", lambda c: not c.given and c.kind == "scatter-gather"))
        else:
            rules.append(("the members can do the same", lambda c: not c.given and c.kind == "pipeline"))
    else:
        rules.append(("there are no items", lambda c: c.needs_items))
    if seen.members == 1:
        rules.append(
            ("there is one member", lambda c: not c.given and c.kind in ("parallel", "consensus", "hierarchical"))
        )
    if seen.payload_bytes * seen.members > LARGE:
        rules.append(("the payload is large", lambda c: not c.given and c.kind in ("parallel", "consensus")))
    if seen.capabilities_differ:
        rules.append(("members that differ do not vote", lambda c: not c.given and c.kind == "consensus"))
    return rules
