"""Whether what an author's expressions name is there: steps, inputs, state, fields, functions, and in the right place."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from agentical.conditions import FUNCTIONS, STATUS_FUNCTIONS, Expression, Template
from agentical.errors import Mistake
from agentical.expressions.references import ExpressionInvalid, sums
from agentical.graph import StateKey
from agentical.parser import Parsed, Path
from agentical.plugins import did_you_mean

OF_A_STEP: Final = ("output", "status", "outcome", "error", "record")
_OF_AN_ERROR: Final = ("class", "code", "message")
BASE: Final = frozenset({"inputs", "steps", "state", "execution"})
"""The names known wherever the execution is looked at."""
_WHERE: Final = {
    "item": "`item` is known in a step with `for-each` only.",
    "index": "`index` is known in a step with `for-each` only.",
    "output": "`output` is known in `set`, and in the conditions of `next`, only.",
    "answer": "`answer` is known in `complete: best(…)` and in a strategy's conditions only.",
    "secrets": "`secrets` are known in the settings of agents only.",
    "round": "`round` is known in loops only.",
    "error": "`error` is known where an error is handled. For a step's write steps.ID.error.",
    "outputs": "`outputs` are known in tests only.",
}


@dataclass(slots=True)
class Mistakes:
    """The mistakes of one playbook, placed in its text."""

    parsed: Parsed
    found: list[Mistake] = field(default_factory=list)

    def add(self, path: Path, message: str, hint: str = "", *, key: bool = False) -> None:
        self.found.append(self.parsed.mistake(path, message, hint, key=key))

    def unknown(self, path: Path, what: str, name: str, known: Iterable[str], *, key: bool = False) -> None:
        """There is no such thing of that name; the nearest name is the hint."""
        self.add(path, f"there is no {what} `{name}`.", did_you_mean(name, list(known)), key=key)


@dataclass(slots=True)
class Known:
    """What expressions may name. `outputs` are the JSON Schemas of steps' outputs, as far as declared."""

    mistakes: Mistakes
    steps: Mapping[str, int]
    inputs: Mapping[str, Any]
    state: Mapping[str, StateKey]
    secrets: Iterable[str]
    outputs: dict[str, Any] = field(default_factory=dict)

    def template(self, path: Path, value: Any, names: frozenset[str]) -> Iterator[Expression]:
        """Check every expression in a JSON value; gives those that could be read."""
        for at, text in _strings(value):
            try:
                expressions = Template.parse(text).expressions
            except ExpressionInvalid as error:
                self.mistakes.add((*path, *at), f"{error}.")
                continue
            for expression in expressions:
                self.expression((*path, *at), expression, names)
                yield expression

    def condition(
        self, path: Path, source: str, names: frozenset[str], functions: frozenset[str] = frozenset()
    ) -> Iterator[Expression]:
        """Check a bare expression; `functions` are the status functions known here. Gives it, if it could be read."""
        if source.lstrip().startswith("${{"):
            self.mistakes.add(path, "a condition stands without `${{ }}`.", "Write the expression alone.")
            return
        try:
            expression = Expression.parse(source)
        except ExpressionInvalid as error:
            self.mistakes.add(path, f"{error}.")
            return
        self.expression(path, expression, names, functions)
        yield expression

    def expression(
        self, path: Path, expression: Expression, names: frozenset[str], functions: frozenset[str] = frozenset()
    ) -> None:
        """Check what one expression names and calls."""
        for name in sorted(expression.functions - functions):
            if name in STATUS_FUNCTIONS:
                self.mistakes.add(path, f"{name}() is known in a step's `if` only.")
            elif name not in FUNCTIONS:
                self.mistakes.unknown(path, "function", name, FUNCTIONS)
        for read in sorted(expression.paths):
            if read == ("execution", "status") and "outputs" in names:
                continue  # what a test may ask about an execution that has ended
            if read[0] in names:
                self._read(path, read, expression)
            elif read[0] in _WHERE:
                self.mistakes.add(path, _WHERE[read[0]])
            else:
                self.mistakes.unknown(path, "name", read[0], names)

        for read, number in sums(expression.source):
            self._mixed(path, read, number)

    def _mixed(self, path: Path, read: tuple[str, ...], number: str) -> None:
        """Whole numbers and doubles do not mix in sums: CEL would say so only when it is too late."""
        declared = self.inputs.get(read[1]) if read[:1] == ("inputs",) else None
        kind = declared.get("type") if isinstance(declared, Mapping) else None
        if read[:1] == ("state",) and read[1] in self.state:
            kind = self.state[read[1]].type
        whole = number.isdigit()
        if kind == "number" and whole:
            self.mistakes.add(path, f"{'.'.join(read)} is a double and {number} a whole number.", f"Write {number}.0.")
        elif kind == "integer" and not whole and number[-1] not in "uU":
            hint = f"Write double({'.'.join(read)})."
            self.mistakes.add(path, f"{'.'.join(read)} is a whole number and {number} a double.", hint)

    def _read(self, path: Path, read: tuple[str, ...], expression: Expression) -> None:
        root, fields = read[0], read[1:]
        if root == "steps":
            self._step(path, fields, read in expression.tested)
        elif root == "execution":
            if fields != ("id",):
                self.mistakes.add(path, "of `execution` there is `execution.id`.")
        elif fields and root == "inputs":
            if fields[0] not in self.inputs:
                self.mistakes.unknown(path, "input", fields[0], self.inputs)
            elif read not in expression.tested:
                self._fields(path, f"inputs.{fields[0]}", self.inputs[fields[0]], fields[1:])
        elif fields and root == "state" and fields[0] not in self.state:
            self.mistakes.unknown(path, "state key", fields[0], self.state)
        elif fields and root == "secrets" and fields[0] not in self.secrets:
            self.mistakes.unknown(path, "secret", fields[0], self.secrets)

    def _step(self, path: Path, fields: tuple[str, ...], tested: bool) -> None:
        if not fields:
            self.mistakes.add(path, "`steps` needs the name of a step.", "Write steps.ID.output.")
        elif fields[0] not in self.steps:
            self.mistakes.unknown(path, "step", fields[0], self.steps)
        elif len(fields) == 1:
            self.mistakes.add(path, f"`steps.{fields[0]}` alone is no value.", f"Write steps.{fields[0]}.output.")
        elif fields[1] not in OF_A_STEP:
            self.mistakes.unknown(path, "field of a step", fields[1], OF_A_STEP)
        elif fields[1] == "error" and len(fields) > 2 and fields[2] not in _OF_AN_ERROR:
            self.mistakes.unknown(path, "field of an error", fields[2], _OF_AN_ERROR)
        elif fields[1] == "output" and not tested:
            self._fields(path, f"steps.{fields[0]}.output", self.outputs.get(fields[0]), fields[2:])

    def _fields(self, path: Path, shown: str, schema: Any, fields: tuple[str, ...]) -> None:
        """Whether a declared value can have these fields; what the schema leaves open may be there."""
        for name in fields:
            if not isinstance(schema, Mapping) or _OPEN & schema.keys():
                return
            kinds = schema.get("type", "object")
            if "object" not in ([kinds] if isinstance(kinds, str) else kinds):
                kind = kinds if isinstance(kinds, str) else " or ".join(kinds)
                self.mistakes.add(path, f"`{shown}` is declared as {kind}, it has no field `{name}`.")
                return
            properties = schema.get("properties", {})
            if name not in properties and (properties or schema.get("additionalProperties") is False):
                if not schema.get("additionalProperties") and "patternProperties" not in schema:
                    self.mistakes.unknown(path, f"field of `{shown}` called", name, properties)
                return
            schema, shown = properties.get(name), f"{shown}.{name}"


_OPEN: Final = frozenset({"$ref", "$dynamicRef", "allOf", "anyOf", "oneOf", "if", "dependentSchemas"})
"""Words of a JSON Schema after which its `properties` are not the whole truth."""


def _strings(value: Any, at: Path = ()) -> Iterator[tuple[Path, Any]]:
    """The parts of a value that may hold expressions, with the way to them."""
    if isinstance(value, str):
        if "${{" in value:
            yield at, value
    elif isinstance(value, Mapping):
        if any("${{" in str(key) for key in value):
            yield at, dict.fromkeys(value)
        for key, part in value.items():
            yield from _strings(part, (*at, key))
    elif isinstance(value, (list, tuple)):
        for index, part in enumerate(value):
            yield from _strings(part, (*at, index))
