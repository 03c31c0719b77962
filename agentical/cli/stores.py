"""Which store a command works on, and whether it is there."""

from __future__ import annotations

from pathlib import Path

from agentical.errors import CallInvalid

SQLITE = "sqlite:///"


class StoreMissing(CallInvalid):
    """There is no store where one was looked for."""

    code = "STORE_MISSING"

    def __init__(self, path: Path, named: bool) -> None:
        self.path = path
        where = f"there is no store {path}" if named else f"there is no .agentical/agentical.db in {path} or above"
        super().__init__(f"{where}. Run a playbook first, or name a store with --store or AGENTICAL_STORE.")


def address_of(given: str | None) -> str:
    """The address of the store: `given`, else the setting, else the nearest `.agentical/`."""
    from agentical.settings import default_store, read_settings

    return read_settings(store=given or None).store or default_store(Path.cwd())


def existing(given: str | None) -> str:
    """The same, for commands that only look. Raises StoreMissing where that store was never made."""
    from agentical.settings import read_settings

    named = bool(read_settings(store=given or None).store)
    address = address_of(given)
    if address.startswith(SQLITE):
        path = Path(address.removeprefix(SQLITE)).expanduser().resolve()
        if not path.exists():
            raise StoreMissing(path if named else Path.cwd(), named)
    return address


def option_for(given: str | None) -> str:
    """` --store …` for a command that is to be typed later; empty where it is found without."""
    import shlex

    return f" --store {shlex.quote(given)}" if given else ""
