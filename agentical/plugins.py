"""Plug-ins: found by entry point, looked up once in a process, made from the options an author wrote.

Groups are `agentical.strategies`, `agentical.monitors`, `agentical.agents`, `agentical.stores`, `agentical.executors`; a
name of ours is looked up in our own package first, which spares the search through all that is installed (40 ms).
"""

from __future__ import annotations

import hashlib
import inspect
from collections.abc import Mapping, Sequence
from dataclasses import MISSING, dataclass, fields, is_dataclass
from difflib import get_close_matches
from functools import cache
from importlib.metadata import EntryPoint, PackageNotFoundError, distribution, entry_points, packages_distributions
from importlib.metadata import version as installed
from pathlib import Path
from types import NoneType, UnionType
from typing import Annotated, Any, Final, TypeVar, Union, get_args, get_origin, get_type_hints

import msgspec

from agentical.durations import seconds
from agentical.errors import CallInvalid, PluginUnknown
from agentical.ports import NamedStrategy

Made = TypeVar("Made")

_EXTRAS: Final = {("agentical.agents", "llm"): "llm"}


@cache
def _own() -> dict[tuple[str, str], EntryPoint]:
    try:
        found = distribution("agentical").entry_points
    except PackageNotFoundError:
        return {}
    return {(point.group, point.name): point for point in found}


@cache
def _all(group: str) -> dict[str, EntryPoint]:
    ours = {name: point for (its, name), point in _own().items() if its == group}
    return {point.name: point for point in entry_points(group=group)} | ours


@cache
def names(group: str) -> tuple[str, ...]:
    """The names of all plug-ins of a group, sorted."""
    return tuple(sorted(_all(group)))


@cache
def load(group: str, name: str) -> Any:
    """The plug-in of that name. Raises PluginUnknown, also when what it needs is not installed."""
    point = _own().get((group, name)) or _all(group).get(name)
    kind = kind_of(group)
    if point is None:
        raise PluginUnknown(kind, name, names(group), did_you_mean(name, names(group)))
    try:
        return point.load()
    except ImportError as error:
        extra = _EXTRAS.get((group, name))
        cure = (
            f"Install it: pip install 'agentical[{extra}]'." if extra else f"Its package {point.module!r} is at fault."
        )
        raise PluginUnknown(kind, name, names(group), f"It cannot be loaded ({error}). {cure}") from error


def kind_of(group: str) -> str:
    """What a plug-in of the group is called: "strategy" of `agentical.strategies`."""
    noun = group.rpartition(".")[2]
    return f"{noun[:-3]}y" if noun.endswith("ies") else noun.removesuffix("s")


def did_you_mean(name: str, known: Sequence[str]) -> str:
    """A hint: the nearest known name, else the known ones, else nothing."""
    near = get_close_matches(name, known, n=1) or get_close_matches(name.replace("_", "-"), known, n=1)
    if near:
        return f"Did you mean `{near[0]}`?"
    return f"There are: {', '.join(sorted(known)[:20])}." if known else ""


def source_hash(plugin: Any) -> str:
    """The SHA-256 (16 hex digits) of the source file of a class, function or object; of its name where there is none."""
    target = plugin if inspect.isclass(plugin) or inspect.isroutine(plugin) else type(plugin)
    try:
        return _file_hash(inspect.getfile(target))
    except (TypeError, OSError):
        return hashlib.sha256(f"{target.__module__}.{target.__qualname__}".encode()).hexdigest()[:16]


@cache
def _file_hash(path: str) -> str:
    return hashlib.sha256(Path(path).read_bytes()).hexdigest()[:16]


@cache
def version(plugin: Any) -> str:
    """The version of the distribution a plug-in comes from; empty where it is in none."""
    package = str(getattr(plugin, "__module__", None) or type(plugin).__module__).partition(".")[0]
    if package in {point.module.partition(".")[0] for point in _own().values()}:
        return installed("agentical")
    return next((installed(name) for name in packages_distributions().get(package, ())), "")


class OptionsInvalid(CallInvalid):
    """Options that a plug-in does not take. `problems` holds all of them: (option, message, hint)."""

    code = "OPTIONS_INVALID"

    def __init__(self, problems: Sequence[tuple[str, str, str]]) -> None:
        self.problems = tuple(problems)
        super().__init__(" ".join(f"{name}: {message} {hint}".strip(": ") for name, message, hint in problems))


@dataclass(frozen=True, slots=True)
class Option:
    """One option of a plug-in, as its dataclass declares it. `name` is in snake_case."""

    name: str
    type: Any
    required: bool
    default: Any = None


