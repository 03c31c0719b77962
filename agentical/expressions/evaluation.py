"""CEL's side of an expression: its module, its programs, the part of the scope it is handed, its errors in plain words.

Why the extension module is loaded by hand: its package imports a command line of its own (180 ms); the module alone
takes 10 ms. It is entered in `sys.modules` because it can be initialised only once in a process.
"""

from __future__ import annotations

import logging
import re
import sys
import threading
from collections.abc import Iterable, Iterator, Mapping
from importlib.machinery import PathFinder
from importlib.util import find_spec, module_from_spec
from types import ModuleType
from typing import Any, Final

from agentical.expressions.references import ExpressionInvalid, Path, words

LARGEST: Final = 8 * 1024 * 1024
"""What CEL is handed, at most: characters of text, and 8 for every value."""

COUNTED: Final = "_len"
"""What `size` is called where CEL sees it, in as many letters: its own counts the bytes of a text, and cannot be replaced."""

Tree = dict[str, "Tree | None"]
"""Which parts of the scope are wanted; None stands for the whole of one."""

_PLACE: Final = re.compile(r"<input>:(\d+):(\d+): (?:Syntax error: )?([^\n]*)")
_loading: Final = threading.Lock()


def _cel() -> ModuleType:
    with _loading:
        loaded = sys.modules.get("cel.cel")
        if loaded is not None:
            return loaded
        package = find_spec("cel")
        spec = PathFinder.find_spec("cel.cel", package.submodule_search_locations if package else None)
        if spec is None or spec.loader is None:
            raise ImportError("the package common-expression-language is not installed as it should be")
        module = module_from_spec(spec)
        sys.modules["cel.cel"] = module
        spec.loader.exec_module(module)
        # It logs what functions raise, values included; that is raised as ExpressionFailed anyway.
        logging.getLogger("cel").propagate = False
        logging.getLogger("cel").addHandler(logging.NullHandler())
        return module


def compiled(source: str) -> Any:
    """The program of an expression. Raises ExpressionInvalid."""
    try:
        return _cel().compile(_counted(source) if "size" in source else source)
    except ValueError as error:
        place = _PLACE.search(str(error))
        if place is None:
            raise ExpressionInvalid("this is not an expression", source) from None
        line, column = int(place[1]), int(place[2])
        before = sum(len(text) for text in source.splitlines(keepends=True)[: line - 1])
        message = place[3].split(" expecting ")[0].replace("<EOF>", "the end")
        raise ExpressionInvalid(message, source, min(before + column - 1, len(source))) from None


def _counted(source: str) -> str:
    found = words(source)
    for token, after in zip(reversed(found[:-1]), reversed(found[1:]), strict=True):
        if (token.kind, token.text, after.text) == ("name", "size", "("):
            source = source[: token.offset] + COUNTED + source[token.offset + len(COUNTED) :]
    return source


def tree(paths: Iterable[Path]) -> Tree:
    """The paths as one tree; a path within a wanted whole adds nothing."""
    root: Tree = {}
    for path in sorted(paths):
        level = root
        for name in path[:-1]:
            inner = level.setdefault(name, {})
            if inner is None:
                break
            level = inner
        else:
            level[path[-1]] = None
    return root


def part(value: Any, wanted: Tree | None) -> Any:
    """The wanted part of a value of the scope, as plain JSON; what is missing is left out."""
    if wanted is None or not isinstance(value, Mapping):
        return plain(value)
    found = {}
    for name, inner in wanted.items():
        try:
            found[name] = part(value[name], inner)
        except LookupError:
            continue
    return found


def plain(value: Any) -> Any:
    """A Mapping that is asked one name at a time, as a dict."""
    if isinstance(value, Mapping) and type(value) is not dict:
        return {key: plain(value[key]) for key in value}
    return value


def parts(values: Iterable[Any]) -> Iterator[Any]:
    """The values and all within them."""
    stack = list(values)
    while stack:
        value = stack.pop()
        yield value
        if isinstance(value, dict):
            stack.extend(value.values())
        elif isinstance(value, (list, tuple)):
            stack.extend(value)


def too_large(values: Iterable[Any]) -> bool:
    """Whether CEL would be handed more than LARGEST."""
    weight = 0
    for value in parts(values):
        weight += 8 + len(value) if isinstance(value, (str, dict)) else 8
        if weight > LARGEST:
            return True
    return False


def missing(scope: Mapping[str, Any], path: tuple[str | int, ...]) -> str:
    """Which part of the path is not there."""
    value: Any = scope
    for at, name in enumerate(path):
        here = _shown(path[:at])
        if isinstance(name, int):
            if not isinstance(value, list):
                return f"{here} is {_kind(value)}, it has no items"
            if name >= len(value):
                return f"{here} has {len(value)} items, so none at {name}"
        elif not isinstance(value, Mapping):
            return f"{here} is {_kind(value)}, it has no {name!r}"
        try:
            value = value[name]
        except LookupError:
            return f"{here} has no {name!r}" if here else f"there is no {name!r} here"
    return "it is missing"


def _shown(path: tuple[str | int, ...]) -> str:
    return "".join(f"[{name}]" if isinstance(name, int) else f".{name}" for name in path)[1:]


def _kind(value: Any) -> str:
    names = {type(None): "null", bool: "true or false", int: "a number", float: "a number", str: "text", list: "a list"}
    return names.get(type(value), type(value).__name__)


def reason(error: BaseException) -> str:
    """Why CEL could not evaluate, for the author of the expression."""
    text = str(error).removesuffix(" Check function arguments and their types.").rstrip(".")
    if isinstance(error, KeyError):
        return f"there is no {text}"
    if isinstance(error, TypeError) and "CEL does not coerce" in text:
        return "the types do not fit. Whole numbers and numbers with a point do not mix: use double() or int()."
    undefined = re.match(r"Undefined variable or function: '([^']*)'", text)
    if undefined:
        return f"there is no {undefined[1]!r} here"
    text = text.replace(f"Function '{COUNTED}'", "Function 'size'")
    called = re.match(r"Function '([^']*)' error: (?:Python function call failed: \w+: )?(.*)", text)
    return f"{called[1]}(): {called[2]}" if called else text.split("\n")[0]
