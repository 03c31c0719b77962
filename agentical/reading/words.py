"""The words of a playbook: which run, which come later, and how ids, durations, rates and rules are written."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, Tag

from agentical.durations import seconds
from agentical.reading.fields import Built, Later, Number, Text, one_of
from agentical.reserved import RESERVED

CEL_WORDS = list(RESERVED)

LATER: dict[str, frozenset[str]] = {
    "step": frozenset(
        [
            "do",
            "loop",
            "wait",
            "cancel",
            "rescue",
            "compensate",
            "stop-on",
            "concurrency",
            "estimate",
            "fail-fast",
            "rest",
        ],
    ),
    "playbook": frozenset({"errors", "finally", "concurrency", "checkpoint"}),
    "budget": frozenset({"tokens", "cost", "on-exceed"}),
    "agent kind": frozenset({"person", "http", "mcp", "a2a"}),
    "on-uncertain": frozenset({"person"}),
}
"""Words of the language that do not run in this version yet. A word that has come to run leaves this list, nothing else."""

BODIES = ("agent", "team", "do", "cancel", "end")
"""Of these a step has one; without any, `set` or `wait` is its body."""

JsonType = Literal["string", "number", "integer", "boolean", "array", "object"]
FailureClass = Literal["transient", "rate-limited", "exhausted", "invalid", "denied", "upstream", "bug"]
FAILURE_CLASSES: tuple[str, ...] = ("transient", "rate-limited", "exhausted", "invalid", "denied", "upstream", "bug")

_N = r"[0-9]{1,9}(?:\.[0-9]{1,9})?"
_PLAIN = f"(?=[0-9])(?:{_N}d)?(?:{_N}h)?(?:{_N}m(?!s))?(?:{_N}s)?(?:{_N}ms)?"
_ISO = f"P(?=[0-9T])(?:{_N}D)?(?:T(?=[0-9])(?:{_N}H)?(?:{_N}M)?(?:{_N}S)?)?"
DURATION = f"(?:{_PLAIN}|{_ISO})"


def _rate(text: str) -> tuple[int, float]:
    count, _, period = text.partition("/")
    return int(count), seconds(period)


def reserved(words: list[str], pattern: str) -> str:
    """`pattern`, without these words."""
    return f"(?!(?:{'|'.join(words)})(?![\\s\\S])){pattern}"


ID = r"[a-z][a-z0-9_]*"
_UNIT_HINT = "Write a number and its unit, such as 500ms, 30s, 2m or 1h30m."
_ID_HINT = "Use small letters, digits and _, starting with a letter, and no word of the expression language."
_SHORT = r"[a-z][a-z0-9-]*:\S[\s\S]*"

Id = Annotated[str, Text("an id", reserved(CEL_WORDS, ID), _ID_HINT)]
StepId = Annotated[
    str, Text("an id for a step", reserved([*CEL_WORDS, "end", "fail"], ID), f"{_ID_HINT} Not `end` or `fail`, either.")
]
Name = Annotated[str, Text("a name", r"[a-z0-9][a-z0-9-]*", "Use small letters, digits and -.")]
RetryName = Annotated[
    str,
    Text(
        "a name for a retry policy",
        reserved(["none", "standard"], r"[a-z][a-z0-9_-]*"),
        "`none` and `standard` are built in.",
    ),
]
AgentRef = Annotated[
    str,
    Text(
        "an agent",
        f"(?:{reserved(CEL_WORDS, ID)}|{_SHORT})",
        "Write its id, or a short form such as playbook:./other.yaml.",
    ),
    Later(LATER["agent kind"], bare=False),
]
Plain = Annotated[str, Text("text", r"[\s\S]*")]
Filled = Annotated[str, Text("text")]
Duration = Annotated[float, Text("a duration", DURATION, _UNIT_HINT, seconds)]
Period = Annotated[float, Text("a duration above zero", f"(?=[\\s\\S]*[1-9]){DURATION}", _UNIT_HINT, seconds)]
Rate = Annotated[
    tuple[int, float],
    Text(
        "a rate", f"0*[1-9][0-9]{{0,8}}/(?=[\\s\\S]*[1-9]){DURATION}", "Write so many per time, such as 10/1m.", _rate
    ),
]
Count = Annotated[int, Number(whole=True, least=0)]
Whole = Annotated[int, Number(whole=True, least=1)]
Amount = Annotated[float, Number(least=0)]
Positive = Annotated[float, Number(above=0)]
AnyNumber = Annotated[float, Number()]


_COMPLETE = r"all|any|quorum\(\s*[0-9]{1,9}(?:\.[0-9]{1,9})?(?:%|/[0-9]{1,9})?\s*\)|first\(0*[1-9][0-9]{0,8}\)|best\(\s*[^\s)][\s\S]*\)"
_GATHER = rf"list|flatten|update|sum|count|top\(0*[1-9][0-9]{{0,8}}\)|agent:{ID}"
_WHOLE_EXPRESSION = r"\s*\$\{\{[\s\S]*\}\}\s*"
_DATE = r"[0-9]{4}-[0-9]{2}-[0-9]{2}(?:[T ][0-9]{2}:[0-9]{2}[0-9:.]*(?:Z|[+-][0-9]{2}:?[0-9]{2})?)?"

Complete = Annotated[
    str, Text("a completion rule", _COMPLETE, "Write all, any, quorum(90%), first(2) or best(EXPRESSION over answer).")
]
Gather = Annotated[
    str, Text("a gather rule", _GATHER, "Write list, flatten, update, sum, count, top(3) or agent:NAME.")
]
Join = Annotated[str, Text("a join", r"all|any|first\(0*[1-9][0-9]{0,8}\)", "Write all, any or first(2).")]
Items = Annotated[
    str,
    Text("a source of items", f"{_WHOLE_EXPRESSION}|agent:{ID}", "Write a list, ${{ an expression }} or agent:NAME."),
]
Moment = Annotated[
    str,
    Text("a time to wait", f"{DURATION}|{_DATE}|{_WHOLE_EXPRESSION}", "Write 10m, a date and time, or {signal: NAME}."),
]
Uses = Annotated[
    str,
    Text(
        "an agent",
        r"[a-z][a-z0-9-]*(?::\S[\s\S]*)?",
        "Write python:MODULE.CALLABLE, command, llm or playbook:./file.yaml.",
    ),
    Later(LATER["agent kind"]),
]
SecretText = Annotated[
    str, Text("a secret's place", r"env:[A-Za-z_][A-Za-z0-9_]*|file:\S[\s\S]*", "Write env:VARIABLE or file:PATH.")
]
Variable = Annotated[str, Text("the name of an environment variable", "[A-Za-z_][A-Za-z0-9_]*")]


def _several(value: str | list[str]) -> list[str]:
    return [value] if isinstance(value, str) else value


def _condition(value: str | bool) -> str:
    return value if isinstance(value, str) else str(value).lower()


Condition = Annotated[
    str,
    Built(
        Annotated[Annotated[Filled, Tag("<text>")] | Annotated[bool, Tag("<flag>")], one_of("an expression")],
        _condition,
    ),
]
"""A bare expression; `true` and `false` may come as such."""

Names = Annotated[
    list[str],
    Built(
        Annotated[
            Annotated[Filled, Tag("<text>")] | Annotated[list[Filled], Field(min_length=1), Tag("<list>")],
            one_of("a name or a list of names"),
        ],
        _several,
    ),
]
Ids = Annotated[
    list[str],
    Built(
        Annotated[
            Annotated[Id, Tag("<text>")] | Annotated[list[Id], Tag("<list>")], one_of("a step or a list of steps")
        ],
        _several,
    ),
]


def _word(name: str) -> str:
    return name.rstrip("_").replace("_", "-")


class Words(BaseModel):
    """A mapping of the language: unknown keys are mistakes, and so is a value of another type."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True, alias_generator=_word, populate_by_name=False)

    def has(self, field: str) -> bool:
        """Whether the author wrote this key, were it with `null`."""
        return field in self.model_fields_set
