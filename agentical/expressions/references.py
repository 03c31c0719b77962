"""What the text of an expression names: the paths it reads and the functions it calls, found without evaluating it."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from functools import lru_cache
from typing import Final, NamedTuple

from agentical.errors import CallInvalid
from agentical.reserved import LITERALS, RESERVED

MACROS: Final = frozenset({"all", "exists", "exists_one", "filter", "map"})
"""Methods whose first argument is a new name, known within their brackets."""

Path = tuple[str, ...]

_LITERALS: Final = frozenset(LITERALS)
_RESERVED: Final = frozenset(RESERVED)
_TOKEN: Final = re.compile(
    r"""(?P<space>\s+|//[^\n]*)
      | (?P<raw>[bB]?[rR](?:\"{3}.*?\"{3}|'{3}.*?'{3}|"[^"\n]*"|'[^'\n]*'))
      | (?P<string>[bB]?(?:\"{3}(?:\\.|[^\\])*?\"{3}|'{3}(?:\\.|[^\\])*?'{3}|"(?:\\.|[^"\\\n])*"|'(?:\\.|[^'\\\n])*'))
      | (?P<name>[A-Za-z_][A-Za-z0-9_]*)
      | (?P<number>(?:0x[0-9a-fA-F]+|(?:\d+(?:\.\d+)?|\.\d+)(?:[eE][+-]?\d+)?)[uU]?)
      | (?P<sign>&&|\|\||==|!=|<=|>=|.)""",
    re.VERBOSE | re.DOTALL,
)
_STEP: Final = r"""\s*(?:\.\s*([A-Za-z_]\w*)|\[\s*(?:(\d{1,9})|"([^"\\\n]*)"|'([^'\\\n]*)')\s*\])"""
_PURE: Final = re.compile(rf"\s*([A-Za-z_]\w*)((?:{_STEP})*)\s*", re.ASCII)
_PURE_STEP: Final = re.compile(_STEP, re.ASCII)


class ExpressionInvalid(CallInvalid):
    """It cannot be read. `offset` counts characters from 0 in `source`; `at` leads to it inside a template's value."""

    code = "EXPRESSION_INVALID"

    def __init__(self, message: str, source: str = "", offset: int = 0, at: tuple[str | int, ...] = ()) -> None:
        self.message, self.source, self.offset, self.at = message, source, offset, at
        super().__init__(f"{message} (character {offset + 1} of `{source[:200]}`)" if source else message)


class Token(NamedTuple):
    kind: str
    text: str
    offset: int


def tokens(source: str, start: int = 0) -> Iterator[Token]:
    """The tokens from `start` on, spaces and comments included."""
    for match in _TOKEN.finditer(source, start):
        yield Token(str(match.lastgroup), match[0], match.start())


@lru_cache(maxsize=256)
def words(source: str) -> tuple[Token, ...]:
    """The tokens that mean something. Remembered, as each expression is looked at several times in a row."""
    return tuple(token for token in tokens(source) if token.kind != "space")


def pure_path(source: str) -> tuple[str | int, ...] | None:
    """The names and indices, where the expression is a path and nothing else."""
    match = _PURE.fullmatch(source)
    if match is None or match[1] in _RESERVED:
        return None
    steps = _PURE_STEP.findall(match[2])
    if any(name in _LITERALS for name, *_ in steps):
        return None
    return match[1], *(int(index) if index else name or double or single for name, index, double, single in steps)


class References:
    """`paths` are the longest pure paths that are read, `tested` those that only `has()` asks about.

    `state['x']` counts as `state.x`. Names that a macro binds are no paths. `functions` are called, methods included.
    """

    def __init__(self, source: str) -> None:
        self.source = source
        self.paths: set[Path] = set()
        self.tested: set[Path] = set()
        self.functions: set[str] = set()
        self._tokens = words(source)
        self._end = Token("", "", len(source))
        self._bound: list[tuple[int, str]] = []
        self._tests: list[int] = []
        self._depth = self._at = 0
        while self._at < len(self._tokens):
            self._next()
        self.tested -= self.paths

    def _next(self) -> None:
        token = self._ahead(0)
        if token.kind == "name" and self._ahead(1).text == "(":
            self._call(token.text)
        elif token.kind == "name" and self._ahead(-1).text != ".":
            self._name(token)
        elif token.text == "." and self._begins():
            raise ExpressionInvalid("a name does not begin with a dot", self.source, token.offset)
        else:
            self._sign(token)

    def _sign(self, token: Token) -> None:
        if token.kind == "sign":
            self._depth += (token.text in "([{") - (token.text in ")]}")
            while self._bound and self._bound[-1][0] > self._depth:
                self._bound.pop()
            while self._tests and self._tests[-1] > self._depth:
                self._tests.pop()
        self._at += 1

    def _name(self, token: Token) -> None:
        if token.text in _LITERALS:
            self._at += 1
            return
        path = self._path(token.text)
        if self._ahead(0).text == "{":
            raise ExpressionInvalid("a map is written {…} without a name before it", self.source, token.offset)
        if all(name != token.text for _, name in self._bound):
            (self.tested if self._tests else self.paths).add(path)

    def _path(self, root: str) -> Path:
        """The names after the root, up to a method, a number or anything computed."""
        path = [root]
        self._at += 1
        while True:
            first, second, third = (self._ahead(n) for n in range(3))
            if first.text == "." and second.kind == "name" and third.text != "(":
                path.append(second.text)
                self._at += 2
            elif first.text == "[" and third.text == "]" and _plain(second):
                path.append(second.text[1:-1])
                self._at += 3
            else:
                return tuple(path)

    def _call(self, name: str) -> None:
        self.functions.add(name)
        method = self._ahead(-1).text == "."
        self._at += 2
        self._depth += 1
        if method and name in MACROS and self._ahead(0).kind == "name" and self._ahead(1).text == ",":
            self._bound.append((self._depth, self._ahead(0).text))
            self._at += 2
        elif name == "has" and not method:
            self._tests.append(self._depth)

    def _begins(self) -> bool:
        """Whether an operand has yet to begin here: nothing stands before, or an operator."""
        before = self._ahead(-1)
        return before.kind in ("", "sign") and before.text not in (")", "]", "}")

    def _ahead(self, count: int) -> Token:
        at = self._at + count
        return self._tokens[at] if 0 <= at < len(self._tokens) else self._end


def sums(source: str) -> Iterator[tuple[Path, str]]:
    """Every `path + number` and `number + path`, whatever the operator: the path and the number as written."""
    found = words(source)
    for at, token in enumerate(found):
        if token.kind == "number":
            if at >= 4 and found[at - 1].text in _OPERATORS:
                yield _dotted(found[at - 4 : at - 1], found[at - 5 : at - 4], "."), token.text
            if found[at + 1 : at + 2] and found[at + 1].text in _OPERATORS:
                yield _dotted(found[at + 2 : at + 5], found[at + 5 : at + 6], ".[("), token.text


def _dotted(three: Sequence[Token], beside: Sequence[Token], going_on: str) -> Path:
    """The path `name.name` of three tokens, when it goes on no further; otherwise an empty one."""
    kinds = [token.kind if token.text != "." else "." for token in three]
    further = any(token.text in going_on for token in beside)
    return () if kinds != ["name", ".", "name"] or further else (three[0].text, three[2].text)


def _plain(token: Token) -> bool:
    """Whether it is a text in single quotation marks, without escapes."""
    return (
        token.kind == "string" and token.text[0] in "'\"" and "\\" not in token.text and token.text[:3] not in _TRIPLE
    )


_OPERATORS: Final = ("+", "-", "*", "/", "%")
_TRIPLE: Final = ('"""', "'''")
