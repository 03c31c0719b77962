"""The words of the language: how ids, durations and rates are written."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter, ValidationError

from agentical.reading.words import Duration, Id, Period, Rate


def value(kind, raw):
    return TypeAdapter(kind).validate_python(raw)


@pytest.mark.parametrize(
    ("text", "expected"),
    [("500ms", 0.5), ("2m", 120), ("1h30m", 5400), ("PT1M", 60), ("P1DT2H", 93600), ("1.5s", 1.5), ("1m5ms", 60.005), ("0s", 0), ("1d", 86400)],
)  # fmt: skip
def test_durations_are_seconds(text, expected):
    assert value(Duration, text) == pytest.approx(expected)


@pytest.mark.parametrize(
    "raw", ["", "30", "30 s", "s", "1m1h", "P", "PT", "-1s", "1s\n", "1e3s", "١s", 30, 1.5, None, True, ["1s"]]
)
def test_durations_need_a_unit(raw):
    with pytest.raises(ValidationError) as caught:
        value(Duration, raw)
    error = caught.value.errors()[0]
    assert error["ctx"]["hint"] == "Write a number and its unit, such as 500ms, 30s, 2m or 1h30m." or raw == ""


@pytest.mark.parametrize("raw", ["0s", "0.0ms", "PT0S"])
def test_a_period_lasts(raw):
    with pytest.raises(ValidationError, match="above zero"):
        value(Period, raw)


@given(st.integers(0, 99), st.integers(0, 59), st.integers(0, 59), st.integers(0, 999))
def test_a_duration_is_the_sum_of_its_parts(hours, minutes, seconds, millis):
    assert value(Duration, f"{hours}h{minutes}m{seconds}s{millis}ms") == pytest.approx(
        hours * 3600 + minutes * 60 + seconds + millis / 1000
    )


def test_a_rate_is_a_count_and_seconds():
    assert value(Rate, "10/1m") == (10, 60.0)
    for wrong in ("0/1m", "10/0s", "10", "10/m", 10):
        with pytest.raises(ValidationError):
            value(Rate, wrong)


@pytest.mark.parametrize("raw", ["in", "loop", "A", "1a", "a-b", "", "a\n", "_a", "é"])
def test_ids_are_small_letters_and_no_words_of_the_expressions(raw):
    with pytest.raises(ValidationError):
        value(Id, raw)
    assert value(Id, "index_2") == "index_2"
