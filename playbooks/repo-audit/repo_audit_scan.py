"""Finds defects in one Python file by its syntax tree, without running it."""

from __future__ import annotations

import ast
import builtins
import re
import threading
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from typing import Any, NamedTuple

ERRORS = {
    "unreadable", "syntax-error", "assert-tuple", "is-literal", "duplicate-key", "raise-not-implemented", "shell-true",
    "tls-unverified",
}  # fmt: skip
WARNINGS = {
    "bare-except", "swallowed-exception", "mutable-default", "eval-exec", "unsafe-load", "insecure-temp", "unreachable",
    "return-in-finally", "redefined",
}  # fmt: skip
LONG, COMPLEX = 100, 20
# Those that stay what they are, so that the findings do not depend on which Python looks.
BUILTINS = frozenset(name for name in dir(builtins) if name.islower() and not name.startswith("_")) - {
    "aiter", "anext", "copyright", "credits", "exit", "help", "license", "quit",
}  # fmt: skip
BRANCHES = (ast.If, ast.For, ast.AsyncFor, ast.While, ast.ExceptHandler, ast.IfExp, ast.BoolOp, ast.comprehension)
FUNCTIONS, LEAVES = (ast.FunctionDef, ast.AsyncFunctionDef), (ast.Return, ast.Raise, ast.Continue, ast.Break)
MUTABLE = (ast.List, ast.Dict, ast.Set, ast.ListComp, ast.DictComp, ast.SetComp)
MUTABLE_CALLS = {"list", "dict", "set", "bytearray", "collections.defaultdict", "collections.deque"}
UNSAFE_LOADS = {"pickle.load", "pickle.loads", "marshal.load", "marshal.loads", "shelve.open", "dill.loads"}
# The parser's own warnings are switched off for its run; that switch belongs to the whole process.
_parsing = threading.Lock()


class Hit(NamedTuple):
    line: int
    rule: str
    message: str


@dataclass
class Source:
    """What the checks know of the whole file: what its imported names stand for, and what they saw on their way."""

    imported: dict[str, str]
    specs: set[int] = field(default_factory=set)
    shadowed: set[str] = field(default_factory=set)

    def called(self, node: ast.expr) -> str:
        """The dotted name of what is called, with imports resolved: `run` after `from subprocess import run`."""
        parts: list[str] = []
        while isinstance(node, ast.Attribute):
            parts.append(node.attr)
            node = node.value
        if not isinstance(node, ast.Name):
            return ""
        return ".".join([self.imported.get(node.id, node.id), *reversed(parts)])


Check = Callable[[Any, Source], Iterator[Hit]]
_checks: dict[type[ast.AST], list[Check]] = {}


def _on(*kinds: type[ast.AST]) -> Callable[[Check], Check]:
    def register(check: Check) -> Check:
        for kind in kinds:
            _checks.setdefault(kind, []).append(check)
        return check

    return register


@_on(ast.ExceptHandler)
def _handlers(node: ast.ExceptHandler, source: Source) -> Iterator[Hit]:
    last = node.body[-1]
    raises_again = isinstance(last, ast.Raise) and last.exc is None
    if node.type is None and not raises_again:
        yield Hit(node.lineno, "bare-except", "`except:` also catches KeyboardInterrupt and SystemExit")
        return
    caught = source.called(node.type) if node.type else ""
    if caught in {"Exception", "BaseException"} and all(isinstance(line, ast.Pass) for line in node.body):
        yield Hit(node.lineno, "swallowed-exception", f"`except {caught}: pass` hides every error")


@_on(ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda)
def _defaults(node: ast.FunctionDef | ast.Lambda, source: Source) -> Iterator[Hit]:
    for value in [*node.args.defaults, *node.args.kw_defaults]:
        fresh = isinstance(value, ast.Call) and source.called(value.func) in MUTABLE_CALLS
        if value is not None and (fresh or isinstance(value, MUTABLE)):
            yield Hit(value.lineno, "mutable-default", "a mutable default is shared by all calls")


@_on(*FUNCTIONS)
def _extent(node: ast.FunctionDef, _: Source) -> Iterator[Hit]:
    length = (node.end_lineno or node.lineno) - node.lineno + 1
    if length > LONG:
        yield Hit(node.lineno, "long-function", f"{node.name} is {length} lines long (over {LONG})")
    branches = 1 + sum(isinstance(inner, BRANCHES) for inner in ast.walk(node))
    if branches > COMPLEX:
        yield Hit(node.lineno, "complex-function", f"{node.name} has {branches} branches (over {COMPLEX})")


