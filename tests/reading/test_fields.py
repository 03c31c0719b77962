"""Single values: what is accepted, what it becomes, what is said of the rest."""

import pytest

from agentical.reading.fields import Number, shape, shown


def test_a_whole_float_is_a_whole_number_as_in_json_schema():
    assert Number(whole=True).validate(2.0) == 2
    assert isinstance(Number(whole=True).validate(2.0), int)


@pytest.mark.parametrize(
    ("raw", "said"),
    [
        (None, "nothing"),
        (True, "`true`"),
        ({}, "a mapping"),
        ([1], "a list"),
        ("a\n b", "`a b`"),
        ("x" * 99, f"`{'x' * 57}…`"),
        (1.5, "`1.5`"),
    ],
)
def test_values_are_shown_short(raw, said):
    assert shown(raw) == said


def test_shapes_tell_the_members_of_a_union_apart():
    assert [shape(raw) for raw in ("a", True, 1, 1.5, [], {}, None)] == [
        "<text>", "<flag>", "<number>", "<number>", "<list>", "<map>", "<null>",
    ]  # fmt: skip
