"""Errors as messages and exit statuses."""

from __future__ import annotations

import pytest

from agentical.cli.faults import guarded
from agentical.cli.output import OutputClosed
from agentical.errors import CallInvalid, CodeChanged, Mistake, PlaybookInvalid, StoreError


def raising(error: BaseException):
    def command() -> None:
        raise error

    return command


@pytest.mark.parametrize(
    ("error", "status"), [(CallInvalid("no"), 2), (StoreError("full"), 1), (CodeChanged("x", ["parallel"]), 2)]
)
def test_an_error_of_ours_is_its_message_and_its_exit_status(error: Exception, status: int, capsys) -> None:
    assert guarded(raising(error)) == status
    assert capsys.readouterr().err == f"agentical: {error}\n"


def test_each_mistake_is_a_line_and_the_last_line_counts_them(capsys) -> None:
    mistakes = [
        Mistake("steps.b", "is wrong.", "Do it right.", 7, 3, "a.yaml"),
        Mistake("name", "is missing.", "", 1, 1, "a.yaml"),
    ]
    assert guarded(raising(PlaybookInvalid(mistakes))) == 2
    assert capsys.readouterr().err.splitlines() == [
        "a.yaml:1:1: name: is missing.",
        "a.yaml:7:3: steps.b: is wrong. Do it right.",
        "2 mistakes.",
    ]


def test_any_other_error_is_one_line_that_calls_itself_a_bug(capsys) -> None:
    assert guarded(raising(ZeroDivisionError("by zero"))) == 1
    assert (
        capsys.readouterr().err
        == "agentical: ZeroDivisionError: by zero. This is a bug; with AGENTICAL_DEBUG=1 it says where.\n"
    )


def test_who_debugs_gets_the_traceback(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AGENTICAL_DEBUG", "1")
    with pytest.raises(ZeroDivisionError):
        guarded(raising(ZeroDivisionError()))


def test_of_a_group_the_error_of_ours_is_told(capsys) -> None:
    group = BaseExceptionGroup("", [ValueError("x"), BaseExceptionGroup("", [StoreError("full")])])
    assert guarded(raising(group)) == 1
    assert capsys.readouterr().err == "agentical: full\n"


def test_an_interruption_is_130_and_says_nothing(capsys) -> None:
    assert guarded(raising(KeyboardInterrupt())) == 130
    assert guarded(raising(BaseExceptionGroup("", [KeyboardInterrupt()]))) == 130
    assert capsys.readouterr().err == ""


def test_a_reader_that_left_is_told_nothing(capsys) -> None:
    assert guarded(raising(OutputClosed("Broken pipe", gone=True))) == 1
    assert capsys.readouterr().err == ""


def test_what_went_well_is_0() -> None:
    assert guarded(lambda: None) == 0
