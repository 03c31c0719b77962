"""Receipts and lengths of time for people."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agentical.cli.receipts import error_text, lasted, receipt_line
from agentical.events import Usage
from agentical.visits import Receipt


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0, "0 ms"),
        (0.0124, "12 ms"),
        (0.9996, "1.0 s"),
        (59.94, "59.9 s"),
        (59.96, "1 min 00 s"),
        (125, "2 min 05 s"),
        (3725, "1 h 02 min"),
        (-1, "0 ms"),
    ],
)
def test_a_length_of_time_is_in_fitting_units(seconds: float, text: str) -> None:
    assert lasted(seconds) == text


@given(st.floats(0, 1e7))
def test_no_length_of_time_reads_as_sixty_of_a_smaller_unit(seconds: float) -> None:
    assert not lasted(seconds).startswith(("1000 ms", "60.0 s"))
    assert " 60 " not in lasted(seconds)


def test_a_receipt_names_all_its_counts() -> None:
    receipt = Receipt(1200, 1199, 1, 3, 2, 40, Usage(10, 5, 0.25), started=10.0, ended=12.5)
    assert receipt_line(receipt) == (
        "receipt: asked 1,200, answered 1,199, from record 40, repeated 2, retried 3, failed 1, "
        "tokens 10 in 5 out, cost 0.25, time 2.5 s"
    )


def test_a_receipt_of_what_still_runs_has_no_time() -> None:
    assert "time" not in receipt_line(Receipt(started=10.0))


def test_an_error_names_its_step_and_its_class_once() -> None:
    error = {"step": "scan", "message": "late", "class": "transient", "code": "TIMEOUT"}
    assert error_text(error) == "step scan: late (transient, TIMEOUT)"
