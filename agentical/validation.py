"""Whether a value meets a JSON Schema, in one sentence."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from typing import Any

from agentical.jsonvalues import encode, loads


@lru_cache(maxsize=1024)
def _validator(schema: bytes) -> Any:
    from jsonschema import Draft202012Validator

    return Draft202012Validator(loads(schema))


def schema_mistake(schema: Mapping[str, Any]) -> str | None:
    """What is wrong with a JSON Schema (2020-12) itself; None where nothing is."""
    from jsonschema import Draft202012Validator, SchemaError

    try:
        Draft202012Validator.check_schema(dict(schema))
    except SchemaError as error:
        return str(error.message)
    return None


def mismatch(schema: Mapping[str, Any], value: Any) -> str | None:
    """What is wrong with the value first of all, with its path; None where it meets the schema (2020-12)."""
    from jsonschema.exceptions import best_match

    error = best_match(_validator(encode(dict(schema))).iter_errors(value))
    if error is None:
        return None
    path = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in error.absolute_path).lstrip(".")
    return f"{path}: {error.message}" if path else str(error.message)
