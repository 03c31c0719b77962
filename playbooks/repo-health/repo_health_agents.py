"""Inspects a folder of source code from eight sides; each inspector gives a score and what it found."""

from __future__ import annotations

import ast
import os
import re
import subprocess
import threading
import warnings
from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from agentical.errors import Invalid

SKIPPED = {".git", ".hg", ".svn", ".tox", "node_modules", "__pycache__", ".mypy_cache", ".ruff_cache"}
SOURCE = re.compile(r"\.(pyi?|jsx?|tsx?|go|rs|java|kt|c|h|cc|cpp|hpp|cs|rb|php|swift|scala|sh)", re.IGNORECASE)
LARGE, LONG, TEXT = 5_000_000, 1_000, 2_000_000
MARKS = re.compile(rb"\b(TODO|FIXME|XXX|HACK)\b")
TEST_NAME = re.compile(
    r"(^|/)(tests?|spec|__tests__)/|(^|/)test_[^/]+$|[._-](test|spec)\.[a-z]+$|_test\.[a-z]+$", re.IGNORECASE
)
KEY_NAME = re.compile(
    r"(^|/)(\.env(\.(?!example|sample|template|dist)[^/]*)?|id_(rsa|dsa|ecdsa|ed25519)|\.netrc|\.pgpass|\.htpasswd"
    r"|credentials\.json|service[-_]account[^/]*\.json|[^/]+\.(pem|p12|pfx|jks|keystore|kdbx|key))$"
)
PAPERS = {
    "readme": (40, r"readme(\.\w+)?"),
    "licence": (30, r"(licen[cs]e|copying|unlicense)([.-][\w.-]+)?"),
    "changelog": (15, r"(changelog|changes|history|news)(\.\w+)?"),
    "contributing": (5, r"contributing(\.\w+)?"),
    "ignore file": (10, r"\.gitignore|\.hgignore"),
}
PACKAGING = {
    "build file": (40, r"pyproject\.toml|setup\.py|package\.json|Cargo\.toml|go\.mod|pom\.xml|build\.gradle|Makefile"),
    "continuous checks": (35, r"\.github|\.gitlab-ci\.yml|\.ci|Jenkinsfile|\.circleci|azure-pipelines\.yml|tox\.ini"),
    "pinned versions": (
        25,
        r"constraints\.txt|requirements\.txt|.+[.-]lock|(Pipfile|pnpm-|package-)?lock\.\w+|go\.sum",
    ),
}
_parsing = threading.Lock()  # switching warnings off is for the whole process


def _root(path: str) -> Path:
    root = Path(path).expanduser()
    if not root.is_dir():
        raise Invalid(f"there is no folder {path!r}. Give one: -i path=FOLDER")
    return root


def folder(path: str) -> str:
    """Agent: the folder's full path, once it is clear that it is there."""
    return str(_root(path).resolve())


def _files(root: Path) -> Iterator[tuple[str, Path]]:
    """Every file below, links aside, sorted, with its name from the root."""
    for folder, folders, names in os.walk(root):
        kept = (name for name in folders if name not in SKIPPED and not Path(folder, name, "pyvenv.cfg").exists())
        folders[:] = sorted(kept)
        for name in sorted(names):
            file = Path(folder, name)
            if file.is_file() and not file.is_symlink():
                yield file.relative_to(root).as_posix().encode(errors="replace").decode(), file


def _sources(root: Path) -> Iterator[tuple[str, bytes]]:
    for name, file in _files(root):
        if SOURCE.fullmatch(file.suffix) and file.stat().st_size <= TEXT:
            yield name, file.read_bytes()


def _found(score: float, findings: Sequence[str], **facts: Any) -> dict[str, Any]:
    """An inspector's answer. Of many findings the first twenty are kept and the rest counted."""
    shown = [*findings[:20], *([f"… and {len(findings) - 20} more"] if len(findings) > 20 else [])]
    return {"score": max(0, min(100, round(score))), "findings": shown, "facts": facts}


def papers(path: str) -> dict[str, Any]:
    """Agent: is there a README, a licence, a changelog, …"""
    root = _root(path)
    names = sorted(entry.name for entry in root.iterdir())
    there = {p: any(re.fullmatch(form, n, re.IGNORECASE) for n in names) for p, (_, form) in PAPERS.items()}
    missing = [f"no {paper}" for paper, present in there.items() if not present]
    return _found(sum(PAPERS[paper][0] for paper, present in there.items() if present), missing, **there)


