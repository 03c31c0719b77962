"""Reading, mining, classifying and folding of log-triage."""

import gzip
import sys
from functools import reduce
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agentical.agents.modules import load
from agentical.errors import Invalid

FOLDER = str(Path(__file__).parents[2] / "playbooks" / "log-triage")
triage, summary = load(FOLDER, "log_triage_agents"), load(FOLDER, "log_triage_summary")


def stages(place):
    return triage.find_incidents(triage.classify(triage.mine(**place)))


def folded(path, lines=2_000):
    places = triage.batches(**triage.check(str(path), lines))
    return reduce(summary.fold, map(stages, places), None)


@pytest.fixture
def log(tmp_path):
    def write(text: str | bytes) -> Path:
        file = tmp_path / "app.log"
        file.write_bytes(text if isinstance(text, bytes) else text.encode())
        return file

    return write


@given(
    lines=st.lists(st.binary(max_size=40).map(lambda b: b.replace(b"\n", b"").replace(b"\0", b"")), max_size=30),
    size=st.integers(1, 7),
)
def test_batches_cover_the_file_without_gap_or_overlap(tmp_path_factory, lines, size):
    file = tmp_path_factory.mktemp("log") / "a.log"
    file.write_bytes(b"".join(line + b"\n" for line in lines))
    places = list(triage.batches(str(file), size))
    assert b"".join(file.read_bytes()[p["offset"] : p["offset"] + p["size"]] for p in places) == file.read_bytes()
    assert [p["first"] for p in places] == list(range(1, len(lines) + 1, size))
    assert sum(triage.mine(**place)["lines"] for place in places) == len(lines)


def test_one_endless_line_is_read_in_bounded_pieces(log):
    file = log(b"x" * 3_000_000 + b"\nlast\n")
    places = list(triage.batches(str(file), 10))
    assert max(place["size"] for place in places) <= triage.BATCH_BYTES + triage.LONGEST
    assert sum(place["size"] for place in places) == 3_000_006


def test_what_is_no_log_is_refused(tmp_path, log):
    with pytest.raises(Invalid, match="no file"):
        triage.check(str(tmp_path / "none"), 10)
    with pytest.raises(Invalid, match="gunzip"):
        triage.check(str(log(gzip.compress(b"a"))), 10)
    with pytest.raises(Invalid, match="not text"):
        triage.check(str(log(b"a\0b")), 10)


def test_without_drain3_the_miner_says_how_to_install_it(log, monkeypatch):
    (place,) = triage.batches(str(log("a\n")), 10)
    monkeypatch.setitem(sys.modules, "drain3.drain", None)
    with pytest.raises(Invalid, match=r"pip install 'agentical\[logs\]'"):
        triage.mine(**place)


def test_a_log_that_shrinks_while_it_is_read_is_said_to(log):
    (place,) = triage.batches(str(log("a\nb\n")), 10)
    log("a\n")
    with pytest.raises(Invalid, match="shorter"):
        triage.mine(**place)


def test_lines_that_differ_in_numbers_ids_and_times_are_one_template(log):
    file = log(
        "2026-01-01T10:00:00Z INFO GET /users 200 in 12 ms from 10.0.0.1\n"
        "2026-01-01T10:00:59Z INFO GET /users 404 in 7 ms from 10.0.0.2:80\n"
        "2026-01-01T10:01:00Z INFO GET /users 200 in 9 ms from 10.9.0.2\n"
    )
    (place,) = triage.batches(str(file), 10)
    mined = triage.mine(**place)
    assert [t["template"] for t in mined["templates"]] == ["INFO GET /users <num> in <num> ms from <ip>"]
    assert mined["sequence"] == [[0, 3]]
    assert mined["clock"] == [[1, "2026-01-01T10:00"], [3, "2026-01-01T10:01"]]


@pytest.mark.parametrize(
    ("line", "minute"),
    [
        ("Jan  5 10:11:12 host sshd[12]: hello", "Jan  5 10:11"),
        ("2026-01-05 10:11:12,123 INFO hello", "2026-01-05 10:11"),
        ('1.2.3.4 - - [05/Jan/2026:10:11:12 +0000] "GET / HTTP/1.1" 200 5', "05/Jan/2026:10:11"),
    ],
)
def test_the_usual_forms_of_time_are_known(log, line, minute):
    (place,) = triage.batches(str(log(line)), 10)
    assert triage.mine(**place)["clock"] == [[1, minute]]


def test_a_web_servers_lines_stay_apart_by_the_class_of_their_status(log):
    file = log("".join(f'10.0.0.1 - - [05/Jan/2026:10:11:12 +0000] "GET /a HTTP/1.1" {s} 5\n' for s in (200, 503, 201)))
    value = folded(file)
    assert value["levels"]["error"] == 1
    assert [(e["level"], e["count"]) for e in value["templates"]] == [("error", 1), ("info", 2)]


