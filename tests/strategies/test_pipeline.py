"""Pipeline: items stream through stages."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agentical.errors import Invalid, TaskFailed
from agentical.ports import Member
from agentical_strategies.pipeline import NAMED, Collect, Pipeline


def collect(rule, **options):
    return Pipeline(collect=Collect.parse(rule), **options)


def reject_three(n):
    if n == 3:
        raise Invalid("three")
    return n * 10


async def test_three_stages_of_50_ms_and_20_items_take_about_a_second(team, after):
    stages = team({name: after(0.05, lambda n: n + 1) for name in "abc"}, items=range(20))
    assert await Pipeline()(stages, None) == [n + 3 for n in range(20)]
    assert stages.now == pytest.approx(0.05 * 22)
    assert set(stages.peak.values()) == {1}


async def test_a_slow_last_stage_stops_the_first_from_running_ahead(team, after):
    stages = team({"a": after(0, 1), "b": after(0, 1), "c": after(10, 1)}, items=range(100))
    first = 0
    start = stages.start

    def spy(ask):
        nonlocal first
        start(ask)
        counts = [sum(key.endswith(name) for key, *_ in stages.asked) for name in ("/a", "/c")]
        first = max(first, counts[0] - counts[1])

    stages.start = spy
    await Pipeline(buffer=2)(stages, None)
    assert first <= 2 + 2 + 2 + 1
    assert {name: stage["most_waiting"] for name, stage in stages.record["by_stage"].items()} == {
        "a": 2,
        "b": 2,
        "c": 2,
    }


async def test_items_are_taken_only_as_the_first_stage_has_room(team, after):
    stages = team({"a": after(10, 1)}, items=range(100), source=lambda _: 0.0)
    got, most = stages.next, 0

    async def spy(*, or_item=False):
        nonlocal most
        most = max(most, stages.taken - sum(key.endswith("/a") for key, *_ in stages.asked))
        return await got(or_item=or_item)

    stages.next = spy
    await Pipeline(buffer=3)(stages, None)
    assert most == 3


async def test_a_source_and_the_stages_work_at_the_same_time(team, after):
    stages = team({"a": after(1, 1), "b": after(1, 1)}, items=range(10), source=lambda _: 1.0)
    assert len(await Pipeline()(stages, None)) == 10
    assert stages.now == 12


async def test_workers_of_a_stage_share_its_items(team, after):
    stages = team({"a": after(1, lambda n: n), "b": after(4, lambda n: n)}, items=range(12))
    assert await Pipeline(workers={"b": 4})(stages, None) == list(range(12))
    assert stages.peak == {"a": 1, "b": 4}
    assert stages.now == 16


async def test_replicas_are_one_stage(team, after):
    stages = team(
        {"a": after(1, lambda n: n), "b#1": after(2, lambda n: n), "b#2": after(2, lambda n: n)}, items=range(8)
    )
    assert await Pipeline()(stages, None) == list(range(8))
    assert stages.record["stages"] == ["a", "b"]
    assert stages.peak == {"a": 1, "b#1": 1, "b#2": 1}
    assert stages.now == 10


async def test_an_item_that_fails_fails_the_step(team):
    stages = team({"a": lambda n: n, "b": reject_three}, items=range(6))
    with pytest.raises(TaskFailed, match="three"):
        await Pipeline()(stages, None)
    assert stages.record["lost"] == [
        {"index": 3, "stage": "b", "member": "b", "class": "invalid", "message": "three"},
    ]


async def test_an_item_that_fails_can_be_skipped(team):
    stages = team({"a": reject_three, "b": lambda n: n}, items=range(5))
    assert await Pipeline(on_item_error="skip")(stages, None) == [0, 10, 20, 40]
    assert "payload" not in stages.record["lost"][0]
    assert stages.record["by_stage"]["a"]["failed"] == 1


async def test_a_dead_letter_keeps_its_payload(team):
    stages = team({"a": lambda n: n, "b": reject_three}, items=range(5))
    assert await Pipeline(on_item_error="dead-letter")(stages, None) == [0, 10, 20, 40]
    assert [(lost["index"], lost["payload"], lost["class"]) for lost in stages.record["lost"]] == [(3, 3, "invalid")]


@pytest.mark.parametrize(("on_item_error", "named"), [("skip", NAMED), ("dead-letter", NAMED + 50)])
async def test_dead_letters_are_all_kept_and_skipped_items_named_up_to_a_bound(team, after, on_item_error, named):
    stages = team({"a": after(1, Invalid("no"))}, items=range(NAMED + 50))
    assert await Pipeline(on_item_error=on_item_error)(stages, None) == []
    assert len(stages.record["lost"]) == named
    assert stages.record["by_stage"]["a"]["failed"] == NAMED + 50


async def test_count_and_last_keep_one_value(team, sleep):
    async def late_first(n):
        await sleep(10 - n)
        return n

    def stages():
        return team({"a": late_first}, items=range(5))

    assert await collect("count", workers={"a": 5})(stages(), None) == 5
    assert await collect("last", workers={"a": 5})(stages(), None) == 4
    assert await collect("last")(team({"a": 1}, items=[]), None) is None


async def test_an_agent_folds_the_results_in_item_order(team, sleep):
    async def odd_first(n):
        await sleep(0 if n % 2 else 5)
        return n

    stages = team({"a": odd_first}, items=range(6), beside={"fold": lambda p: [*(p["value"] or []), p["item"]]})
    strategy = collect("agent:fold", workers={"a": 6})
    assert await strategy(stages, None) == [0, 1, 2, 3, 4, 5]
    assert ("collect/item-3", "fold", {"value": [0, 1, 2], "item": 3}) in stages.asked
    assert list(strategy.agents_used()) == ["fold"]
    assert strategy.most(2, 10) == 30


async def test_a_fold_steps_over_what_was_lost(team):
    stages = team({"a": reject_three}, items=range(6), beside={"fold": lambda p: [*(p["value"] or []), p["item"]]})
    assert await collect("agent:fold", on_item_error="skip")(stages, None) == [0, 10, 20, 40, 50]


async def test_a_straggler_does_not_let_a_fold_pile_up_results(team, sleep):
    async def slow_first(n):
        await sleep(0 if n else 1000)
        return n

    stages = team({"a": slow_first}, items=range(500), beside={"fold": lambda p: p["item"]})
    strategy = collect("agent:fold", workers={"a": 2}, buffer=4)
    most = 0
    got = stages.next

    async def spy(*, or_item=False):
        nonlocal most
        if stages.now < 1000:
            most = max(most, stages.taken)
        return await got(or_item=or_item)

    stages.next = spy
    assert await strategy(stages, None) == 499
    assert most <= 6


async def test_a_fold_that_fails_fails_the_step(team, after):
    with pytest.raises(TaskFailed, match="full"):
        await collect("agent:fold")(team({"a": 1}, items=[1], beside={"fold": after(1, Invalid("full"))}), None)


async def test_no_items_give_an_empty_list(team):
    assert await Pipeline()(team({"a": 1}, items=[]), None) == []


@settings(deadline=None)
@given(
    st.lists(st.integers(0, 9), max_size=25),
    st.lists(st.integers(1, 3), min_size=1, max_size=4),
    st.integers(1, 4),
    st.booleans(),
    st.randoms(use_true_random=False),
)
async def test_a_pipeline_is_the_stages_composed_over_the_items_in_order(
    team, sleep, again, items, workers, buffer, streams, draw
):
    delays = {(stage, n): draw.randint(0, 5) for stage in range(len(workers)) for n in range(25)}

    def stage(number):
        async def work(pair):
            await sleep(delays[number, pair[0]])
            return [pair[0], pair[1] * 3 + number]

        return work

    def make(**more):
        source = (lambda n: float(n % 3)) if streams else None
        return team(
            {f"s{n}": stage(n) for n in range(len(workers))}, items=list(enumerate(items)), source=source, **more
        )

    expected = []
    for index, value in enumerate(items):
        for number in range(len(workers)):
            value = value * 3 + number
        expected.append([index, value])
    strategy = Pipeline(buffer=buffer, workers={f"s{n}": count for n, count in enumerate(workers)})
    assert await again(strategy, make) == expected


def test_wrong_options_are_found_when_read():
    with pytest.raises(ValueError, match="buffer"):
        Pipeline(buffer=0)
    with pytest.raises(ValueError, match="workers of a"):
        Pipeline(workers={"a": 0})
    with pytest.raises(ValueError, match="list, count"):
        Collect.parse("sum")
    pair = [Member("a#1", "a"), Member("a#2", "a")]
    assert "b is not a stage" in next(iter(Pipeline(workers={"b": 1}).problems(pair)))
    assert not list(Pipeline(workers={"a": 1}).problems(pair))
    assert Pipeline().most(3, None) is None
    assert not list(Pipeline().agents_used())
