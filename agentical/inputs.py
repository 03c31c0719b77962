"""The inputs of a call against those that the playbook declares."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from agentical.errors import CallInvalid
from agentical.graph import Graph, InputSpec
from agentical.plugins import did_you_mean
from agentical.validation import mismatch


def check_inputs(graph: Graph, inputs: Mapping[str, Any]) -> dict[str, Any]:
    """The inputs with defaults filled in, numbers as doubles. Raises CallInvalid naming everything that is wrong."""
    wrong = [f"input `{name}`: {message} {hint}".strip() for name, message, hint in wrong_inputs(graph.inputs, inputs)]
    if wrong:
        raise CallInvalid("\n".join(wrong))
    return {name: as_declared(spec.schema, inputs.get(name, spec.default)) for name, spec in graph.inputs.items()}


def as_declared(schema: Mapping[str, Any], value: Any) -> Any:
    """What is declared as `number` is a double in expressions, also when it was written without a point."""
    return float(value) if schema.get("type") == "number" and type(value) is int else value


def wrong_inputs(
    declared: Mapping[str, InputSpec], inputs: Mapping[str, Any], *, complete: bool = True
) -> Iterator[tuple[str, str, str]]:
    """(name, what is wrong, hint); missing ones are wrong only where the inputs are to be `complete`."""
    for name, value in inputs.items():
        spec = declared.get(name)
        if spec is None:
            yield name, "there is no such input.", did_you_mean(name, list(declared))
        elif (found := mismatch(spec.schema, value)) is not None:
            yield name, f"{found}.", ""
    for name, spec in declared.items():
        if complete and spec.required and name not in inputs:
            yield name, "is missing.", spec.description or f"Give it with -i {name}=…"
