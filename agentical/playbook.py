"""What an author writes: the whole language `agentical/v1`, as pydantic models.

Every word has its place, also those that do not run yet (`words.LATER`); the parser refuses them by name. Python names are
the words with `_` for `-`, apart from `if` (condition), `with` (payload), `set` (writes) and `schema` (dialect).
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Any, Literal, NamedTuple

from pydantic import ConfigDict, Field, Tag

from agentical.reading.declared import AgentEntry, AgentWords, Input, Retry, RetryPolicy, Secret, StateKey
from agentical.reading.fields import Built, Maybe, one_of
from agentical.reading.jsonschemas import JsonSchema
from agentical.reading.words import (
    BODIES,
    AgentRef,
    Complete,
    Condition,
    Count,
    Duration,
    FailureClass,
    Filled,
    Gather,
    Id,
    Ids,
    Items,
    Join,
    Moment,
    Name,
    Names,
    Period,
    Plain,
    Positive,
    RetryName,
    StepId,
    Whole,
    Words,
)  # fmt: skip


class Strategy(Words):
    """A strategy by name; the other keys are its options."""

    model_config = ConfigDict(extra="allow")

    type: Filled

    @property
    def options(self) -> dict[str, Any]:
        """The strategy's own keys, as written."""
        return dict(self.model_extra or {})


def _strategy(value: str | Strategy) -> Strategy:
    return value if isinstance(value, Strategy) else Strategy(type=value)


StrategyEntry = Annotated[
    Strategy,
    Built(
        Annotated[
            Annotated[Filled, Tag("<text>")] | Annotated[Strategy, Tag("<map>")],
            one_of("a strategy's name or a mapping"),
        ],
        _strategy,
    ),
]


class Branch(Words):
    """One edge of a `next` list: followed when `if` holds, or when there is none."""

    condition: Maybe[Condition] = Field(None, alias="if")
    to: Id


class Loop(Words):
    """Rounds of a body."""

    while_: Maybe[Condition] = None
    until: Maybe[Condition] = None
    times: Maybe[
        Annotated[
            Annotated[Count, Tag("<number>")] | Annotated[Filled, Tag("<text>")], one_of("a number or an expression")
        ]
    ] = None
    max: Maybe[Whole] = None
    delay: Maybe[Duration] = None
    stalled: Maybe[Whole] = None


class Signals(Words):
    """Signals to wait for."""

    signal: Names
    timeout: Maybe[Period] = None


class Group(Words):
    """A group of visits of which at most `limit` run at once."""

    group: Filled
    limit: Whole = 1


def _group(value: str | Group) -> Group:
    return value if isinstance(value, Group) else Group(group=value)


Concurrency = Annotated[
    Group,
    Built(
        Annotated[
            Annotated[Filled, Tag("<text>")] | Annotated[Group, Tag("<map>")], one_of("a group's name or a mapping")
        ],
        _group,
    ),
]
Next = Annotated[
    Annotated[Id, Tag("<text>")]
    | Annotated[dict[str, Id], Field(min_length=1), Tag("<map>")]
    | Annotated[list[Branch], Field(min_length=1), Tag("<list>")],
    one_of("a step, a mapping of outcomes to steps, or a list of `if` and `to`"),
]


