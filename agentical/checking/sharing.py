"""Whether steps share state soundly: who writes before whom reads, who may write at once, and of which type."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Any, Final

from agentical.checking.flow import Ancestry
from agentical.checking.mistakes import Mistakes
from agentical.checking.readings import Reading
from agentical.graph import StateKey
from agentical.inputs import as_declared
from agentical.playbook import Placed

_TAKEN: Final = {"extend": "array", "update": "object", "add": "number"}
_KINDS: Final[dict[str, tuple[type, ...]]] = {
    "string": (str,), "number": (int, float), "integer": (int,), "boolean": (bool,), "array": (list,), "object": (dict,),
}  # fmt: skip


def state_keys(mistakes: Mistakes) -> dict[str, StateKey]:
    """The declared state, its defaults checked."""
    keys: dict[str, StateKey] = {}
    for name, key in mistakes.parsed.playbook.state.items():
        if key.type is not None and key.default is not None and not _is(key.type, key.default):
            mistakes.add(("state", name, "default"), f"the default is no {key.type}.")
        keys[name] = StateKey(key.type, key.merge, as_declared({"type": key.type}, key.default))
    return keys


def check_writes(mistakes: Mistakes, steps: Sequence[Placed], keys: dict[str, StateKey]) -> None:
    """Every key written is declared, and what is written without an expression is of its type."""
    for placed in steps:
        for name, value in (placed.step.writes or {}).items():
            path = ("steps", placed.place, "set", name)
            if name not in keys:
                mistakes.unknown(path, "state key", name, keys, key=True)
            elif not _has_expression(value):
                _check_literal(mistakes, path, keys[name], value)


def check_order(mistakes: Mistakes, steps: Sequence[Placed], readings: Sequence[Reading], ancestry: Ancestry) -> None:
    """No key is read before its writers, none is written by two at once without a rule."""
    state = mistakes.parsed.playbook.state
    writers: dict[str, list[int]] = {name: [] for name in state}
    for index, placed in enumerate(steps):
        for name in placed.step.writes or ():
            if name in writers:
                writers[name].append(index)
    loops = {name: ancestry.loops_of(its) for name, its in writers.items()}
    for index, reading in enumerate(readings):
        for name, path in reading.state.items():
            others = ancestry.elsewhere(loops.get(name, 0), index)
            if others and not ancestry.leads_to(others, index):
                names = _some([steps[one].id for one in writers[name] if one != index])
                message = f"reads state.{name}, but comes after none of the steps that write it: {names}."
                mistakes.add(path, message, "Add `needs`.")
    for name, key in state.items():
        if not key.has("merge"):
            _check_together(mistakes, name, steps, ancestry.sorted(writers[name]), ancestry)


def _check_together(
    mistakes: Mistakes, name: str, steps: Sequence[Placed], writers: Sequence[int], ancestry: Ancestry
) -> None:
    """Writers in an order of their own form a chain exactly when each comes after the one before it."""
    for one, other in pairwise(writers):
        if not ancestry.comes_before(one, other):
            message = f"steps {steps[one].id} and {steps[other].id} may write state.{name} at the same time."
            hint = f"Give state.{name} a merge rule, such as `merge: last` (in declared order), or one of them `needs`."
            mistakes.add(("steps", steps[other].place, "set", name), message, hint)


def _check_literal(mistakes: Mistakes, path: tuple[str | int, ...], key: StateKey, value: Any) -> None:
    wanted = _TAKEN.get(key.merge)
    if wanted is not None and not _is(wanted, value):
        mistakes.add(path, f"`merge: {key.merge}` takes a value of type {wanted} only.")
    elif (
        key.type is not None and value is not None and key.merge not in ("append", "union") and not _is(key.type, value)
    ):
        mistakes.add(path, f"is declared as {key.type}, and this is none.")


def _some(names: Sequence[str]) -> str:
    return ", ".join(names[:5]) + (f" and {len(names) - 5} more" if len(names) > 5 else "")


def _is(kind: str, value: Any) -> bool:
    whole = kind == "integer" and isinstance(value, float) and value.is_integer()
    return whole or (isinstance(value, _KINDS[kind]) and (kind == "boolean" or not isinstance(value, bool)))


def _has_expression(value: Any) -> bool:
    if isinstance(value, str):
        return "${{" in value
    if isinstance(value, dict):
        return any(map(_has_expression, value.values()))
    return isinstance(value, list) and any(map(_has_expression, value))
