"""JSON values as bytes: encoded once, hashed as encoded, refused where JSON cannot hold them."""

from __future__ import annotations

import hashlib
import math
from typing import Any

import msgspec

_encoder = msgspec.json.Encoder()
_decoder = msgspec.json.Decoder()

loads = _decoder.decode


def encode(value: Any) -> bytes:
    """The JSON of a value. Raises TypeError or ValueError, with the path, where JSON cannot hold it.

    Why the second look: the encoder writes NaN and infinities as `null`, so they are looked for only where it wrote one.
    """
    data = _encoder.encode(value)
    if b"null" in data:
        _refuse_nan(msgspec.to_builtins(value), "value")
    return data


def digest(data: bytes) -> str:
    """SHA-256 as hex."""
    return hashlib.sha256(data).hexdigest()


def _refuse_nan(value: Any, path: str) -> None:
    if isinstance(value, float):
        if not math.isfinite(value):
            raise ValueError(f"{path} is {value}, which JSON cannot hold")
    elif isinstance(value, dict):
        for key, one in value.items():
            _refuse_nan(one, f"{path}.{key}")
    elif isinstance(value, list | tuple):
        for n, one in enumerate(value):
            _refuse_nan(one, f"{path}[{n}]")
