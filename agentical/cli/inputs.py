"""The inputs of a call, as the shell gives them: `-i key=value` and files of JSON or YAML."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec

from agentical.errors import CallInvalid
from agentical.graph import Graph
from agentical.validation import mismatch


def inputs_of(graph: Graph, pairs: Sequence[str], file: str | None) -> dict[str, Any]:
    """What the file says, and over it what the pairs say. Raises CallInvalid."""
    found = {} if file is None else _of_file(file)
    for name, text in _split(pairs):
        declared = graph.inputs.get(name)
        found[name] = value_of(text, declared.schema if declared else {})
    return found


def value_of(text: str, schema: Mapping[str, Any]) -> Any:
    """The JSON value a text stands for; the text itself where a string is declared or where it is not JSON.

    Where the declared type leaves both open, it is JSON if that fits, else the text if that fits.
    """
    if schema.get("type") == "string":
        return text
    try:
        value = msgspec.json.decode(text)
    except (msgspec.DecodeError, UnicodeEncodeError):
        return text
    if isinstance(schema.get("type"), str) or mismatch(schema, value) is None or mismatch(schema, text) is not None:
        return value
    return text


def _split(pairs: Sequence[str]) -> Iterator[tuple[str, str]]:
    for pair in pairs:
        name, equals, text = pair.partition("=")
        if not equals or not name:
            raise CallInvalid(f"-i takes KEY=VALUE, not {pair!r}")
        yield name, text


def _of_file(file: str) -> dict[str, Any]:
    from agentical.reading.texttree import TextTree, Unreadable
    from agentical.reading.tokens import is_json, json_tokens, yaml_tokens

    name = "stdin" if file == "-" else file
    text = _text(file, name)
    try:
        tree = TextTree(json_tokens(text) if is_json(text) else yaml_tokens(text))
    except Unreadable as error:
        raise CallInvalid(f"{name}:{error.spot[0]}:{error.spot[1]}: {error.message} {error.hint}".rstrip()) from None
    for flaw in tree.flaws:
        raise CallInvalid(f"{name}:{flaw.spot[0]}:{flaw.spot[1]}: {flaw.message} {flaw.hint}".rstrip())
    if tree.empty:
        return {}
    if not isinstance(tree.value, dict):
        raise CallInvalid(f"{name}: inputs are a mapping of names to values")
    return dict(tree.value)


def _text(file: str, name: str) -> str:
    try:
        if file == "-":
            if sys.stdin is None:
                raise CallInvalid("stdin is closed, and --inputs - reads it")
            return sys.stdin.buffer.read().decode("utf-8-sig")
        return Path(file).read_bytes().decode("utf-8-sig")
    except OSError as error:
        raise CallInvalid(f"{name} cannot be read: {error.strerror or error}") from None
    except (UnicodeDecodeError, ValueError) as error:
        raise CallInvalid(f"{name} is not UTF-8: {error}") from None
