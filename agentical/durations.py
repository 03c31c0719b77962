"""Durations as people write them: `500ms`, `2m`, `1h30m`, or ISO 8601 (`PT1H30M`), read as seconds."""

from __future__ import annotations

import re
from typing import Final

_NUMBER: Final = r"(\d{1,9}(?:\.\d{1,9})?)"
_UNITS: Final = {"d": 86400.0, "h": 3600.0, "m": 60.0, "s": 1.0, "ms": 0.001}
_WRITTEN: Final = re.compile("".join(rf"(?:{_NUMBER}{unit})?" for unit in _UNITS), re.ASCII)
_ISO: Final = re.compile(rf"P(?:{_NUMBER}D)?(?:T(?=[0-9])(?:{_NUMBER}H)?(?:{_NUMBER}M)?(?:{_NUMBER}S)?)?", re.ASCII)


def seconds(text: str) -> float:
    """The seconds of a duration. Raises ValueError."""
    match = (_ISO if text.startswith("P") else _WRITTEN).fullmatch(text)
    if match is None or not any(match.groups()):
        raise ValueError(f"{text!r} is not a duration: write 500ms, 30s, 2m or 1h30m")
    return sum(float(number) * unit for number, unit in zip(match.groups(), _UNITS.values(), strict=False) if number)
