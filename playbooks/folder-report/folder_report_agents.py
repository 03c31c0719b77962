"""A leader that deals out the subfolders of a folder, workers that measure them, one that looks for duplicates."""

from __future__ import annotations

import hashlib
import os
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from agentical.errors import Invalid

PARTS = 99  # assignments of a plan beside the search for duplicates; the playbook's span is one more
LARGEST = 10
HERE = "."


def lead(
    ask: str,
    goal: Mapping[str, Any],
    workers: Sequence[Any] = (),
    answers: Mapping[str, Any] | None = None,
    errors: Mapping[str, Any] | None = None,
    **again: Any,
) -> dict[str, Any]:
    """Agent: the leader. Plans one assignment for each subfolder, sends back what is missing, writes the report."""
    if ask == "plan":
        return {"assignments": _plan(_subfolders(goal["path"]), goal)}
    if ask == "review":
        return _review(goal, answers or {}, errors or {})
    if ask == "combine":
        return _report(goal, answers or {}, errors or {})
    raise Invalid(
        f"a leader is asked to plan, review or combine, not {ask!r} ({len(workers)} workers, {sorted(again)})"
    )


def _subfolders(path: str) -> list[str]:
    """The folders right below, sorted, and `.` for the files that lie beside them."""
    root = Path(path).expanduser()
    if not root.is_dir():
        raise Invalid(f"there is no folder {path!r}. Give one: -i path=FOLDER")
    names = sorted(entry.name for entry in root.iterdir() if entry.is_dir() and not entry.is_symlink())
    if odd := [name for name in names if name.encode(errors="replace").decode() != name]:
        raise Invalid(f"the name of the folder {odd[0]!r} is not UTF-8. Rename it")
    return [HERE, *names]


