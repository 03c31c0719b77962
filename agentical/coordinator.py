"""One visit: its team, its strategy, its tasks, and how it ended."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import Any

import anyio
from msgspec import UNSET, Raw, UnsetType

from agentical import events as ev
from agentical.agents.failures import classify
from agentical.asking import Asks
from agentical.decisions import Decisions
from agentical.errors import BudgetExceeded, StepFailed, StoreError, TaskFailed
from agentical.events import Failure, Tally
from agentical.graph import Step
from agentical.jsonvalues import encode, loads
from agentical.ports import Edge, Recorder, Strategy
from agentical.schemas import mismatch
from agentical.sources import NO_ITEMS, Items, ListedItems, SourceItems
from agentical.team import Floor, VisitTeam
from agentical.visits import Visit

THE_ASK = "ask"
"""The key of the one task of a step that asks one agent once."""


class Coordinator:
    """Runs the visits of one execution. `start_soon` is the execution's task group's."""

    def __init__(
        self,
        decisions: Decisions,
        recorder: Recorder,
        asking: Asks,
        strategies: Mapping[int, Strategy],
        read_tallies: Callable[[str], Awaitable[dict[str, Tally]]],
        start_soon: Callable[..., Any],
    ) -> None:
        self._decisions, self._recorder, self._asking = decisions, recorder, asking
        self._strategies, self._read_tallies, self._start_soon = strategies, read_tallies, start_soon

    async def run(self, visit: Visit) -> None:
        """Run a visit to its end and note how it ended. Raises StoreError and BudgetExceeded: the execution's matter."""
        step = self._decisions.progress.by_id[visit.started.step]
        if step.body in ("set", "end"):
            self._note_completed(step, visit, None, Raw(b"null"))
            return
        floor = self._floor(step, visit)
        team = VisitTeam(floor, self._asking.seats.members(step.members))
        try:
            if step.timeout is None:
                ended = await self._coordinate(step, visit, floor, team)
            else:
                ended = await self._in_time(step, visit, floor, team)
        except BaseException:
            floor.stop()
            raise
        floor.cancel_rest()
        for name, add in floor.tallied:
            self._recorder.tally(name, add)
        self._recorder.note(ended)

    async def _in_time(self, step: Step, visit: Visit, floor: Floor, team: VisitTeam) -> ev.Event:
        with anyio.move_on_after(_time_left(step, floor)) as scope:
            ended = await self._coordinate(step, visit, floor, team)
        if scope.cancelled_caught:
            message = f"step {step.id} did not end within {step.timeout:g} s"
            return self._failed(step, visit, team, Failure("exhausted", message, "TIMEOUT"), "timeout")
        return ended

    async def _coordinate(self, step: Step, visit: Visit, floor: Floor, team: VisitTeam) -> ev.Event:
        try:
            if step.strategy is None:
                return await self._ask_once(step, visit, floor, team)
            result = await self._strategies[step.index](team, loads(visit.started.payload))
            return self._completed(step, visit, team, result)
        except (StoreError, BudgetExceeded):
            raise
        except TaskFailed as error:
            failure = Failure(error.failure_class, str(error), error.failure_code)
            return self._failed(step, visit, team, failure, "timeout" if error.failure_code == "TIMEOUT" else "error")
        except StepFailed as error:
            return self._failed(step, visit, team, Failure(error.failure_class, str(error), error.failure_code), "error")
        except Exception as error:
            return self._failed(step, visit, team, classify(error), "error")

    async def _ask_once(self, step: Step, visit: Visit, floor: Floor, team: VisitTeam) -> ev.Event:
        """A step of one agent: the answer is the output, kept once."""
        await team.ask(None, loads(visit.started.payload), key=THE_ASK)
        _, _, event = visit.outcomes[THE_ASK]
        assert isinstance(event, ev.TaskAnswered)
        output = loads(event.answer) if step.writes or step.routes else None
        return self._decisions.completed(
            step, visit.started.visit, output, UNSET, answer_of=THE_ASK, outcome=event.edge
        )

    def _completed(self, step: Step, visit: Visit, team: VisitTeam, result: Any) -> ev.Event:
        outcome, required = None, False
        if isinstance(result, Edge):
            result, outcome, required = result.value, result.outcome, result.required
        raw = Raw(encode(result))
        if step.output is not None and (wrong := mismatch(step.output, loads(raw))) is not None:
            raise StepFailed(f"the output is not what `output` declares: {wrong}", code="OUTPUT_INVALID", failure_class="invalid")
        return self._decisions.completed(
            step, visit.started.visit, loads(raw), raw, outcome=outcome, required=required, record=_record(team)
        )

    def _failed(self, step: Step, visit: Visit, team: VisitTeam, failure: Failure, outcome: str) -> ev.StepFailed:
        return self._decisions.failed(step, visit.started.visit, failure, outcome, _record(team))

    def _note_completed(self, step: Step, visit: Visit, output: Any, raw: Raw) -> None:
        self._recorder.note(self._decisions.completed(step, visit.started.visit, output, raw))

    def _floor(self, step: Step, visit: Visit) -> Floor:
        single = step.strategy is None
        return Floor(
            visit,
            self._asking,
            self._recorder,
            self._start_soon,
            self._items(step, visit),
            self._decisions.progress.receipt,
            self._read_tallies,
            extra=self._asking.seats.members(step.helpers),
            retry=step.retry or None,
            schema=step.output if single else None,
        )

    def _items(self, step: Step, visit: Visit) -> Items:
        if step.source is None and step.for_each is None:
            return NO_ITEMS
        rules, frame = self._decisions.rules, loads(visit.started.payload)

        def shape(index: int, value: Any) -> Any:
            return rules.item_payload(step, frame, index, value)

        if not isinstance(visit.started.items, UnsetType):
            return ListedItems(loads(visit.started.items), shape)
        assert step.source is not None
        asked = self._asking.seats.agents[step.source]
        context = self._asking.context(visit.started.visit, "items", asked, step.source)
        return SourceItems(visit, asked, context, self._recorder, shape, self._start_soon)


def _time_left(step: Step, floor: Floor) -> float:
    """Seconds of the step's timeout that the record has not used yet; time in which no process ran does not count."""
    recorded = [at for _, at, _ in floor.visit.outcomes.values()]
    used = max(recorded) - floor.visit.at if recorded else 0.0
    return max(0.0, (step.timeout or 0.0) - used)


def _record(team: VisitTeam) -> Raw | UnsetType:
    return Raw(encode(team.record)) if team.record else UNSET


