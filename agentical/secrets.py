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

_REFERENCE = re.compile(r"\$\{\{\s*secrets\.([a-z][a-z0-9_]*)\s*\}\}")


def resolve(secrets: Mapping[str, str]) -> dict[str, str]:
    """The values of `{name: "env:VARIABLE" | "file:PATH"}`. Raises CallInvalid naming all that are missing."""
    found: dict[str, str] = {}
    missing: list[str] = []
    for name, source in secrets.items():
        kind, _, where = source.partition(":")
        try:
            found[name] = os.environ[where] if kind == "env" else Path(where).expanduser().read_text().strip()
        except (KeyError, OSError):
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
    """Takes the values of secrets out of answers and errors."""

    def __init__(self, values: Mapping[str, str]) -> None:
        shown = sorted({value for value in values.values() if value}, key=len, reverse=True)
        self._texts = shown
        self._bytes = [json.dumps(value, ensure_ascii=False)[1:-1].encode() for value in shown]

    def clean(self, data: bytes) -> bytes:
        """JSON bytes without any secret."""
        for value in self._bytes:
            if value in data:
                data = data.replace(value, b"***")
        return data

    def failure(self, failure: Failure) -> Failure:
        message = failure.message
        for value in self._texts:
            message = message.replace(value, "***")
        return failure if message == failure.message else Failure(failure.kind, message, failure.code)
