"""Finds what might be a secret in the files of a folder, and writes the report.

A candidate is a place (file, line, columns), never the text found there: no secret gets into an answer, a journal or a
report. Four hex digits of its SHA-256 tell whether the place still holds the same text.
"""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from agentical.errors import Invalid

KNOWN = {
    "private key": r"-----BEGIN (?:[A-Z]+ )*PRIVATE KEY(?: BLOCK)?-----",
    "AWS access key": r"\b(?:AKIA|ASIA)[A-Z0-9]{16}\b",
    "GitHub token": r"\bgh[pousr]_[A-Za-z0-9]{36,255}\b|\bgithub_pat_\w{60,255}\b",
    "GitLab token": r"\bglpat-[\w-]{20,}",
    "Slack token": r"\bxox[abeprs]-[A-Za-z0-9-]{10,}",
    "Slack webhook": r"https://hooks\.slack\.com/services/T\w+/B\w+/\w+",
    "Google API key": r"\bAIza[\w-]{35}",
    "Stripe key": r"\b[rs]k_live_[A-Za-z0-9]{20,}",
    "OpenAI or Anthropic key": r"\bsk-(?:proj-|ant-|svcacct-)?[A-Za-z0-9_-]{32,}",
    "npm token": r"\bnpm_[A-Za-z0-9]{36}\b",
    "PyPI token": r"\bpypi-[\w-]{50,}",
    "SendGrid key": r"\bSG\.[\w-]{22}\.[\w-]{43}",
    "JSON web token": r"\beyJ[\w-]{10,}\.eyJ[\w-]{10,}\.[\w-]{10,}",
    "password in a URL": r"\b[a-z][a-z0-9+.-]*://[^/\s:@\"']+:(?P<value>[^/\s:@\"']{3,})@",
}
KNOWN_FORMS = {kind: re.compile(form) for kind, form in KNOWN.items()}
ASSIGNED = re.compile(
    r"(?:secret|passw(?:or)?d|pwd|token|api[_-]?key|access[_-]?key|credential|private[_-]?key)[\w-]*"
    r"[\"']?\s*(?:=>|:=|=|:)\s*(?P<quote>[\"'`]?)(?P<value>[^\s\"'`,;]{6,200})(?P=quote)",
    re.IGNORECASE,
)
QUOTED = re.compile(r"([\"'`])(?P<value>[A-Za-z0-9+/_=-]{24,200})\1")
SETTINGS = re.compile(r"(^|/)(\.env[^/]*|[^/]+\.(env|ini|cfg|conf|properties|ya?ml|toml|netrc|npmrc|pypirc|tfvars))$")
LARGE, LONG = 2_000_000, 4_000


class Candidate(NamedTuple):
    start: int
    end: int
    kind: str


def collect(path: str, exclude: Sequence[str] = (), limit: int = 500) -> dict[str, Any]:
    """Agent: the candidates under `path` as `{root, candidates, files, skipped, more}`, at most `limit` of them."""
    root = Path(path).expanduser()
    if not root.is_dir():
        raise Invalid(f"there is no folder {path!r}. Give one: -i path=FOLDER")
    found: list[dict[str, Any]] = []
    skipped: list[str] = []
    count = more = 0
    for name in _names(root, exclude):
        text = _text(root / name)
        if text is None:
            skipped.append(name)
            continue
        count += 1
        for candidate in _in_file(name, text):
            if len(found) < limit:
                found.append(candidate)
            else:
                more += 1
    return {"root": str(root.resolve()), "candidates": found, "files": count, "skipped": skipped, "more": more}


def _names(root: Path, exclude: Sequence[str]) -> Iterator[str]:
    names: list[str] = []
    for folder, folders, files in os.walk(root):
        folders[:] = [name for name in folders if name not in exclude and not Path(folder, name, "pyvenv.cfg").exists()]
        names += [
            Path(folder, name).relative_to(root).as_posix() for name in files if not Path(folder, name).is_symlink()
        ]
    for name in sorted(names):
        if not name.isprintable():
            raise Invalid(f"the name of {name!r} cannot be printed. Rename it, or exclude its folder")
        yield name


