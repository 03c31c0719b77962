"""What an agent returned, as the JSON value that is recorded."""

from __future__ import annotations

import dataclasses
import json
import math
from collections.abc import Mapping
from datetime import date, time
from decimal import Decimal
from enum import Enum
from pathlib import PurePath
from typing import Any, Final
from uuid import UUID

import msgspec

from agentical.errors import Invalid
from agentical.ports import Edge

LARGEST: Final = 2**64 - 1
SMALLEST: Final = -(2**63)


def to_json(value: Any) -> Any:
    """The JSON value of what an agent returned; an Edge stays one, its value made JSON.

    Data classes, msgspec structs, pydantic models and mappings become objects; tuples and sets arrays (sets in the order
    of their JSON text); paths, dates, times, UUIDs and decimals text; enumerations their value. Raises Invalid, naming
    what and where, for everything else, NaN and infinities, keys that are not text, text that is not Unicode, and
    integers over 64 bits.
    """
    try:
        if type(value) is Edge:
            return Edge(value.outcome, _json(value.value, "answer"), value.required)
        return _json(value, "answer")
    except RecursionError:
        raise Invalid("the answer is nested too deep, or contains itself") from None


def _json(value: Any, where: str) -> Any:
    kind = type(value)
    if value is None or kind is bool:
        return value
    if kind is str:
        return _text(value, where)
    if kind is int:
        return _integer(value, where)
    if kind is float:
        return _number(value, where)
    if kind is list:
        return [_json(item, f"{where}[{index}]") for index, item in enumerate(value)]
    if kind is dict:
        return {_key(key, where): _json(item, f"{where}.{key}") for key, item in value.items()}
    return _other(value, where)


def _other(value: Any, where: str) -> Any:
    match value:
        case Enum():
            return _json(value.value, where)
        case str():
            return _text(str(value), where)
        case int():
            return _integer(int(value), where)
        case float():
            return _number(float(value), where)
        case list() | tuple():
            return [_json(item, f"{where}[{index}]") for index, item in enumerate(value)]
        case set() | frozenset():
            return sorted(
                (_json(item, f"{where}{{}}") for item in value), key=lambda item: json.dumps(item, sort_keys=True)
            )
        case Mapping():
            return {_key(key, where): _json(item, f"{where}.{key}") for key, item in value.items()}
        case PurePath() | UUID() | Decimal():
            return _text(str(value), where)
        case date() | time():
            return value.isoformat()
    return _json(_fields(value, where), where)


def _fields(value: Any, where: str) -> dict[str, Any]:
    """The fields of a data class, a msgspec struct or a pydantic model."""
    if isinstance(value, msgspec.Struct):
        return {name: getattr(value, name) for name in value.__struct_fields__}
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {field.name: getattr(value, field.name) for field in dataclasses.fields(value)}
    dump = getattr(type(value), "model_dump", None)  # pydantic's, without importing pydantic
    if callable(dump):
        fields: dict[str, Any] = dump(value)
        return fields
    kind = f"{type(value).__module__}.{type(value).__qualname__}".removeprefix("builtins.")
    raise Invalid(f"{where} is a {kind}, which is not a JSON value")


def _text(value: str, where: str) -> str:
    if value.isascii():
        return value
    try:
        value.encode()
    except UnicodeEncodeError as error:
        raise Invalid(f"{where} is text that is not Unicode (at character {error.start})") from None
    return value


def _integer(value: int, where: str) -> int:
    if SMALLEST <= value <= LARGEST:
        return value
    raise Invalid(f"{where} is an integer of more than 64 bits; return it as text")


def _number(value: float, where: str) -> float:
    if math.isfinite(value):
        return value
    raise Invalid(f"{where} is {value}, which is not a JSON number")


def _key(key: Any, where: str) -> str:
    if isinstance(key, Enum):
        key = key.value
    if isinstance(key, str):
        return _text(str(key), f"a key of {where}")
    raise Invalid(f"{where} has the key {key!r}, a {type(key).__name__}; keys of JSON objects are text")