@cache
def options_of(plugin: Any) -> Mapping[str, Option]:
    """The options of a plug-in (a dataclass), by name. Raises CallInvalid for anything else."""
    if not is_dataclass(plugin):
        raise CallInvalid(f"{plugin!r} is not a dataclass, so its options are not known")
    types = get_type_hints(plugin, include_extras=True)
    return {
        field.name: Option(
            field.name,
            types[field.name],
            field.default is MISSING and field.default_factory is MISSING,
            field.default if field.default is not MISSING else None,
        )
        for field in fields(plugin)
        if field.init
    }


def build(plugin: type[Made], options: Mapping[str, Any], **given: Any) -> Made:
    """An instance with these options (names in snake_case) and with what is `given` of its other fields.

    Raises OptionsInvalid with everything that is wrong.
    """
    kind: Any = plugin
    declared = options_of(kind)
    open_names = [name for name in declared if name not in given]
    problems: list[tuple[str, str, str]] = []
    values: dict[str, Any] = {name: value for name, value in given.items() if name in declared}
    for name, value in options.items():
        field = name if name in declared else f"{name}_"
        if field not in open_names:
            hint = did_you_mean(kebab(name), [kebab(known) for known in open_names])
            problems.append((name, f"there is no option `{kebab(name)}`.", hint))
            continue
        try:
            values[field] = _converted(value, declared[field].type)
        except OptionsInvalid as error:
            problems += [(f"{name}.{inner}", message, hint) for inner, message, hint in error.problems]
        except (ValueError, CallInvalid) as error:
            problems.append((name, _sentence(str(error)), ""))
    wanted = [name for name in open_names if declared[name].required and kebab(name) not in map(kebab, options)]
    problems += [(name, f"`{kebab(name)}` is missing.", "") for name in wanted]
    if not problems:
        try:
            return plugin(**values)
        except (ValueError, CallInvalid) as error:
            problems.append(("", _sentence(str(error)), ""))
    raise OptionsInvalid(problems)


def _converted(value: Any, kind: Any) -> Any:
    """The value as the field's type wants it. Raises ValueError (msgspec's are too) or CallInvalid."""
    origin, inner = get_origin(kind), get_args(kind)
    if origin is Annotated:
        timed = "seconds" in inner[1:] and isinstance(value, str)
        return seconds(value) if timed else _converted(value, inner[0])
    if not _reads_itself(kind):
        return msgspec.convert(value, kind, strict=True)
    if origin in (Union, UnionType):
        return _one_of(value, inner)
    if kind is NamedStrategy:
        return _named(value)
    if origin is None:
        return kind.parse(value)
    if issubclass(origin, Mapping):
        given = msgspec.convert(value, dict[str, Any], strict=True)
        return {key: _converted(part, inner[1]) for key, part in given.items()}
    parts = [_converted(part, inner[0]) for part in msgspec.convert(value, list[Any], strict=True)]
    return tuple(parts) if issubclass(origin, (tuple, Sequence)) and origin is not list else parts


def _one_of(value: Any, kinds: Sequence[Any]) -> Any:
    """The first of the types that takes the value; the types that read themselves come last, as they take text."""
    if value is None and NoneType in kinds:
        return None
    failures: list[Exception] = []
    for kind in sorted((kind for kind in kinds if kind is not NoneType), key=_reads_itself):
        try:
            return _converted(value, kind)
        except (ValueError, CallInvalid) as error:
            failures.append(error)
    raise failures[-1]


def _reads_itself(kind: Any) -> bool:
    """Whether the type, or one within it, is read otherwise than msgspec would."""
    inner = get_args(kind)
    if inner:
        return "seconds" in inner or any(_reads_itself(part) for part in inner)
    return kind is NamedStrategy or (isinstance(kind, type) and callable(getattr(kind, "parse", None)))


def _named(value: Any) -> NamedStrategy:
    """A strategy within options: `NAME`, or `{type: NAME, option: …}`."""
    written = {"type": value} if isinstance(value, str) else value
    if not isinstance(written, Mapping) or not isinstance(written.get("type"), str):
        raise CallInvalid("a strategy is written NAME or {type: NAME, option: …}")
    options = {str(key).replace("-", "_"): part for key, part in written.items() if key != "type"}
    return NamedStrategy(written["type"], build(load("agentical.strategies", written["type"]), options), options)


def kebab(name: str) -> str:
    """An option's name as authors write it: `class_` is `class`, `stop_when` is `stop-when`."""
    return name.rstrip("_").replace("_", "-")


def _sentence(text: str) -> str:
    """A library's message as one of ours."""
    return text if text.endswith((".", "?")) else f"{text}."
