"""The agents of one execution as they are asked: instances, replicas, and who has room for one more task."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field

import anyio

from agentical.balance import Load, pick
from agentical.errors import StrategyMisused
from agentical.graph import AgentSpec
from agentical.ports import Agent, Member
from agentical.rate import Bucket


@dataclass(slots=True)
class Asked:
    """One agent: what the playbook says of it, and the callable."""

    spec: AgentSpec
    run: Agent
    parks: bool = False
    bucket: Bucket | None = None
    loads: list[Load] = field(default_factory=list)
    _code: str | None = None

    @classmethod
    def of(cls, spec: AgentSpec, run: Agent) -> Asked:
        names = [member.name for member in members_of(spec)]
        bucket = Bucket(*spec.rate) if spec.rate else None
        return cls(spec, run, getattr(run, "parks", False), bucket, [Load(name, spec.max_parallel) for name in names])

    @property
    def runs_in(self) -> str:
        """The name of its executor. May load the author's code, so look only when the agent is asked."""
        return getattr(self.run, "runs_in", "here")

    @property
    def repeatable(self) -> bool:
        """Whether it may simply be asked again when nobody knows whether it did its work."""
        return self.spec.on_uncertain == "ask-again" or self.spec.idempotent

    @property
    def code(self) -> str:
        """The hash of its source; empty where it has none that can be read: an answer is worth more than this."""
        if self._code is None:
            try:
                self._code = getattr(self.run, "code", str)()
            except Exception:  # it is the author's, or reads files that may be gone
                self._code = ""
        return self._code

    @property
    def members(self) -> list[Member]:
        return members_of(self.spec)


def members_of(spec: AgentSpec) -> list[Member]:
    """An agent as members of a team: itself, or its replicas `name#1`, `name#2`."""
    names = [spec.id] if spec.replicas == 1 else [f"{spec.id}#{n}" for n in range(1, spec.replicas + 1)]
    return [Member(name, spec.id, spec.capabilities, spec.weight) for name in names]


class Seats:
    """Who may be asked now: at most `limit` tasks at once, each member within its own room. First come, first served."""

    def __init__(self, agents: Mapping[str, Asked], limit: int) -> None:
        self.agents = agents
        self._loads = {load.name: (asked, load) for asked in agents.values() for load in asked.loads}
        self._free, self._for_slot = limit, deque[anyio.Event]()
        self._waiting: deque[tuple[frozenset[str], anyio.Event, list[Load]]] = deque()
        self._found: dict[tuple[str, ...], list[Load]] = {}
        self._teams: dict[tuple[str, ...], list[Member]] = {}
        self.limit = limit
        self._parked: dict[str, int] = {}
        self.on_room: Callable[[], None] = lambda: None
        """Called when a visit begins to wait for something else than a slot, so that others may start."""

    @property
    def waiting_elsewhere(self) -> int:
        """How many visits have a task that waits for something else than a slot."""
        return len(self._parked)

    @contextmanager
    def parked(self, visit: str) -> Iterator[None]:
        """Around a wait that holds no slot."""
        self._park(visit)
        try:
            yield
        finally:
            self._unpark(visit)

    def _park(self, visit: str) -> None:
        self._parked[visit] = self._parked.get(visit, 0) + 1
        if self._parked[visit] == 1:
            self.on_room()

    def _unpark(self, visit: str) -> None:
        if self._parked[visit] == 1:
            del self._parked[visit]
        else:
            self._parked[visit] -= 1

    def members(self, names: tuple[str, ...]) -> list[Member]:
        """The members of a team: each agent with all its replicas."""
        if names not in self._teams:
            self._teams[names] = [member for name in names for member in self.agents[name].members]
        return self._teams[names]

    def loads(self, names: tuple[str, ...]) -> list[Load]:
        """The loads of members or agents by name. Raises StrategyMisused for a name nobody has."""
        if names not in self._found:
            self._found[names] = self._look_up(names)
        return self._found[names]

    def _look_up(self, names: tuple[str, ...]) -> list[Load]:
        found: list[Load] = []
        for name in names:
            if name in self._loads:
                found.append(self._loads[name][1])
            elif name in self.agents:
                found.extend(self.agents[name].loads)
            else:
                raise StrategyMisused(f"nobody is called {name!r}; there are {', '.join(sorted(self.agents))}")
        return found

    def asked(self, load: Load) -> Asked:
        return self._loads[load.name][0]

    def agent_of(self, member: str) -> Asked:
        """The agent of a member by name. Raises StrategyMisused for a name nobody has."""
        return self.asked(self.loads((member,))[0])

    async def sit(self, loads: Sequence[Load]) -> Load:
        """Wait for room at one of these and take it."""
        load = loads[0] if len(loads) == 1 and loads[0].free else pick(loads)
        if load is None:
            turn, given = anyio.Event(), list[Load]()
            place = (frozenset(load.name for load in loads), turn, given)
            self._waiting.append(place)
            try:
                await turn.wait()
            except BaseException:
                self._give_back(place)
                raise
            return given[0]
        load.begin()
        return load

    def leave(self, load: Load, took: float, *, failed: bool | None) -> None:
        """Give the room back; whoever waits longest for it gets it. `failed` is None for an ask that was cut off."""
        load.end(took, failed=failed)
        if self._waiting:
            self._pass_on(load)

    async def take_slot(self, asked: Asked, visit: str) -> None:
        """One of the `limit` slots; an agent that waits for somebody else takes none."""
        if asked.parks:
            self._park(visit)
        else:
            await self._acquire()

    def free_slot(self, asked: Asked, visit: str) -> None:
        if asked.parks:
            self._unpark(visit)
        else:
            self._release()

    async def _acquire(self) -> None:
        if self._free > 0:
            self._free -= 1
            return
        turn = anyio.Event()
        self._for_slot.append(turn)
        try:
            await turn.wait()
        except BaseException:
            if turn.is_set():
                self._release()
            else:
                self._for_slot.remove(turn)
            raise

    def _release(self) -> None:
        if self._for_slot:
            self._for_slot.popleft().set()
        else:
            self._free += 1

    def _pass_on(self, load: Load) -> None:
        for n, (names, turn, given) in enumerate(self._waiting):
            if load.name in names and load.free:
                del self._waiting[n]
                load.begin()
                given.append(load)
                turn.set()
                return

    def _give_back(self, place: tuple[frozenset[str], anyio.Event, list[Load]]) -> None:
        if place[2]:
            place[2][0].outstanding -= 1
            self._pass_on(place[2][0])
        else:
            self._waiting.remove(place)
