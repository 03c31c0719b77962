"""Durations are read as people write them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agentical.durations import seconds


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("500ms", 0.5),
        ("30s", 30),
        ("2m", 120),
        ("1h30m", 5400),
        ("1d", 86400),
        ("1.5h", 5400),
        ("PT1H30M", 5400),
        ("P1DT1S", 86401),
        ("1s500ms", 1.5),
    ],
)
def test_a_duration_is_read_as_seconds(text: str, expected: float) -> None:
    assert seconds(text) == expected


@pytest.mark.parametrize("text", ["", "5", "s", "1m1h", "1 s", "-1s", "P", "PT", "P1DT", "1x", "１s", "1s\n"])
def test_anything_else_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="not a duration"):
        seconds(text)


@given(st.integers(0, 999), st.integers(0, 59), st.integers(0, 999))
def test_the_parts_add_up(minutes: int, whole: int, thousandths: int) -> None:
    assert seconds(f"{minutes}m{whole}s{thousandths}ms") == pytest.approx(minutes * 60 + whole + thousandths / 1000)
