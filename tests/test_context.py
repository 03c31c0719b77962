"""What an agent uses is charged in amounts that can be added up and written down."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from agentical import TaskContext
from agentical.events import NOTHING_USED, Usage


@pytest.mark.parametrize("tokens", [1.5, True, "3", None, -1, float("nan")])
@pytest.mark.parametrize("which", ["tokens_in", "tokens_out"])
def test_tokens_are_whole_numbers(which: str, tokens: Any) -> None:
    context = TaskContext()
    with pytest.raises(ValueError, match="whole numbers"):
        context.charge(**{which: tokens})
    assert context.usage == NOTHING_USED


@pytest.mark.parametrize("cost", [float("nan"), float("inf"), -0.1, "3", None, 10**400])
def test_a_cost_is_a_finite_number(cost: Any) -> None:
    context = TaskContext()
    with pytest.raises(ValueError, match="finite"):
        context.charge(tokens_in=1, cost=cost)
    assert context.usage == NOTHING_USED


def test_costs_that_add_up_to_no_number_are_refused() -> None:
    context = TaskContext()
    context.charge(cost=1.7e308)
    with pytest.raises(ValueError, match="finite"):
        context.charge(cost=1.7e308)


@given(st.lists(st.tuples(st.integers(0), st.integers(0), st.integers(0, 10**30) | st.floats(0, 1e30))))
def test_what_was_charged_can_be_read_back(charges: list[Any]) -> None:
    context = TaskContext()
    for tokens_in, tokens_out, cost in charges:
        context.charge(tokens_in=tokens_in, tokens_out=tokens_out, cost=cost)
    assert context.usage.tokens_in == sum(one for one, _, _ in charges)
    assert msgspec.json.decode(msgspec.json.encode(context.usage), type=Usage) == context.usage
