"""The house rules that can be a test: size, layout, arrows, public names, no address of this or that machine."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from pathlib import Path

import pytest

import agentical

ROOT = Path(__file__).parent.parent
SOURCES = sorted(
    file
    for folder in ("agentical", "strategies", "monitors", "playbooks", "tests")
    for file in (ROOT / folder).rglob("*.py")
    if "__pycache__" not in file.parts
)
TRACKED = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True).stdout.split("\n")[
    :-1
]


@pytest.mark.parametrize("file", SOURCES, ids=lambda file: str(file.relative_to(ROOT)))
def test_a_file_has_under_300_lines_and_its_functions_at_most_60(file: Path) -> None:
    text = file.read_text()
    assert text.count("\n") < 300
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            assert (node.end_lineno or 0) - node.lineno < 60, f"{node.name} is longer than 60 lines"


def test_the_top_level_is_what_was_asked_for() -> None:
    allowed = {"pyproject.toml", "README.md", "LICENSE", "CHANGELOG.md", "constraints.txt"}
    allowed |= {"agentical", "strategies", "monitors", "playbooks", "tests"}
    found = {name.split("/")[0] for name in TRACKED}
    assert {name for name in found if not name.startswith(".")} == allowed


def test_imports_point_down_only() -> None:
    done = subprocess.run(
        [str(Path(sys.executable).with_name("lint-imports")), "--no-cache"], cwd=ROOT, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_public_names_are_these() -> None:
    assert agentical.__all__ == sorted(
        "ANY Agentical AgenticalError Ask Denied Edge Exhausted Invalid Item Member Outcome RateLimited Run StepFailed "
        "TaskContext TaskFailed Team Transient Upstream agent coordinate run_sync".split()
    )
    for name in agentical.__all__:
        assert hasattr(agentical, name)


def test_resuming_imports_nothing_that_only_reading_a_playbook_needs() -> None:
    code = (
        "import sys, agentical.sdk, agentical.stores.sqlite\n"
        "print([m for m in ('pydantic','yaml','cel','networkx','sqlmodel','logfire','rich','jsonschema') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_no_lock_file_and_no_registry_address_is_tracked() -> None:
    assert not [name for name in TRACKED if name.endswith(("uv.lock", "poetry.lock", "package-lock.json"))]
    constraints = (ROOT / "constraints.txt").read_text()
    assert not re.search(r"https?://|file:|--index|--find", constraints)
