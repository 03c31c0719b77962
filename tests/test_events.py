"""Events: every fact is kept as one line and read back as it was; a chain of hashes holds them together."""

import json
import typing

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import UNSET, Raw, UnsetType

from agentical import events as ev
from agentical.events import GENESIS, Entry, Failure, Parent, Tally, Usage, chain, decode_entry, encode_entry

ALL = typing.get_args(ev.Fact)
texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=12)
floats = st.floats(0, 2**40)
raws = st.recursive(st.none() | st.integers(-9, 9) | texts, st.lists, max_leaves=4).map(
    lambda one: Raw(json.dumps(one).encode())
)
usages = st.builds(Usage, st.integers(0, 9), st.integers(0, 9), floats)
OF = {
    str: texts, int: st.integers(0, 2**40), float: floats, bool: st.booleans(), Raw: raws, Usage: usages,
    Failure: st.builds(Failure, texts, texts, texts), Parent: st.builds(Parent, texts, texts, texts, st.integers(1, 32)),
    type(None): st.none(), UnsetType: st.just(UNSET), dict[str, str]: st.dictionaries(texts, texts, max_size=2),
    dict[str, typing.Any]: st.dictionaries(texts, st.integers(0, 9), max_size=2),
    dict[str, Raw]: st.dictionaries(texts, raws, max_size=2),
}  # fmt: skip


def of_type(kind):
    return OF[kind] if kind in OF else st.one_of([OF[one] for one in typing.get_args(kind)])


facts = st.sampled_from(ALL).flatmap(
    lambda kind: st.builds(kind, **{name: of_type(hint) for name, hint in typing.get_type_hints(kind).items()})
)
entries = st.builds(Entry, st.integers(1, 2**40), floats, facts)


@given(entries)
def test_every_fact_is_read_back_as_it_was_recorded(entry):
    line = encode_entry(entry)
    again = decode_entry(line)
    assert again == entry
    assert type(again.event) is type(entry.event)
    assert encode_entry(again) == line


def test_there_is_a_fact_for_each_event_class():
    assert set(ALL) == set(ev.Event.__subclasses__())


def test_an_entry_is_one_line_of_json_named_by_its_type():
    line = encode_entry(Entry(3, 12.5, ev.ItemsEnded("s#1", 2)))
    assert json.loads(line) == [3, 12.5, {"type": "ItemsEnded", "visit": "s#1", "count": 2}]
    assert b"\n" not in encode_entry(Entry(1, 0.0, ev.ExecutionPaused("two\nlines")))


def test_lines_written_before_a_field_with_a_default_existed_are_still_read():
    line = b'[7,1.0,{"type":"TaskAnswered","visit":"v","key":"k","member":"m","payload":"p","answer":[1]}]'
    event = decode_entry(line).event
    assert (event.edge, event.attempt, event.took, event.usage, event.code) == (None, 1, 0.0, Usage(), "")
    assert bytes(event.answer) == b"[1]"


def test_what_is_left_at_its_default_is_not_written():
    assert (
        encode_entry(Entry(1, 0.0, ev.StepSkipped("s", "why")))
        == b'[1,0.0,{"type":"StepSkipped","step":"s","reason":"why"}]'
    )
    assert b"class" in encode_entry(Entry(1, 0.0, ev.StepFailed("s#1", "s", Failure("bug", "it broke"))))


@pytest.mark.parametrize(
    "line",
    [
        b"",
        b"[]",
        b"[1,2.0]",
        b'[1,2.0,{"type":"Nothing"}]',
        b'[1,2.0,{"type":"ItemsEnded","visit":1,"count":2}]',
        b"[1,2.0,{",
    ],
)
def test_a_line_that_is_no_entry_is_refused(line):
    with pytest.raises((msgspec.ValidationError, msgspec.DecodeError)):
        decode_entry(line)


def heads(lines):
    found, head = [], GENESIS
    for line in lines:
        head = chain(head, line)
        found.append(head)
    return found


@given(st.lists(entries.map(encode_entry), min_size=1, max_size=5), st.data())
def test_one_flipped_bit_changes_the_hash_of_its_entry_and_of_all_after_it(lines, data):
    n = data.draw(st.integers(0, len(lines) - 1))
    at = data.draw(st.integers(0, len(lines[n]) - 1))
    changed = bytearray(lines[n])
    changed[at] ^= 1 << data.draw(st.integers(0, 7))
    before, after = heads(lines), heads([*lines[:n], bytes(changed), *lines[n + 1 :]])
    assert before[:n] == after[:n]
    assert all(one != other for one, other in zip(before[n:], after[n:], strict=True))


@given(st.lists(st.binary(min_size=1, max_size=9), min_size=2, max_size=4, unique=True))
def test_lost_or_swapped_entries_are_found(lines):
    assert heads(lines)[-1] != heads(lines[1:])[-1]
    assert heads(lines)[-1] != heads([lines[1], lines[0], *lines[2:]])[-1]


@given(st.lists(usages, max_size=4))
def test_usage_adds_up(parts):
    total = sum(parts, Usage())
    assert total.tokens_in == sum(one.tokens_in for one in parts)
    assert total.tokens_out == sum(one.tokens_out for one in parts)
    assert total.cost == pytest.approx(sum(one.cost for one in parts))


def test_a_tally_adds_another():
    tally = Tally(1, 1, 0.5, 0.1)
    tally.add(Tally(2, 1, 1.5, 0.2))
    assert (tally.count, tally.succeeded, tally.took, round(tally.cost, 9)) == (3, 2, 2.0, 0.3)
