"""Text → playbook; every mistake with path, line and column."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path as FilePath
from typing import TYPE_CHECKING

from agentical.errors import Mistake, PlaybookInvalid

if TYPE_CHECKING:
    from agentical.playbook import Playbook
    from agentical.reading.texttree import Place, Spot, TextTree

MOST_BYTES = 16 * 1024 * 1024
Path = tuple[str | int, ...]


@dataclass(frozen=True, slots=True)
class Parsed:
    """A playbook together with its text: later checks place their mistakes by it."""

    playbook: Playbook
    text: bytes
    file: str
    place: Place | Spot = field(repr=False)

    def where(self, path: Path, *, key: bool = False) -> tuple[int, int]:
        """Line and column of what stands at this path, or of the nearest that stands around it."""
        return spot_of(self.place, path, key=key)

    def mistake(self, path: Path, message: str, hint: str = "", *, key: bool = False) -> Mistake:
        """A mistake at this path; `key`: it is the key that is wrong, not what it holds."""
        return Mistake(dotted(path), message, hint, *self.where(path, key=key), self.file)


def read(path: str | FilePath) -> Parsed:
    """The playbook of a file. Raises PlaybookInvalid with all its mistakes, also when it cannot be read."""
    file = str(path)
    try:
        with FilePath(path).open("rb") as stream:
            text = stream.read(MOST_BYTES + 1)
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise PlaybookInvalid([Mistake("", f"cannot be read: {reason}.", "", file=file)]) from None
    return parse(text, file)


def parse(text: str | bytes, file: str = "playbook") -> Parsed:
    """The playbook of a text, YAML or JSON. Raises PlaybookInvalid with all its mistakes."""
    from agentical.reading.shape import read_shape
    from agentical.reading.texttree import Unreadable

    data = text.encode("utf-8", "surrogatepass") if isinstance(text, str) else text
    try:
        tree = _tree(data, file)
    except Unreadable as error:
        raise PlaybookInvalid([Mistake("", error.message, error.hint, *error.spot, file)]) from None
    mistakes = [Mistake(dotted(f.path), f.message, f.hint, *f.spot, file) for f in tree.flaws]
    playbook, flaws = read_shape(tree.value)
    mistakes += [
        Mistake(dotted(f.path), f.message, f.hint, *spot_of(tree.place, f.path, key=f.key), file) for f in flaws
    ]
    if playbook is not None:
        mistakes += [
            Mistake(dotted(path), what, "", *spot_of(tree.place, path), file) for path, what in _twice(playbook)
        ]
    if playbook is None or mistakes:
        raise PlaybookInvalid(mistakes)
    return Parsed(playbook, data, file, tree.place)


def dotted(path: Path) -> str:
    """A path as messages write it: `steps.scan.for-each`, `steps.0.agent`."""
    return ".".join(map(str, path))


def spot_of(place: Place | Spot, path: Path, *, key: bool = False) -> tuple[int, int]:
    """Where a path leads. A list or mapping is found at its key: what it holds often begins a line later."""
    from agentical.reading.texttree import Place as Inner

    spot = value = place.spot if isinstance(place, Inner) else place
    for part in path:
        if not isinstance(place, Inner) or part not in place.inner:
            return spot
        spot, place = place.inner[part]
        value = spot if isinstance(place, Inner) else place
    return spot if key else value


def _tree(data: bytes, file: str) -> TextTree:
    from agentical.reading.texttree import TextTree as Tree
    from agentical.reading.texttree import Unreadable
    from agentical.reading.tokens import is_json, json_tokens, yaml_tokens

    if len(data) > MOST_BYTES:
        raise Unreadable((1, 1), f"is larger than {MOST_BYTES // 1024**2} MiB.")
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        before = data[: error.start]
        spot = (before.count(b"\n") + 1, len(before[before.rfind(b"\n") + 1 :].decode()) + 1)
        raise Unreadable(spot, f"is not UTF-8: byte {error.start} is wrong.", "Save it as UTF-8.") from None
    json = file.lower().endswith(".json") or (text.lstrip()[:1] == "{" and is_json(text))
    tree = Tree(json_tokens(text) if json else yaml_tokens(text))
    if tree.empty:
        raise Unreadable((1, 1), "is empty.", "Start with `name:` and `steps:`.")
    return tree


def _twice(playbook: Playbook) -> Iterator[tuple[Path, str]]:
    """What is named twice in a list, which the shape of a playbook does not say."""
    from agentical.playbook import placed

    seen: set[str] = set()
    for id, place, step in placed(playbook.steps):
        if id in seen:
            yield ("steps", place, "id"), f"`{id}` is the id of an earlier step, too."
        seen.add(id)
        team: set[str] = set()
        for n, member in enumerate(step.team or ()):
            if member in team:
                yield ("steps", place, "team", n), f"`{member}` is in the team twice."
            team.add(member)
