"""Reads a diff, from git or from a file, and splits it by file for the reviewers."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path
from typing import Any

from agentical.errors import Exhausted, Invalid

HEAD = re.compile(r"^diff --git \"?a/(?P<old>.+?)\"? \"?b/(?P<new>.+?)\"?$")
PLAIN = re.compile(r"^\+\+\+ (?:b/)?(?P<new>[^\t\n]+)")
UNREAD = re.compile(r"(\.lock|-lock\.(json|yaml)|go\.sum|\.min\.(js|css)|\.svg|\.snap)$")


def read_diff(path: str = ".", range: str = "", diff: str = "", limit: int = 20_000, most: int = 50) -> dict[str, Any]:
    """Agent: the changed files as `{title, files: [{file, added, removed, diff, cut}], left_out}`.

    `diff` names a patch file; without it git is asked, for `range` (as `main...HEAD`) or what is not committed yet.
    """
    text = _patch(diff) if diff else _git(Path(path).expanduser(), range)
    files: list[dict[str, Any]] = []
    left_out: list[str] = []
    for name, part in split(text):
        if UNREAD.search(name) or "\nBinary files " in part or "\nGIT binary patch" in part or len(files) == most:
            left_out.append(name)
            continue
        lines = part.split("\n")
        files.append({
            "file": name,
            "added": sum(line.startswith("+") and not line.startswith("+++ ") for line in lines),
            "removed": sum(line.startswith("-") and not line.startswith("--- ") for line in lines),
            "diff": part[:limit],
            "cut": len(part) > limit,
        })  # fmt: skip
    return {"title": diff or range or "uncommitted changes", "files": files, "left_out": left_out}


def _patch(file: str) -> str:
    try:
        return Path(file).expanduser().read_text(encoding="utf-8", errors="replace")
    except OSError as error:
        raise Invalid(f"the diff {file!r} cannot be read: {error.strerror}") from None


def _git(root: Path, span: str) -> str:
    if not root.is_dir():
        raise Invalid(f"there is no folder {str(root)!r}. Give a git repository: -i path=FOLDER")
    if span.startswith("-"):
        raise Invalid(f"range is {span!r}: give commits, such as main...HEAD")
    command = ["git", "-C", str(root), "diff", "--no-color", "--no-ext-diff", span or "HEAD", "--"]
    try:
        ran = subprocess.run(command, capture_output=True, timeout=120, check=False)
    except FileNotFoundError:
        raise Invalid("git is not installed. Give a patch file: -i diff=FILE") from None
    except subprocess.TimeoutExpired:
        raise Exhausted("git diff took more than two minutes") from None
    if ran.returncode:
        raise Invalid(ran.stderr.decode(errors="replace").strip().removeprefix("fatal: "))
    return ran.stdout.decode(errors="replace")


def split(text: str) -> list[tuple[str, str]]:
    """The parts of a diff by file name, in their order: git's form, or plain `---`/`+++` pairs."""
    parts: list[tuple[str, list[str]]] = []
    lines = text.split("\n")
    git = any(HEAD.match(line) for line in lines)
    for number, line in enumerate(lines):
        if (git and (head := HEAD.match(line))) or (
            not git and line.startswith("--- ") and (head := PLAIN.match("\n".join(lines[number + 1 : number + 2])))
        ):
            parts.append((head["new"], []))
        if parts:
            parts[-1][1].append(line)
    return [(name, "\n".join(part).rstrip("\n") + "\n") for name, part in parts]


def summarise(
    files: list[dict[str, Any]], reviews: list[dict[str, Any]], left_out: list[str], title: str
) -> dict[str, Any]:
    """Agent: what the reviewers said of each file, without the diff: what is voted on and reported."""
    said = [
        {"file": file["file"], "added": file["added"], "removed": file["removed"], "read_whole": not file["cut"],
         "severity": review["choice"], "comments": review["comments"]}
        for file, review in zip(files, reviews, strict=True)
    ]  # fmt: skip
    return {"title": title, "files": said, "left_out": left_out}
