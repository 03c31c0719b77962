"""The small safe language inside `${{ }}`: CEL over plain JSON values.

An expression reads the names it is given and calls the functions listed here, and nothing else: no attribute of a
Python object, no clock, no chance. A path alone (`steps.scan.output`) is resolved here; anything more goes to CEL, which
copies what it is handed, so it is handed only the parts of the scope that the expression names.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterable, Mapping
from functools import lru_cache
from typing import Any, Final, NoReturn

from agentical.errors import StepFailed
from agentical.expressions.evaluation import (
    COUNTED,
    LARGEST,
    compiled,
    missing,
    part,
    parts,
    plain,
    reason,
    too_large,
    tree,
)
from agentical.expressions.functions import EXTRAS
from agentical.expressions.references import MACROS, Path, References, pure_path, tokens
from agentical.expressions.references import ExpressionInvalid as ExpressionInvalid

LONGEST: Final = 4096
"""Characters of an expression, at most."""
STATUS_FUNCTIONS: Final = frozenset({"success", "failed", "cancelled", "always"})
_NATIVE: Final = "bytes contains double duration dyn endsWith has int matches startsWith string timestamp type uint"
_DATES: Final = "Date DayOfMonth DayOfWeek DayOfYear FullYear Hours Milliseconds Minutes Month Seconds"
FUNCTIONS: Final = frozenset(
    {*EXTRAS, *STATUS_FUNCTIONS, *MACROS, *_NATIVE.split(), *(f"get{part}" for part in _DATES.split())}
)
"""Every function and macro there is."""

_STATUS: Final = re.compile(rf"\s*({'|'.join(STATUS_FUNCTIONS)})\(\s*\)\s*")
_PLAIN: Final = frozenset({str, int, bool, list, dict})


class ExpressionFailed(StepFailed):
    """It could not be evaluated with the values it met."""

    def __init__(self, source: str, why: str) -> None:
        self.source, self.why = source, why
        shown = source if len(source) <= 200 else source[:200] + "…"
        super().__init__(f"`{shown.strip()}`: {why}", code="EXPRESSION_FAILED", failure_class="invalid")


class Expression:
    """One expression; equal when its source is.

    `paths` are the longest pure paths it reads (`("steps", "scan", "output")`), `tested` those of them that it only
    asks about with `has()`, `functions` the functions and macros it calls.
    """

    __slots__ = ("_called", "_program", "_pure", "_status", "_wanted", "functions", "paths", "source", "tested")

    def __init__(self, source: str) -> None:
        """Prefer `parse`, which remembers."""
        if len(source) > LONGEST:
            raise ExpressionInvalid(f"an expression has at most {LONGEST:,} characters, this one {len(source):,}")
        if not source.strip():
            raise ExpressionInvalid("there is no expression here")
        found = References(source)
        self.source = source
        self.paths: frozenset[Path] = frozenset(found.paths | found.tested)
        self.tested: frozenset[Path] = frozenset(found.tested)
        self.functions: frozenset[str] = frozenset(found.functions)
        status = _STATUS.fullmatch(source)
        self._status = status[1] if status else None
        self._pure = pure_path(source)
        self._wanted = tree(self.paths)
        self._called = {COUNTED if name == "size" else name: EXTRAS[name] for name in self.functions if name in EXTRAS}
        self._program = None if self._pure or self._status else compiled(source)

    @classmethod
    def parse(cls, source: str) -> Expression:
        """The expression of this text. Raises ExpressionInvalid."""
        return _parsed(source)

    def __call__(self, scope: Mapping[str, Any]) -> Any:
        """Its value, as plain JSON. `scope` maps root names to values, or to Mappings asked one name at a time."""
        if self._pure is not None:
            return self._resolved(scope, self._pure)
        if self._status is not None and self._status in scope:
            return scope[self._status]()
        return self._evaluated(scope)

    def _resolved(self, scope: Mapping[str, Any], path: tuple[str | int, ...]) -> Any:
        value: Any = scope
        try:
            for name in path:
                if type(name) is int and type(value) is not list:
                    self._fail(missing(scope, path))
                value = value[name]
        except (LookupError, TypeError):
            self._fail(missing(scope, path))
        return value if type(value) in _PLAIN else self._json(plain(value))

    def _evaluated(self, scope: Mapping[str, Any]) -> Any:
        if self._program is None:
            self._fail(f"{self._status}() means nothing here")
        given = {root: part(scope[root], wanted) for root, wanted in self._wanted.items() if root in scope}
        if too_large(given.values()):
            self._fail(f"it reads more than {LARGEST // 1024**2} MiB. Let an agent do this.")
        status = {name: scope[name] for name in self.functions & STATUS_FUNCTIONS if name in scope}
        try:
            result = self._program.execute({**given, **self._called, **status})
        except BaseException as error:
            if not isinstance(error, Exception) and type(error).__name__ != "PanicException":
                raise
            self._fail(reason(error))
        return self._json(result)

    def _json(self, value: Any) -> Any:
        """The value itself, when JSON can hold it."""
        for inner in parts([value]):
            if isinstance(inner, dict) and not all(isinstance(key, str) for key in inner):
                self._fail("the keys of its result are not all text")
            if isinstance(inner, float) and not math.isfinite(inner):
                self._fail(f"its result is {inner}, which JSON cannot hold")
            if inner is not None and not isinstance(inner, (str, int, float, list, dict)):
                self._fail(f"its result is a {type(inner).__name__}, not JSON. Convert it with string().")
        return value

    def _fail(self, why: str) -> NoReturn:
        raise ExpressionFailed(self.source, why) from None

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Expression) and other.source == self.source

    def __hash__(self) -> int:
        return hash(self.source)

    def __repr__(self) -> str:
        return f"Expression({self.source!r})"

    def __reduce__(self) -> tuple[Any, ...]:
        return _parsed, (self.source,)


@lru_cache(maxsize=16_384)
def _parsed(source: str) -> Expression:
    return Expression(source)


class Template:
    """A JSON value with `${{ }}` inside its strings, at any depth: calling it gives the value with these filled in.

    An expression that is the whole string keeps its type; within other text it becomes text (null becomes nothing).
    What is `constant` is handed out as it is, not copied. `expressions` are all there are.
    """

    __slots__ = ("_parsed", "constant", "expressions", "functions", "paths")

    def __init__(self, value: Any) -> None:
        found: list[Expression] = []
        self._parsed = _filled(value, (), found)
        self.expressions = tuple(found)
        self.constant = not found
        self.paths: frozenset[Path] = frozenset().union(*(expression.paths for expression in found))
        self.functions: frozenset[str] = frozenset().union(*(expression.functions for expression in found))

    @classmethod
    def parse(cls, value: Any) -> Template:
        """The template of this value. Raises ExpressionInvalid, whose `at` leads to the string at fault."""
        return cls(value)

    def __call__(self, scope: Mapping[str, Any]) -> Any:
        """The value, filled in. Raises ExpressionFailed."""
        return _fill(self._parsed, scope)


class _Constant:
    __slots__ = ("value",)

    def __init__(self, value: Any) -> None:
        self.value = value


class _Text:
    """Text with expressions in it."""

    __slots__ = ("pieces",)

    def __init__(self, pieces: list[str | Expression]) -> None:
        self.pieces = pieces

    def __call__(self, scope: Mapping[str, Any]) -> str:
        return "".join(piece if isinstance(piece, str) else as_text(piece(scope)) for piece in self.pieces)


def _filled(value: Any, at: tuple[str | int, ...], found: list[Expression]) -> Any:
    """The value with its strings parsed: _Constant, Expression, _Text, or a list or dict of these."""
    before = len(found)
    parsed: Any = value
    if isinstance(value, str) and "${{" in value:
        parsed = _string(value, at)
        found.extend(piece for piece in _pieces_of(parsed) if isinstance(piece, Expression))
    elif isinstance(value, Mapping):
        for key in value:
            if "${{" in str(key):
                raise ExpressionInvalid("a key cannot hold an expression", str(key), 0, at)
        parsed = {key: _filled(inner, (*at, key), found) for key, inner in value.items()}
    elif isinstance(value, (list, tuple)):
        parsed = [_filled(inner, (*at, index), found) for index, inner in enumerate(value)]
    return parsed if len(found) > before else _Constant(value)


def _pieces_of(parsed: Expression | _Text) -> Iterable[str | Expression]:
    return parsed.pieces if isinstance(parsed, _Text) else [parsed]


def _string(text: str, at: tuple[str | int, ...]) -> Expression | _Text:
    pieces: list[str | Expression] = []
    position = 0
    while (start := text.find("${{", position)) >= 0:
        end = _closing(text, start + 3, at)
        try:
            expression = Expression.parse(text[start + 3 : end])
        except ExpressionInvalid as error:
            raise ExpressionInvalid(error.message, text, start + 3 + error.offset, at) from None
        pieces += [text[position:start], expression] if start > position else [expression]
        position = end + 2
    if position < len(text):
        pieces.append(text[position:])
    only = pieces[0]
    return only if len(pieces) == 1 and isinstance(only, Expression) else _Text(pieces)


def _closing(text: str, start: int, at: tuple[str | int, ...]) -> int:
    """Where the `}}` stands that ends the expression: not one within a text or a map."""
    depth = 0
    for kind, sign, offset in tokens(text, start):
        if kind == "sign" and sign == "}" and depth == 0 and text.startswith("}}", offset):
            return offset
        depth += (kind == "sign" and sign == "{") - (kind == "sign" and sign == "}")
    raise ExpressionInvalid("`${{` is not closed by `}}`", text, start - 3, at)


def _fill(parsed: Any, scope: Mapping[str, Any]) -> Any:
    kind = type(parsed)
    if kind is _Constant:
        return parsed.value
    if kind is dict:
        return {key: _fill(inner, scope) for key, inner in parsed.items()}
    if kind is list:
        return [_fill(inner, scope) for inner in parsed]
    return parsed(scope)


def as_text(value: Any) -> str:
    """A value within other text: text as it is, null as nothing, all else as JSON."""
    if isinstance(value, str):
        return value
    return "" if value is None else json.dumps(value, ensure_ascii=False)


def truth(value: Any) -> bool:
    """A condition's value: true or false, nothing that merely looks it. Raises ExpressionFailed."""
    if isinstance(value, bool):
        return value
    raise ExpressionFailed("condition", f"it gave {as_text(value)[:80] or 'null'}, neither true nor false")
