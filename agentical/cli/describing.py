"""What is installed, described from the plug-ins themselves: the first line of their docstring, and their options."""

from __future__ import annotations

import inspect
from collections.abc import Iterator
from types import NoneType, UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin

from agentical import plugins
from agentical.cli.output import put_json, put_plain
from agentical.errors import CallInvalid
from agentical.ports import NamedStrategy

_GIVEN = frozenset({"target", "folder"})
"""Fields of agents that are no keys of a playbook."""
_NAMES = {str: "text", int: "integer", float: "number", bool: "true or false", dict: "mapping", Any: "any value"}


def print_group(group: str, *, as_json: bool) -> None:
    """All plug-ins of a group."""
    found = [described(group, name) for name in plugins.names(group)]
    if as_json:
        put_json(found)
    else:
        put_plain("\n".join(line for one in found for line in _lines(one)))


def described(group: str, name: str) -> dict[str, Any]:
    """Name, first line, options; `problem` says why one cannot be loaded."""
    try:
        plugin = plugins.load(group, name)
        options = plugins.options_of(plugin)
    except (CallInvalid, TypeError) as error:
        return {"name": name, "about": "", "options": [], "problem": str(error)}
    about = (inspect.getdoc(plugin) or "").split("\n")[0]
    shown = [_option(option) for option in options.values() if option.name not in _GIVEN]
    return {"name": name, "about": about, "options": shown}


def _option(option: plugins.Option) -> dict[str, Any]:
    found: dict[str, Any] = {
        "name": plugins.kebab(option.name),
        "type": type_name(option.type),
        "required": option.required,
    }
    if not option.required:
        found["default"] = _default(option.default)
    return found


def type_name(kind: Any) -> str:
    """A field's type in the words of a playbook's author."""
    origin, inner = get_origin(kind), get_args(kind)
    if origin is Annotated:
        return "duration" if "seconds" in inner[1:] else type_name(inner[0])
    if origin is Literal:
        return " | ".join(map(str, inner))
    if origin in (Union, UnionType):
        return " | ".join(dict.fromkeys(type_name(one) for one in inner if one is not NoneType))
    if origin is dict:
        return f"mapping of names to {type_name(inner[1])}"
    if origin is not None:
        return f"list of {type_name(inner[0])}" if inner else "list"
    if kind is NamedStrategy:
        return "strategy"
    return _NAMES.get(kind) or str(getattr(kind, "__name__", kind)).lower()


def _default(value: Any) -> Any:
    """As an author would write it; None where nothing is the default."""
    if value is None or value in ((), "", {}):
        return None
    if isinstance(value, str | int | float | bool | list):
        return value
    return str(getattr(value, "rule", value)) if "__str__" not in vars(type(value)) else str(value)


def _lines(one: dict[str, Any]) -> Iterator[str]:
    yield f"{one['name']}: {one.get('problem') or one['about']}"
    rows = list(map(_row, one["options"]))
    widths = [max((len(row[n]) for row in rows), default=0) for n in range(2)]
    for name, kind, default in rows:
        yield f"  {name:<{widths[0]}}  {kind:<{widths[1]}}  {default}".rstrip()
    yield ""


def _row(option: dict[str, Any]) -> tuple[str, str, str]:
    if option["required"]:
        default = "required"
    else:
        default = "" if option["default"] is None else f"default: {option['default']}"
    return option["name"], option["type"], default
