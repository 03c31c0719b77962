"""The promises between the parts: Agent, Team, Strategy, Monitor, Store, Executor, Recorder, Clock.

Whoever implements one of these needs nothing else of agentical but `events`, `errors` and the pure rules.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, Protocol, runtime_checkable

from agentical.context import TaskContext as TaskContext
from agentical.edge import Edge as Edge
from agentical.errors import TaskFailed
from agentical.events import Event, ExecutionRow, Failure, Tally, Usage
from agentical.records import Append as Append
from agentical.records import Claim as Claim
from agentical.records import Refused as Refused
from agentical.records import Written as Written

ANY: Final = None  # as a member to ask: whoever the balancer picks


@dataclass(frozen=True, slots=True)
class Member:
    """One agent of a team, as a strategy sees it. Replicas are `name#1`, `name#2`; `agent` is the name without."""

    name: str
    agent: str
    capabilities: tuple[str, ...] = ()
    weight: float = 1.0


@dataclass(frozen=True, slots=True)
class Ask:
    """One question: `member` is a name of the team or ANY; `key` says what is asked, unique in the visit."""

    member: str | None
    payload: Any
    key: str


@dataclass(frozen=True, slots=True)
class Item:
    """One item of a step's for-each; `index` counts from 0. `payload` is the step's `with` shaped for it."""

    index: int
    value: Any
    payload: Any


@dataclass(frozen=True, slots=True)
class Outcome:
    """How one task ended: with an answer, or with a failure. `took` is in seconds."""

    key: str
    member: str
    answer: Any = None
    failure: Failure | None = None
    edge: str | None = None
    took: float = 0.0
    usage: Usage = field(default_factory=Usage)

    @property
    def ok(self) -> bool:
        return self.failure is None

    def unwrap(self) -> Any:
        """The answer. Raises TaskFailed where there is none."""
        if self.failure is None:
            return self.answer
        raise TaskFailed(self.key, self.member, self.failure.kind, self.failure.message, self.failure.code)


class Team(Protocol):
    """The agents of one visit, as a strategy sees them.

    Whatever a strategy learns through a team is recorded before it is handed over and handed over in the order of the
    record, so that a strategy run again after a crash sees the same things in the same order.
    """

    @property
    def members(self) -> Sequence[Member]: ...
    @property
    def record(self) -> dict[str, Any]:
        """What the strategy leaves about the visit beside its result (JSON): `steps.ID.record`."""
        ...

    @property
    def item_count(self) -> int | None:
        """How many items the step's for-each has; None where there is none or a source still yields."""
        ...

    @property
    def elapsed(self) -> float:
        """Seconds from the start of the visit to the last thing handed over, by the record."""
        ...

    async def ask(self, member: str | None, payload: Any, *, key: str) -> Any:
        """Ask one member (or ANY) and wait for the answer. Raises TaskFailed."""
        ...

    def ask_each(self, asks: Iterable[Ask], *, at_most: int | None = None) -> AsyncIterator[Outcome]:
        """Ask all, at most `at_most` at a time, taking from `asks` only as there is room; outcomes as they come."""
        ...

    def start(self, ask: Ask) -> None:
        """Ask in the background; the outcome comes from `next`."""
        ...

    async def next(self, *, or_item: bool = False) -> Outcome | Item | None:
        """The next outcome of what was started or, with `or_item`, the next item: whichever was recorded first.

        None when nothing that was started is under way (and, with `or_item`, there are no more items).
        """
        ...

    def items(self) -> AsyncIterator[Item]:
        """The items of the step's for-each, each recorded before it is handed over."""
        ...

    def team(self, names: Sequence[str], *, key: str) -> Team:
        """A part of the team; its keys stand under `key/`."""
        ...

    async def remember(self, key: str, decide: Callable[[], Awaitable[Any]]) -> Any:
        """What `decide` returned the first time this visit came here: for draws, times, choices, tallies (JSON)."""
        ...

    async def tallies(self, prefix: str) -> dict[str, Tally]:
        """The store's sums whose names start with `prefix`. Changes between runs: read it inside `remember`."""
        ...

    def tally(self, name: str, add: Tally) -> None:
        """Add to a sum of the store, once, when the visit ends."""
        ...


@runtime_checkable
class Strategy(Protocol):
    """Decides who is asked what, and when. No clock, no random, no I/O, no task of its own: the team has them.

    A strategy plug-in is a frozen dataclass; its fields are its options. Beside `__call__` it may have
    `outcomes: ClassVar[tuple[str, ...]]` (the outcomes it may name), `problems(members) -> Iterable[str]` (what is
    wrong with this team, found when the playbook is read) and `most(members, items) -> int | None` (most tasks).
    """

    async def __call__(self, team: Team, payload: Any) -> Any: ...