def tests(path: str) -> dict[str, Any]:
    """Agent: how many lines of test stand beside a line of code. As many as half the code is a full score."""
    lines = {True: 0, False: 0}
    for name, text in _sources(_root(path)):
        lines[bool(TEST_NAME.search(name))] += text.count(b"\n")
    if not any(lines.values()):
        return _nothing("no source code")
    ratio = lines[True] / max(lines[False], 1)
    findings = [] if lines[True] else ["no tests"]
    return _found(200 * ratio, findings, test_lines=lines[True], code_lines=lines[False], ratio=round(ratio, 2))


def _nothing(reason: str) -> dict[str, Any]:
    return {"score": None, "findings": [], "facts": {"not judged": reason}}


def syntax(path: str) -> dict[str, Any]:
    """Agent: which Python files do not parse. Nothing is run."""
    broken, count = [], 0
    for name, text in _sources(_root(path)):
        if name.endswith((".py", ".pyi")):
            count += 1
            try:
                with _parsing, warnings.catch_warnings():
                    warnings.simplefilter("ignore")
                    ast.parse(text, name)
            except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
                broken.append(f"{name}:{getattr(error, 'lineno', None) or 1} does not parse")
    if not count:
        return _nothing("no Python files")
    return _found(100 - 400 * len(broken) / count - 10 * bool(broken), broken, files=count, broken=len(broken))


def sizes(path: str) -> dict[str, Any]:
    """Agent: files too large for a repository, and source files too long to read."""
    findings, total, count = [], 0, 0
    root = _root(path)
    for name, file in _files(root):
        size = file.stat().st_size
        total, count = total + size, count + 1
        if size > LARGE:
            findings.append(f"{name} is {size / 1e6:.1f} MB")
    large = len(findings)
    long = [(text.count(b"\n"), name) for name, text in _sources(root)]
    findings += [f"{name} is {lines} lines long" for lines, name in sorted(long, reverse=True) if lines > LONG]
    share = (len(findings) - large) / max(len(long), 1)
    return _found(100 - 10 * large - 200 * share, findings, files=count, bytes=total, large=large)


def marks(path: str) -> dict[str, Any]:
    """Agent: TODO, FIXME, XXX and HACK in the source; one in 200 lines is no score at all."""
    findings, lines = [], 0
    for name, text in _sources(_root(path)):
        lines += text.count(b"\n")
        places = ((text.count(b"\n", 0, hit.start()) + 1, hit[1].decode()) for hit in MARKS.finditer(text))
        findings += [f"{name}:{line} {mark}" for line, mark in places]
    if not lines:
        return _nothing("no source code")
    return _found(100 - 20_000 * len(findings) / lines, findings, marks=len(findings), lines=lines)


def keys(path: str) -> dict[str, Any]:
    """Agent: files whose names say that they hold keys or passwords. (`secret-scan` looks inside.)"""
    findings = [name for name, _ in _files(_root(path)) if KEY_NAME.search(name)]
    return _found(100 - 50 * len(findings), findings, files=len(findings))


def packaging(path: str) -> dict[str, Any]:
    """Agent: does the project say how it is built, checked, and what it needs?"""
    names = sorted(entry.name for entry in _root(path).iterdir())
    have = {what: [name for name in names if re.fullmatch(form, name)] for what, (_, form) in PACKAGING.items()}
    score = sum(PACKAGING[what][0] for what, files in have.items() if files)
    return _found(score, [f"no {what}" for what, files in have.items() if not files], **have)


def history(path: str) -> dict[str, Any]:
    """Agent: how alive the git history was in the year before its last commit, and what is not committed."""
    root = _root(path)
    if _git(root, "rev-parse", "--is-inside-work-tree") is None:
        return _nothing("not a git repository")
    last = _git(root, "log", "-1", "--format=%cI", "--", ".")
    if not last:
        return _nothing("no commits here")
    since = datetime.fromisoformat(last) - timedelta(days=365)
    authors = (_git(root, "log", "--format=%ae", f"--since={since.isoformat()}", "--", ".") or "").split()
    changed = (_git(root, "status", "--porcelain", "--", ".") or "").splitlines()
    uncommitted = [line for line in changed if not line.endswith(".agentical/")]  # where this very run is recorded
    findings = ["one author only"] if len(set(authors)) == 1 else []
    findings += [f"{len(uncommitted)} uncommitted changes"] if uncommitted else []
    score = 100 - 10 * (len(set(authors)) == 1) - min(20, 2 * len(uncommitted)) - 5 * max(0, 12 - len(authors))
    return _found(score, findings, last_commit=last, commits_of_a_year=len(authors), authors=len(set(authors)))


def _git(root: Path, *words: str) -> str | None:
    """What git says, None where it fails: not a repository, no commits."""
    try:
        ran = subprocess.run(["git", "-C", str(root), *words], capture_output=True, timeout=60, check=False)
    except FileNotFoundError:
        return None
    return ran.stdout.decode(errors="replace").strip() if ran.returncode == 0 else None
