"""Reads a log in batches, mines each for templates, and says how bad each template is and where trouble clusters.

What goes from agent to agent are places in the file, templates and counts, not the log itself: a log of any size
streams through in bounded memory, and the journal holds none of its lines but one sample of each template.
"""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping
from itertools import groupby
from pathlib import Path
from typing import Any

from agentical.errors import Invalid

LEVELS = ("critical", "error", "warning", "info", "debug")
LONGEST, BATCH_BYTES, SHOWN = 65_536, 1_048_576, 300
GAP = 50  # lines without trouble that end an incident
TIME = re.compile(
    r"(?P<iso>\d{4}-\d\d-\d\d[T ]\d\d:\d\d)(:\d\d([.,]\d+)?)?\s?(Z|[+-]\d\d:?\d\d)?"
    r"|(?P<syslog>[A-Z][a-z]{2} [ \d]\d \d\d:\d\d):\d\d"
    r"|\[(?P<web>\d\d/[A-Z][a-z]{2}/\d{4}:\d\d:\d\d):\d\d [+-]\d{4}\]"
)
MASKS = (
    (re.compile(r'(?<=" )([1-5])\d\d(?= |$)'), r"\1xx"),  # a web server's status: its class says how bad it is
    (re.compile(r"\b[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}\b"), "<id>"),
    (re.compile(r"(?<![\w.])\d{1,3}(\.\d{1,3}){3}(:\d+)?(?![\w.])"), "<ip>"),
    (re.compile(r"\b(0x[0-9a-fA-F]+|(?=[a-f]*\d)[0-9a-f]{12,})\b"), "<hex>"),
    (re.compile(r"(?<!\S)v?\d+[\w~+]*([.:~+-][\w~+]+)*[.:~+-][\w~+]+(?!\S)"), "<version>"),
    (re.compile(r"(?<![\w.:/-])[+-]?\d+([.,]\d+)*(?=$|[\s,;:)\]\"'%]|[kMG]?i?[Bs]\b|ms\b)"), "<num>"),
)
WORDS = {
    "critical": "emergency|emerg|fatal|panic|critical|crit|alert",
    "error": "error|err|severe|failure",
    "warning": "warning|warn",
    "info": "info|notice",
    "debug": "debug|trace|verbose",
}
LEVEL_OF = {word: level for level, words in WORDS.items() for word in words.split("|")}
ANY = "|".join(WORDS.values())
NAMED = re.compile(  # a level named as such: ERROR, [error], error:, level=error
    rf"\b({ANY.upper()})\b|(?i:[\[<(]({ANY})[\]>)]|(?<![\w-])({ANY}):|\blevel=\"?({ANY})\b)"
)
STATUS = re.compile(r'" ([45])\d\d(?= |$)')
HINTS = [
    (level, re.compile(rf"(?<![\w/.-])({words})(?![\w/-])", re.IGNORECASE))
    for level, words in (
        ("critical", r"kernel panic|out of memory|oom-kill|segfault|segmentation fault|core dumped|no space left"),
        ("error", r"errors?|fail(ed|ure|s|ing)?|exceptions?|traceback|cannot|could not|unable to|refused|denied"),
        ("error", r"corrupt(ed|ion)?|abort(ed|ing)?|broken pipe|unreachable|timed? ?-?out|crash(ed)?|reset by peer"),
        ("warning", r"warn(ing)?|deprecated|retry(ing)?|slow|invalid|not found|missing|reject(ed)?|conflict|skipped"),
    )
]
CATEGORIES = (
    ("memory", r"memory|oom|heap|swap"),
    ("disk", r"disk|no space|filesystem|i/o error|read-only|inode|ext4|xfs|quota"),
    ("crash", r"segfault|panic|core dump|traceback|exception|crash"),
    ("access", r"auth|login|passw|permission|denied|forbidden|unauthori[sz]ed|sudo|ssh|session|certificate"),
    ("network", r"network|connect|socket|dns|host|port|unreachable|timeout|timed out|tcp|tls|ssl|<ip>"),
    ("database", r"database|sql|query|deadlock|transaction|postgres|mysql|sqlite"),
    ("package", r"install|upgrade|unpack|configure|remove|package|dpkg|trig(ger|proc)"),
    ("service", r"start|stop|restart|reload|service|daemon|systemd|shutdown|boot"),
    ("web", r"\bget\b|\bpost\b|http|request|response|url"),
)
HARMLESS = re.compile(r"\b(no|0|zero|without)\s+(errors?|failures?|failed|warnings?|exceptions?)\b", re.IGNORECASE)


def check(path: str, lines: int) -> dict[str, Any]:
    """Agent: what the reader is asked with, once it is clear that the file can be read as a log."""
    file = Path(path).expanduser()
    if not file.is_file():
        raise Invalid(f"there is no file {path!r}. Give a log: -i path=FILE")
    try:
        with file.open("rb") as log:
            start = log.read(8_192)
    except OSError as error:
        raise Invalid(f"{path!r} cannot be read: {error.strerror}") from None
    if start.startswith(b"\x1f\x8b"):
        raise Invalid(f"{path!r} is compressed. Unpack it first: gunzip -k {path}")
    if b"\0" in start:
        raise Invalid(f"{path!r} is not text")
    return {"path": str(file.resolve()), "lines": lines}


