"""Secrets: resolved where an agent is made, taken out of whatever is recorded. Their values are never stored."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from agentical.errors import CallInvalid
from agentical.events import Failure
from agentical.jsonvalues import encode, loads

_REFERENCE = re.compile(r"\$\{\{\s*secrets\.([a-z][a-z0-9_]*)\s*\}\}")


def resolve(secrets: Mapping[str, str]) -> dict[str, str]:
    """The values of `{name: "env:VARIABLE" | "file:PATH"}`. Raises CallInvalid naming all that are missing."""
    found: dict[str, str] = {}
    missing: list[str] = []
    for name, source in secrets.items():
        kind, _, where = source.partition(":")
        try:
            found[name] = os.environ[where] if kind == "env" else Path(where).expanduser().read_text().strip()
        except (KeyError, OSError, UnicodeDecodeError):
            missing.append(f"{name} (from {'the environment variable' if kind == 'env' else 'the file'} {where})")
    if missing:
        raise CallInvalid(f"secrets are missing: {', '.join(missing)}. Set them and run again.")
    return found


def filled(value: Any, secrets: Mapping[str, str]) -> Any:
    """The value with `${{ secrets.X }}` replaced, at any depth."""
    if isinstance(value, str):
        return _REFERENCE.sub(lambda match: secrets[match[1]], value)
    if isinstance(value, dict):
        return {key: filled(one, secrets) for key, one in value.items()}
    if isinstance(value, list | tuple):
        return [filled(one, secrets) for one in value]
    return value


def names(value: Any) -> set[str]:
    """The secrets a value refers to."""
    return set(_REFERENCE.findall(json.dumps(value)))


class Redaction:
    """Takes the values of secrets out of answers and errors, also where they stand in JSON or a URL within a text."""

    def __init__(self, values: Mapping[str, str]) -> None:
        shown = sorted({value for value in values.values() if value}, key=len, reverse=True)
        self._values = frozenset(shown)
        self._found = re.compile("|".join("".join(map(_spelled, value)) for value in shown)) if shown else None

    def clean(self, data: bytes) -> bytes:
        """JSON bytes without any secret; still JSON, as nothing but texts (and numbers that are secrets) changes."""
        if self._found is None:
            return data
        value = loads(data)
        cleaned = self._cleaned(value)
        return data if cleaned == value else encode(cleaned)

    def failure(self, failure: Failure) -> Failure:
        message = self._cleaned(failure.message)
        return failure if message == failure.message else Failure(failure.kind, message, failure.code)

    def _cleaned(self, value: Any) -> Any:
        if isinstance(value, str):
            return self._found.sub("***", value) if self._found else value
        if isinstance(value, dict):
            return {self._cleaned(key): self._cleaned(one) for key, one in value.items()}
        if isinstance(value, list):
            return [self._cleaned(one) for one in value]
        return "***" if isinstance(value, int | float) and str(value) in self._values else value


def _spelled(sign: str) -> str:
    """A pattern for a sign as it is, as JSON escapes it (once, or JSON within JSON) or as a URL does."""
    if sign.isascii() and sign.isalnum():
        return sign
    short = {"\n": "n", "\t": "t", "\r": "r", "\b": "b", "\f": "f"}.get(sign)
    plain = rf"\\*{re.escape(sign)}" if sign in '"/\\' else r"[ +]" if sign == " " else re.escape(sign)
    units = sign.encode("utf-16-be", "surrogatepass").hex()
    escaped = "".join(rf"\\+u(?i:{units[n : n + 4]})" for n in range(0, len(units), 4))
    in_url = "".join(f"%(?i:{byte:02x})" for byte in sign.encode("utf-8", "surrogatepass"))
    return f"(?:{'|'.join([plain, escaped, in_url, *([rf'{chr(92) * 2}+{short}'] if short else [])])})"
