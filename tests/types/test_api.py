"""The public names are typed: a program that uses them passes `mypy --strict`, and wrong uses do not."""

import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).parent


def test_a_program_that_uses_the_public_names_passes_mypy_strict(tmp_path):
    done = subprocess.run(
        [sys.executable, "-m", "mypy", "--strict", "--warn-unused-ignores", "--config-file", "", "--cache-dir", str(tmp_path), str(HERE / "api.py")],
        capture_output=True, text=True, cwd=tmp_path, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
