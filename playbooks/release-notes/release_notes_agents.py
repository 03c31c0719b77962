"""Turns a range of git commits into release notes: read, sort into groups, write."""

from __future__ import annotations

import re
import subprocess
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from agentical.errors import Exhausted, Invalid

GROUPS = (
    ("breaking", "Breaking changes"),
    ("feature", "New"),
    ("fix", "Fixed"),
    ("performance", "Faster"),
    ("security", "Security"),
    ("removed", "Removed"),
    ("docs", "Documentation"),
    ("changed", "Changed"),
    ("internal", "Inside"),
)
TYPES = {  # conventional commits (conventionalcommits.org) and their usual spellings
    "feat": "feature", "feature": "feature", "fix": "fix", "bugfix": "fix", "hotfix": "fix", "perf": "performance",
    "security": "security", "sec": "security", "docs": "docs", "doc": "docs", "revert": "changed",
    "refactor": "internal", "style": "internal", "test": "internal", "tests": "internal", "build": "internal",
    "ci": "internal", "chore": "internal", "deps": "internal", "release": "internal",
}  # fmt: skip
WORDS = (  # of a subject that names no type: its first words tell
    ("security", r"cve-|security\b|vulnerab"),
    ("fix", r"fix|correct|repair|resolve|prevent|avoid|handle\b|bug|don't|do not|stop\b"),
    ("feature", r"add|introduce|implement|support|allow|enable|new\b|create|provide|first\b|let\b"),
    ("performance", r"speed|faster|optimi[sz]e|improve (the )?(speed|performance)|cache\b"),
    ("removed", r"remove|drop|delete|deprecate"),
    ("docs", r"docs?\b|document|readme|changelog|typo|explain|describe|comment"),
    (
        "internal",
        r"tests?\b|refactor|clean|rename|move|bump|release|version|ci\b|lint|format|merge|tidy|split|type hints?",
    ),
)
HEAD = re.compile(r"^(?P<type>[A-Za-z]+)(\((?P<scope>[^)]*)\))?(?P<mark>!)?:\s+(?P<text>.+)$")
ISSUES = re.compile(r"(?<![\w/])#(\d+)\b")
FIELDS, FORM = ("hash", "author", "date", "subject", "body"), "%H%x00%aN%x00%cs%x00%s%x00%b"


def read_commits(path: str, since: str = "", until: str = "HEAD", title: str = "", output: str = "") -> dict[str, Any]:
    """Agent: the commits after `since` up to `until`, newest first, merges left out.

    Without `since`: from the last tag before `until`, or from the beginning where there is none.
    """
    root = Path(path).expanduser()
    if not root.is_dir():
        raise Invalid(f"there is no folder {path!r}. Give a git repository: -i path=FOLDER")
    end = _commit(root, until)
    start = since or _git(root, "describe", "--tags", "--abbrev=0", f"{end}^", fails="")
    span = f"{_commit(root, start)}..{end}" if start else end
    # NUL is the one character that no commit message holds.
    log = _git(root, "log", "-z", "--no-merges", "--no-color", "--encoding=UTF-8", f"--format={FORM}", span).split("\0")
    rows = (map(str.strip, log[place : place + len(FIELDS)]) for place in range(0, len(log) - 1, len(FIELDS)))
    commits = [dict(zip(FIELDS, row, strict=True)) for row in rows]
    day = _git(root, "log", "-1", "--format=%cs", end).strip()
    tag = _git(root, "describe", "--tags", "--exact-match", end, fails="")
    return {"title": title or tag or "Unreleased", "since": start, "until": until, "date": day, "commits": commits,
            "output": output}  # fmt: skip


def _commit(root: Path, ref: str) -> str:
    try:
        return _git(root, "rev-parse", "--verify", "--quiet", "--end-of-options", f"{ref}^{{commit}}").strip()
    except Invalid as error:
        empty = ref == "HEAD" and "not a git repository" not in str(error)
        what = "it has no commits yet" if empty else str(error).strip() or f"it knows no commit {ref!r}"
        raise Invalid(f"{str(root)!r}: {what}") from None


