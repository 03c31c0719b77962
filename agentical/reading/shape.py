"""Does a tree of JSON values have the shape of a playbook? Gives the playbook, or every flaw in plain words."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from difflib import get_close_matches
from functools import cache
from itertools import chain, islice
from typing import Any, NamedTuple

from pydantic import BaseModel, ValidationError

from agentical.playbook import ListedStep, Playbook, Step
from agentical.reading.fields import Built, not_yet, shown
from agentical.reading.words import BODIES, LATER

MOST_FLAWS = 1000
"""More of one kind are not told: the file was never meant as a playbook."""

Path = tuple[str | int, ...]

_STEP_WORDS = {field.alias for field in ListedStep.model_fields.values()}


class Flaw(NamedTuple):
    """What is wrong, and where in the tree."""

    path: Path
    message: str
    hint: str = ""
    key: bool = False
    """Whether it is the last key of the path that is wrong, not what it holds."""


def read_shape(tree: Any) -> tuple[Playbook | None, list[Flaw]]:
    """The playbook, or None and what is wrong. The JSON Schema that `schema.py` makes accepts exactly the same trees."""
    if not isinstance(tree, dict):
        return None, [Flaw((), f"a playbook is a mapping, not {shown(tree)}.", "Start with `name:` and `steps:`.")]
    if "workflow" in tree and "steps" not in tree:
        return None, [Flaw(("workflow",), "node workflows do not run in this version yet.", "Write `steps` instead.")]
    flaws = list(islice(chain(_later(tree), _choices(tree)), MOST_FLAWS))
    try:
        playbook = Playbook.model_validate(tree)
    except ValidationError as invalid:
        errors = invalid.errors(include_url=False)[:MOST_FLAWS]
        return None, [*flaws, *(_flaw(tree, error) for error in errors)]
    return (None if flaws else playbook), flaws


def _later(tree: dict[str, Any]) -> Iterator[Flaw]:
    """Words that are in the language but do not run yet."""
    places: list[tuple[str, Path, Any]] = [("playbook", (), tree), ("budget", ("budget",), tree.get("budget"))]
    places += [("step", path, step) for path, step in _steps(tree)]
    for place, path, node in places:
        if isinstance(node, dict):
            for word in node:
                if word in LATER[place]:
                    yield Flaw((*path, word), not_yet(word), key=True)


def _choices(tree: dict[str, Any]) -> Iterator[Flaw]:
    """Mappings that need exactly one of several keys and have none, or more."""
    for path, step in _steps(tree):
        bodies = [word for word in BODIES if word in step]
        if len(bodies) > 1:
            yield Flaw((*path, bodies[1]), f"the step has {_listed(bodies)}.", "Keep one of them.", key=True)
        elif not bodies and "set" not in step and "wait" not in step and not _misspelt(step):
            yield Flaw(path, "has no body.", "Give it one of agent, team, set or end.")
    for name, secret in _entries(tree.get("secrets")):
        yield from _exactly_one(("secrets", name), secret, ("env", "file"))
    for index, case in _entries(tree.get("tests")):
        if isinstance(case, dict):
            for name, fake in _entries(case.get("agents")):
                yield from _exactly_one(("tests", index, "agents", name), fake, ("answers", "answer", "error"))


def _exactly_one(path: Path, node: Any, words: tuple[str, ...]) -> Iterator[Flaw]:
    if isinstance(node, dict) and sum(word in node for word in words) != 1:
        yield Flaw(path, f"needs exactly one of {', '.join(words)}.")


def _listed(words: list[str]) -> str:
    quoted = [f"`{word}`" for word in words]
    return f"{', '.join(quoted[:-1])} and {quoted[-1]}"


def _misspelt(step: dict[str, Any]) -> bool:
    """Whether a body's word seems to be there, misspelt: then that is what the author is told."""
    unknown = (word for word in step if word not in _STEP_WORDS)
    return any(get_close_matches(word, (*BODIES, "set", "wait"), 1) for word in islice(unknown, 30))


def _steps(tree: dict[str, Any]) -> Iterator[tuple[Path, dict[str, Any]]]:
    """Every mapping that stands where a step stands, however deep."""
    todo: list[tuple[Path, Any]] = [((word,), tree.get(word)) for word in ("steps", "errors", "finally")]
    while todo:
        path, steps = todo.pop()
        for key, step in _entries(steps):
            if isinstance(step, dict):
                yield from _with_undo((*path, key), step, todo)