def _plan(folders: Sequence[str], goal: Mapping[str, Any], done: Sequence[str] = ()) -> list[dict[str, Any]]:
    """Assignments to measure these folders, several in one where there are very many, then to compare all files."""
    each = -(-len(folders) // PARTS)
    parts = [folders[start : start + each] for start in range(0, len(folders), each)]
    work = [
        {"id": _id(part), "goal": "measure", "capability": "measure", "payload": {**goal, "folders": part}}
        for part in parts
    ]
    needs = [*done, *(part["id"] for part in work)]
    return [
        *work,
        {"id": "duplicates", "goal": "compare", "capability": "compare", "payload": goal, "depends-on": needs},
    ]


def _id(part: Sequence[str]) -> str:
    digest = hashlib.sha256("\0".join(part).encode("utf-8", "surrogateescape")).hexdigest()[:12]
    return f"measure-{digest}"


def _review(goal: Mapping[str, Any], answers: Mapping[str, Any], errors: Mapping[str, Any]) -> dict[str, Any]:
    """Accepts, unless folders have come since the plan was made: they are measured too, and duplicates sought again."""
    measured = {folder["folder"] for id, answer in answers.items() if id != "duplicates" for folder in answer}
    new = [folder for folder in _subfolders(goal["path"]) if folder not in measured]
    if not new or errors:
        return {"accept": True}
    return {"accept": False, "rework": _plan(new, goal, [id for id in answers if id != "duplicates"])}


def measure(payload: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Agent: the size, kinds, newest and largest files of each folder of an assignment."""
    task = payload["payload"]
    root = Path(task["path"]).expanduser()
    return [_measured(root, folder, task["least"]) for folder in task["folders"]]


def _measured(root: Path, folder: str, least: int) -> dict[str, Any]:
    kinds: dict[str, list[int]] = {}
    files: list[tuple[int, int, str]] = []
    unreadable: list[str] = []
    for file in _files(root, folder):
        try:
            status = file.lstat()
        except OSError:
            unreadable.append(_shown(file, root))
            continue
        kind = kinds.setdefault(file.suffix.lower() or "(none)", [0, 0])
        kind[0], kind[1] = kind[0] + 1, kind[1] + status.st_size
        files.append((status.st_size, int(status.st_mtime), _shown(file, root)))
    newest = max(files, key=lambda file: (file[1], file[2]), default=None)
    largest = sorted(files, key=lambda file: (-file[0], file[2]))[:LARGEST]
    return {
        "folder": folder,
        "files": len(files),
        "bytes": sum(size for size, _, _ in files),
        "kinds": {name: {"files": kinds[name][0], "bytes": kinds[name][1]} for name in sorted(kinds)},
        "newest": newest and {"file": newest[2], "modified": datetime.fromtimestamp(newest[1], UTC).isoformat()},
        "largest": [{"file": name, "bytes": size} for size, _, name in largest],
        "candidates": [[size, name] for size, _, name in sorted(files) if size >= least],
        "unreadable": unreadable,
    }


def _files(root: Path, folder: str) -> Iterator[Path]:
    """The files of a subfolder at any depth; of the root itself only those that lie in it. Links are left out."""
    for place, folders, names in os.walk(root / folder):
        folders[:] = [] if folder == HERE else sorted(folders)
        for name in sorted(names):
            file = Path(place, name)
            if not file.is_symlink() and file.is_file():
                yield file


def _shown(file: Path, root: Path) -> str:
    # A name that is not UTF-8 is shown with question marks: no JSON can hold it.
    return file.relative_to(root).as_posix().encode(errors="replace").decode()


def compare(payload: Mapping[str, Any]) -> dict[str, Any]:
    """Agent: the files of equal contents among all that were measured. Only files of one size are read."""
    root = Path(payload["payload"]["path"]).expanduser()
    by_size: dict[int, list[str]] = {}
    for answer in payload["answers"].values():
        for folder in answer:
            for size, name in folder["candidates"]:
                by_size.setdefault(size, []).append(name)
    groups: list[dict[str, Any]] = []
    for size in sorted(by_size, reverse=True):
        alike: dict[str, list[str]] = {}
        for name in sorted(by_size[size]) if len(by_size[size]) > 1 else ():
            if (digest := _digest(root / name)) is not None:
                alike.setdefault(digest, []).append(name)
        found = [{"bytes": size, "sha256": digest, "files": names} for digest, names in alike.items() if len(names) > 1]
        groups += sorted(found, key=lambda group: group["files"])
    return {"groups": groups, "wasted": sum(group["bytes"] * (len(group["files"]) - 1) for group in groups)}


def _digest(file: Path) -> str | None:
    """The SHA-256 of a file; None where it is gone or must not be read: then it is nobody's duplicate."""
    try:
        with file.open("rb") as opened:
            return hashlib.file_digest(opened, "sha256").hexdigest()
    except OSError:
        return None


def _report(goal: Mapping[str, Any], answers: Mapping[str, Any], errors: Mapping[str, Any]) -> dict[str, Any]:
    duplicates = answers.get("duplicates") or {"groups": [], "wasted": 0}
    measured = [folder for id, answer in answers.items() if id != "duplicates" for folder in answer]
    folders = sorted(measured, key=lambda folder: (-folder["bytes"], folder["folder"]))
    kinds: Counter[str] = Counter()
    for folder in folders:
        kinds.update({name: kind["bytes"] for name, kind in folder["kinds"].items()})
    largest = sorted((f for folder in folders for f in folder["largest"]), key=lambda f: (-f["bytes"], f["file"]))
    totals = {
        "files": sum(folder["files"] for folder in folders),
        "bytes": sum(folder["bytes"] for folder in folders),
        "folders": len(folders) - any(folder["folder"] == HERE for folder in folders),
        "wasted": duplicates["wasted"],
        "unreadable": sum(len(folder["unreadable"]) for folder in folders),
    }
    report = {
        "totals": totals,
        "folders": [{key: folder[key] for key in folder if key != "candidates"} for folder in folders],
        "kinds": [{"kind": k, "bytes": n} for k, n in sorted(kinds.items(), key=lambda kind: (-kind[1], kind[0]))],
        "largest": largest[:LARGEST],
        "duplicates": duplicates["groups"],
        "errors": errors,
    }
    return {**report, "markdown": "\n".join(_markdown(goal["path"], report))}


def _markdown(path: str, report: Mapping[str, Any]) -> list[str]:
    totals, groups, errors = report["totals"], report["duplicates"], report["errors"]
    lines = [f"# {path}", "", f"{totals['files']} files, {size(totals['bytes'])}, {totals['folders']} folders.", ""]
    lines += ["| folder | files | size | newest file |", "|---|---:|---:|---|"]
    for folder in report["folders"]:
        newest = folder["newest"]
        when = f"{newest['modified'][:10]} `{newest['file']}`" if newest else "–"
        lines.append(f"| `{folder['folder']}` | {folder['files']} | {size(folder['bytes'])} | {when} |")
    lines += ["", "## Kinds", "", *(f"- `{k['kind']}`: {size(k['bytes'])}" for k in report["kinds"][:LARGEST])]
    lines += ["", "## Largest files", "", *(f"- `{file['file']}`: {size(file['bytes'])}" for file in report["largest"])]
    if groups:
        lines += ["", f"## Duplicates ({size(totals['wasted'])} could be saved)", ""]
        lines += [f"- {size(g['bytes'])}: {', '.join(f'`{name}`' for name in g['files'][:8])}" for g in groups[:30]]
        lines += [f"- … and {len(groups) - 30} more groups"] if len(groups) > 30 else []
    if errors:
        lines += ["", "## Not measured", "", *(f"- {id}: {errors[id]['message']}" for id in sorted(errors))]
    return [*lines, ""]


def size(count: int) -> str:
    """A number of bytes as people say it: 1.5 MB."""
    value, units = float(count), ["bytes", "kB", "MB", "GB", "TB"]
    while value >= 1000 and len(units) > 1:
        value, units = value / 1000, units[1:]
    return f"{count} bytes" if units[0] == "bytes" else f"{value:.1f} {units[0]}"
