"""Plans: what a leader answered, checked against the workers there are."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from graphlib import CycleError, TopologicalSorter
from typing import Any, TypeVar

import msgspec

from agentical.ports import Member

Shape = TypeVar("Shape")


class Assignment(msgspec.Struct, frozen=True, rename="kebab"):
    """A piece of work for one worker, named, or any that has the capability."""

    id: str
    goal: Any = None
    worker: str | None = None
    capability: str | None = None
    payload: Any = None
    depends_on: tuple[str, ...] = ()


class Plan(msgspec.Struct, frozen=True):
    assignments: tuple[Assignment, ...]


class Review(msgspec.Struct, frozen=True):
    accept: bool
    rework: tuple[Assignment, ...] = ()


class PlanInvalid(Exception):
    """What a leader answered cannot be carried out; `problems` are sentences for the leader."""

    def __init__(self, problems: Sequence[str]) -> None:
        self.problems = list(problems)
        super().__init__("; ".join(problems))


def read_plan(answer: Any, workers: Sequence[Member], span: int) -> dict[str, Assignment]:
    """The assignments of `{assignments: [...]}` by id. Raises PlanInvalid."""
    return checked(_shaped(answer, Plan).assignments, workers, span)


def read_review(
    answer: Any, workers: Sequence[Member], span: int, plan: Mapping[str, Assignment], only: str | None = None
) -> Review:
    """A review of `{accept: true}` or `{accept: false, rework: [...]}`, whose rework fits the plan. Raises PlanInvalid.

    With `only` that assignment is reviewed: it can be sent back, and work can be added, but nothing else is touched.
    """
    review = _shaped(answer, Review)
    if review.accept:
        return review
    rework = _unique(review.rework)
    if only is not None and (only not in rework or (rework.keys() & plan.keys()) - {only}):
        raise PlanInvalid(
            [f"a review of {only!r} that does not accept it sends back {only!r}, and no other of the plan"]
        )
    if not rework:
        raise PlanInvalid(["a review that does not accept must say what to rework"])
    checked({**plan, **rework}.values(), workers, span)
    return review


def checked(assignments: Iterable[Assignment], workers: Sequence[Member], span: int) -> dict[str, Assignment]:
    """The assignments by id. Raises PlanInvalid with everything that is wrong with them."""
    work = list(assignments)
    plan = _unique(work)
    problems = list(_problems(plan, workers))
    if not work:
        problems.append("the plan has no assignments")
    if len(work) > span:
        problems.append(f"the plan has {len(work)} assignments, at most {span} are allowed")
    if problems:
        raise PlanInvalid(problems)
    return plan


def able(assignment: Assignment, workers: Sequence[Member]) -> list[str]:
    """The names of those who may do it; an agent's name stands for all its replicas."""
    if assignment.worker is not None:
        return [worker.name for worker in workers if assignment.worker in (worker.name, worker.agent)]
    return [worker.name for worker in workers if assignment.capability in worker.capabilities]


def blocked(
    plan: Mapping[str, Assignment], failed: Collection[str], done: Collection[str]
) -> dict[str, dict[str, Any]]:
    """What cannot be done because something it depends on failed, by id."""
    lost: dict[str, dict[str, Any]] = {}
    for id in TopologicalSorter({work.id: work.depends_on for work in plan.values()}).static_order():
        cause = next((other for other in plan[id].depends_on if other in failed or other in lost), None)
        if cause is not None and id not in failed and id not in done:
            lost[id] = {"class": "upstream", "message": f"depends on {cause}, which failed"}
    return lost


def _shaped(answer: Any, shape: type[Shape]) -> Shape:
    try:
        return msgspec.convert(_kebab(answer), shape)
    except msgspec.ValidationError as error:
        raise PlanInvalid([str(error)]) from error


def _kebab(answer: Any) -> Any:
    """The answer with `depends_on` read as `depends-on`: models and Python write it that way."""
    if not isinstance(answer, Mapping):
        return answer
    return {
        key: [_dashed(work) for work in value] if isinstance(value, list) else value for key, value in answer.items()
    }


def _dashed(work: Any) -> Any:
    if not isinstance(work, Mapping):
        return work
    return {"depends-on" if key == "depends_on" else key: value for key, value in work.items()}


def _unique(assignments: Sequence[Assignment]) -> dict[str, Assignment]:
    plan = {work.id: work for work in assignments}
    if len(plan) < len(assignments):
        twice = sorted({work.id for work in assignments if assignments.count(work) > 1 or plan[work.id] is not work})
        raise PlanInvalid([f"assignment id {id!r} is used more than once" for id in twice])
    return plan


def _problems(plan: Mapping[str, Assignment], workers: Sequence[Member]) -> Iterator[str]:
    for work in plan.values():
        if not work.id or "/" in work.id:
            yield f"assignment id {work.id!r} must be text without slashes"
        if (work.worker is None) == (work.capability is None):
            yield f"assignment {work.id!r} must name either a worker or a capability"
        elif not able(work, workers):
            wanted = (
                f"worker {work.worker!r}" if work.worker is not None else f"worker with capability {work.capability!r}"
            )
            yield f"assignment {work.id!r}: there is no {wanted}. Workers: {_named(workers)}."
        for other in work.depends_on:
            if other not in plan:
                yield f"assignment {work.id!r} depends on {other!r}, which is not in the plan"
    try:
        TopologicalSorter({work.id: work.depends_on for work in plan.values()}).prepare()
    except CycleError as error:
        yield "assignments depend on each other in a circle: " + " -> ".join(error.args[1])


def _named(workers: Sequence[Member]) -> str:
    return ", ".join(f"{worker.name} ({', '.join(worker.capabilities) or 'no capabilities'})" for worker in workers)
