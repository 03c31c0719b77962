"""Adds the inspectors' scores up to one and writes the summary."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

WEIGHTS = {
    "tests": 25, "syntax": 20, "papers": 15, "keys": 15, "packaging": 10, "sizes": 5, "marks": 5, "history": 5,
}  # fmt: skip
GRADES = ((90, "A"), (75, "B"), (60, "C"), (40, "D"), (0, "E"))


def summarise(inspection: Mapping[str, Any], path: str = "") -> dict[str, Any]:
    """Agent: what a parallel step of inspectors gave, as `{score, grade, parts, failed, markdown}`.

    The score is the weighted mean of the inspectors that could judge; what failed is named and does not count.
    """
    answers, failed = inspection["answers"], inspection.get("errors") or {}
    judged = {name: a["score"] for name, a in answers.items() if a["score"] is not None}
    weight = sum(WEIGHTS.get(name, 5) for name in judged)
    score = round(sum(WEIGHTS.get(name, 5) * points for name, points in judged.items()) / weight) if weight else 0
    grade = next(letter for least, letter in GRADES if score >= least)
    parts = {name: answers[name] for name in sorted(answers)}
    lines = [f"# Health of {path or 'the folder'}: {score} of 100 ({grade})", ""]
    lines += ["| inspector | score | facts |", "|---|---:|---|"]
    for name, part in parts.items():
        facts = ", ".join(f"{k.replace('_', ' ')}: {_plain(v)}" for k, v in part["facts"].items())
        lines.append(f"| {name} | {'–' if part['score'] is None else part['score']} | {facts} |")
    lines += [f"| {name} | failed | {failed[name]['message']} |" for name in sorted(failed)]
    for name, part in parts.items():
        if part["findings"]:
            lines += ["", f"## {name}", "", *(f"- {finding}" for finding in part["findings"])]
    return {"score": score, "grade": grade, "parts": parts, "failed": failed, "markdown": "\n".join([*lines, ""])}


def _plain(value: Any) -> str:
    if isinstance(value, list):
        return " ".join(value) or "none"
    return {True: "yes", False: "no"}[value] if isinstance(value, bool) else str(value)
