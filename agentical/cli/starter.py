"""What `init` writes: the files of the folder `starter/`, as they stand there."""

from __future__ import annotations

from pathlib import Path

from agentical.cli.output import put_plain
from agentical.errors import CallInvalid

STARTER = Path(__file__).parent / "starter"


def write_starter(folder: str) -> None:
    """Copy the files. Raises CallInvalid where one of that name is there, before any is written."""
    target = Path(folder)
    files = sorted(file for file in STARTER.iterdir() if file.is_file())
    there = [str(target / file.name) for file in files if (target / file.name).exists()]
    if there:
        raise CallInvalid(f"{', '.join(there)} would be overwritten. Name another folder.")
    try:
        target.mkdir(parents=True, exist_ok=True)
        for file in files:
            with (target / file.name).open("xb") as stream:
                stream.write(file.read_bytes())
    except OSError as error:
        raise CallInvalid(f"{target} cannot be written to: {error.strerror or error}") from None
    put_plain("\n".join(f"wrote {target / file.name}" for file in files))
    playbook = next(target / file.name for file in files if file.suffix == ".yaml")
    put_plain(f"Run it: agentical run {playbook}")