@pytest.mark.parametrize(
    ("line", "level"),
    [
        ("ERROR disk full", "error"),
        ("[error] upstream timed out", "error"),
        ("level=warn msg=slow", "warning"),
        ("kernel: Out of memory: Killed process", "critical"),
        ("connection refused by peer", "error"),
        ('"GET / HTTP/1.1" 503 12', "error"),
        ('"GET / HTTP/1.1" 404 12', "warning"),
        ("INFO finished with 0 errors", "info"),
        ("INFO retrying after failure", "info"),
        ("status installed libgpg-error0:amd64 1.46-1", "info"),
        ("install liberror-perl:all 0.17", "info"),
        ("finished with no errors", "info"),
        ("<err> lost", "error"),
        ("Critical: no way on", "critical"),
        ("DEBUG freed 3 objects", "debug"),
        ("nothing to see", "info"),
    ],
)
def test_the_level_is_what_is_named_or_else_hinted_at(line, level):
    assert triage.level_of(line, line) == level


def test_trouble_that_stands_close_together_is_one_incident(log):
    lines = ["INFO fine"] * 200
    lines[20:23] = ["ERROR broken"] * 3
    lines[60] = "FATAL gone"
    lines[150] = "ERROR later"
    incidents = folded(log("\n".join(lines)))["incidents"]
    found = [(i["first"], i["last"], i["count"], i["level"]) for i in incidents]
    assert found == [(21, 61, 4, "critical"), (151, 151, 1, "error")]


@settings(deadline=None, max_examples=25)
@given(
    words=st.lists(
        st.sampled_from(["INFO user 1 came", "ERROR disk full", "WARN slow 5 ms", "FATAL gone", "job 7 done"]),
        max_size=150,
    ),
    size=st.integers(1, 60),
)
def test_the_summary_does_not_depend_on_where_batches_end(tmp_path_factory, words, size):
    file = tmp_path_factory.mktemp("log") / "a.log"
    file.write_text("".join(f"{line}\n" for line in words))
    whole, parts = folded(file), folded(file, size)
    assert (whole is None) == (parts is None) == (not words)
    if whole is not None:
        assert {**whole, "batches": 0} == {**parts, "batches": 0}


def batch_of(*templates, first=1, incidents=()):
    return {
        "first": first,
        "lines": len(templates),
        "bytes": 1,
        "templates": list(templates),
        "incidents": list(incidents),
    }


def entry(template, level="info", count=1, first=1):
    return {
        "template": template,
        "level": level,
        "category": "other",
        "count": count,
        "first": first,
        "last": first,
        "sample": template,
    }


def test_the_summary_stays_bounded_and_drops_the_rarest():
    letters = "abcdefghijklmnopqrstuvwxyz"
    names = [f"{a}{b} {b}{a}" for a in letters for b in letters]
    value = summary.fold(None, batch_of(*map(entry, names), entry("bad thing", "error")))
    assert len(value["templates"]) == summary.TEMPLATES
    assert value["templates"][0]["template"] == "bad thing"
    assert value["dropped"] + sum(e["count"] for e in value["templates"]) == len(names) + 1


def test_incidents_stay_bounded_and_the_worst_are_kept():
    incidents = [
        {
            "first": n * 100,
            "last": n * 100,
            "from": None,
            "to": None,
            "count": 9 if n == 3 else 1,
            "level": "error",
            "templates": {"x": 1},
        }
        for n in range(200)
    ]
    kept = summary.fold(None, batch_of(incidents=incidents))["incidents"]
    assert len(kept) == summary.INCIDENTS
    assert {300, 19_900} <= {incident["first"] for incident in kept}
    assert [i["first"] for i in kept] == sorted(i["first"] for i in kept)


def test_wordings_of_one_template_from_several_batches_become_one():
    entries = [
        entry("status installed <*> <*>", count=9),
        entry("status installed vim <*>"),
        entry("status unpacked vim <*>"),
    ]
    assert [(e["template"], e["count"]) for e in summary.generalise(entries)] == [
        ("status installed <*> <*>", 10),
        ("status unpacked vim <*>", 1),
    ]


def test_the_report_names_incidents_levels_and_what_was_seen_once(log):
    file = log("2026-01-01 10:00:00 ERROR disk full\n" + "2026-01-01 10:00:01 INFO a|b\n" * 5)
    answer = summary.write_report(folded(file), "app.log")
    assert "6 lines, 2 templates: 1 error, 5 info." in answer["markdown"]
    assert (
        "**error**: 1 of lines 1 to 1, 2026-01-01 10:00 to 2026-01-01 10:00, mostly `ERROR disk full`"
        in answer["markdown"]
    )
    assert "`INFO a\\|b`" in answer["markdown"]
    assert "- line 1: `2026-01-01 10:00:00 ERROR disk full`" in answer["markdown"]


def test_an_empty_log_has_an_empty_report(log):
    assert folded(log("")) is None
    assert "empty" in summary.write_report(None, "app.log")["markdown"]
