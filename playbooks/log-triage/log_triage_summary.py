"""Folds the batches of a log into one summary of bounded size, and writes the report."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

LEVELS = ("critical", "error", "warning", "info", "debug")
TEMPLATES, INCIDENTS, GAP = 300, 50, 50
SHOWN = 15
Entry = dict[str, Any]


def fold(value: Mapping[str, Any] | None, item: Mapping[str, Any]) -> dict[str, Any]:
    """Agent: the summary so far and one more batch as the summary. At most 300 templates and 50 incidents are kept.

    What is left out for want of room is the least bad and the rarest; `dropped` counts its lines.
    """
    value = value or {
        "lines": 0,
        "bytes": 0,
        "batches": 0,
        "templates": [],
        "incidents": [],
        "dropped": 0,
        "levels": {},
    }
    templates = _same([*value["templates"], *item["templates"]])
    if len(templates) > TEMPLATES:
        templates = generalise(templates)
    kept, rest = templates[:TEMPLATES], templates[TEMPLATES:]
    levels = {level: value["levels"].get(level, 0) for level in LEVELS}
    for entry in item["templates"]:
        levels[entry["level"]] += entry["count"]
    return {
        "lines": value["lines"] + item["lines"],
        "bytes": value["bytes"] + item["bytes"],
        "batches": value["batches"] + 1,
        "levels": levels,
        "templates": kept,
        "incidents": _incidents(value["incidents"], item["incidents"]),
        "dropped": value["dropped"] + sum(entry["count"] for entry in rest),
    }


def _same(entries: Iterable[Entry]) -> list[Entry]:
    """One entry for each template, the worst and most frequent first."""
    by_template: dict[tuple[str, str], Entry] = {}
    for entry in entries:
        key = (entry["level"], entry["template"])
        by_template[key] = _joined(by_template[key], entry) if key in by_template else dict(entry)
    return sorted(by_template.values(), key=lambda e: (LEVELS.index(e["level"]), -e["count"], e["template"]))


def _joined(one: Entry, other: Entry) -> Entry:
    earlier = min(one, other, key=lambda entry: entry["first"])
    last = max(one["last"], other["last"])
    return {**one, "count": one["count"] + other["count"], "first": earlier["first"], "last": last,
            "sample": earlier["sample"]}  # fmt: skip


def generalise(entries: Iterable[Entry]) -> list[Entry]:
    """The entries with those made one that differ in few words: batches mined apart found each its own wording."""
    groups: dict[tuple[Any, ...], list[Entry]] = {}
    for entry in _same(entries):
        words = entry["template"].split(" ")
        group = groups.setdefault((entry["level"], len(words), *words[:2]), [])
        for place, known in enumerate(group):
            if (wording := _common(known["template"].split(" "), words)) is not None:
                group[place] = _joined(known, entry) | {"template": wording}
                break
        else:
            group.append(entry)
    return _same(entry for group in groups.values() for entry in group)


def _common(one: list[str], other: list[str]) -> str | None:
    """Both templates as one, if half their words are literally the same and no more than a third has to give way."""
    words = [a if a == b else "<*>" for a, b in zip(one, other, strict=True)]
    literal = sum(word != "<*>" for word in words)
    given = sum(a != b and "<*>" not in (a, b) for a, b in zip(one, other, strict=True))
    return " ".join(words) if 2 * literal >= len(words) and 3 * given <= len(words) else None


def _incidents(known: list[Entry], new: list[Entry]) -> list[Entry]:
    """In the order of the log. The one at the end may go on in the next batch, so it stays in any case."""
    incidents = list(known)
    for incident in new:
        if incidents and incident["first"] - incidents[-1]["last"] <= GAP:
            incidents[-1] = _continued(incidents[-1], incident)
        else:
            incidents.append(incident)
    while len(incidents) > INCIDENTS:
        incidents.remove(min(incidents[:-1], key=_badness))
    return incidents


def _continued(one: Entry, other: Entry) -> Entry:
    counts = dict(one["templates"])
    for template, count in other["templates"].items():
        counts[template] = counts.get(template, 0) + count
    return {
        **one,
        "last": other["last"],
        "to": other["to"] or one["to"],
        "count": one["count"] + other["count"],
        "level": min(one["level"], other["level"], key=LEVELS.index),
        "templates": dict(sorted(counts.items(), key=lambda pair: (-pair[1], pair[0]))[:5]),
    }


def write_report(summary: Mapping[str, Any] | None, path: str = "") -> dict[str, Any]:
    """Agent: the summary with its templates generalised once more, and all of it as Markdown."""
    if summary is None:
        return {"summary": None, "markdown": f"# Triage of {path}\n\nThe log is empty.\n"}
    templates = generalise(summary["templates"])
    summary = {**summary, "templates": templates}
    levels = ", ".join(f"{summary['levels'][level]} {level}" for level in LEVELS if summary["levels"][level])
    lines = [f"# Triage of {path}", "", f"{summary['lines']} lines, {len(templates)} templates: {levels}.", ""]
    if summary["incidents"]:
        lines += ["## Incidents", "", *map(_incident, _worst(summary["incidents"])), ""]
    for level in LEVELS:
        entries = [entry for entry in templates if entry["level"] == level]
        lines += _section(level, entries) if entries else []
    rare = sorted((e for e in templates if e["count"] == 1), key=lambda e: (LEVELS.index(e["level"]), e["first"]))
    if rare:
        lines += ["## Seen once", "", *(f"- line {e['first']}: `{e['sample']}`" for e in rare[:SHOWN]), ""]
    if summary["dropped"]:
        lines += [f"{summary['dropped']} lines of rare templates were left out of this report for want of room.", ""]
    return {"summary": summary, "markdown": "\n".join(lines)}


def _worst(incidents: list[Entry]) -> list[Entry]:
    return sorted(incidents, key=_badness, reverse=True)[:SHOWN]


def _badness(incident: Entry) -> tuple[int, int]:
    """A critical line weighs ten errors; of equals the earlier one is worse."""
    return incident["count"] * (10 if incident["level"] == "critical" else 1), -incident["first"]


def _incident(incident: Entry) -> str:
    when = f", {incident['from']} to {incident['to']}" if incident["from"] else ""
    main = next(iter(incident["templates"]))
    span = f"{incident['first']} to {incident['last']}"
    return f"- **{incident['level']}**: {incident['count']} of lines {span}{when}, mostly `{main}`"


def _section(level: str, entries: list[Entry]) -> list[str]:
    rows = [
        f"| {e['count']} | {e['category']} | {e['first']}–{e['last']} | `{_cell(e['template'])}` |" for e in entries
    ]
    more = [f"| | | | … and {len(rows) - SHOWN} more |"] if len(rows) > SHOWN else []
    head = ["| lines | about | where | template |", "|---:|---|---|---|"]
    return [f"## {level.capitalize()}", "", *head, *rows[:SHOWN], *more, ""]


def _cell(text: str) -> str:
    return text.replace("|", "\\|")
