"""What an operator sets: `AGENTICAL_NAME` in the environment, or the same names to `Agentical(...)`."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated

import msgspec

from agentical.errors import CallInvalid

PREFIX = "AGENTICAL_"

Positive = Annotated[int, msgspec.Meta(ge=1)]


class Settings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Settings, with their defaults.

    `store`: `sqlite:///PATH` or `memory:`; empty means the nearest `.agentical/` upward, made here where there is none.
    `max_concurrent_agents`: tasks of one execution at a time. `max_concurrent_executions`: executions of one process at
    a time; more wait. `monitors`: names of monitors to attach, separated by commas.
    """

    store: str = ""
    max_concurrent_agents: Positive = 20
    max_concurrent_executions: Positive = 10
    monitors: str = ""

    @property
    def monitor_names(self) -> list[str]:
        return [name.strip() for name in self.monitors.split(",") if name.strip()]


def read_settings(environment: Mapping[str, str] | None = None, **given: object) -> Settings:
    """Settings from the environment, `given` before them (None counts as not given). Raises CallInvalid naming the setting."""
    known = set(Settings.__struct_fields__)
    found: dict[str, object] = {}
    for name, value in (os.environ if environment is None else environment).items():
        key = name.removeprefix(PREFIX).lower()
        if name.startswith(PREFIX) and key in known:
            found[key] = value
    unknown = given.keys() - known
    if unknown:
        raise CallInvalid(f"no setting is called {', '.join(sorted(unknown))}. There are: {', '.join(sorted(known))}.")
    found.update({key: value for key, value in given.items() if value is not None})
    for key, one in found.items():
        _check(key, one)
    return msgspec.convert(found, Settings, strict=False)


def _check(key: str, value: object) -> None:
    try:
        msgspec.convert({key: value}, Settings, strict=False)
    except msgspec.ValidationError as error:
        what = str(error).split(" - at")[0]
        raise CallInvalid(f"setting {key} (environment: {PREFIX}{key.upper()}): {what}, not {value!r}") from None


def default_store(start: Path) -> str:
    """The address of the nearest `.agentical/` at or above `start`, or of a new one in `start`."""
    for folder in (start, *start.parents):
        if (folder / ".agentical").is_dir():
            return f"sqlite:///{folder / '.agentical' / 'agentical.db'}"
    return f"sqlite:///{start / '.agentical' / 'agentical.db'}"
