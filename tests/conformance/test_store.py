"""What every implementation of the Store port promises."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Sequence

import pytest

from agentical.errors import ExecutionOwned, ExecutionUnknown
from agentical.events import GENESIS, ExecutionRow, Tally
from agentical.ports import Append, Claim, Store, Written


def alive(owner: str) -> bool:
    return True


def dead(owner: str) -> bool:
    return False


def row(id: str, *, created: float = 1.0, parent: str | None = None) -> ExecutionRow:
    return ExecutionRow(id, "hello", "running", created, created, parent=parent)


def sha(blob: bytes) -> str:
    return hashlib.sha256(blob).hexdigest()


def after(before: bytes, lines: Sequence[bytes]) -> bytes:
    for line in lines:
        before = hashlib.sha256(before + line).digest()
    return before


def entry(seq: int, text: str = "x") -> bytes:
    return f'[{seq},1.5,"{text}"]'.encode()


class Writer:
    """Keeps the head of one execution, as its owner would."""

    def __init__(self, claim: Claim) -> None:
        self.id, self.epoch = claim.row.id, claim.row.epoch
        self.seq, self.head = claim.row.head_seq, claim.row.head_hash

    def next(self, *lines: bytes, status: str = "running", at: float = 2.0, **more) -> Append:
        append = Append(self.id, self.epoch, self.seq, self.head, lines, after(self.head, lines), status, at, **more)
        self.seq, self.head = self.seq + len(lines), append.after
        return append


async def make(store: Store, id: str = "one", **more) -> Writer:
    return Writer(await store.claim(id, "me", alive, create=row(id, **more)))


async def read(store: Store, id: str = "one", after: int = 0) -> list[Written]:
    return [written async for written in store.journal(id, after=after)]


async def test_what_is_appended_is_read_back_as_it_was_written(store: Store) -> None:
    writer = await make(store)
    first, second = writer.next(entry(1), entry(2)), writer.next(entry(3))
    assert await store.append([first]) == []
    assert await store.append([second]) == []
    assert await read(store) == [
        Written(1, GENESIS, first.after, (entry(1), entry(2))),
        Written(3, first.after, second.after, (entry(3),)),
    ]


async def test_the_row_follows_what_is_appended(store: Store) -> None:
    writer = await make(store)
    await store.append([writer.next(entry(1), entry(2), status="completed", at=9.0)])
    assert await store.row("one") == ExecutionRow(
        "one", "hello", "completed", 1.0, 9.0, epoch=1, head_seq=2, head_hash=writer.head, owner="me"
    )


async def test_an_append_without_lines_changes_the_status_only(store: Store) -> None:
    writer = await make(store)
    assert await store.append([writer.next(entry(1)), writer.next(status="paused")]) == []
    found = await store.row("one")
    assert found is not None
    assert (found.status, found.head_seq, len(await read(store))) == ("paused", 1, 1)


async def test_two_appends_of_one_execution_in_a_batch_follow_each_other(store: Store) -> None:
    writer = await make(store)
    assert await store.append([writer.next(entry(1)), writer.next(entry(2))]) == []
    assert [written.first for written in await read(store)] == [1, 2]


async def test_reading_begins_at_the_append_that_holds_the_next_entry(store: Store) -> None:
    writer = await make(store)
    for seq in (1, 3, 5):
        await store.append([writer.next(entry(seq), entry(seq + 1))])
    firsts = [[written.first for written in await read(store, after=after)] for after in range(7)]
    assert firsts == [[1, 3, 5], [1, 3, 5], [3, 5], [3, 5], [5], [5], []]


async def test_a_long_journal_is_read_whole_and_in_order(store: Store) -> None:
    writer = await make(store)
    await store.append([writer.next(entry(seq)) for seq in range(1, 301)])
    assert [written.lines[0] for written in await read(store)] == [entry(seq) for seq in range(1, 301)]
    assert [written.first for written in await read(store, after=250)] == list(range(251, 301))


async def test_a_journal_nobody_wrote_is_empty(store: Store) -> None:
    await make(store)
    assert await read(store) == []
    assert await read(store, "nobody") == []


@pytest.mark.parametrize(
    "change",
    [{"epoch": 0}, {"epoch": 2}, {"before_seq": 0}, {"before_seq": 2}, {"before": b"x" * 32}, {"execution": "other"}],
)
async def test_an_append_on_another_head_or_epoch_is_refused_and_changes_nothing(store: Store, change: dict) -> None:
    writer = await make(store)
    await store.append([writer.next(entry(1))])
    stood, blob = await store.row("one"), b"left out"
    fields = {"execution": "one", "epoch": 1, "before_seq": 1, "before": writer.head} | change
    wrong = Append(
        **fields, lines=(entry(2),), after=b"y" * 32, status="failed", at=9.0,
        blobs={sha(blob): blob}, tallies={"t": Tally(1)},
    )  # fmt: skip
    refused = await store.append([wrong])
    assert [one.execution for one in refused] == [fields["execution"]]
    assert refused[0].reason
    assert await store.row("one") == stood
    assert len(await read(store)) == 1
    assert await store.blob(sha(blob)) is None
    assert await store.tallies("") == {}


async def test_a_stale_owner_does_not_hold_up_the_others_of_its_batch(store: Store) -> None:
    one, stale, three = [await make(store, id) for id in ("one", "stale", "three")]
    await store.claim("stale", "you", dead)
    refused = await store.append([one.next(entry(1)), stale.next(entry(1)), three.next(entry(1))])
    assert [one.execution for one in refused] == ["stale"]
    assert [len(await read(store, id)) for id in ("one", "stale", "three")] == [1, 0, 1]


async def test_claiming_makes_an_execution_once(store: Store) -> None:
    claim = await store.claim("one", "me", alive, create=row("one"))
    assert (claim.created, claim.previous_owner) == (True, None)
    assert claim.row == ExecutionRow("one", "hello", "running", 1.0, 1.0, epoch=1, owner="me")
    assert claim.row == await store.row("one")
    again = await store.claim("one", "you", dead, create=ExecutionRow("one", "other", "failed", 5.0, 5.0))
    assert (again.created, again.previous_owner) == (False, "me")
    assert (again.row.playbook, again.row.epoch, again.row.owner) == ("hello", 2, "you")


async def test_what_a_living_owner_runs_cannot_be_claimed(store: Store) -> None:
    await make(store)
    asked: list[str] = []
    for owner in ("me", "you"):
        with pytest.raises(ExecutionOwned, match="me"):
            await store.claim("one", owner, lambda present: asked.append(present) or True)
    assert asked == ["me", "me"]
    found = await store.row("one")
    assert found is not None
    assert found.epoch == 1


async def test_an_unknown_execution_is_claimed_only_to_make_it(store: Store) -> None:
    with pytest.raises(ExecutionUnknown, match="nobody"):
        await store.claim("nobody", "me", alive)
    assert await store.row("nobody") is None


async def test_what_is_released_can_be_claimed_again(store: Store) -> None:
    writer = await make(store)
    await store.release("one", writer.epoch)
    released = await store.row("one")
    assert released is not None
    assert released.owner is None
    claim = await store.claim("one", "me", alive)
    assert (claim.created, claim.previous_owner, claim.row.epoch) == (False, None, 2)
    assert [refused.execution for refused in await store.append([writer.next(entry(1))])] == ["one"]


async def test_releasing_with_an_old_epoch_does_nothing(store: Store) -> None:
    await make(store)
    await store.claim("one", "you", dead)
    await store.release("one", 1)
    await store.release("nobody", 1)
    found = await store.row("one")
    assert found is not None
    assert found.owner == "you"


async def test_of_eight_who_claim_at_once_one_wins(store: Store) -> None:
    claims = await asyncio.gather(
        *(store.claim("one", f"owner-{n}", alive, create=row("one")) for n in range(8)), return_exceptions=True
    )
    won = [claim for claim in claims if isinstance(claim, Claim)]
    assert len(won) == 1
    assert all(isinstance(lost, ExecutionOwned) for lost in claims if lost is not won[0])
    assert await store.row("one") == won[0].row


async def test_of_eight_who_take_over_from_a_dead_owner_one_wins(store: Store) -> None:
    await store.claim("one", "gone", alive, create=row("one"))
    claims = await asyncio.gather(
        *(store.claim("one", f"owner-{n}", lambda owner: owner != "gone") for n in range(8)), return_exceptions=True
    )
    won = [claim for claim in claims if isinstance(claim, Claim)]
    assert [(claim.previous_owner, claim.row.epoch) for claim in won] == [("gone", 2)]


async def test_executions_are_listed_newest_first(store: Store) -> None:
    for id, created in (("b", 2.0), ("a", 1.0), ("d", 3.0), ("e", 3.0)):
        await make(store, id, created=created)
    assert [row.id for row in await store.executions()] == ["e", "d", "b", "a"]
    assert [row.id for row in await store.executions(limit=2)] == ["e", "d"]
    assert await store.executions(limit=0) == []


async def test_executions_are_chosen_by_status(store: Store) -> None:
    for id, status in (("a", "running"), ("b", "failed"), ("c", "completed")):
        writer = await make(store, id)
        await store.append([writer.next(entry(1), status=status)])
    assert [row.id for row in await store.executions(statuses=["running", "failed"])] == ["b", "a"]
    assert await store.executions(statuses=["paused"]) == []


async def test_children_are_listed_only_when_asked_for(store: Store) -> None:
    await make(store, "parent")
    await make(store, "child", parent="parent")
    assert [row.id for row in await store.executions()] == ["parent"]
    assert [row.id for row in await store.executions(children=True)] == ["child", "parent"]


async def test_an_empty_store_has_nothing(store: Store) -> None:
    assert await store.append([]) == []
    assert await store.executions() == []
    assert await store.row("one") is None
    assert await store.tallies("") == {}
    assert await store.blob(sha(b"")) is None


async def test_tallies_add_up_and_count_each_append_once(store: Store) -> None:
    writer = await make(store)
    append = writer.next(entry(1), tallies={"agent/a": Tally(1, 1, 0.5, 0.25), "strategy/b": Tally(2, 0, 1.0)})
    await store.append([append])
    assert [refused.execution for refused in await store.append([append])] == ["one"]
    await store.append([writer.next(entry(2), tallies={"agent/a": Tally(1, 0, 1.5)})])
    assert await store.tallies("") == {"agent/a": Tally(2, 1, 2.0, 0.25), "strategy/b": Tally(2, 0, 1.0)}
    assert list(await store.tallies("agent/")) == ["agent/a"]


async def test_tallies_handed_out_are_not_the_store_s_own(store: Store) -> None:
    writer = await make(store)
    await store.append([writer.next(entry(1), tallies={"a": Tally(1)})])
    (await store.tallies("a"))["a"].add(Tally(5))
    assert await store.tallies("a") == {"a": Tally(1)}


@pytest.mark.parametrize("blob", [b"", b"\0\n\xff", b"value " * 50_000], ids=["empty", "binary", "large"])
async def test_a_blob_is_kept_once_under_its_hash(store: Store, blob: bytes) -> None:
    for id in ("one", "two"):
        writer = await make(store, id)
        assert await store.append([writer.next(entry(1), blobs={sha(blob): blob})]) == []
    assert await store.blob(sha(blob)) == blob


async def test_unicode_and_large_entries_come_back_byte_for_byte(store: Store) -> None:
    id = "ausführung-日本-🦆-'\"%"
    lines = (entry(1, "naïve 日本 🦆 \u2028 \x85"), entry(2, "y" * 2_000_000), entry(3, ""), entry(4, "\\n"))
    writer = await make(store, id)
    assert await store.append([writer.next(*lines)]) == []
    assert [written.lines for written in await read(store, id)] == [lines]
    assert [row.id for row in await store.executions()] == [id]


async def test_appends_made_at_once_are_all_kept(store: Store) -> None:
    writers = [await make(store, f"e{n}") for n in range(20)]
    results = await asyncio.gather(*(store.append([writer.next(entry(1), entry(2))]) for writer in writers))
    assert results == [[]] * 20
    assert [len((await read(store, writer.id))[0].lines) for writer in writers] == [2] * 20
