"""What a playbook declares before its steps: inputs, secrets, retry policies, agents, state."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import ConfigDict, Field, Tag
from pydantic.alias_generators import to_camel

from agentical.reading.fields import Built, Later, Maybe, one_of
from agentical.reading.jsonschemas import JsonSchema, Regex
from agentical.reading.words import (
    LATER,
    Amount,
    AnyNumber,
    Count,
    Duration,
    Filled,
    Id,
    JsonType,
    Period,
    Plain,
    Positive,
    Rate,
    SecretText,
    Uses,
    Variable,
    Whole,
    Words,
)  # fmt: skip

Required = Annotated[
    Annotated[bool, Tag("<flag>")] | Annotated[list[Plain], Tag("<list>")], one_of("true, false or a list of keys")
]


class Input(Words):
    """An input: a JSON Schema, and whether it may be left out. Its words keep JSON Schema's spelling."""

    model_config = ConfigDict(alias_generator=to_camel)

    type: Maybe[JsonType] = None
    default: Any = None
    required: Maybe[Required] = None
    title: Maybe[Plain] = None
    description: Maybe[Plain] = None
    examples: Maybe[list[Any]] = None
    enum: Maybe[list[Any]] = None
    const: Any = None
    items: Maybe[JsonSchema] = None
    prefix_items: Maybe[Annotated[list[JsonSchema], Field(min_length=1)]] = None
    contains: Maybe[JsonSchema] = None
    min_items: Maybe[Count] = None
    max_items: Maybe[Count] = None
    unique_items: Maybe[bool] = None
    minimum: Maybe[AnyNumber] = None
    maximum: Maybe[AnyNumber] = None
    exclusive_minimum: Maybe[AnyNumber] = None
    exclusive_maximum: Maybe[AnyNumber] = None
    multiple_of: Maybe[Positive] = None
    min_length: Maybe[Count] = None
    max_length: Maybe[Count] = None
    pattern: Maybe[Regex] = None
    format: Maybe[Plain] = None
    properties: Maybe[dict[str, JsonSchema]] = None
    additional_properties: Maybe[JsonSchema] = None
    min_properties: Maybe[Count] = None
    max_properties: Maybe[Count] = None
    any_of: Maybe[Annotated[list[JsonSchema], Field(min_length=1)]] = None
    one_of: Maybe[Annotated[list[JsonSchema], Field(min_length=1)]] = None
    all_of: Maybe[Annotated[list[JsonSchema], Field(min_length=1)]] = None

    @property
    def must_be_given(self) -> bool:
        """Whether a run without this input is refused: unless it has a default or says `required: false`."""
        return self.required is not False and not self.has("default")

    def json_schema(self) -> dict[str, Any]:
        """The JSON Schema that a value of this input must meet."""
        schema = self.model_dump(by_alias=True, exclude_unset=True, exclude={"default"})
        if isinstance(self.required, bool):
            schema.pop("required")
        return schema


class SecretPlace(Words):
    """Where a secret is found, in its long form."""

    env: Maybe[Variable] = None
    file: Maybe[Filled] = None

    def __str__(self) -> str:
        return f"env:{self.env}" if self.env is not None else f"file:{self.file}"


Secret = Annotated[
    str,
    Built(
        Annotated[
            Annotated[SecretText, Tag("<text>")] | Annotated[SecretPlace, Tag("<map>")],
            one_of("env:VARIABLE, file:PATH or a mapping of one of these"),
        ],
        str,
    ),
]
"""A secret's place as `env:VARIABLE` or `file:PATH`."""


class RetryRule(Words):
    """How to retry; `limit` counts the retries."""

    limit: Maybe[Count] = None
    delay: Maybe[Duration] = None
    backoff: Maybe[Literal["exponential", "fixed"]] = None
    jitter: Maybe[Literal["full", "none"]] = None
    max_delay: Maybe[Duration] = None


class RetryPolicy(RetryRule):
    """How to retry, and how to retry the classes of failure that differ."""

    transient: Maybe[RetryRule] = None
    rate_limited: Maybe[RetryRule] = None
    exhausted: Maybe[RetryRule] = None
    invalid: Maybe[RetryRule] = None
    denied: Maybe[RetryRule] = None
    upstream: Maybe[RetryRule] = None
    bug: Maybe[RetryRule] = None


Retry = Annotated[
    Annotated[Count, Tag("<number>")] | Annotated[Filled, Tag("<text>")] | Annotated[RetryPolicy, Tag("<map>")],
    one_of("a number of retries, the name of a policy, or a mapping"),
]


class AgentWords(Words):
    """The keys that every kind of agent has. Any other key is the kind's own and lands in `options`."""

    model_config = ConfigDict(extra="allow")

    replicas: Whole = 1
    max_parallel: Maybe[Whole] = None
    capabilities: list[Filled] = Field([])
    weight: Amount = 1.0
    timeout: Maybe[Period] = None
    retry: Maybe[Retry] = None
    fallback: Maybe[Id] = None
    idempotent: bool = False
    on_uncertain: Annotated[Literal["ask-again", "fail", "person"], Later(LATER["on-uncertain"])] = "ask-again"
    output: Maybe[JsonSchema] = None
    rate: Maybe[Rate] = None
    cost: Amount = 0.0

    @property
    def options(self) -> dict[str, Any]:
        """The kind's own keys, as written."""
        return dict(self.model_extra or {})


class Agent(AgentWords):
    """An agent. Its short form, a string, is its `uses`."""

    uses: Uses

    @property
    def kind(self) -> str:
        return self.uses.partition(":")[0]

    @property
    def target(self) -> str:
        return self.uses.partition(":")[2]


def _agent(value: str | Agent) -> Agent:
    return value if isinstance(value, Agent) else Agent.model_validate({"uses": value})


AgentEntry = Annotated[
    Agent,
    Built(
        Annotated[
            Annotated[Uses, Tag("<text>")] | Annotated[Agent, Tag("<map>")],
            one_of("an agent's short form or a mapping"),
        ],
        _agent,
    ),
]


class StateKey(Words):
    """A shared variable."""

    type: Maybe[JsonType] = None
    merge: Literal["last", "first", "append", "extend", "update", "add", "max", "min", "union"] = "last"
    default: Any = None