class Step(Words):
    """One step. Which body it has: `body`."""

    agent: Maybe[AgentRef] = None
    team: Maybe[Annotated[list[AgentRef], Field(min_length=1)]] = None
    strategy: Maybe[StrategyEntry] = None
    do: Maybe[Steps] = None
    cancel: Maybe[Ids] = None
    end: Maybe[Literal["completed", "failed", "cancelled"]] = None
    wait: Maybe[
        Annotated[
            Annotated[Moment, Tag("<text>")] | Annotated[Signals, Tag("<map>")],
            one_of("a time or a mapping with `signal`"),
        ]
    ] = None
    writes: Maybe[Annotated[dict[Id, Any], Field(min_length=1)]] = Field(None, alias="set")
    payload: Any = Field(None, alias="with")
    needs: Maybe[Ids] = None
    join: Maybe[Join] = None
    rest: Maybe[Literal["finish", "cancel"]] = None
    condition: Maybe[Condition] = Field(None, alias="if")
    next: Maybe[Next] = None
    for_each: Maybe[
        Annotated[
            Annotated[Items, Tag("<text>")] | Annotated[list[Any], Tag("<list>")],
            one_of("a list, an expression or agent:NAME"),
        ]
    ] = None
    complete: Maybe[Complete] = None
    max_parallel: Maybe[Whole] = None
    gather: Maybe[Gather] = None
    loop: Maybe[Loop] = None
    max_visits: Whole = 1000
    timeout: Maybe[Period] = None
    retry: Maybe[Retry] = None
    output: Maybe[JsonSchema] = None
    rescue: Maybe[Steps] = None
    compensate: Maybe[
        Annotated[Annotated[Id, Tag("<text>")] | Annotated[Step, Tag("<map>")], one_of("a step or its id")]
    ] = None
    stop_on: Maybe[Filled] = None
    concurrency: Maybe[Concurrency] = None
    estimate: Maybe[Duration] = None
    fail_fast: bool = False

    @property
    def body(self) -> str:
        """The key that is this step's body."""
        return next((word for word in (*BODIES, "wait") if self.has(word)), "set")


class ListedStep(Step):
    """A step of a list: it brings its own id."""

    id: StepId


Steps = Annotated[
    Annotated[dict[StepId, Step], Field(min_length=1), Tag("<map>")]
    | Annotated[list[ListedStep], Field(min_length=1), Tag("<list>")],
    one_of("a mapping of steps or a list of steps with ids"),
]
"""A map runs by its needs, a list in its order."""


class Placed(NamedTuple):
    """A step, its id, and its key in the file: the id, or the index in a list."""

    id: str
    place: str | int
    step: Step


def placed(steps: dict[str, Step] | list[ListedStep]) -> Iterator[Placed]:
    """The steps of either form, in the order of the file."""
    if isinstance(steps, dict):
        return (Placed(id, id, step) for id, step in steps.items())
    return (Placed(step.id, index, step) for index, step in enumerate(steps))


class Budget(Words):
    """What an execution may use up."""

    time: Maybe[Period] = None
    tasks: Maybe[Whole] = None
    tokens: Maybe[Whole] = None
    cost: Maybe[Positive] = None
    on_exceed: Maybe[Id] = None


class Checkpointing(Words):
    """When checkpoints are taken, how much they hold, how many are kept."""

    level: Maybe[Literal["minimal", "standard", "comprehensive", "debug"]] = None
    every_events: Maybe[Whole] = None
    interval: Maybe[Period] = None
    keep: Maybe[Whole] = None


class FakeError(Words):
    """The failure that a fake agent answers with."""

    failure_class: FailureClass = Field(alias="class")
    message: Plain = ""


class Fake(Words):
    """What stands for an agent in a test: answers in turn, one answer for all, or a failure."""

    answers: Maybe[list[Any]] = None
    answer: Any = None
    error: Maybe[FakeError] = None


class Case(Words):
    """A test that a playbook carries with it."""

    name: Filled
    inputs: dict[Id, Any] = Field({})
    agents: dict[Id, Fake] = Field({})
    expect: list[Filled] = Field([])
    status: Literal["completed", "failed"] = "completed"


class Playbook(Words):
    """A whole playbook, as its author wrote it."""

    dialect: Literal["agentical/v1"] = Field("agentical/v1", alias="schema")
    name: Name
    version: Plain = ""
    description: Plain = ""
    labels: dict[str, Plain] = Field({})
    inputs: dict[Id, Input] = Field({})
    secrets: dict[Id, Secret] = Field({})
    agents: dict[Id, AgentEntry] = Field({})
    state: dict[Id, StateKey] = Field({})
    steps: Steps
    outputs: dict[str, Any] = Field({})
    defaults: AgentWords = AgentWords()
    retries: dict[RetryName, RetryPolicy] = Field({})
    budget: Budget = Budget()
    checkpoint: Maybe[Checkpointing] = None
    concurrency: Maybe[Concurrency] = None
    errors: Maybe[Steps] = None
    finally_: Maybe[Steps] = None
    tests: list[Case] = Field([])
