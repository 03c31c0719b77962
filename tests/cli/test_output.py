"""stdout, stderr, tables."""

from __future__ import annotations

import subprocess
import sys

from hypothesis import given
from hypothesis import strategies as st

from agentical.cli.output import plain, put_json, shortened, stdout_kept, table, tell


@given(st.text())
def test_text_for_people_cannot_steer_the_terminal(text: str) -> None:
    shown = plain(text)
    assert not [one for one in shown if (ord(one) < 32 and one not in "\t\n") or 127 <= ord(one) < 160]
    assert len(shown) == len(text)


@given(st.text(), st.integers(1, 50))
def test_shortened_text_is_one_line_of_its_length(text: str, longest: int) -> None:
    shown = shortened(text, longest)
    assert len(shown) <= longest
    assert len(shown.splitlines()) <= 1


def test_columns_of_a_table_stand_under_each_other() -> None:
    assert table(["A", "BB"], [["long", "x"], ["s", ""]]) == "A     BB\nlong  x\ns"


def test_what_is_printed_while_agents_run_goes_to_stderr(capfd) -> None:
    with stdout_kept():
        print("printed")
        subprocess.run([sys.executable, "-c", "print('from a child', flush=True)"], check=True)
    print("after")
    written = capfd.readouterr()
    assert written.out == "after\n"
    assert written.err.splitlines() == ["printed", "from a child"]


def test_json_in_one_line_or_for_people(capsys) -> None:
    put_json({"a": [1]}, indent=0)
    put_json({"a": "ü"})
    assert capsys.readouterr().out == '{"a":[1]}\n{\n  "a": "ü"\n}\n'


def test_lines_for_stderr_hold_no_control_characters(capsys) -> None:
    tell("a\x1b[31mb")
    assert "\x1b" not in capsys.readouterr().err
