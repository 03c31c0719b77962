"""An Edge names an outcome that can be written down, or is none."""

from __future__ import annotations

from enum import StrEnum
from typing import Any

import pytest

from agentical import Edge
from agentical.jsonvalues import encode


class Colour(StrEnum):
    RED = "red"


class Name(str):
    __slots__ = ()


@pytest.mark.parametrize("outcome", [200, None, b"ok", ["ok"]])
def test_an_outcome_that_is_no_text_is_refused(outcome: Any) -> None:
    with pytest.raises(TypeError, match="an outcome is a name"):
        Edge(outcome)


def test_an_outcome_that_cannot_be_written_is_refused() -> None:
    with pytest.raises(ValueError, match="surrogates"):
        Edge("\udcff")


@pytest.mark.parametrize("outcome", [Colour.RED, Name("red"), "red"])
def test_an_outcome_is_plain_text_whatever_text_was_given(outcome: str) -> None:
    edge = Edge(outcome, 1)
    assert type(edge.outcome) is str
    assert encode(edge.outcome) == b'"red"'
    assert edge == Edge("red", 1)
