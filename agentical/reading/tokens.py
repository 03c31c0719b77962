"""Text → tokens: YAML 1.2 through libyaml, JSON through a pattern."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterator
from typing import Any

from agentical.reading.texttree import Token, Unreadable

_WORDS: dict[str, Any] = {"": None, "~": None, "null": None, "Null": None, "NULL": None}
_WORDS |= dict.fromkeys(("true", "True", "TRUE"), True) | dict.fromkeys(("false", "False", "FALSE"), False)
_WORDS |= dict.fromkeys((f"{sign}{inf}" for sign in ("", "-", "+") for inf in (".inf", ".Inf", ".INF")), math.inf)
_WORDS |= dict.fromkeys((".nan", ".NaN", ".NAN"), math.nan)
_INTEGER = re.compile(r"[-+]?[0-9]+|0o[0-7]+|0x[0-9a-fA-F]+")
_FLOAT = re.compile(r"[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?")
_LONGEST_NUMBER = 400
_JSON_TOKEN = re.compile(r'[\s,:]*(?:([{}\[\]])|(")|([^\s,:{}\[\]"]+))')
_decode = json.JSONDecoder().raw_decode
_JSON_WORDS = {"NaN": math.nan, "Infinity": math.inf, "-Infinity": math.inf}
_PLAINLY = {
    "found character that cannot start any token": "a tab, @, ` or % cannot stand here (indent with spaces, or use quotes)",
    "mapping values are not allowed in this context": "a second `: ` in one line (put text that holds one in quotes)",
    "did not find expected key": "this line stands deeper or less deep than those around it, or a bracket or quote is missing",
    "could not find expected ':'": "a key without `:`",
}
"""What libyaml says most often, in words that help."""


def plain(text: str) -> Any:
    """What an unquoted YAML scalar means by the core schema of YAML 1.2: `on`, `no` and dates are text."""
    if text in _WORDS:
        return _WORDS[text]
    if text[0] not in "+-.0123456789" or len(text) > _LONGEST_NUMBER:
        return math.inf if len(text) > _LONGEST_NUMBER and _FLOAT.fullmatch(text) else text
    if _INTEGER.fullmatch(text):
        return int(text, 0) if text[:2] in ("0o", "0x") else int(text)
    return float(text) if _FLOAT.fullmatch(text) else text


def yaml_tokens(text: str) -> Iterator[Token]:
    """The tokens of one YAML document. Raises Unreadable."""
    import yaml

    try:
        yield from _events(yaml.parse(text, Loader=yaml.CSafeLoader))
    except yaml.reader.ReaderError as error:
        before = text.encode()[: error.position].decode(errors="ignore")
        spot = (before.count("\n") + 1, len(before) - before.rfind("\n"))
        raise Unreadable(spot, "holds a control character.", "Write it as an escape in double quotes.") from None
    except yaml.MarkedYAMLError as error:
        raise _unreadable(error, len(text.splitlines())) from None


def _unreadable(error: Any, lines: int) -> Unreadable:
    """What libyaml could not read. What is missing at the end of the file is told where it begins."""
    end, start = error.problem_mark or error.context_mark, error.context_mark
    problem = _PLAINLY.get(error.problem, error.problem or error.context)
    if start is None or end.line == start.line:
        return Unreadable((end.line + 1, end.column + 1), f"is not YAML: {problem}.")
    if end.line >= lines:
        return Unreadable(
            (start.line + 1, start.column + 1),
            "is not YAML: what begins here does not end.",
            "Look for a missing bracket or quote.",
        )
    return Unreadable((end.line + 1, end.column + 1), f"is not YAML: {problem}.", f"It began in line {start.line + 1}.")


def _events(events: Iterator[Any]) -> Iterator[Token]:
    documents = 0
    for event in events:
        line, column = event.start_mark.line + 1, event.start_mark.column + 1
        match type(event).__name__:
            case "ScalarEvent":
                yield from _tagged(event, line, column)
                yield _scalar(event, line, column)
            case "MappingStartEvent":
                yield from _tagged(event, line, column)
                yield Token("{", None, line, column, "", event.anchor)
            case "SequenceStartEvent":
                yield from _tagged(event, line, column)
                yield Token("[", None, line, column, "", event.anchor)
            case "MappingEndEvent" | "SequenceEndEvent":
                yield Token("}", None, line, column)
            case "AliasEvent":
                yield Token("alias", event.anchor, line, column)
            case "DocumentStartEvent":
                documents += 1
                if documents > 1:
                    raise Unreadable((line, column), "holds a second document.", "A file is one playbook.")
            case _:
                pass


def _scalar(event: Any, line: int, column: int) -> Token:
    text = event.value
    if not event.implicit[0]:
        return Token("value", text, line, column, text, event.anchor)
    if text == "<<":
        return Token("merge", text, line, column, text, event.anchor)
    return Token("value", plain(text), line, column, text or "~", event.anchor)


def _tagged(event: Any, line: int, column: int) -> Iterator[Token]:
    tag = event.tag
    if tag not in (None, "!", "tag:yaml.org,2002:str"):
        short = tag.replace("tag:yaml.org,2002:", "!!")
        yield Token("flaw", f"the tag `{short}` is not part of the language.", line, column)


def is_json(text: str) -> bool:
    """Whether a text that begins with a brace is JSON, not YAML's own use of braces."""
    try:
        json.loads(text, parse_int=len)
    except json.JSONDecodeError:
        return False
    except RecursionError:
        return True
    return True


def json_tokens(text: str) -> Iterator[Token]:
    """The tokens of a JSON document. Raises Unreadable."""
    try:
        json.loads(text, parse_int=len)  # a number may be too long for int
    except json.JSONDecodeError as error:
        raise Unreadable((error.lineno, error.colno), f"is not JSON: {error.msg}.") from None
    except RecursionError:
        pass  # the tokens lead to where it is too deep
    line, start, at = 1, 0, 0
    while found := _JSON_TOKEN.match(text, at):
        at = found.start(found.lastindex or 0)
        breaks = text.count("\n", start, at)
        if breaks:
            line, start = line + breaks, text.rindex("\n", start, at) + 1
        column = at - start + 1
        bracket, quote, word = found.groups()
        at = found.end()
        if bracket:
            yield Token(bracket, None, line, column)
        elif quote:
            value, at = _decode(text, at - 1)
            if "\\u" in text[found.end() : at] and not _storable(value):
                yield Token("flaw", "holds half of a surrogate pair.", line, column)
                value = ""
            yield Token("value", value, line, column, value)
        else:
            yield Token("value", _JSON_WORDS[word] if word in _JSON_WORDS else plain(word), line, column, word)


def _storable(value: str) -> bool:
    try:
        value.encode()
    except UnicodeEncodeError:
        return False
    return True
