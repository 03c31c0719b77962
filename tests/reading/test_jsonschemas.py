"""JSON Schemas within a playbook are checked where they stand, within bounds."""

import pytest
from pydantic import TypeAdapter, ValidationError

from agentical.reading.jsonschemas import JsonSchema, Regex


def refusal(kind, raw):
    with pytest.raises(ValidationError) as caught:
        TypeAdapter(kind).validate_python(raw)
    context = caught.value.errors()[0]["ctx"]
    return context["path"], context["message"]


def test_a_good_schema_is_kept_as_it_is():
    schema = {
        "type": "object",
        "properties": {"a": {"enum": [1, 2]}, "b": {"$ref": "#/properties/a"}},
        "required": ["a"],
    }
    assert TypeAdapter(JsonSchema).validate_python(schema) is schema


@pytest.mark.parametrize(
    ("schema", "path", "said"),
    [
        (3, (), "must be a JSON Schema, not `3`."),
        ({"type": "strin"}, ("type",), "`strin` is not what JSON Schema takes here."),
        (
            {"properties": {"a": {"minimum": "1"}}},
            ("properties", "a", "minimum"),
            "`1` is not what JSON Schema takes here.",
        ),
        ({"items": {"pattern": "("}}, ("items", "pattern"), "`(` is not a regular expression."),
        (
            {"items": [{"$ref": "#/a"}, {"$ref": "https://a.b/c"}]},
            ("items",),
            "a list is not what JSON Schema takes here.",
        ),
        (
            {"anyOf": [{"$ref": "https://a.b/c"}]},
            ("anyOf", 0, "$ref"),
            "`$ref` leads out of the playbook, to `https://a.b/c`.",
        ),
    ],
)
def test_the_place_of_what_is_wrong_is_told(schema, path, said):
    assert refusal(JsonSchema, schema) == (path, said)


def test_size_and_depth_are_bounded():
    deep = {}
    for _ in range(40):
        deep = {"items": deep}
    for schema in (deep, {"enum": ["x" * 70_000]}, {"pattern": "(" * 5000}):
        assert "too large" in refusal(JsonSchema, schema)[1]


@pytest.mark.parametrize("raw", ["(", "(" * 100_000, 3, None])
def test_a_regular_expression_must_be_one(raw):
    assert refusal(Regex, raw)[0] == ()
    assert TypeAdapter(Regex).validate_python("^a[[]b$") == "^a[[]b$"
