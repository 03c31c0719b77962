"""SHA-256 of every file of a tree: deals the files out, hashes them, writes the manifest, compares it with an old one."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from agentical.errors import Invalid

FILES, BYTES = 200, 32_000_000  # of one batch at most, unless a single file is larger


def deal(path: str, exclude: Sequence[str] = ()) -> dict[str, Any]:
    """Agent: the files under `path` (links aside), sorted, as `{root, batches: [[name, …], …]}` of similar work."""
    root = Path(path).expanduser()
    if not root.is_dir():
        raise Invalid(f"there is no folder {path!r}. Give one: -i path=FOLDER")
    batches: list[list[str]] = []
    weight = BYTES
    for name in sorted(_names(root, exclude)):
        size = (root / name).stat().st_size
        if weight + size > BYTES or len(batches[-1]) == FILES:
            batches.append([])
            weight = 0
        batches[-1].append(name)
        weight += size
    return {"root": str(root.resolve()), "batches": batches}


def _names(root: Path, exclude: Sequence[str]) -> Iterable[str]:
    for folder, folders, files in os.walk(root):
        folders[:] = [name for name in folders if name not in exclude]
        for file in (Path(folder, name) for name in files):
            if file.is_file() and not file.is_symlink():
                name = file.relative_to(root).as_posix()
                try:
                    name.encode()
                except UnicodeEncodeError:
                    raise Invalid(f"the name of {name!r} is not UTF-8, so no manifest can hold it. Rename it") from None
                yield name


def digest(root: str, names: Sequence[str]) -> list[dict[str, Any]]:
    """Agent: each file of a batch as `{name, bytes, sha256}`."""
    return [_digest(Path(root), name) for name in names]


def _digest(root: Path, name: str) -> dict[str, Any]:
    try:
        with (root / name).open("rb") as file:
            sha256 = hashlib.file_digest(file, "sha256").hexdigest()
            return {"name": name, "bytes": file.tell(), "sha256": sha256}
    except OSError as error:
        raise Invalid(
            f"{name} cannot be read: {error.strerror}. Exclude its folder, or run as somebody who may"
        ) from None


def write_manifest(root: str, batches: Sequence[Sequence[Mapping[str, Any]]], output: str = "") -> dict[str, Any]:
    """Agent: the manifest as `sha256sum` writes it (checked by `sha256sum -c`), its own SHA-256, and the sums."""
    files = sorted((file for batch in batches for file in batch), key=lambda file: file["name"])
    text = "".join(line(file["name"], file["sha256"]) for file in files)
    if output:
        _write(Path(output).expanduser(), text)
    return {
        "manifest": text,
        "digest": hashlib.sha256(text.encode()).hexdigest(),
        "files": len(files),
        "bytes": sum(file["bytes"] for file in files),
        "root": root,
    }


def line(name: str, sha256: str) -> str:
    """A line of a manifest. As in coreutils, odd characters are escaped and such a line starts with a backslash."""
    escaped = name.replace("\\", "\\\\").replace("\n", "\\n").replace("\r", "\\r")
    mark = "\\" if escaped != name else ""
    return f"{mark}{sha256}  {escaped}\n"


def read_manifest(text: str) -> dict[str, str]:
    """The digests by name in a manifest. Raises Invalid naming the line that is not one."""
    found: dict[str, str] = {}
    for number, row in enumerate(text.split("\n"), 1):
        if not row:
            continue
        sha256, name = row.removeprefix("\\")[:64], row.removeprefix("\\")[66:]
        if len(sha256) < 64 or set(sha256.lower()) - set("0123456789abcdef") or row.removeprefix("\\")[64:65] != " ":
            raise Invalid(f"line {number} of the manifest is not `SHA-256  NAME`: {row[:80]!r}")
        found[_unescaped(name) if row.startswith("\\") else name] = sha256.lower()
    return found


def _unescaped(name: str) -> str:
    marks = {"\\\\": "\\", "\\n": "\n", "\\r": "\r"}
    parts, rest = [], name
    while rest:
        width = 2 if rest[:2] in marks else 1
        parts.append(marks.get(rest[:2], rest[0]))
        rest = rest[width:]
    return "".join(parts)


def _write(target: Path, text: str) -> None:
    if not target.parent.is_dir():
        raise Invalid(f"there is no folder {str(target.parent)!r} to write the manifest into")
    draft = target.with_name(f".{target.name}.part")
    draft.write_text(text, encoding="utf-8", newline="")
    draft.replace(target)


def verify(manifest: str, against: str) -> dict[str, Any]:
    """Agent: what was added, removed and changed since the manifest in the file `against`; `same` when nothing was."""
    file = Path(against).expanduser()
    try:
        text = file.read_bytes().decode()
    except (OSError, UnicodeDecodeError) as error:
        raise Invalid(f"the manifest {against!r} cannot be read: {error}") from None
    before, now = read_manifest(text), read_manifest(manifest)
    added, removed = sorted(now.keys() - before.keys()), sorted(before.keys() - now.keys())
    changed = sorted(name for name in now.keys() & before.keys() if now[name] != before[name])
    return {"same": not (added or removed or changed), "added": added, "removed": removed, "changed": changed}
