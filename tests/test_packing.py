"""What packing promises: back comes what went in, or Unreadable."""

from __future__ import annotations

import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agentical.stores import packing
from agentical.stores.packing import PLAIN, ZSTD, Packer, Unreadable, unpack

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

PACKER = Packer()


@given(st.binary(max_size=300), st.integers(1, 20))
def test_what_is_packed_is_unpacked_again(piece: bytes, times: int) -> None:
    assert unpack(*PACKER.pack(piece * times)) == piece * times


@given(st.lists(st.binary(max_size=200).map(lambda raw: raw.replace(b"\n", b"")), min_size=1, max_size=8))
def test_packed_lines_split_into_the_same_lines(lines: list[bytes]) -> None:
    assert unpack(*PACKER.pack_lines(lines)).split(b"\n") == lines


def test_only_what_gains_is_compressed() -> None:
    assert PACKER.pack(b"x" * 400)[0] == PLAIN
    assert PACKER.pack(b"x" * 401)[0] == ZSTD
    noise = b"".join(n.to_bytes(8, "big") for n in ((7**n) % 2**64 for n in range(30, 130)))
    assert PACKER.pack(noise) == (PLAIN, noise)


def test_a_line_with_a_line_break_is_refused() -> None:
    with pytest.raises(ValueError, match="line break"):
        PACKER.pack_lines([b"a\nb"])


def test_more_than_the_bound_is_refused_when_packed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(packing, "MOST", 1000)
    with pytest.raises(ValueError, match=r"1,001 bytes"):
        PACKER.pack(b"x" * 1001)


def test_a_body_that_states_more_than_the_bound_is_not_decompressed(monkeypatch: pytest.MonkeyPatch) -> None:
    body = PACKER.pack(b"x" * 1001)
    monkeypatch.setattr(packing, "MOST", 1000)
    with pytest.raises(Unreadable, match="states a size"):
        unpack(*body)


def test_a_body_that_states_no_size_is_not_decompressed() -> None:
    compressor = zstd.ZstdCompressor()
    body = compressor.compress(b"x" * 5000) + compressor.flush()
    with pytest.raises(Unreadable, match="states a size"):
        unpack(ZSTD, body)


@given(st.binary(max_size=100))
def test_bytes_that_are_no_packed_body_are_unreadable(junk: bytes) -> None:
    with pytest.raises(Unreadable):
        unpack(ZSTD, junk)


def test_a_body_cut_short_lengthened_or_of_another_kind_is_unreadable() -> None:
    codec, body = PACKER.pack(b"abc" * 400)
    for wrong in ((codec, body[:-4]), (codec, body + b"more"), (7, body), (PLAIN, None), (PLAIN, "text")):
        with pytest.raises(Unreadable):
            unpack(*wrong)