@_on(ast.Call)
def _calls(node: ast.Call, source: Source) -> Iterator[Hit]:
    name, keywords = source.called(node.func), {k.arg: k.value for k in node.keywords}
    if name in {"eval", "exec"} and node.args and not isinstance(node.args[0], ast.Constant):
        yield Hit(node.lineno, "eval-exec", f"{name}() runs whatever text it is given")
    elif name in {"os.system", "os.popen"} or (name.startswith("subprocess.") and _is(keywords.get("shell"), True)):
        yield Hit(node.lineno, "shell-true", f"{name}() hands its text to a shell")
    elif name in UNSAFE_LOADS or (name == "yaml.load" and "Loader" not in keywords and len(node.args) < 2):
        yield Hit(node.lineno, "unsafe-load", f"{name}() can run code from what it reads")
    elif name == "tempfile.mktemp":
        yield Hit(node.lineno, "insecure-temp", "tempfile.mktemp() names a file that somebody else may create first")
    elif name == "ssl._create_unverified_context" or _is(keywords.get("verify"), False):
        yield Hit(node.lineno, "tls-unverified", f"{name or 'this call'}() does not verify the server's certificate")
    elif name in {"hashlib.md5", "hashlib.sha1"} and not _is(keywords.get("usedforsecurity"), False):
        yield Hit(node.lineno, "weak-hash", f"{name}() is broken as a cryptographic hash")
    elif name == "open" and "encoding" not in keywords and len(node.args) < 4 and _opens_text(node, keywords):
        yield Hit(node.lineno, "open-without-encoding", "open() as text uses the machine's own encoding")


def _opens_text(node: ast.Call, keywords: dict[str | None, ast.expr]) -> bool:
    mode = node.args[1] if len(node.args) > 1 else keywords.get("mode")
    unpacked = None in keywords or any(isinstance(argument, ast.Starred) for argument in node.args)
    if unpacked or not (node.args or keywords):
        return False
    return mode is None or (isinstance(mode, ast.Constant) and isinstance(mode.value, str) and "b" not in mode.value)


def _is(node: ast.expr | None, value: bool) -> bool:
    return isinstance(node, ast.Constant) and node.value is value


@_on(ast.Compare)
def _comparisons(node: ast.Compare, _: Source) -> Iterator[Hit]:
    sides = [node.left, *node.comparators]
    for place, operator in enumerate(node.ops):
        pair = [side.value for side in sides[place : place + 2] if isinstance(side, ast.Constant)]
        if isinstance(operator, ast.Eq | ast.NotEq) and None in pair:
            yield Hit(node.lineno, "compare-none", "compare with None by `is` or `is not`")
        if isinstance(operator, ast.Is | ast.IsNot) and any(type(v) in (str, bytes, int, float) for v in pair):
            yield Hit(node.lineno, "is-literal", "`is` with a literal asks for the same object, not the same value")


@_on(ast.Assert)
def _asserts(node: ast.Assert, _: Source) -> Iterator[Hit]:
    if isinstance(node.test, ast.Tuple) and node.test.elts:
        yield Hit(node.lineno, "assert-tuple", "an assert on a tuple never fails")


@_on(ast.Dict)
def _keys(node: ast.Dict, _: Source) -> Iterator[Hit]:
    seen: set[tuple[str, Any]] = set()
    for key in node.keys:
        if isinstance(key, ast.Constant):
            known = (type(key.value).__name__, key.value)
            if known in seen:
                yield Hit(key.lineno, "duplicate-key", f"the key {key.value!r:.60} is given twice: the first is lost")
            seen.add(known)


@_on(ast.Raise)
def _raises(node: ast.Raise, source: Source) -> Iterator[Hit]:
    raised = node.exc.func if isinstance(node.exc, ast.Call) else node.exc
    if raised is not None and source.called(raised) == "NotImplemented":
        yield Hit(node.lineno, "raise-not-implemented", "NotImplemented is not an exception: NotImplementedError is")


@_on(ast.FormattedValue)
def _format_specs(node: ast.FormattedValue, source: Source) -> Iterator[Hit]:
    # A format spec is a JoinedStr too; the walk comes by here before it comes by the spec.
    source.specs.add(id(node.format_spec))
    yield from ()


@_on(ast.JoinedStr)
def _f_strings(node: ast.JoinedStr, source: Source) -> Iterator[Hit]:
    values = any(isinstance(part, ast.FormattedValue) for part in node.values)
    if node.values and not values and id(node) not in source.specs:
        yield Hit(node.lineno, "empty-f-string", "an f-string without a placeholder")


@_on(ast.Try, getattr(ast, "TryStar", ast.Try))
def _finally(node: ast.Try, _: Source) -> Iterator[Hit]:
    for line in node.finalbody:
        if isinstance(line, ast.Return):
            yield Hit(line.lineno, "return-in-finally", "a return in `finally` drops the error on its way")


