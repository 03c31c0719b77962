"""Validation: what is wrong with a value, in one sentence."""

import pytest

from agentical.validation import mismatch

SCHEMA = {
    "type": "object",
    "properties": {"name": {"type": "string"}, "files": {"type": "array", "items": {"type": "integer"}}},
    "required": ["name"],
}


@pytest.mark.parametrize("value", [{"name": "x"}, {"name": "", "files": [1, 2.0]}])
def test_a_value_that_fits_has_nothing_wrong(value):
    assert mismatch(SCHEMA, value) is None


@pytest.mark.parametrize(
    ("value", "said"),
    [
        ({"name": 1}, "name: 1 is not of type 'string'"),
        ({"name": "x", "files": [1, "two"]}, "files[1]: 'two' is not of type 'integer'"),
        ({}, "'name' is a required property"),
        ([], "[] is not of type 'object'"),
    ],
)
def test_what_is_wrong_is_said_with_its_path(value, said):
    assert mismatch(SCHEMA, value) == said


def test_the_empty_schema_takes_everything_and_its_opposite_nothing():
    assert mismatch({}, object) is None
    assert mismatch({"not": {}}, None)


def test_schemas_are_of_2020_12():
    assert mismatch({"prefixItems": [{"type": "string"}]}, [1]) == "[0]: 1 is not of type 'string'"