def _with_undo(path: Path, step: dict[str, Any], todo: list[tuple[Path, Any]]) -> Iterator[tuple[Path, dict[str, Any]]]:
    """A step and, one after the other, what undoes it; what is nested in them is put on the list."""
    one: Any = step
    while isinstance(one, dict):
        yield path, one
        todo += [((*path, word), one[word]) for word in ("do", "rescue") if word in one]
        path, one = (*path, "compensate"), one.get("compensate")


def _entries(node: Any) -> Iterable[tuple[str | int, Any]]:
    if isinstance(node, dict):
        return node.items()
    return enumerate(node) if isinstance(node, list) else ()


def _flaw(tree: Any, error: Any) -> Flaw:
    """One of pydantic's complaints in plain words."""
    path = _path(tree, error["loc"])
    found, context = error["input"], error.get("ctx", {})
    match error["type"]:
        case "playbook":
            at_key = error["loc"][-1] == "[key]"
            return Flaw((*path, *context["path"]), context["message"], context["hint"], at_key)
        case "playbook_shape":
            return Flaw(path, f"{error['msg'].rstrip('.')}, not {shown(found)}.")
        case "extra_forbidden":
            return Flaw(path, "unknown key.", _did_you_mean(str(path[-1]), _known(path[:-1])), key=True)
        case "missing":
            return Flaw(path, f"`{error['loc'][-1]}` is missing.")
        case "literal_error":
            choices = [word.strip("'") for word in context["expected"].replace(" or ", ", ").split(", ")]
            return Flaw(path, f"{shown(found)} is not one of {', '.join(choices)}.", _did_you_mean(found, choices))
        case "bool_type":
            return Flaw(path, f"must be true or false, not {shown(found)}.")
        case "list_type":
            return Flaw(path, f"must be a list, not {shown(found)}.")
        case "dict_type" | "model_type":
            return Flaw(path, f"must be a mapping, not {shown(found)}.")
        case "too_short":
            return Flaw(path, "is empty.", "Fill it, or leave the key out.")
        case _:
            return Flaw(path, f"{shown(found)} does not belong here.")


def _path(tree: Any, location: tuple[str | int, ...]) -> Path:
    """A place in the tree, without the tags of unions and keys that pydantic puts in between."""
    path: list[str | int] = []
    node: Any = tree
    for part in location:
        known = part in node if isinstance(node, dict) else isinstance(node, list) and isinstance(part, int)
        if known:
            node = node[part]
            path.append(part)
    return tuple(path)


def _did_you_mean(word: Any, known: Iterable[str]) -> str:
    close = get_close_matches(word, list(known), 1) if isinstance(word, str) else []
    return f"Did you mean `{close[0]}`?" if close else ""


@cache
def _language() -> type[Playbook]:
    Step.model_rebuild(force=True)  # resolves the steps within steps, which pydantic leaves as a name
    return Playbook


def _known(path: Path) -> set[str]:
    """The keys that the language has at a place, read off the models."""
    types: list[Any] = [_language()]
    for key in path:
        types = [inner for kind in types for inner in _inside(kind, key)]
    models = [kind for kind in _flat(types) if isinstance(kind, type) and issubclass(kind, BaseModel)]
    return {str(field.alias) for model in models for field in model.model_fields.values()}


def _inside(kind: Any, key: str | int) -> Iterator[Any]:
    """What a value of this type may hold under this key."""
    for one in _flat([kind]):
        if isinstance(one, type) and issubclass(one, BaseModel):
            for field in one.model_fields.values():
                if field.alias == key:
                    yield from [field.annotation, *(mark.written for mark in field.metadata if isinstance(mark, Built))]
        elif getattr(one, "__origin__", None) in (dict, list):
            yield one.__args__[-1]


def _flat(types: list[Any]) -> Iterator[Any]:
    """Types without the unions and annotations around them."""
    for kind in types:
        if hasattr(kind, "__metadata__"):
            marks = [mark.written for mark in kind.__metadata__ if isinstance(mark, Built)]
            yield from _flat([kind.__origin__, *marks])
        elif getattr(kind, "__args__", None) and getattr(kind, "__origin__", None) not in (dict, list):
            yield from _flat([arg for arg in kind.__args__ if arg is not type(None)])
        else:
            yield kind
