"""The agents of word-count.yaml: plain functions. A payload's keys become arguments, what is returned is the answer."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from agentical import TaskContext


def list_files(folder: str, pattern: str, context: TaskContext) -> list[str]:
    """The files of a folder that match a pattern. A relative folder counts from the playbook's own."""
    found = sorted(str(file) for file in Path(context.folder, folder).glob(pattern) if file.is_file())
    if not found:
        raise ValueError(f"no file in {folder} matches {pattern}")
    return found


def count_words(file: str) -> dict[str, Any]:
    """How many words a file has."""
    return {"file": file, "words": len(Path(file).read_text(encoding="utf-8", errors="replace").split())}


def longest(counts: list[dict[str, Any]]) -> str:
    """The file with the most words."""
    return str(max(counts, key=lambda one: one["words"])["file"])


def total(counts: list[dict[str, Any]]) -> int:
    """All words together."""
    return sum(one["words"] for one in counts)
