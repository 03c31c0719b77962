"""The text of an expression is read as CEL reads it."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agentical.expressions.references import References, pure_path, sums, tokens


@given(st.text())
def test_tokens_are_the_whole_text(text: str) -> None:
    found = list(tokens(text))
    assert "".join(token.text for token in found) == text
    assert all(text.startswith(token.text, token.offset) for token in found)


@pytest.mark.parametrize(
    ("source", "path"),
    [
        ("a", ("a",)), (" a . b ", ("a", "b")), ("a['b c'][0].d", ("a", "b c", 0, "d")), ("a.loop", ("a", "loop")), ("a + b", None),
        ("a()", None), ("true", None), ("a.in", None), ("loop", None), ("a[b]", None), ("a['\\\\']", None), ("a[-1]", None), ("1", None), ("", None),
    ],
)  # fmt: skip
def test_a_path_alone_is_known_as_one(source: str, path: tuple[str | int, ...] | None) -> None:
    assert pure_path(source) == path


def test_a_name_is_bound_within_the_brackets_of_its_macro_only() -> None:
    found = References("a.exists(x, x.y > z && b.all(q, q == x)) || x.w || q.v")
    assert found.paths == {("a",), ("b",), ("z",), ("x", "w"), ("q", "v")}


def test_texts_and_remarks_name_nothing() -> None:
    found = References("'a.b' + \"c.d\" + r'e.f\\' + '''g.h''' // i.j()")
    assert (found.paths, found.functions) == (set(), set())


def test_sums_of_a_path_and_a_number_are_found() -> None:
    assert [one for one in sums("a.b + 1 > 2.5 * c.d && e.f.g + 1 == 1 - h.i.j && 3 + k.l()") if one[0]] == [
        (("a", "b"), "1"),
        (("c", "d"), "2.5"),
    ]