@_on(ast.arg, ast.Name)
def _names(node: ast.arg | ast.Name, source: Source) -> Iterator[Hit]:
    name = node.arg if isinstance(node, ast.arg) else node.id
    stored = isinstance(node, ast.arg) or isinstance(node.ctx, ast.Store)
    if stored and name in BUILTINS - source.shadowed:
        source.shadowed.add(name)
        yield Hit(node.lineno, "shadowed-builtin", f"{name} hides the builtin of that name")


def _blocks(node: ast.AST) -> Iterator[list[ast.stmt]]:
    for part in ("body", "orelse", "finalbody"):
        block = getattr(node, part, None)
        if isinstance(block, list) and len(block) > 1:
            yield block


def _unreachable(block: list[ast.stmt]) -> Iterator[Hit]:
    for line, after in pairwise(block):
        # `return` then `yield` is how an empty generator is written.
        generator = isinstance(after, ast.Expr) and isinstance(after.value, ast.Yield | ast.YieldFrom)
        if isinstance(line, LEAVES) and not generator:
            yield Hit(after.lineno, "unreachable", f"never reached: the line before is a {type(line).__name__.lower()}")


def _redefined(block: list[ast.stmt]) -> Iterator[Hit]:
    plain = [n for n in block if isinstance(n, FUNCTIONS) and not n.decorator_list]
    if len({n.name for n in plain}) == len(plain):
        return
    last: dict[str, ast.stmt] = {}
    for line in block:
        if isinstance(line, FUNCTIONS) and not line.decorator_list:
            if line.name in last:
                where = last[line.name].lineno
                yield Hit(line.lineno, "redefined", f"{line.name} is defined again: the one of line {where} is lost")
            last[line.name] = line
        else:
            for used in {n.id for n in ast.walk(line) if isinstance(n, ast.Name)} & set(last):
                del last[used]


def _imports(tree: ast.Module) -> Iterator[tuple[str, str, int]]:
    """Each imported name with what it stands for and its line; those that are tried for, or re-exported, have line 0."""
    tried: set[int] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Try):
            tried |= {id(n) for line in node.body for n in ast.walk(line)}
            tried |= {id(n) for handler in node.handlers for n in ast.walk(handler)}
        if isinstance(node, ast.Import | ast.ImportFrom):
            origin = f"{node.module or ''}." if isinstance(node, ast.ImportFrom) else ""
            for alias in node.names:
                kept = id(node) in tried or alias.asname == alias.name or origin == "__future__." or alias.name == "*"
                root = alias.name if origin or alias.asname else alias.name.split(".")[0]
                yield alias.asname or root, origin + root, 0 if kept else node.lineno


def _unused(tree: ast.Module, imports: list[tuple[str, str, int]]) -> Iterator[Hit]:
    used: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Name):
            used.add(node.id)
        elif isinstance(node, ast.Constant) and isinstance(node.value, str) and len(node.value) < 300:
            used.update(re.findall(r"[^\W\d]\w*", node.value))  # names in `__all__` and in quoted annotations
    for name, origin, line in imports:
        if line and name not in used:
            yield Hit(line, "unused-import", f"{origin} is imported and not used")


def findings(text: bytes, name: str) -> list[Hit]:
    """All that is wrong in a file of this text, by line. What does not parse is one finding."""
    try:
        with _parsing, warnings.catch_warnings():
            warnings.simplefilter("ignore")
            tree = ast.parse(text, name)
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        line = getattr(error, "lineno", None) or 1
        return [
            Hit(line, "syntax-error", f"does not parse: {getattr(error, 'msg', None) or error or 'nested too deep'}")
        ]
    imports = list(_imports(tree))
    source = Source({alias: origin for alias, origin, _ in imports})
    hits = set() if name.endswith("__init__.py") else set(_unused(tree, imports))
    for node in ast.walk(tree):
        for check in _checks.get(type(node), ()):
            hits.update(check(node, source))
        for block in _blocks(node):
            hits.update(_unreachable(block))
            hits.update(_redefined(block))
    return sorted(hits)


def scan(root: str, file: str) -> dict[str, Any]:
    """Agent: what is wrong in `root/file`, as `{file, lines, findings: [{file, line, rule, severity, message}]}`."""
    try:
        text = Path(root, file).read_bytes()
        hits = findings(text, file)
    except OSError as error:
        text, hits = b"", [Hit(1, "unreadable", f"cannot be read: {error.strerror}")]
    found = [
        {"file": file, "line": hit.line, "rule": hit.rule, "severity": severity(hit.rule), "message": hit.message}
        for hit in hits
    ]
    return {"file": file, "lines": len(text.splitlines()), "findings": found}


def severity(rule: str) -> str:
    """error, warning or info."""
    return "error" if rule in ERRORS else "warning" if rule in WARNINGS else "info"
