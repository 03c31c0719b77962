"""The agents of a playbook, checked and complete: kinds, own keys, defaults, retries, fallbacks."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path as FilePath
from typing import Any, Final

from agentical import secrets
from agentical.checking.mistakes import Known, Mistakes
from agentical.errors import CallInvalid
from agentical.graph import AgentSpec, Retry
from agentical.parser import Path
from agentical.plugins import OptionsInvalid, build, kebab, load, options_of
from agentical.ports import Member
from agentical.reading.declared import Agent, RetryPolicy
from agentical.retry import policy

_SECRETS: Final = frozenset({"secrets"})
_SECRET: Final = re.compile(r"\s*secrets\.[a-z][a-z0-9_]*\s*")


class Roster:
    """`specs` are the agents by id; steps that name a short form add theirs."""

    def __init__(self, mistakes: Mistakes, known: Known) -> None:
        self._mistakes, self._known = mistakes, known
        self._playbook = mistakes.parsed.playbook
        self._folder = str(FilePath(mistakes.parsed.file).resolve().parent)
        self._short: dict[str, str] = {}
        self._used_defaults: set[str] = set()
        self._policies: dict[str, dict[str, Retry]] = {}
        for name, rules in self._playbook.retries.items():
            self._policies[name] = self.retry(("retries", name), rules)
        self.specs: dict[str, AgentSpec] = {}
        for id, agent in self._playbook.agents.items():
            self._add(id, agent, ("agents", id))
        self._check_fallbacks()

    def find(self, reference: str, path: Path, id: str) -> str | None:
        """The id of the agent that a step names; a short form becomes an agent with this id. None where there is none."""
        if ":" not in reference:
            if reference in self.specs:
                return reference
            self._mistakes.unknown(path, "agent", reference, self.specs)
            return None
        if reference not in self._short:
            self._short[reference] = self._free(id)
            self._add(self._short[reference], Agent.model_validate({"uses": reference}), path)
        return self._short[reference]

    def members(self, ids: tuple[str, ...]) -> list[Member]:
        """The members of a team of these: replicas are `name#1`, `name#2`."""
        found: list[Member] = []
        for spec in (self.specs[id] for id in ids if id in self.specs):
            names = [spec.id] if spec.replicas == 1 else [f"{spec.id}#{n + 1}" for n in range(spec.replicas)]
            found += [Member(name, spec.id, spec.capabilities, spec.weight) for name in names]
        return found

    def retry(self, path: Path, written: int | str | RetryPolicy | None) -> dict[str, Retry]:
        """What a `retry:` says, by failure class."""
        known = ("none", "standard", *self._policies)
        if isinstance(written, str) and written not in known:
            self._mistakes.unknown(path, "retry policy", written, known)
            return {}
        if not isinstance(written, RetryPolicy):
            return policy(written, self._policies)
        rules = written.model_dump(by_alias=True, exclude_unset=True)
        if not any("limit" in rule for rule in (rules, *rules.values()) if isinstance(rule, dict)):
            self._mistakes.add(path, "says how to retry, but not how often.", "Give it a `limit`.")
        return policy(rules, self._policies)

    def check_defaults(self) -> None:
        """To be called when all agents are known: a default that no agent takes is a mistake."""
        for name in self._playbook.defaults.options:
            if name not in self._used_defaults:
                self._mistakes.add(("defaults", name), f"no agent here has a key `{name}`.", key=True)

    def _free(self, id: str) -> str:
        taken = {*self.specs, *self._playbook.agents}
        return (
            id if id not in taken else next(new for n in range(2, len(taken) + 3) if (new := f"{id}_{n}") not in taken)
        )

    def _add(self, id: str, agent: Agent, path: Path) -> None:
        options = self._own_options(agent, path)
        words = {name: self._word(agent, name) for name in _WORDS}
        output = words["output"]
        self.specs[id] = AgentSpec(
            id,
            agent.kind,
            agent.target,
            options,
            capabilities=tuple(words.pop("capabilities")),
            retry=self.retry((*self._place(agent, path, "retry"), "retry"), words.pop("retry")),
            **{**words, "output": {} if output is True else {"not": {}} if output is False else output},
        )

    def _word(self, agent: Agent, name: str) -> Any:
        """What the agent says, or else `defaults`."""
        defaults = self._playbook.defaults
        return getattr(defaults if defaults.has(name) and not agent.has(name) else agent, name)

    def _place(self, agent: Agent, path: Path, name: str) -> Path:
        return path if agent.has(name) or not self._playbook.defaults.has(name) else ("defaults",)

    def _own_options(self, agent: Agent, path: Path) -> dict[str, Any]:
        """The kind's own keys in snake_case, checked by making such an agent."""
        try:
            kind = load("agentical.agents", agent.kind)
            takes = {kebab(name) for name in options_of(kind)} - {"target", "folder"}
        except CallInvalid as error:
            self._mistakes.add((*path, "uses") if path[0] == "agents" else path, f"{error}")
            return {key.replace("-", "_"): value for key, value in agent.options.items()}
        defaults = {key: value for key, value in self._playbook.defaults.options.items() if key in takes}
        self._used_defaults |= defaults.keys()
        written = {**defaults, **agent.options}
        for key, value in written.items():
            self._check_secrets((*path, key), value)
        self._check_secrets(path, agent.target)
        if agent.target and "target" not in options_of(kind):
            self._mistakes.add(path, f"`{agent.kind}` takes nothing after the colon, not `{agent.target}`.")
        options = {key.replace("-", "_"): value for key, value in written.items()}
        self._try(kind, options, agent.target, path)
        return options

    def _try(self, kind: Any, options: Mapping[str, Any], target: str, path: Path) -> None:
        try:
            made = build(kind, options, target=target, folder=self._folder)
        except OptionsInvalid as error:
            for name, message, hint in error.problems:
                is_key = message.startswith("there is no option")
                self._mistakes.add((*path, *map(kebab, name.split("."))) if name else path, message, hint, key=is_key)
            return
        if secrets.names([options, target]):
            return  # what these are is known only where the agent runs
        for problem in getattr(made, "problems", tuple)():
            self._mistakes.add(path, problem if problem.endswith((".", "?", "!")) else f"{problem}.")

    def _check_secrets(self, path: Path, value: Any) -> None:
        for expression in self._known.template(path, value, _SECRETS):
            if not _SECRET.fullmatch(expression.source) and all(read[0] == "secrets" for read in expression.paths):
                self._mistakes.add(path, "in an agent's settings stands ${{ secrets.NAME }} only, nothing computed.")

    def _check_fallbacks(self) -> None:
        for id, spec in self.specs.items():
            path = ("agents", id, "fallback")
            seen = [id]
            while spec.fallback is not None:
                if spec.fallback not in self.specs:
                    if len(seen) == 1:
                        self._mistakes.unknown(path, "agent", spec.fallback, self.specs)
                    break
                seen.append(spec.fallback)
                if spec.fallback in seen[:-1]:
                    if spec.fallback == id:
                        self._mistakes.add(path, f"cycle: {' → '.join(seen)}.", "A fallback leads to another agent.")
                    break
                spec = self.specs[spec.fallback]


_WORDS: Final = (
    "replicas", "max_parallel", "capabilities", "weight", "timeout", "retry", "fallback", "idempotent", "on_uncertain",
    "output", "rate", "cost",
)  # fmt: skip
