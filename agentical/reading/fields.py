"""What single values of a playbook look like: ids, durations, rates, counts, choices between shapes.

Why not pydantic's own types: its lax ones take "1" for 1, its messages speak to programmers, and both the parser and the
JSON Schema for editors must say exactly the same. Here one object per kind of value does all three.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Annotated, Any, TypeVar

from pydantic import Discriminator, GetCoreSchemaHandler, GetJsonSchemaHandler
from pydantic_core import CoreSchema, PydanticCustomError, core_schema

T = TypeVar("T")


def mistaken(message: str, hint: str = "", path: tuple[str | int, ...] = ()) -> PydanticCustomError:
    """The error by which a validator here says what is wrong; `path` leads on from the validated value."""
    return PydanticCustomError("playbook", "{message}", {"message": message, "hint": hint, "path": path})


def shown(value: Any) -> str:
    """A value as a message quotes it: short, in the words of the file."""
    if value is None:
        return "nothing"
    if isinstance(value, bool):
        return "`true`" if value else "`false`"
    if isinstance(value, Mapping):
        return "a mapping"
    if isinstance(value, list | tuple):
        return "a list"
    text = " ".join(str(value)[:200].split())
    return f"`{text[:57]}…`" if len(text) > 58 else f"`{text}`"


@dataclass(frozen=True)
class Text:
    """Text that a pattern decides; `read` turns it into the value that the playbook holds."""

    what: str
    pattern: str = r"\s*\S[\s\S]*"
    hint: str = ""
    read: Callable[[str], Any] | None = None

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        match = re.compile(self.pattern).fullmatch
        read = self.read

        def validate(value: Any) -> Any:
            if not isinstance(value, str):
                raise self.refusal(value)
            if match(value) is None:
                raise mistaken(f"{shown(value)} is not {self.what}." if value.strip() else "is empty.", self.hint)
            return value if read is None else read(value)

        return core_schema.no_info_plain_validator_function(validate)

    def __get_pydantic_json_schema__(self, schema: CoreSchema, handler: GetJsonSchemaHandler) -> dict[str, Any]:
        # In Python `$` also matches before a last line break, in ECMAScript it does not: this is exact in both.
        return {"type": "string", "pattern": f"^(?:{self.pattern})$(?!\\n)"}

    def refusal(self, value: Any) -> PydanticCustomError:
        """What to say of a value that is not text at all."""
        hint = self.hint
        if not hint and isinstance(value, int | float):
            hint = "Put it in quotes."
        return mistaken(f"must be {self.what}, not {shown(value)}.", hint)


@dataclass(frozen=True)
class Number:
    """A number, whole or not, of at least `least` (or above `above`)."""

    whole: bool = False
    least: float | None = None
    above: float | None = None

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        return core_schema.no_info_plain_validator_function(self.validate)

    def __get_pydantic_json_schema__(self, schema: CoreSchema, handler: GetJsonSchemaHandler) -> dict[str, Any]:
        bounds = {"minimum": self.least, "exclusiveMinimum": self.above}
        return {"type": "integer" if self.whole else "number"} | {k: v for k, v in bounds.items() if v is not None}

    def validate(self, value: Any) -> float:
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise mistaken(f"must be {self.what}, not {shown(value)}.")
        # 2.0 is a whole number in JSON Schema, too.
        number: float = int(value) if self.whole and float(value).is_integer() else value
        small = (self.least is not None and number < self.least) or (self.above is not None and number <= self.above)
        if small or (self.whole and isinstance(number, float)):
            raise mistaken(f"must be {self.what}, not {shown(value)}.")
        return number

    @property
    def what(self) -> str:
        noun = "a whole number" if self.whole else "a number"
        if self.least is not None:
            return f"{noun} of at least {self.least:g}"
        return noun if self.above is None else f"{noun} above {self.above:g}"


class Unless:
    """Refuses `null` where the key itself may be left out."""

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        schema = handler(source)
        return schema["schema"] if schema["type"] == "nullable" else schema


Maybe = Annotated[T | None, Unless()]
"""A key that may be left out, and is then None, but not written as `null`."""


@dataclass(frozen=True)
class Built:
    """What the playbook holds is made by `build` from what the author writes, which has the type `written`."""

    written: Any
    build: Callable[[Any], Any]

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        return core_schema.no_info_after_validator_function(self.build, handler.generate_schema(self.written))


@dataclass(frozen=True)
class Later:
    """Refuses `WORD:…`, and the bare word, for words that are part of the language but do not run yet."""

    words: frozenset[str]
    bare: bool = True

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        return core_schema.no_info_after_validator_function(self.validate, handler(source))

    def __get_pydantic_json_schema__(self, schema: CoreSchema, handler: GetJsonSchemaHandler) -> dict[str, Any]:
        if not self.words:
            return handler(schema)
        return handler(schema) | {"not": {"pattern": self._pattern}}

    def validate(self, value: str) -> str:
        if self.words and re.search(self._pattern, value):
            raise mistaken(not_yet(value.partition(":")[0]))
        return value

    @property
    def _pattern(self) -> str:
        return f"^(?:{'|'.join(sorted(self.words))})(?::{'|$' if self.bare else ''})"


def not_yet(word: str) -> str:
    """What is said of a word that does not run yet."""
    return f"`{word}` is part of the language but does not run in this version yet."


def shape(value: Any) -> str:
    """Which of the shapes of JSON a value has: the tag by which unions here are told apart."""
    for kind, tag in _SHAPES:
        if isinstance(value, kind):
            return tag
    return "<map>"


_SHAPES: tuple[tuple[Any, str], ...] = (
    (str, "<text>"),
    (bool, "<flag>"),
    (int | float, "<number>"),
    (list, "<list>"),
    (type(None), "<null>"),
)


def one_of(what: str) -> Discriminator:
    """Chooses a union's member by the shape of the value: no member's mistakes but the meant one's are shown."""
    return Discriminator(shape, custom_error_type="playbook_shape", custom_error_message=f"must be {what}.")
