"""Typed answers of language models: a JSON Schema as pydantic-ai's output type, and the check that asks for a repair."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from copy import deepcopy
from typing import Any, Final

from jsonschema import Draft202012Validator
from pydantic_ai import ModelRetry, StructuredDict

WRAPPED: Final = "answer"
"""Models are asked for objects only: any other answer is this property of one."""

MOST_ERRORS: Final = 5


def output_type(schema: Mapping[str, Any] | None) -> Any:
    """What pydantic-ai asks the model for: text without a schema."""
    if schema is None:
        return str
    asked = deepcopy(dict(schema))
    if not _is_object(schema):
        definitions: dict[str, Any] = {name: asked.pop(name) for name in ("$defs", "definitions") if name in asked}
        asked = {"type": "object", "properties": {WRAPPED: asked}, "required": [WRAPPED], **definitions}
    return StructuredDict(asked)


def check_of(schema: Mapping[str, Any]) -> Callable[[Any], Any]:
    """The check of what the model gave: it returns the answer itself, or raises ModelRetry saying where it misses."""
    validator, wrapped = Draft202012Validator(schema), not _is_object(schema)

    def check(output: Any) -> Any:
        if wrapped and WRAPPED not in output:
            raise ModelRetry(f"{WRAPPED!r} is missing")
        answer = output[WRAPPED] if wrapped else output
        errors = [f"{error.json_path}: {error.message}" for error in validator.iter_errors(answer)]
        if errors:
            raise ModelRetry("; ".join(errors[:MOST_ERRORS]))
        return answer

    return check


def _is_object(schema: Mapping[str, Any]) -> bool:
    return schema.get("type") == "object"
