"""Who a step asks, and by which strategy with which options."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import fields, is_dataclass
from typing import Any, Final, NamedTuple

from agentical.checking.mistakes import Known, Mistakes
from agentical.checking.roster import Roster
from agentical.checking.wiring import Outcomes
from agentical.conditions import Expression
from agentical.errors import CallInvalid
from agentical.graph import Retry
from agentical.parser import Path
from agentical.playbook import Placed, Step
from agentical.plugins import OptionsInvalid, build, kebab, load, options_of
from agentical.ports import NamedStrategy

_OF_STRATEGIES: Final = ("complete", "gather", "max_parallel")
"""Keys of a step that are options of its strategy, where it has them."""
_OF_ASKING: Final = ("payload", "for_each", "strategy", *_OF_STRATEGIES, "retry", "output", "timeout")
_ANSWER: Final = frozenset({"answer"})


class Staff(NamedTuple):
    """`helpers` are agents beside the team that the strategy asks; `source` yields the items."""

    members: tuple[str, ...] = ()
    helpers: tuple[str, ...] = ()
    strategy: str | None = None
    options: Mapping[str, Any] = {}
    source: str | None = None
    retry: Mapping[str, Retry] | None = None
    outcomes: Outcomes = Outcomes(all_known=True)


class Staffing:
    """Finds the staff of steps."""

    def __init__(self, mistakes: Mistakes, known: Known, roster: Roster) -> None:
        self._mistakes, self._known, self._roster = mistakes, known, roster

    def of(self, placed: Placed) -> Staff:
        """The staff of a step; whatever is wrong with it becomes a mistake."""
        staff, written = self._staff(placed), placed.step.retry
        if written is None:
            return staff
        return staff._replace(retry=self._roster.retry(("steps", placed.place, "retry"), written))

    def _staff(self, placed: Placed) -> Staff:
        step, path = placed.step, ("steps", placed.place)
        if step.body not in ("agent", "team"):
            for name in _OF_ASKING:
                if step.has(name):
                    word = str(Step.model_fields[name].alias)
                    self._mistakes.add((*path, word), f"`{word}` needs an `agent` or a `team` to ask.", key=True)
            return Staff()
        members = self._members(placed, path)
        source = self._source(step, path)
        strategy = self._strategy(step, path)
        if strategy is None:
            self._refuse(step, path, f"an agent asked once. Write `for-each`, or `team: [{step.agent}]`")
            return Staff(members, outcomes=self._outcomes_of_agent(step, members))
        options = self._options(step)
        try:
            plugin = load("agentical.strategies", strategy)
            self._check_words(step, path, strategy, plugin)
        except CallInvalid as error:
            self._mistakes.add(self._at(step, path, "type"), f"{error}")
            return Staff(members, (), strategy, options, source, outcomes=Outcomes())
        takes = options_of(plugin)
        options |= {name: getattr(step, name) for name in _OF_STRATEGIES if step.has(name) and name in takes}
        made = self._built(step, path, plugin, options)
        if made is None:
            return Staff(members, (), strategy, options, source, outcomes=Outcomes())
        helpers = self._checked(step, path, made, members)
        outcomes = Outcomes(getattr(made, "outcomes", ()), all_known=getattr(made, "only_these_outcomes", False))
        return Staff(members, helpers, strategy, options, source, outcomes=outcomes)

    def _members(self, placed: Placed, path: Path) -> tuple[str, ...]:
        step = placed.step
        if step.agent is not None:
            found = self._roster.find(step.agent, (*path, "agent"), placed.id)
            return () if found is None else (found,)
        ids: dict[str, None] = {}
        for n, reference in enumerate(step.team or ()):
            id = self._roster.find(reference, (*path, "team", n), _name_in(reference) or f"{placed.id}_{n + 1}")
            if id is not None:
                ids[id] = None
        return tuple(ids)

    def _source(self, step: Step, path: Path) -> str | None:
        if isinstance(step.for_each, str) and step.for_each.startswith("agent:"):
            return self._roster.find(step.for_each[len("agent:") :], (*path, "for-each"), "")
        return None

    def _strategy(self, step: Step, path: Path) -> str | None:
        if step.strategy is not None and step.agent is not None:
            message = "`strategy` belongs to a `team`, and this step has an `agent`."
            self._mistakes.add((*path, "strategy"), message, f"Write `team: [{step.agent}]`.", key=True)
        if step.strategy is not None:
            return step.strategy.type
        if step.has("for_each"):
            return "scatter-gather"
        return "sequential" if step.agent is None else None

    def _refuse(self, step: Step, path: Path, whom: str) -> None:
        for name in _OF_STRATEGIES:
            if step.has(name):
                self._mistakes.add((*path, kebab(name)), f"`{kebab(name)}` does not apply to {whom}.", key=True)

    def _check_words(self, step: Step, path: Path, strategy: str, plugin: Any) -> None:
        takes = options_of(plugin)
        for name in _OF_STRATEGIES:
            if step.has(name) and name not in takes:
                self._mistakes.add((*path, kebab(name)), f"`{kebab(name)}` does not apply to {strategy}.", key=True)
        if getattr(plugin, "needs_items", False) and not step.has("for_each"):
            self._mistakes.add(self._at(step, path, "type"), f"{strategy} needs `for-each`: the items it works on.")
        if step.has("for_each") and not getattr(plugin, "takes_items", False):
            message = f"`for-each` does not apply to {strategy}."
            self._mistakes.add((*path, "for-each"), message, "Use scatter-gather or pipeline.", key=True)

    def _options(self, step: Step) -> dict[str, Any]:
        written = step.strategy.options if step.strategy is not None else {}
        return {key.replace("-", "_"): value for key, value in written.items()}

    def _built(self, step: Step, path: Path, plugin: Any, options: Mapping[str, Any]) -> Any:
        try:
            return build(plugin, options)
        except OptionsInvalid as error:
            for name, message, hint in error.problems:
                parts = [kebab(part) for part in name.split(".")] if name else []
                where = (*path, *parts) if parts and step.has(name) else self._at(step, path, *parts)
                self._mistakes.add(where, message, hint, key=message.startswith("there is no option"))
            return None

    def _checked(self, step: Step, path: Path, made: Any, members: tuple[str, ...]) -> tuple[str, ...]:
        """What the strategy itself finds wrong, and the agents it asks beside the team."""
        for option, expression in _expressions(made):
            where = (*path, option) if step.has(option) else self._at(step, path, kebab(option))
            self._known.expression(where, expression, _ANSWER)
        helpers: dict[str, None] = {}
        for name in getattr(made, "agents_used", tuple)():
            if name not in self._roster.specs:
                self._mistakes.unknown(self._at(step, path), "agent", name, self._roster.specs)
            elif name not in members:
                helpers[name] = None
        if len(members) == len(step.team or (step.agent,)):
            for problem in getattr(made, "problems", lambda _: ())(self._roster.members(members)):
                self._mistakes.add(self._at(step, path), problem if problem.endswith((".", "?")) else f"{problem}.")
        return tuple(helpers)

    def _at(self, step: Step, path: Path, *inner: str) -> Path:
        return (*path, "strategy", *inner) if step.strategy is not None else path

    def _outcomes_of_agent(self, step: Step, members: tuple[str, ...]) -> Outcomes:
        """Where an answer is declared as one of some texts, these are its outcomes."""
        declared = step.output or next((self._roster.specs[id].output for id in members), None)
        names = declared.get("enum", ()) if isinstance(declared, dict) else ()
        return Outcomes([name for name in names if isinstance(name, str)])


def _name_in(short: str) -> str:
    """What an agent given in a short form is called in its team: the last word of it."""
    words = re.findall(r"[a-z][a-z0-9_]*", re.sub(r"\.(ya?ml|json)$", "", short.lower()))
    return words[-1] if words else ""


def _expressions(made: Any) -> Iterator[tuple[str, Expression]]:
    """The expressions among the options of a strategy, those in `best(…)` and in strategies within it too."""
    for field in fields(made) if is_dataclass(made) else ():
        value = getattr(made, field.name)
        for one in value if isinstance(value, tuple) else (value,):
            if isinstance(one, NamedStrategy):
                yield from ((field.name, expression) for _, expression in _expressions(one.run))
            expression = getattr(one, "score", one)
            if isinstance(expression, Expression):
                yield field.name, expression
