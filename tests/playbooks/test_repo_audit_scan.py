"""What the scanner of repo-audit finds in a Python file."""

import subprocess
import sys
import sysconfig
from pathlib import Path
from textwrap import dedent

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agentical.agents.modules import load

FOLDER = Path(__file__).parents[2] / "playbooks" / "repo-audit"
audit = load(str(FOLDER), "repo_audit_scan")


def rules(text: str, name: str = "a.py") -> list[str]:
    return [hit.rule for hit in audit.findings(dedent(text).encode(), name)]


DEFECTS = {
    "syntax-error": "def f(:\n    pass\n",
    "assert-tuple": "assert (1 == 2, 'never fails')\n",
    "is-literal": "x = 5\nassert x is 5\n",
    "duplicate-key": "x = {'a': 1, 'a': 2}\n",
    "raise-not-implemented": "def f():\n    raise NotImplemented('x')\n",
    "shell-true": "import subprocess\nsubprocess.run('ls', shell=True)\n",
    "tls-unverified": "import requests\nrequests.get('https://a', verify=False)\n",
    "bare-except": "try:\n    f = 1\nexcept:\n    f = 2\n",
    "swallowed-exception": "try:\n    f = 1\nexcept Exception:\n    pass\n",
    "mutable-default": "def f(a=[]):\n    return a\n",
    "eval-exec": "def f(a):\n    return eval(a)\n",
    "unsafe-load": "from pickle import loads\nloads(b'')\n",
    "insecure-temp": "import tempfile as t\nt.mktemp()\n",
    "unreachable": "def f():\n    return 1\n    print(2)\n",
    "return-in-finally": "def f():\n    try:\n        g()\n    finally:\n        return 1\n",
    "redefined": "def f():\n    return 1\n\ndef f():\n    return 2\n",
    "compare-none": "def f(a):\n    return a == None\n",
    "unused-import": "import os\n",
    "open-without-encoding": "open('a')\n",
    "weak-hash": "import hashlib\nhashlib.md5(b'')\n",
    "empty-f-string": "x = f'nothing here'\n",
    "shadowed-builtin": "list = [1]\n",
    "long-function": "def f():\n" + "    x = 1\n" * 101,
    "complex-function": "def f(a):\n" + "    if a: a()\n" * 20,
}


@pytest.mark.parametrize("rule", DEFECTS)
def test_each_defect_is_found_and_nothing_else_with_it(rule):
    assert rules(DEFECTS[rule]) == [rule]


@pytest.mark.parametrize(
    "text",
    [
        "def f(a=(), b=None):\n    return a, b\n",
        "try:\n    f = 1\nexcept:\n    raise\n",
        "try:\n    import os\nexcept ImportError:\n    os = None\n",
        "from os import path as path\n",
        "import os\n__all__ = ['os']\n",
        "import decimal\ndef f(a: 'decimal.Decimal') -> None: ...\n",
        "def f():\n    return\n    yield\n",
        "x = f'{1:>10}'\n",
        "open('a', 'rb')\nopen('b', encoding='utf-8')\nopen(*['c'])\n",
        "x = {'a': 1, **{'a': 2}, 1: 0, True: 0}\n",
        "@property\ndef f(): ...\n@f.setter\ndef f(a): ...\n",
        "def f(): ...\ng = f\ndef f(): ...\n",
        "import subprocess\nsubprocess.run(['ls'], shell=False)\n",
        "import hashlib\nhashlib.md5(b'', usedforsecurity=False)\n",
        "exec('x = 1')\n",
    ],
)
def test_what_only_looks_like_a_defect_is_left_alone(text):
    assert rules(text) == []


def test_a_package_may_import_what_it_does_not_use():
    assert rules("from os import path\n", "p/__init__.py") == []


def test_a_hidden_builtin_is_told_once_a_file():
    assert rules("def f(id): ...\ndef g(id): ...\n") == ["shadowed-builtin"]


@pytest.mark.parametrize("data", [b"\xff\xfe", b"x = '\0'", b"# coding: nothing\n", b"(" * 5_000, b"x = 1\n  y = 2\n"])
def test_a_file_that_does_not_parse_is_one_finding(data):
    assert [hit.rule for hit in audit.findings(data, "a.py")] == ["syntax-error"]


def test_a_file_that_is_gone_is_a_finding(tmp_path):
    scan = audit.scan(str(tmp_path), "gone.py")
    assert [finding["rule"] for finding in scan["findings"]] == ["unreadable"]
    assert scan["findings"][0]["severity"] == "error"


def test_a_finding_names_file_line_rule_severity_and_message(tmp_path):
    (tmp_path / "a.py").write_text("x = 1\nassert (x, 'y')\n")
    assert audit.scan(str(tmp_path), "a.py") == {
        "file": "a.py",
        "lines": 2,
        "findings": [
            {
                "file": "a.py",
                "line": 2,
                "rule": "assert-tuple",
                "severity": "error",
                "message": "an assert on a tuple never fails",
            }
        ],
    }


@given(st.binary(max_size=300) | st.text(max_size=300).map(lambda text: text.encode("utf-8", "replace")))
def test_no_text_stops_the_scanner(data):
    hits = audit.findings(data, "a.py")
    assert hits == sorted(hits)
    assert hits == audit.findings(data, "a.py")


@given(st.permutations(list(DEFECTS.values())[1:]))
def test_defects_of_a_file_come_by_line(parts):
    lines = [hit.line for hit in audit.findings("\n".join(parts).encode(), "a.py")]
    assert lines == sorted(lines)


def test_the_standard_library_can_be_scanned():
    root = Path(sysconfig.get_paths()["stdlib"])
    files = sorted(path.relative_to(root).as_posix() for path in root.glob("*.py"))[:60]
    scans = [audit.scan(str(root), file) for file in files]
    assert all(scan["lines"] > 0 for scan in scans)
    assert not any(f["rule"] == "syntax-error" for scan in scans for f in scan["findings"])
    assert any(f["rule"] == "shadowed-builtin" for scan in scans for f in scan["findings"])


def test_warnings_made_errors_do_not_make_findings(tmp_path):
    (tmp_path / "a.py").write_text("x = '\\d'\n")
    code = (
        f"import sys; sys.path.insert(0, {str(FOLDER)!r}); import repo_audit_scan as r;"
        f"print(r.scan({str(tmp_path)!r}, 'a.py')['findings'])"
    )
    ran = subprocess.run([sys.executable, "-B", "-W", "error", "-c", code], capture_output=True, text=True, check=True)
    assert ran.stdout == "[]\n"
