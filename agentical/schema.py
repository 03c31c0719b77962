"""The JSON Schema (2020-12) of a playbook, for editors: from the same models by which the parser reads.

It accepts exactly the trees that `shape.read_shape` accepts. What spans a document (unknown names, cycles) is not its business.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from pydantic.json_schema import GenerateJsonSchema

from agentical.playbook import Playbook
from agentical.reading.words import BODIES, LATER


class _Generator(GenerateJsonSchema):
    def encode_default(self, dft: Any) -> Any:
        """Defaults that are not JSON say nothing to an editor."""
        return dft if isinstance(dft, str | int | float | list | dict) else None


def schema() -> dict[str, Any]:
    """The schema, as a dict that is JSON. Words that do not run yet are left out."""
    made = Playbook.model_json_schema(by_alias=True, schema_generator=_Generator)
    definitions: dict[str, Any] = made.pop("$defs")
    for node in _objects([made, definitions]):
        _tidy(node)
    for name, later in (("Step", "step"), ("ListedStep", "step"), ("Budget", "budget")):
        _without(definitions[name], LATER[later])
    _without(made, LATER["playbook"])
    for name in ("Step", "ListedStep"):
        definitions[name]["oneOf"] = _one_body(definitions[name]["properties"])
    definitions["SecretPlace"]["oneOf"] = [{"required": [word]} for word in ("env", "file")]
    definitions["Fake"]["oneOf"] = [{"required": [word]} for word in ("answers", "answer", "error")]
    head = {"$schema": "https://json-schema.org/draft/2020-12/schema", "title": "A playbook of agentical"}
    return head | made | {"$defs": _used(made, definitions)}


def _objects(node: Any) -> Iterator[dict[str, Any]]:
    """Every mapping within, the outer ones last."""
    inner = node.values() if isinstance(node, dict) else node if isinstance(node, list) else ()
    for one in list(inner):
        yield from _objects(one)
    if isinstance(node, dict):
        yield node


def _tidy(node: dict[str, Any]) -> None:
    """Takes out what pydantic adds for others, and closes mappings whose keys are ids."""
    if isinstance(node.get("title"), str):
        del node["title"]
    if "default" in node and node["default"] is None:
        del node["default"]
    if "patternProperties" in node:
        node.setdefault("additionalProperties", False)


def _without(node: dict[str, Any], words: frozenset[str]) -> None:
    for word in words:
        node["properties"].pop(word, None)


def _one_body(words: dict[str, Any]) -> list[dict[str, Any]]:
    """Exactly one body; without one of `BODIES`, `set` or `wait` is it."""
    bodies = [{"required": [word]} for word in BODIES if word in words]
    alone = [{"required": [word]} for word in ("set", "wait") if word in words]
    return [*bodies, {"anyOf": alone, "not": {"anyOf": bodies}}]


def _used(node: dict[str, Any], definitions: dict[str, Any]) -> dict[str, Any]:
    """The definitions that something refers to, however indirectly."""
    used: dict[str, Any] = {}
    todo = [node]
    while todo:
        for one in _objects(todo.pop()):
            name = str(one.get("$ref", "")).removeprefix("#/$defs/")
            if name in definitions and name not in used:
                used[name] = definitions[name]
                todo.append(definitions[name])
    return dict(sorted(used.items()))