def _git(root: Path, *words: str, fails: str | None = None) -> str:
    """What git says. Where it refuses: `fails`, or Invalid with git's own words."""
    try:
        ran = subprocess.run(["git", "-C", str(root), *words], capture_output=True, timeout=120, check=False)
    except FileNotFoundError:
        raise Invalid("git is not installed") from None
    except subprocess.TimeoutExpired:
        raise Exhausted(f"git {words[0]} took more than two minutes") from None
    if ran.returncode == 0:
        return ran.stdout.decode(errors="replace") if fails is None else ran.stdout.decode(errors="replace").strip()
    if fails is None:
        raise Invalid(ran.stderr.decode(errors="replace").strip().removeprefix("fatal: "))
    return fails


def classify(subject: str, body: str = "") -> dict[str, Any]:
    """The group of a commit, its scope, and its subject as a reader of release notes wants it."""
    head = HEAD.match(subject)
    if head and not head["mark"] and head["type"].lower() not in TYPES:
        head = None
    text = head["text"] if head else subject
    if re.search(r"^BREAKING[ -]CHANGE:", body, re.MULTILINE) or (head and head["mark"]):
        group = "breaking"
    elif head:
        group = TYPES[head["type"].lower()]
    else:
        start = re.sub(r"^[\w./-]+:\s+", "", subject).casefold()  # `parser: fix …` names a place, not a type
        group = next((name for name, form in WORDS if re.match(form, start)), "changed")
    return {"group": group, "scope": (head["scope"] or "") if head else "", "text": text[:1].upper() + text[1:]}


def group_commits(payload: Mapping[str, Any]) -> dict[str, Any]:
    """Agent: the answer of `read_commits` with its commits as entries in groups; equal texts are one entry."""
    entries: dict[tuple[str, str, str], dict[str, Any]] = {}
    for commit in payload["commits"]:
        entry = classify(commit["subject"], commit["body"])
        kept = entries.setdefault(
            (entry["group"], entry["scope"], entry["text"]), {**entry, "commits": [], "issues": []}
        )
        kept["commits"].append(commit["hash"][:10])
        issues = {int(number) for number in ISSUES.findall(f"{commit['subject']}\n{commit['body']}")}
        kept["issues"] = sorted(issues.union(kept["issues"]))
    groups = [
        {"name": name, "title": title, "entries": [e for e in entries.values() if e["group"] == name]}
        for name, title in GROUPS
    ]
    authors = Counter(commit["author"] for commit in payload["commits"])
    return {
        **{key: payload[key] for key in ("title", "since", "until", "date", "output")},
        "groups": [group for group in groups if group["entries"]],
        "authors": [{"name": n, "commits": c} for n, c in sorted(authors.items(), key=lambda a: (-a[1], a[0]))],
        "commits": len(payload["commits"]),
    }


def write_notes(payload: Mapping[str, Any]) -> dict[str, Any]:
    """Agent: the grouped commits as Markdown, also written to the file `output` where one is named."""
    span = f"since `{payload['since']}`" if payload["since"] else "since the beginning"
    lines = [
        f"## {payload['title']} ({payload['date']})",
        "",
        f"{payload['commits']} commit{'s' * (payload['commits'] != 1)} {span}.",
        "",
    ]
    for group in payload["groups"]:
        lines += [f"### {group['title']}", "", *map(_line, group["entries"]), ""]
    if payload["authors"]:
        lines += ["### Thanks to", "", ", ".join(f"{a['name']} ({a['commits']})" for a in payload["authors"]), ""]
    markdown = "\n".join(lines)
    if payload["output"]:
        _write(Path(payload["output"]).expanduser(), markdown)
    return {"markdown": markdown, **{key: payload[key] for key in payload if key != "output"}}


def _line(entry: Mapping[str, Any]) -> str:
    scope = f"**{entry['scope']}:** " if entry["scope"] else ""
    known = [f"#{issue}" for issue in entry["issues"] if f"#{issue}" not in entry["text"]]
    return f"- {scope}{entry['text']} ({', '.join([*known, *_shown(entry['commits'])])})"


def _shown(commits: Sequence[str]) -> list[str]:
    return [*commits[:5], *([f"and {len(commits) - 5} more"] if len(commits) > 5 else [])]


def _write(target: Path, text: str) -> None:
    if not target.parent.is_dir():
        raise Invalid(f"there is no folder {str(target.parent)!r} to write the notes into")
    draft = target.with_name(f".{target.name}.part")
    draft.write_text(text, encoding="utf-8")
    draft.replace(target)
