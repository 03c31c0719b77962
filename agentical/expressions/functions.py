"""The functions that expressions have beside CEL's own: plain JSON in, plain JSON out, no clock, no chance.

Each may be called in both ways CEL knows: `join(list, ", ")` and `list.join(", ")`.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping
from itertools import chain
from typing import Any, Final

_MOST_ITEMS: Final = 1_000_000


def _numbers(values: tuple[Any, ...]) -> list[Any]:
    """The values of `f(list)` or `f(a, b, …)`."""
    found = list(values[0]) if len(values) == 1 and isinstance(values[0], list) else list(values)
    if not found:
        raise ValueError("an empty list has none")
    return found


def _canonical(value: Any) -> str:
    return json.dumps(value, sort_keys=True, ensure_ascii=False)


def _bool(value: Any) -> bool:
    if isinstance(value, bool):
        return value
    if value in ("true", "false"):
        return bool(value == "true")
    raise ValueError(f"{value!r} is neither true nor false")


def _round(value: float, digits: int = 0) -> float:
    """Halves away from zero, as people count; a whole number without `digits`."""
    scale = 10**digits
    nearest = math.copysign(math.floor(abs(value) * scale + 0.5), value)
    return nearest / scale if digits else int(nearest)


def _get(container: Any, key: Any, otherwise: Any = None) -> Any:
    """The field or item, or `otherwise` where there is none."""
    if isinstance(container, list) and isinstance(key, int) and 0 <= key < len(container):
        return container[key]
    return container.get(key, otherwise) if isinstance(container, dict) else otherwise


def _join(items: list[Any], separator: str = "") -> str:
    return separator.join(item if isinstance(item, str) else _canonical(item) for item in items)


def _split(text: str, separator: str, most: int = -1) -> list[str]:
    return text.split(separator, most)


def _replace(text: str, old: str, new: str) -> str:
    if old == "":
        raise ValueError("the text to replace is empty")
    if text.count(old) * (len(new) - len(old)) > _MOST_ITEMS * 8:
        raise ValueError("the result would be too long")
    return text.replace(old, new)


def _unique(items: list[Any]) -> list[Any]:
    found: dict[str, Any] = {}
    for item in items:
        found.setdefault(_canonical(item), item)
    return list(found.values())


def _flatten(items: list[Any]) -> list[Any]:
    return list(chain.from_iterable(item if isinstance(item, list) else [item] for item in items))


def _range(count: int) -> list[int]:
    if count > _MOST_ITEMS:
        raise ValueError(f"range({count}) is longer than {_MOST_ITEMS:,}")
    return list(range(count))


EXTRAS: Final[Mapping[str, Callable[..., Any]]] = {
    "abs": abs,
    "bool": _bool,
    "ceil": math.ceil,
    "first": lambda items: items[0] if items else None,
    "flatten": _flatten,
    "floor": math.floor,
    "get": _get,
    "join": _join,
    "json": _canonical,
    "keys": list,
    "last": lambda items: items[-1] if items else None,
    "lower": str.lower,
    "max": lambda *values: max(_numbers(values)),
    "mean": lambda *values: math.fsum(_numbers(values)) / len(_numbers(values)),
    "min": lambda *values: min(_numbers(values)),
    "range": _range,
    "replace": _replace,
    "reverse": lambda value: value[::-1],
    "round": _round,
    "size": len,  # CEL's own counts the bytes of a text
    "slice": lambda value, start, end=None: value[start:end],
    "sort": sorted,
    "split": _split,
    "sum": lambda *values: sum(_numbers(values)) if values != ([],) else 0,
    "trim": str.strip,
    "unique": _unique,
    "upper": str.upper,
    "values": lambda mapping: list(mapping.values()),
}
"""Name to function."""