@dataclass(frozen=True, slots=True)
class NamedStrategy:
    """A strategy within a strategy's options: `{type: NAME, option: …}` as read."""

    name: str
    run: Strategy
    options: Mapping[str, Any] = field(default_factory=dict)


@runtime_checkable
class Agent(Protocol):
    """Does one piece of work: JSON in, JSON out (or an Edge).

    An agent plug-in (group `agentical.agents`) is a frozen dataclass. Its fields are its own keys of the playbook
    (kebab-case there), beside `target` (what stands after `KIND:`) and `folder` (where the playbook lies), which it
    gets if it has them. It may also have `problems() -> Iterable[str]` (found when the playbook is read, without
    running anything), `code() -> str` (a hash of its source), `parks: ClassVar[bool]` (waits for somebody else, so
    holds no slot) and `stream(payload, context) -> AsyncIterator[Any]` (a source of items).
    """

    async def __call__(self, payload: Any, context: TaskContext) -> Any: ...


class Executor(Protocol):
    """Where a call of an agent happens: here, in a thread, in another process.

    It first gets its place (a thread, a worker), then starts the clock with `agentical.executors.timing.clock(context)`.
    """

    async def run(self, agent: Agent, payload: Any, context: TaskContext) -> Any: ...
    async def aclose(self) -> None: ...


@dataclass(frozen=True, slots=True)
class Reading:
    """One measured value. `labels` are few and of few values."""

    name: str
    value: float
    unit: str = ""
    labels: Mapping[str, str] = field(default_factory=dict)


class Monitor(Protocol):
    """Watches. Never changes what it watches, never slows it down: both calls return at once."""

    def see(self, execution: str, at: float, event: Event) -> None: ...
    def read(self) -> Iterable[Reading]: ...


class Store(Protocol):
    """Keeps journals, blobs and tallies. Everything acknowledged is on disk (where the store has one)."""

    @property
    def folder(self) -> Path | None:
        """Where its files lie; None without files of its own. The locks of owners lie beside them."""
        ...

    @property
    def durable(self) -> bool:
        """Whether what it acknowledged outlives this process. If not, `append` must not suspend."""
        ...

    async def append(self, batch: Sequence[Append]) -> Sequence[Refused]:
        """Add entries of many executions in one commit, atomic per execution; returns who was refused."""
        ...

    def journal(self, execution: str, *, after: int = 0) -> AsyncIterator[Written]:
        """What was written after entry `after`, oldest first. Raises JournalDamaged where it cannot be read."""
        ...

    async def claim(
        self, execution: str, owner: str, alive: Callable[[str], bool], *, create: ExecutionRow | None = None
    ) -> Claim:
        """Become the owner, with a new epoch. Makes the execution of `create` where there is none.

        Raises ExecutionOwned when another owner is alive, ExecutionUnknown without `create`.
        """
        ...

    async def set_aside(self, execution: str, epoch: int, after: int, head: bytes) -> int:
        """Take what follows entry `after` (whose hash is `head`) out of a damaged journal, and keep it apart.

        Returns how many entries there should have been. Raises OwnershipLost for an old epoch.
        """
        ...

    async def release(self, execution: str, epoch: int) -> None:
        """Stop being the owner, if the epoch is still this one."""
        ...

    async def row(self, execution: str) -> ExecutionRow | None: ...
    async def executions(
        self, *, statuses: Sequence[str] = (), limit: int | None = None, children: bool = False
    ) -> Sequence[ExecutionRow]:
        """The executions, newest first; those that answer another's task only with `children`."""
        ...

    async def blob(self, sha256: str) -> bytes | None:
        """The blob of this hash (hex), verified. Raises StoreError when it is damaged."""
        ...

    async def tallies(self, prefix: str) -> Mapping[str, Tally]: ...
    async def aclose(self) -> None: ...


class Recorder(Protocol):
    """One execution's way to its journal."""

    def note(self, event: Event) -> int:
        """Add an entry that rides in the next commit; it counts at once. Returns its seq."""
        ...

    async def record(self, event: Event) -> int:
        """Add an entry and return its seq once it is committed."""
        ...

    def tally(self, name: str, add: Tally) -> None:
        """Add to a sum of the store with the next commit."""
        ...


class Clock(Protocol):
    """Time, randomness and ids, so that tests never sleep and runs can be simulated."""

    def now(self) -> float:
        """Unix seconds."""
        ...

    def monotonic(self) -> float:
        """Seconds of a clock that never goes back."""
        ...

    def random(self) -> float:
        """A draw from [0, 1)."""
        ...

    def new_id(self) -> str:
        """A short id that no other call returns: lower-case letters and digits."""
        ...
