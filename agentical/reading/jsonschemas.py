"""JSON Schemas inside a playbook: checked against their own metaschema, with the place of each mistake."""

from __future__ import annotations

import json
import re
import warnings
from functools import cache, lru_cache
from typing import TYPE_CHECKING, Annotated, Any

from pydantic import GetCoreSchemaHandler, GetJsonSchemaHandler
from pydantic_core import CoreSchema, core_schema

from agentical.reading.fields import mistaken, shown

if TYPE_CHECKING:
    from jsonschema import Draft202012Validator

METASCHEMA = "https://json-schema.org/draft/2020-12/schema"
DEEPEST = 24
LARGEST = 64 * 1024
"""Levels and characters with which checking stays quick and far from Python's own limits."""


class SchemaValue:
    """A value that is itself a JSON Schema (2020-12)."""

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        return core_schema.no_info_plain_validator_function(_check_schema)

    def __get_pydantic_json_schema__(self, schema: CoreSchema, handler: GetJsonSchemaHandler) -> dict[str, Any]:
        return {"$ref": METASCHEMA}


class RegexText:
    """Text that is a regular expression."""

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        return core_schema.no_info_plain_validator_function(_check_regex)

    def __get_pydantic_json_schema__(self, schema: CoreSchema, handler: GetJsonSchemaHandler) -> dict[str, Any]:
        return {"type": "string", "format": "regex"}


JsonSchema = Annotated[dict[str, Any] | bool, SchemaValue()]
Regex = Annotated[str, RegexText()]


@cache
def _metaschema() -> Draft202012Validator:
    from jsonschema import Draft202012Validator as Draft

    return Draft(Draft.META_SCHEMA, format_checker=Draft.FORMAT_CHECKER)


def _check_schema(value: Any) -> Any:
    if not isinstance(value, dict | bool):
        raise mistaken(f"must be a JSON Schema, not {shown(value)}.", "Write a mapping, such as {type: string}.")
    text = json.dumps(value, default=str)
    if len(text) > LARGEST or _deeper(value, DEEPEST):
        raise mistaken("is too large for a JSON Schema in a playbook.", f"It may have {DEEPEST} levels, and 64 KiB.")
    if (wrong := _wrong(text)) is not None:
        raise mistaken(*wrong)
    return value


@lru_cache(maxsize=1024)
def _wrong(text: str) -> tuple[str, str, tuple[str | int, ...]] | None:
    """The first thing wrong with a JSON Schema: message, hint, path."""
    value = json.loads(text)
    try:
        with warnings.catch_warnings(action="ignore"):
            for error in _metaschema().iter_errors(value):
                return _what(str(error.validator), error.instance), "", tuple(error.absolute_path)
    except (RecursionError, OverflowError):
        return "holds a regular expression that is too large.", "", ()
    for path, target in _references(value):
        if not target.startswith("#"):
            return f"`$ref` leads out of the playbook, to {shown(target)}.", "Only `#…` is looked up.", path
    return None


def _what(rule: str, value: Any) -> str:
    """What is wrong with one word of a JSON Schema, without the metaschema's own words."""
    match rule:
        case "enum":
            return f"{shown(value)} is not a word that JSON Schema knows here."
        case "format":
            return f"{shown(value)} is not a regular expression."
        case _:
            return f"{shown(value)} is not what JSON Schema takes here."


def _check_regex(value: Any) -> str:
    if not isinstance(value, str):
        raise mistaken(f"must be a regular expression, not {shown(value)}.")
    try:
        with warnings.catch_warnings(action="ignore"):
            re.compile(value[:LARGEST])
    except (re.error, OverflowError, RecursionError) as error:
        raise mistaken(f"{shown(value)} is not a regular expression: {error}.") from error
    return value


def _deeper(value: Any, levels: int) -> bool:
    """Whether a value is nested deeper than this, found level by level."""
    layer = [value]
    for _ in range(levels):
        layer = [child for one in layer for child in _children(one)]
        if not layer:
            return False
    return True


def _children(value: Any) -> list[Any]:
    if isinstance(value, dict):
        return list(value.values())
    return value if isinstance(value, list) else []


def _references(value: Any, path: tuple[str | int, ...] = ()) -> list[tuple[tuple[str | int, ...], str]]:
    """Every `$ref` within a JSON Schema, and its place."""
    if isinstance(value, list):
        return [found for n, one in enumerate(value) for found in _references(one, (*path, n))]
    if not isinstance(value, dict):
        return []
    deeper = [found for key, one in value.items() for found in _references(one, (*path, key))]
    target = value.get("$ref")
    return [*deeper, ((*path, "$ref"), target)] if isinstance(target, str) else deeper
