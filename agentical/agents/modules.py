"""Modules beside a playbook: found, read and loaded under private names.

The modules of a folder belong to a private package made for it, so that two playbooks may each have an `agents.py` and
neither shadows anything installed. Between themselves they may import one another as scripts in one folder do (`import
sibling`) or as a package does (`from . import sibling`); a name of the standard library is never a sibling. They are
always compiled from their source: what runs is what was hashed, and no cache is left in the author's folder.
"""

from __future__ import annotations

import ast
import builtins
import hashlib
import importlib
import importlib.util
import sys
from collections.abc import Mapping, Sequence
from importlib.machinery import ModuleSpec, PathFinder, SourceFileLoader
from pathlib import Path
from types import ModuleType
from typing import Any, Final

PREFIX: Final = "_agentical_"


def file_beside(folder: str, name: str) -> Path | None:
    """The file of the module `name` in this folder: `a/b.py` or `a/b/__init__.py` for `a.b`."""
    if not folder:
        return None
    path = Path(folder, *name.split("."))
    candidates = (path.with_name(f"{path.name}.py"), path / "__init__.py")
    return next((file for file in candidates if file.is_file()), None)


def file_of(folder: str, name: str) -> Path | None:
    """The source file of a module, beside the playbook or installed; None when there is no such module or no source."""
    beside = file_beside(folder, name)
    if beside is not None:
        return beside
    spec = _installed(name)
    return Path(spec.origin) if spec and spec.has_location and spec.origin and spec.origin.endswith(".py") else None


def is_module(folder: str, name: str) -> bool:
    """Whether there is such a module, without running it (an installed one's packages are imported to find it)."""
    return file_beside(folder, name) is not None or _installed(name) is not None


def load(folder: str, name: str) -> ModuleType:
    """The module, beside the playbook or else installed. Raises whatever importing it raises."""
    if file_beside(folder, name) is None:
        return importlib.import_module(name)
    importlib.invalidate_caches()
    return importlib.import_module(f"{_package(folder)}.{name}")


def top_level_names(source: bytes) -> set[str] | None:
    """What a module's source defines at its top level; None when only running it tells. Raises SyntaxError."""
    names: set[str] = set()
    return names if _collect(ast.parse(source).body, names) and "__getattr__" not in names else None


def _collect(body: Sequence[ast.stmt], names: set[str]) -> bool:
    """Add the names these statements bind; False where a `*` is imported."""
    complete = True
    for node in body:
        match node:
            case ast.FunctionDef() | ast.AsyncFunctionDef() | ast.ClassDef():
                names.add(node.name)
            case ast.Import() | ast.ImportFrom():
                names |= {alias.asname or alias.name.split(".")[0] for alias in node.names}
                complete &= "*" not in names
            case ast.If() | ast.Try() | ast.With() | ast.For() | ast.While():
                parts: list[ast.stmt] = [*node.body, *getattr(node, "orelse", ()), *getattr(node, "finalbody", ())]
                parts += [statement for clause in getattr(node, "handlers", ()) for statement in clause.body]
                complete &= _collect(parts, names)
            case _:
                names |= {n.id for n in ast.walk(node) if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Store)}
    return complete


def _installed(name: str) -> ModuleSpec | None:
    try:
        return importlib.util.find_spec(name)
    except (ImportError, ValueError):  # its package is not there, or is not a package
        return None


def _package(folder: str) -> str:
    """The private package of a folder, made when it is first asked for."""
    path = str(Path(folder).resolve())
    name = PREFIX + hashlib.sha256(path.encode(errors="surrogateescape")).hexdigest()[:16]
    if name not in sys.modules:
        package = ModuleType(name, f"The modules in {path}.")
        package.__path__ = [path]
        sys.modules[name] = package
        if not any(isinstance(finder, _PrivateFinder) for finder in sys.meta_path):
            sys.meta_path.insert(0, _PrivateFinder())
    return name


class _PrivateFinder:
    """Finds the modules of private packages, and nothing else."""

    def find_spec(self, name: str, path: Sequence[str] | None, target: ModuleType | None = None) -> ModuleSpec | None:
        if not name.startswith(PREFIX):
            return None
        spec = PathFinder.find_spec(name, path, target)
        if spec is not None and isinstance(spec.loader, SourceFileLoader):
            spec.loader = _PrivateLoader(spec.loader.name, spec.loader.path)
        return spec


class _PrivateLoader(SourceFileLoader):
    """Runs a module beside a playbook with an `import` that also finds its siblings."""

    def path_stats(self, path: Any) -> Mapping[str, Any]:
        raise OSError(
            f"{path} is always compiled from its source"
        )  # no stats: importlib neither reads nor writes a cache

    def exec_module(self, module: ModuleType) -> None:
        package = module.__name__.partition(".")[0]
        folder = sys.modules[package].__path__[0]

        def import_beside(
            name: str,
            globals: Mapping[str, Any] | None = None,
            locals: Mapping[str, Any] | None = None,
            fromlist: Sequence[str] | None = (),
            level: int = 0,
        ) -> ModuleType:
            top = name.partition(".")[0]
            if level == 0 and top not in sys.stdlib_module_names and _is_beside(folder, top):
                return builtins.__import__(name, {"__package__": package}, locals, fromlist or (), 1)
            return builtins.__import__(name, globals, locals, fromlist or (), level)

        module.__dict__["__builtins__"] = {**vars(builtins), "__import__": import_beside}
        super().exec_module(module)


def _is_beside(folder: str, top: str) -> bool:
    return file_beside(folder, top) is not None or (
        Path(folder, top).is_dir() and importlib.util.find_spec(top) is None
    )