def _text(file: Path) -> str | None:
    """The file as text; None where it is binary, larger than 2 MB, or not to be read."""
    try:
        if not file.is_file() or file.stat().st_size > LARGE:
            return None
        data = file.read_bytes()
    except OSError:
        return None
    return None if b"\0" in data[:8_192] else data.decode("utf-8", "replace")


def _in_file(name: str, text: str) -> Iterator[dict[str, Any]]:
    # Most files hold no known form: looking once for each is quicker than looking in each line.
    forms = {kind: form for kind, form in KNOWN_FORMS.items() if form.search(text)}
    settings = bool(SETTINGS.search(name))
    for number, line in enumerate(text.split("\n"), 1):
        for candidate in candidates_of(line[:LONG], forms, settings=settings):
            value = line[candidate.start : candidate.end]
            yield {"file": name, "line": number, "start": candidate.start, "end": candidate.end,
                   "kind": candidate.kind, "masked": masked(value, candidate.kind), "check": check(value)}  # fmt: skip


def candidates_of(
    line: str, forms: Mapping[str, re.Pattern[str]] = KNOWN_FORMS, *, settings: bool = False
) -> list[Candidate]:
    """What might be secrets in a line, none overlapping: known forms, then values of telling names, then odd strings.

    In a settings file a value needs no quotes.
    """
    found: list[Candidate] = []
    for kind, form in forms.items():
        for hit in form.finditer(line):
            _add(found, Candidate(*hit.span("value" if "value" in form.groupindex else 0), kind))
    for hit in ASSIGNED.finditer(line):
        if hit["quote"] or settings:
            _add(found, Candidate(*hit.span("value"), "value of a telling name"))
    for hit in QUOTED.finditer(line):
        if re.search(r"\d", hit["value"]) and re.search(r"[A-Za-z]", hit["value"]):
            _add(found, Candidate(*hit.span("value"), "odd string"))
    return sorted(found)


def _add(found: list[Candidate], new: Candidate) -> None:
    if all(new.end <= known.start or known.end <= new.start for known in found):
        found.append(new)


def masked(value: str, kind: str) -> str:
    """Enough to find it again, too little to use it: only forms with a public beginning show that."""
    shown = value[:4] if kind in KNOWN and kind not in ("password in a URL", "private key") else ""
    return f"{shown}… ({len(value)} characters)"


def check(value: str) -> str:
    """Four hex digits: enough to see that a place changed, far too few to guess from."""
    return hashlib.sha256(value.encode("utf-8", "replace")).hexdigest()[:4]


def write_report(found: Mapping[str, Any], votes: Sequence[Mapping[str, Any]], path: str = "") -> dict[str, Any]:
    """Agent: the candidates that were voted secrets, as JSON and Markdown, in the order of files and lines."""
    keys = ("file", "line", "kind", "masked")
    pairs = list(zip(found["candidates"], votes, strict=True))
    secrets = [{key: place[key] for key in keys} for place, vote in pairs if vote["verdict"] == "secret"]
    benign = len(pairs) - len(secrets)
    lines = [f"# Secrets in {path or 'the folder'}: {len(secrets) or 'none'}", ""]
    lines += [f"{found['files']} files, {len(pairs)} candidates, {benign} of them voted benign.", ""]
    lines += [f"- `{one['file']}:{one['line']}` {one['kind']}: `{one['masked']}`" for one in secrets]
    if secrets:
        lines += ["", "Whoever can read these files has these secrets: replace them, then take them out.", ""]
    if found["more"]:
        lines += [f"{found['more']} more candidates were over the limit and not voted on. Raise `limit`.", ""]
    if found["skipped"]:
        lines += [f"{len(found['skipped'])} files were not read (binary, over 2 MB, or not readable).", ""]
    return {"secrets": secrets, "markdown": "\n".join(lines)}
