"""One visit: its team, its strategy, its tasks, and how it ended."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine, Mapping
from typing import Any

import anyio
from msgspec import UNSET, Raw, UnsetType
from msgspec.structs import replace

from agentical import events as ev
from agentical.agents.failures import classify
from agentical.asking import OF_THE_EXECUTION, Asks, Task
from agentical.cancelling import really_cancelled
from agentical.decisions import Decisions
from agentical.errors import BudgetExceeded, StepFailed, TaskFailed, TimedOut
from agentical.events import Failure, Tally
from agentical.graph import Step
from agentical.jsonvalues import digest, encode, loads
from agentical.ports import Edge, Recorder, Strategy
from agentical.sources import NO_ITEMS, Items, ListedItems, SourceItems
from agentical.team import Floor, VisitTeam
from agentical.validation import mismatch
from agentical.visits import Visit

THE_ASK = "ask"
"""The key of the one task of a step that asks one agent once."""
STEP_TIMEOUT = "STEP_TIMEOUT"
"""The code of a step that its own clock has ended, beside the outcome `timeout`."""
Work = Callable[[Step, Visit], Coroutine[Any, Any, ev.Event]]


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
        """Run a visit to its end and note how it ended. What is the execution's matter is raised.

        That is BudgetExceeded, StoreError, and code that is not as recorded: nothing is noted, so it can be resumed.
        """
        step = self._decisions.progress.by_id[visit.started.step]
        if step.body in ("set", "end"):
            ended = self._decisions.completed(step, visit.started.visit, None, Raw(b"null"))
        elif step.strategy is None:
            ended = await self._in_time(step, visit, self._ask_once, {})
        else:
            ended = await self._run_team(step, visit)
        for cut_off in visit.cut_off():
            self._recorder.note(cut_off)
        self._recorder.note(ended)

    async def _run_team(self, step: Step, visit: Visit) -> ev.Event:
        floor = Floor(
            visit, self._asking, self._recorder, self._start_soon, self._items(step, visit),
            self._decisions.progress.receipt, self._read_tallies,
            extra=self._asking.seats.members(step.helpers), retry=step.retry,
        )  # fmt: skip
        team = VisitTeam(floor, self._asking.seats.members(step.members))

        async def coordinate(step: Step, visit: Visit) -> ev.Event:
            return self._completed(
                step, visit, team, await self._strategies[step.index](team, loads(visit.started.payload))
            )

        try:
            ended = await self._in_time(step, visit, coordinate, team.record)
        except BaseException:
            floor.stop()
            raise
        floor.cancel_rest()
        for name, add in floor.tallied:
            self._recorder.tally(name, add)
        return ended

    async def _in_time(self, step: Step, visit: Visit, work: Work, record: dict[str, Any]) -> ev.Event:
        if step.timeout is None:
            return await self._in_words(step, visit, work, record)
        left = step.timeout - (self._decisions.progress.ran - visit.ran)
        with anyio.move_on_after(max(0.0, left)) as scope:
            ended = await self._in_words(step, visit, work, record)
        if scope.cancelled_caught:
            message = f"step {step.id} did not end within {step.timeout:g} s"
            return self._failed(step, visit, record, Failure("exhausted", message, STEP_TIMEOUT), "timeout")
        return ended

    async def _in_words(self, step: Step, visit: Visit, work: Work, record: dict[str, Any]) -> ev.Event:
        """What the work comes to; its exceptions as the step's failure."""
        try:
            return await work(step, visit)
        except (*OF_THE_EXECUTION, BudgetExceeded):
            raise
        except TaskFailed as error:
            failure = replace(classify(error), message=f"{error.member}: {error.message}")
            return self._failed(
                step, visit, record, failure, "timeout" if error.failure_code == TimedOut.code else "error"
            )
        except (Exception, asyncio.CancelledError) as error:
            if isinstance(error, asyncio.CancelledError) and really_cancelled():
                raise
            return self._failed(step, visit, record, classify(error))

    async def _ask_once(self, step: Step, visit: Visit) -> ev.Event:
        """A step of one agent needs no team: the visit's payload is the task's, the answer the output, kept once."""
        found = visit.outcomes.get(THE_ASK)
        if found is None:
            payload = bytes(visit.started.payload)
            await self._asking.ask(
                Task(visit, THE_ASK, step.members, payload, digest(payload), step.retry, step.output)
            )
            found = visit.outcomes[THE_ASK]
        else:
            self._decisions.progress.receipt.from_record += 1
        event = found[2]
        if isinstance(event, ev.TaskFailed):
            failure = event.failure
            raise TaskFailed(THE_ASK, event.member, failure.kind, failure.message, failure.code)
        assert isinstance(event, ev.TaskAnswered)
        output = loads(event.answer) if step.writes or step.routes else None
        return self._decisions.completed(
            step, visit.started.visit, output, UNSET, answer_of=THE_ASK, outcome=event.edge
        )

    def _completed(self, step: Step, visit: Visit, team: VisitTeam, result: Any) -> ev.Event:
        outcome, required = None, False
        if isinstance(result, Edge):
            result, outcome, required = result.value, result.outcome, result.required
        raw, record = Raw(encode(result)), _raw(team.record)
        if step.output is not None and (wrong := mismatch(step.output, loads(raw))) is not None:
            raise StepFailed(
                f"the output is not what `output` declares: {wrong}", code="OUTPUT_INVALID", failure_class="invalid"
            )
        return self._decisions.completed(
            step, visit.started.visit, loads(raw), raw, outcome=outcome, required=required, record=record
        )

    def _failed(
        self, step: Step, visit: Visit, record: dict[str, Any], failure: Failure, outcome: str = "error"
    ) -> ev.StepFailed:
        try:
            raw = _raw(record)
        except StepFailed as error:
            raw = UNSET
            if failure.code != error.failure_code:
                failure = Failure(failure.kind, f"{failure.message}; {error}", failure.code)
        return self._decisions.failed(step, visit.started.visit, failure, outcome, raw)

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
        return SourceItems(visit, asked, context, self._recorder, self._asking.redaction, shape, self._start_soon)


def _raw(record: dict[str, Any]) -> Raw | UnsetType:
    if not record:
        return UNSET
    try:
        return Raw(encode(record))
    except Exception as error:
        raise StepFailed(
            f"what the strategy left in `team.record` is not a JSON value: {error}",
            code="RECORD_INVALID", failure_class="bug",
        ) from None  # fmt: skip
