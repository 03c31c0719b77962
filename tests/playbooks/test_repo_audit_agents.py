"""The walker, the judges and the writer of repo-audit."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agentical.agents.modules import load
from agentical.errors import Invalid

audit = load(str(Path(__file__).parents[2] / "playbooks" / "repo-audit"), "repo_audit_agents")

VERDICTS = ["pass", "warn", "fail"]


def scan_of(file: str, *severities: str, lines: int = 100) -> dict:
    findings = [
        {"file": file, "line": n, "rule": f"rule-{severity}", "severity": severity, "message": "m"}
        for n, severity in enumerate(severities, 1)
    ]
    return {"file": file, "lines": lines, "findings": findings}


def test_the_walker_lists_python_files_sorted_and_skips_what_is_excluded(tmp_path):
    for name in ("b.py", "a.py", "a.txt", "out/c.py", "d/e.py", "env/pyvenv.cfg", "env/x.py", "d/f.pyi"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    (tmp_path / "link.py").symlink_to(tmp_path / "a.py")
    found = audit.list_files(str(tmp_path), ["out"])
    assert found == {"root": str(tmp_path), "files": ["a.py", "b.py", "d/e.py", "d/f.pyi"]}


def test_a_folder_that_is_not_there_is_refused_with_what_to_do(tmp_path):
    with pytest.raises(Invalid, match=r"no folder .*-i path="):
        audit.list_files(str(tmp_path / "none"))


def test_a_name_that_is_not_utf8_is_refused_by_name(tmp_path):
    Path(str(tmp_path) + "/a\udcff.py").touch()
    with pytest.raises(Invalid, match="not UTF-8"):
        audit.list_files(str(tmp_path))


def test_the_summary_counts_and_sorts_the_worst_first():
    summary = audit.summarise([scan_of("b.py", "info", "error"), scan_of("a.py", "warning")])
    assert [f["file"] for f in summary["findings"]] == ["b.py", "a.py", "b.py"]
    assert summary["counts"]["severities"] == {"error": 1, "warning": 1, "info": 1}
    assert summary["counts"]["lines"] == 200
    assert summary["counts"]["worst_files"] == [{"name": "a.py", "count": 1}, {"name": "b.py", "count": 1}]


@given(st.permutations([scan_of(f"{n}.py", *["error", "info"][: n % 3]) for n in range(6)]))
def test_the_summary_does_not_depend_on_the_order_of_scans(scans):
    assert audit.summarise(scans) == audit.summarise(sorted(scans, key=lambda scan: scan["file"]))


@given(st.integers(0, 50), st.integers(0, 200), st.integers(0, 100_000), st.integers(0, 5))
def test_a_stricter_judge_is_never_milder(errors, warnings, lines, unparsable):
    counts = {
        "files": 50,
        "lines": lines,
        "severities": {"error": errors + unparsable, "warning": warnings, "info": 0},
        "unparsable": ["x"] * unparsable,
    }
    strict = VERDICTS.index(audit.strict_judge(counts))
    assert strict >= VERDICTS.index(audit.typical_judge(counts))
    assert strict >= VERDICTS.index(audit.lenient_judge(counts))


@pytest.mark.parametrize("judge", ["strict_judge", "typical_judge", "lenient_judge"])
def test_all_judges_pass_what_has_no_findings_and_fail_what_is_all_errors(judge):
    clean, rotten = audit.summarise([scan_of("a.py")]), audit.summarise([scan_of("a.py", *["error"] * 50)])
    assert getattr(audit, judge)(clean["counts"]) == "pass"
    assert getattr(audit, judge)(rotten["counts"]) == "fail"


def test_the_report_is_also_written_to_the_file_that_is_named(tmp_path):
    summary = audit.summarise([scan_of("a.py", "error")])
    answer = audit.write_report(summary, "fail", "src", str(tmp_path / "audit.md"))
    assert (tmp_path / "audit.md").read_text() == answer["markdown"]
    assert answer["markdown"].startswith("# Audit of src: fail\n")
    assert "- `a.py:1` rule-error: m" in answer["markdown"]
    assert [path.name for path in tmp_path.iterdir()] == ["audit.md"]


def test_a_report_into_a_folder_that_is_not_there_is_refused(tmp_path):
    with pytest.raises(Invalid, match="no folder"):
        audit.write_report(audit.summarise([]), "pass", "src", str(tmp_path / "none" / "audit.md"))


def test_a_long_report_says_how_much_it_leaves_out():
    summary = audit.summarise([scan_of("a.py", *["info"] * 250)])
    assert "… and 50 more" in audit.write_report(summary, "pass")["markdown"]
