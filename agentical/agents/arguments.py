"""How a payload becomes the arguments of a Python callable, checked against its annotations."""

from __future__ import annotations

import inspect
import typing
from collections.abc import Callable, Mapping
from pathlib import PurePath
from typing import Any, Final

import msgspec

from agentical.errors import Invalid
from agentical.ports import TaskContext

Check = Callable[[Any], Any]
"""Gives the value as the annotation wants it. Raises ValueError where it does not fit."""

Arguments = tuple[tuple[Any, ...], dict[str, Any]]

_ANYTHING: Final = (inspect.Parameter.empty, Any, object)


class Signature:
    """What a callable takes. Annotations that cannot be resolved at run time are not checked."""

    def __init__(self, function: Callable[..., Any], name: str, *, skips: bool = False) -> None:
        self.name = name
        parameters = _parameters(function)
        self.takes_context = parameters.pop("context", None) is not None
        self.takes_skip = skips and parameters.pop("skip", None) is not None
        hints = _hints(function)
        self._checks = {name: check_for(hints.get(name, Any)) for name in parameters}
        self._takes_any = any(p.kind is p.VAR_KEYWORD for p in parameters.values())
        self._spread = any(p.kind is p.VAR_POSITIONAL for p in parameters.values())
        self._parameters = {n: p for n, p in parameters.items() if p.kind not in (p.VAR_KEYWORD, p.VAR_POSITIONAL)}
        self._takes_payload = "payload" in self._parameters
        self._required = [n for n, p in self._parameters.items() if p.default is p.empty]

    def bind(self, payload: Any, context: TaskContext, skip: int = 0) -> Arguments:
        """The arguments for this payload. Raises Invalid naming what is missing, unexpected or wrongly typed."""
        if self._takes_payload:
            named = {"payload": payload} if self._checks["payload"] is None else self._checked({"payload": payload})
            args: tuple[Any, ...] = ()
        elif isinstance(payload, Mapping):
            named = self._checked(payload)
            args = self._positional(named)
        else:
            args, named = self._whole(payload)
        if self.takes_context:
            named["context"] = context
        if self.takes_skip:
            named["skip"] = skip
        return args, named

    def _whole(self, payload: Any) -> Arguments:
        """The payload as the first parameter; nothing (null) needs no parameter."""
        if self._parameters:
            named = self._checked({next(iter(self._parameters)): payload})
            return self._positional(named), named
        if self._spread:
            return (payload,), {}
        if payload is None:
            return (), {}
        raise Invalid(f"{self.name} takes no payload, but was given a {type(payload).__name__}")

    def _checked(self, values: Mapping[str, Any]) -> dict[str, Any]:
        known, wrong = self._parameters, []
        missing = [name for name in self._required if name not in values]
        unexpected = [] if self._takes_any else [name for name in values if name not in known]
        named: dict[str, Any] = {}
        for name, value in values.items():
            check = self._checks.get(name)
            loose = check is None or (value is None and known[name].default is None)
            try:
                named[name] = value if loose or check is None else check(value)
            except ValueError as error:
                wrong.append(f"{name}: {error}")
        if missing or unexpected or wrong:
            parts = [f"missing {', '.join(missing)}"] if missing else []
            parts += [f"unexpected {', '.join(unexpected)}"] if unexpected else []
            raise Invalid(f"{self.name} cannot take this payload: {'; '.join(parts + wrong)}")
        return named

    def _positional(self, named: dict[str, Any]) -> tuple[Any, ...]:
        """Take what can be given by position only out of `named`."""
        taken = []
        for name, parameter in self._parameters.items():
            if parameter.kind is not parameter.POSITIONAL_ONLY or name not in named:
                break
            taken.append(named.pop(name))
        return tuple(taken)


def check_for(annotation: Any) -> Check | None:
    """The check of an annotation: msgspec's, strict; pydantic's for what msgspec does not know. None: anything goes."""
    if annotation in _ANYTHING or isinstance(annotation, typing.TypeVar):
        return None
    try:
        msgspec.json.Decoder(annotation, dec_hook=_foreign)
    except TypeError:
        return _pydantic_check(annotation)
    return lambda value: msgspec.convert(value, annotation, dec_hook=_foreign)


def _foreign(kind: type, value: Any) -> Any:
    """A type msgspec leaves to us: a pydantic model, a path, or something that must be one already."""
    validate = getattr(kind, "model_validate", None)
    if validate is not None:
        return validate(value)
    if isinstance(kind, type) and issubclass(kind, PurePath) and isinstance(value, str):
        return kind(value)
    if isinstance(value, kind):
        return value
    raise ValueError(f"Expected `{kind.__name__}`, got `{type(value).__name__}`")


def _pydantic_check(annotation: Any) -> Check:
    from pydantic import ConfigDict, TypeAdapter

    adapter: Any = TypeAdapter(annotation, config=ConfigDict(arbitrary_types_allowed=True))
    return lambda value: adapter.validate_python(value, strict=True)


def _parameters(function: Callable[..., Any]) -> dict[str, inspect.Parameter]:
    try:
        return dict(inspect.signature(function).parameters)
    except ValueError:  # some built-in functions do not tell: they get the payload by position
        return {"value": inspect.Parameter("value", inspect.Parameter.POSITIONAL_ONLY)}


def _hints(function: Callable[..., Any]) -> dict[str, Any]:
    described = function if inspect.isroutine(function) or inspect.isclass(function) else type(function).__call__
    if inspect.isclass(described):
        described = described.__init__
    try:
        return typing.get_type_hints(inspect.unwrap(described), include_extras=True)
    except (NameError, TypeError, AttributeError):
        return {}
