"""Lists the files to audit, judges what the scan found, and writes the report."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from agentical.errors import Invalid

SEVERITIES = ("error", "warning", "info")
WORST_FILES, SHOWN = 10, 200


def list_files(path: str, exclude: Sequence[str] = ()) -> dict[str, Any]:
    """Agent: every Python file under `path`, sorted, as `{root, files}`; without links, and virtual environments below.

    `exclude` names folders to leave out.
    """
    root = Path(path).expanduser()
    if not root.is_dir():
        raise Invalid(f"there is no folder {path!r}. Give one: -i path=FOLDER")
    files: list[str] = []
    for folder, folders, names in os.walk(root):
        folders[:] = [name for name in folders if name not in exclude and not Path(folder, name, "pyvenv.cfg").exists()]
        found = (Path(folder, name) for name in names if name.endswith((".py", ".pyi")))
        files += [file.relative_to(root).as_posix() for file in found if not file.is_symlink()]
    return {"root": str(root.resolve()), "files": sorted(map(_named, files))}


def _named(file: str) -> str:
    try:
        file.encode()
    except UnicodeEncodeError:
        raise Invalid(f"the name of {file!r} is not UTF-8. Rename it, or exclude its folder: --inputs FILE") from None
    return file


def summarise(scans: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Agent: the scans as `{counts, findings}`: the worst findings first, then by file and line."""
    findings = [finding for scan in scans for finding in scan["findings"]]
    findings.sort(key=lambda f: (SEVERITIES.index(f["severity"]), f["file"], f["line"], f["rule"], f["message"]))
    severities = Counter(finding["severity"] for finding in findings)
    files = Counter(f["file"] for f in findings if f["severity"] != "info")
    counts = {
        "files": len(scans),
        "lines": sum(scan["lines"] for scan in scans),
        "severities": {severity: severities[severity] for severity in SEVERITIES},
        "rules": _ranked(Counter(finding["rule"] for finding in findings)),
        "worst_files": _ranked(files)[:WORST_FILES],
        "unparsable": [f["file"] for f in findings if f["rule"] in ("syntax-error", "unreadable")],
    }
    return {"counts": counts, "findings": findings}


def _ranked(counter: Counter[str]) -> list[dict[str, Any]]:
    return [{"name": name, "count": n} for name, n in sorted(counter.items(), key=lambda pair: (-pair[1], pair[0]))]


def _per_1000_lines(counts: Mapping[str, Any], severity: str) -> float:
    found: int = counts["severities"][severity]
    return 1000 * found / max(int(counts["lines"]), 1)


def strict_judge(counts: Mapping[str, Any]) -> str:
    """Agent: fails on any error, warns on any warning."""
    found = counts["severities"]
    return "fail" if found["error"] else "warn" if found["warning"] else "pass"


def typical_judge(counts: Mapping[str, Any]) -> str:
    """Agent: fails on an error in 10,000 lines, warns on a warning in 1,000 or any error."""
    if _per_1000_lines(counts, "error") > 0.1:
        return "fail"
    return "warn" if counts["severities"]["error"] or _per_1000_lines(counts, "warning") > 1 else "pass"


def lenient_judge(counts: Mapping[str, Any]) -> str:
    """Agent: fails on an error in 1,000 lines or when 1 file in 20 does not parse, warns on a warning in 200."""
    if _per_1000_lines(counts, "error") > 1 or 20 * len(counts["unparsable"]) > max(counts["files"], 1):
        return "fail"
    return "warn" if _per_1000_lines(counts, "warning") > 5 else "pass"


def write_report(summary: Mapping[str, Any], verdict: str, root: str = "", report: str = "") -> dict[str, Any]:
    """Agent: the audit as Markdown; written to the file `report` too, where one is named."""
    text = "\n".join(_report(summary, verdict, root))
    if report:
        _write(Path(report).expanduser(), text)
    return {"markdown": text, "file": report or None}


def _write(target: Path, text: str) -> None:
    if not target.parent.is_dir():
        raise Invalid(f"there is no folder {str(target.parent)!r} to write the report into")
    # Beside the target and then over it: a reader never sees half a report.
    draft = target.with_name(f".{target.name}.part")
    draft.write_text(text, encoding="utf-8")
    draft.replace(target)


def _report(summary: Mapping[str, Any], verdict: str, root: str) -> list[str]:
    counts, findings = summary["counts"], summary["findings"]
    severities = ", ".join(f"{counts['severities'][severity]} {severity}" for severity in SEVERITIES)
    lines = [f"# Audit of {root or 'the files'}: {verdict}", ""]
    lines += [f"{counts['files']} files, {counts['lines']} lines. Findings: {severities}.", ""]
    lines += _table("Rules", "rule", counts["rules"])
    lines += _table("Files with the most errors and warnings", "file", counts["worst_files"])
    for severity in SEVERITIES:
        lines += _section(severity, [finding for finding in findings if finding["severity"] == severity])
    return lines


def _table(title: str, column: str, rows: Sequence[Mapping[str, Any]]) -> list[str]:
    if not rows:
        return []
    return [f"## {title}", "", f"| {column} | findings |", "|---|---:|"] + [
        f"| `{row['name']}` | {row['count']} |" for row in rows
    ] + [""]  # fmt: skip


def _section(severity: str, findings: Sequence[Mapping[str, Any]]) -> list[str]:
    if not findings:
        return []
    lines = [f"## {severity.capitalize()} ({len(findings)})", ""]
    lines += [f"- `{f['file']}:{f['line']}` {f['rule']}: {f['message']}" for f in findings[:SHOWN]]
    if len(findings) > SHOWN:
        lines.append(f"- … and {len(findings) - SHOWN} more, all of them in the output `findings`")
    return [*lines, ""]