def batches(path: str, lines: int) -> Iterator[dict[str, Any]]:
    """Agent: the places of the file's batches of at most `lines` lines and about a megabyte, one by one."""
    offset, first = 0, 1
    with Path(path).open("rb") as log:
        while True:
            count = size = 0
            while count < lines and size < BATCH_BYTES and (part := log.readline(LONGEST)):
                size, count = size + len(part), count + part.endswith(b"\n")
            if not size:
                return
            yield {"path": path, "offset": offset, "size": size, "first": first}
            offset, first = offset + size, first + count


def mine(path: str, offset: int, size: int, first: int) -> dict[str, Any]:
    """Agent: the templates of one batch, which line has which (`sequence`, run by run), and when minutes changed."""
    # drain3: He et al., "Drain: An Online Log Parsing Approach with Fixed Depth Tree", ICWS 2017.
    try:
        from drain3.drain import Drain
    except ImportError as error:
        raise Invalid(f"mining templates needs drain3: pip install 'agentical[logs]' ({error})") from None

    # Lines of different levels are never one template, however alike. Depth 5: the first two words must agree, so that
    # `status installed X` is not `status unpacked X`.
    drains = defaultdict[str, Drain](lambda: Drain(depth=5, sim_th=0.45, max_children=200))
    clusters: dict[tuple[str, int], Any] = {}
    found: dict[tuple[str, int], dict[str, Any]] = {}
    sequence: list[tuple[str, int]] = []
    clock: list[list[Any]] = []
    for number, line in enumerate(_read(path, offset, size), first):
        stamp = TIME.search(line[:100])
        minute = next(filter(None, stamp.group("iso", "syslog", "web")), None) if stamp else None
        if minute and (not clock or clock[-1][1] != minute):
            clock.append([number, minute])
        level = named_level(line) or ""
        cluster, _ = drains[level].add_log_message(mask(TIME.sub("", line, count=1)))
        place = (level, cluster.cluster_id)
        clusters[place] = cluster
        entry = found.setdefault(place, {"count": 0, "first": number, "sample": line[:SHOWN]})
        entry.update(count=entry["count"] + 1, last=number)
        sequence.append(place)
    numbers = {place: number for number, place in enumerate(found)}
    return {
        "first": first,
        "lines": len(sequence),
        "bytes": size,
        "templates": [{"template": clusters[place].get_template()[:SHOWN], **found[place]} for place in found],
        "sequence": [[numbers[place], len(list(run))] for place, run in groupby(sequence)],
        "clock": clock,
    }


def _read(path: str, offset: int, size: int) -> list[str]:
    try:
        with Path(path).open("rb") as log:
            log.seek(offset)
            text = log.read(size)
    except OSError as error:
        raise Invalid(f"{path!r} cannot be read any more: {error.strerror}") from None
    if len(text) < size:
        raise Invalid(f"{path!r} became shorter while it was read: was it rotated? Triage a copy")
    lines = text.split(b"\n")
    if not lines[-1]:
        lines.pop()
    return [line[:4_000].decode("utf-8", "replace").rstrip("\r") for line in lines]


def mask(line: str) -> str:
    """The line with addresses, ids and numbers replaced by their kind."""
    for form, kind in MASKS:
        line = form.sub(kind, line)
    return line


def classify(payload: Mapping[str, Any]) -> dict[str, Any]:
    """Agent: the batch with a `level` and a `category` for each template."""
    templates = [
        {**entry, "level": level_of(entry["template"], entry["sample"]), "category": category_of(entry["template"])}
        for entry in payload["templates"]
    ]
    return {**payload, "templates": templates}


def level_of(template: str, sample: str = "") -> str:
    """How bad it is: the level named in the line, or else what its words hint at."""
    if named := named_level(sample or template):
        return named
    # The words of the template only: in the sample stand names of things too.
    words = HARMLESS.sub("", template)
    return next((level for level, form in HINTS if form.search(words)), "info")


def named_level(line: str) -> str | None:
    """The level that a line names, or that a web server's status stands for."""
    if named := NAMED.search(line[:200]):
        return LEVEL_OF[named[named.lastindex or 0].lower()]
    status = STATUS.search(line)
    return status and {"4": "warning", "5": "error"}[status[1]]


def category_of(template: str) -> str:
    """What it is about."""
    return next((name for name, form in CATEGORIES if re.search(form, template, re.IGNORECASE)), "other")


def find_incidents(payload: Mapping[str, Any]) -> dict[str, Any]:
    """Agent: the batch with its `incidents`: runs of critical and error lines at most 50 lines apart."""
    templates, incidents, number = payload["templates"], list[dict[str, Any]](), payload["first"]
    for index, run in payload["sequence"]:
        entry, last = templates[index], number + run - 1
        if entry["level"] in ("critical", "error"):
            if not incidents or number - incidents[-1]["last"] > GAP:
                incidents.append({"first": number, "level": "error", "count": 0, "templates": Counter()})
            incident = incidents[-1]
            incident.update(last=last, count=incident["count"] + run)
            incident["level"] = min(incident["level"], entry["level"], key=LEVELS.index)
            incident["templates"][entry["template"]] += run
        number = last + 1
    for incident in incidents:
        incident["templates"] = dict(sorted(incident["templates"].items(), key=lambda pair: (-pair[1], pair[0]))[:5])
        incident["from"], incident["to"] = (_minute(payload["clock"], incident[end]) for end in ("first", "last"))
    return {key: payload[key] for key in ("first", "lines", "bytes", "templates")} | {"incidents": incidents}


def _minute(clock: list[list[Any]], line: int) -> str | None:
    return next((minute for number, minute in reversed(clock) if number <= line), None)
