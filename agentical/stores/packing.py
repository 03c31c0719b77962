"""How lines and blobs lie in a database: joined, compressed where it pays, bounded when read back.

Why bounded: a damaged or hostile body of a few kilobytes can state (and grow to) gigabytes.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

PLAIN, ZSTD = 0, 1
"""The codecs a row can name."""

WORTH_PACKING = 400
MOST = 256 * 2**20
"""Bytes one body may hold, unpacked."""


class Unreadable(ValueError):
    """A stored body is not what was written; the text says what is wrong with it."""


class Packer:
    """Compresses with one reused compressor: for one thread at a time."""

    def __init__(self) -> None:
        self._compressor = zstd.ZstdCompressor(level=3)

    def pack(self, raw: bytes) -> tuple[int, bytes]:
        """The codec and the body to store. Raises ValueError over MOST bytes."""
        size = len(raw)
        if size <= WORTH_PACKING:
            return PLAIN, raw
        if size > MOST:
            raise ValueError(f"{size:,} bytes are more than the {MOST:,} that can be kept in one piece")
        # The frame then states its size, by which `unpack` knows what to expect.
        self._compressor.set_pledged_input_size(size)
        body = self._compressor.compress(raw, zstd.ZstdCompressor.FLUSH_FRAME)
        return (ZSTD, body) if len(body) < size else (PLAIN, raw)

    def pack_lines(self, lines: Sequence[bytes]) -> tuple[int, bytes]:
        """Lines as one body. Raises ValueError when a line holds a line break."""
        raw = b"\n".join(lines)
        if raw.count(b"\n") != len(lines) - 1:
            raise ValueError("an entry holds a line break: entries are single lines")
        return self.pack(raw)


def unpack(codec: object, body: object) -> bytes:
    """What was packed. Raises Unreadable, never returns something else."""
    if not isinstance(body, bytes):
        raise Unreadable(f"its body is {type(body).__name__}, not bytes")
    if codec == PLAIN:
        return body
    if codec != ZSTD:
        raise Unreadable(f"its codec {codec!r} is unknown")
    try:
        size = zstd.get_frame_info(body).decompressed_size
        if size is None or size > MOST:
            raise Unreadable(f"it states a size of {size} bytes; at most {MOST:,} are read")
        decompressor = zstd.ZstdDecompressor()
        raw = decompressor.decompress(body, max_length=size)
    except zstd.ZstdError as error:
        raise Unreadable(f"it cannot be decompressed ({error})") from error
    if len(raw) != size or not decompressor.eof or decompressor.unused_data:
        raise Unreadable("it decompresses to another size than it states")
    return raw
