"""strategies, agents: what is installed, described from itself."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Annotated, Any, Literal

import pytest

from agentical import plugins
from agentical.cli.describing import described, type_name
from agentical.errors import PluginUnknown


def test_all_seven_strategies_are_listed_with_their_options(call) -> None:
    found = {one["name"]: one for one in json.loads(call("strategies", "--json").out)}
    names = {"parallel", "sequential", "pipeline", "scatter-gather", "consensus", "hierarchical", "adaptive"}
    assert names <= found.keys()
    assert {"name": "rounds", "type": "integer", "required": False, "default": 1} in found["consensus"]["options"]
    assert {"name": "leader", "type": "text", "required": True} in found["hierarchical"]["options"]
    assert all(one["about"] for one in found.values())


def test_the_kinds_of_agents_are_listed_with_their_own_keys(call) -> None:
    out = call("agents").out
    assert "python: " in out
    assert "  executor  here | threads | processes\n" in out
    assert "folder" not in out


def test_options_are_described_for_people(call) -> None:
    out = call("strategies").out
    assert "  max-rounds  integer" in out
    assert "default: plurality" in out


def test_what_cannot_be_loaded_says_why(monkeypatch: pytest.MonkeyPatch) -> None:
    def load(group: str, name: str) -> Any:
        raise PluginUnknown("agent", name, [], "Install it: pip install 'agentical[llm]'.")

    monkeypatch.setattr(plugins, "load", load)
    assert described("agentical.agents", "llm")["problem"].endswith("pip install 'agentical[llm]'.")


@pytest.mark.parametrize(
    ("kind", "name"),
    [
        (str, "text"),
        (int | None, "integer"),
        (Literal["a", "b"], "a | b"),
        (Annotated[float, "seconds"], "duration"),
        (tuple[str, ...], "list of text"),
        (Sequence[int] | dict[str, Any], "list of integer | mapping of names to any value"),
        (Annotated[bool, "x"], "true or false"),
    ],
)
def test_types_are_named_in_the_words_of_authors(kind: Any, name: str) -> None:
    assert type_name(kind) == name
