"""Three independent detectors; each looks at one candidate and votes `secret` or `benign`."""

from __future__ import annotations

import math
import re
from collections import Counter
from itertools import pairwise
from pathlib import Path

from secret_scan_find import KNOWN_FORMS, check

from agentical.errors import Invalid

PLACEHOLDER = re.compile(
    r"example|sample|dummy|fake|mock|placeholder|change.?me|your[_-]|replace|insert|todo|foo|bar|lorem|secret.?here"
    r"|test|xxx|\*\*\*|\.\.\.|1234|abcd|none|null|true|false|undefined|default|redacted",
    re.IGNORECASE,
)
REFERENCE = re.compile(
    r"^[$%<{]|\$\{|\{\{|%\(|\{\w*\}|[()\[\]]|^(os|env|process|self|config|settings|args|vault)\.|^/|^https?:"
)
TEST_FILE = re.compile(
    r"(^|/)(tests?|testing|spec|fixtures?|examples?|docs?|samples?|mocks?)/|(^|/)test_|_test\.|\.(md|rst)$"
)
LOCK_FILE = re.compile(r"(\.lock|-lock\.(json|yaml)|go\.sum|\.sum|SHA256SUMS|\.svg|\.ipynb)$")
DIGEST = re.compile(
    r"sha\d*|md5|digest|hash|checksum|integrity|commit|revision|fingerprint|etag|uuid|guid", re.IGNORECASE
)
TELLING = re.compile(r"secret|passw|pwd|token|api.?key|access.?key|credential|private.?key|auth", re.IGNORECASE)


def _read(*, root: str, file: str, line: int, start: int, end: int, proof: str) -> tuple[str, str, str]:
    """The candidate, the line it stands in, and the line after. Raises Invalid where the file has changed since."""
    try:
        lines = Path(root, file).read_bytes().decode("utf-8", "replace").split("\n")
    except OSError as error:
        raise Invalid(f"{file} cannot be read any more: {error.strerror}") from None
    around = (lines[line - 1], "".join(lines[line : line + 1])) if line <= len(lines) else ("", "")
    value = around[0][start:end]
    if check(value) != proof:
        raise Invalid(f"{file}:{line} changed since it was scanned. Scan again")
    return value, *around


def _vote(secret: bool, confidence: float) -> dict[str, object]:
    return {"choice": "secret" if secret else "benign", "confidence": confidence}


def pattern(*, root: str, file: str, line: int, start: int, end: int, proof: str) -> dict[str, object]:
    """Agent: has it the form of a known kind of key, or of a password behind a telling name?"""
    value, text, _ = _read(root=root, file=file, line=line, start=start, end=end, proof=proof)
    if any(form.search(text[max(0, start - 80) : end + 1]) for form in KNOWN_FORMS.values()):
        return _vote(True, 0.9)
    return _vote(bool(TELLING.search(text[:start])) and _password_like(value), 0.6)


def _password_like(value: str) -> bool:
    kinds = sum(bool(re.search(form, value)) for form in (r"[a-z]", r"[A-Z]", r"\d", r"[^\w\s]"))
    identifier = re.fullmatch(r"[A-Za-z]+|[A-Za-z]+\d?([._-][A-Za-z]+\d?)+", value)
    return kinds >= 2 and not identifier and not REFERENCE.search(value)


def entropy(*, root: str, file: str, line: int, start: int, end: int, proof: str) -> dict[str, object]:
    """Agent: do its characters look drawn at random? Of a private key, those of the line below its head."""
    value, _, after = _read(root=root, file=file, line=line, start=start, end=end, proof=proof)
    if value.startswith("-----BEGIN"):
        value = after.strip()
    return _vote(looks_random(value), 0.7)


def looks_random(value: str) -> bool:
    """Whether many different characters of several kinds stand in no order: words change their kind rarely."""
    text = re.sub(r"[^A-Za-z0-9]", "", value)
    if len(text) < 12:
        return False
    counts = Counter(text)
    bits = -sum(n / len(text) * math.log2(n / len(text)) for n in counts.values())
    changes = sum(_kind(a) != _kind(b) for a, b in pairwise(text)) / (len(text) - 1)
    ordered = sum(ord(b) - ord(a) == 1 for a, b in pairwise(text)) / (len(text) - 1)
    return bits >= 0.75 * min(math.log2(len(text)), 4.0) and changes >= 0.2 and ordered < 0.25


def _kind(character: str) -> str:
    return "0" if character.isdigit() else "A" if character.isupper() else "a"


def context(*, root: str, file: str, line: int, start: int, end: int, proof: str) -> dict[str, object]:
    """Agent: do the name before it, the file it is in and its own words speak for a secret?"""
    value, text, _ = _read(root=root, file=file, line=line, start=start, end=end, proof=proof)
    before = text[max(0, start - 80) : start]
    if PLACEHOLDER.search(value) or REFERENCE.search(value) or LOCK_FILE.search(file):
        return _vote(False, 0.9)
    if TEST_FILE.search(file) or (DIGEST.search(before) and not TELLING.search(before)):
        return _vote(False, 0.7)
    known = any(form.search(text[max(0, start - 80) : end + 1]) for form in KNOWN_FORMS.values())
    return _vote(known or bool(TELLING.search(before)), 0.7)
