"""Scatter-gather: items dealt to whoever is free."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agentical.completion import Completion
from agentical.errors import Invalid, StepFailed, TaskFailed
from agentical.gather import Gather
from agentical_strategies.scatter_gather import ScatterGather


def gather(rule, **options):
    return ScatterGather(gather=Gather.parse(rule), **options)


def complete(rule, **options):
    return ScatterGather(complete=Completion.parse(rule), **options)


def odd_fail(n):
    if n % 2:
        raise Invalid(f"{n} is odd")
    return n


async def test_a_slow_member_is_asked_less(team, after):
    agents = {f"fast#{n}": after(1, lambda n: n) for n in range(10)} | {"slow": after(10, lambda n: n)}
    eleven = team(agents, items=range(110))
    assert await ScatterGather()(eleven, None) == list(range(110))
    assert 1 <= sum(member == "slow" for _, member, _ in eleven.asked) <= 3
    assert max(eleven.peak.values()) == 1


async def test_results_come_in_input_order_whatever_took_how_long(team, sleep):
    async def work(n):
        await sleep(7 - n)
        return n * n

    assert await ScatterGather()(team({"a": work, "b": work}, items=range(6)), None) == [0, 1, 4, 9, 16, 25]


async def test_at_most_max_parallel_items_are_under_way(team, after):
    six = team({"a": after(1, 0), "b": after(1, 0)}, items=range(6))
    await ScatterGather(max_parallel=6)(six, None)
    assert six.now == 1
    one = team({"a": after(1, 0), "b": after(1, 0)}, items=range(6))
    await ScatterGather(max_parallel=1)(one, None)
    assert one.now == 6


async def test_what_is_missing_is_named_with_its_item(team):
    pair = team({"a": odd_fail, "b": odd_fail}, items=[0, 1, 2, 3])
    assert await complete("quorum(50%)")(pair, None) == [0, 2]
    assert [(m["key"], m["item"], m["class"], m["message"]) for m in pair.record["missing"]] == [
        ("item-1", 1, "invalid", "1 is odd"),
        ("item-3", 3, "invalid", "3 is odd"),
    ]
    assert pair.record["by_member"]["a"]["answered"] + pair.record["by_member"]["b"]["answered"] == 2


async def test_once_it_is_lost_no_new_item_is_taken_and_what_is_under_way_is_heard(team, after):
    pair = team({"a": after(1, Invalid("no")), "b": after(2, "B")}, items=range(50))
    with pytest.raises(StepFailed, match="1 of 50 items") as caught:
        await ScatterGather()(pair, None)
    assert caught.value.failure_code == "INCOMPLETE"
    assert pair.record["answers"] == {"item-1": "B"}
    assert pair.record["not_asked"] == 48


async def test_the_first_three_items_are_enough(team, after):
    pair = team({"a": after(1, lambda n: n), "b": after(1, lambda n: n)}, items=range(50))
    assert len(await complete("first(3)")(pair, None)) == 3
    assert pair.taken < 10


async def test_the_best_answer_is_gathered_alone(team):
    assert await complete("best(answer)")(team({"a": lambda n: n}, items=[3, 9, 4]), None) == [9]


@pytest.mark.parametrize(
    ("rule", "expected"),
    [("list", [[1], [3], [2]]), ("flatten", [1, 3, 2]), ("count", 3)],
)
async def test_every_gather_rule_that_takes_lists(team, rule, expected):
    assert await gather(rule)(team({"a": lambda n: [n]}, items=[1, 3, 2]), None) == expected


async def test_sums_and_tops(team):
    assert await gather("sum")(team({"a": lambda n: n}, items=[1, 3, 2]), None) == 6
    assert await gather("top(2)")(team({"a": lambda n: n}, items=[1, 3, 2]), None) == [3, 2]
    assert await gather("update")(team({"a": lambda n: {"x": n}}, items=[1, 3, 2]), None) == {"x": 2}


async def test_an_agent_can_gather(team):
    alone = team({"a": lambda n: n}, beside={"merger": lambda values: values[::-1]}, items=[1, 2])
    strategy = gather("agent:merger")
    assert await strategy(alone, None) == [2, 1]
    assert alone.asked[-1] == ("gather", "merger", [1, 2])
    assert list(strategy.agents_used()) == ["merger"]
    assert strategy.most(1, 2) == 3


async def test_a_gathering_agent_hears_the_winners_of_a_race_only(team, after):
    agents = {"a": after(1, "A"), "b": after(2, "B")}
    pair = team(agents, beside={"merger": after(5, lambda values: values)}, items=[0, 1])
    assert await gather("agent:merger", complete=Completion.parse("any"))(pair, None) == ["A"]


async def test_a_gathering_agent_that_fails_fails_the_step(team, after):
    with pytest.raises(TaskFailed, match="cannot"):
        await gather("agent:merger")(team({"a": 1}, beside={"merger": after(1, Invalid("cannot"))}, items=[1]), None)


async def test_answers_that_cannot_be_gathered_fail_the_step(team):
    with pytest.raises(StepFailed) as caught:
        await gather("sum")(team({"a": "text"}, items=[1]), None)
    assert caught.value.failure_code == "GATHER_FAILED"


@pytest.mark.parametrize(("rule", "empty"), [("list", []), ("sum", 0), ("update", {}), ("count", 0)])
async def test_no_items_give_an_empty_result(team, rule, empty):
    assert await gather(rule, complete=Completion.parse("any"))(team({"a": 1}, items=[]), None) == empty


async def test_a_source_that_yields_is_read_as_there_is_room(team, after):
    pair = team({"a": after(3, lambda n: n), "b": after(3, lambda n: n)}, items=range(6), source=lambda _: 1.0)
    assert await ScatterGather()(pair, None) == list(range(6))
    assert max(pair.peak.values()) == 1
    assert pair.record["items"] == 6


async def test_a_source_cut_short_by_a_failure_has_no_known_total(team, after):
    with pytest.raises(StepFailed, match=r"^0 items"):
        await ScatterGather()(team({"a": after(1, Invalid("no"))}, items=range(9), source=lambda _: 1.0), None)


@given(
    st.lists(st.integers(0, 20), min_size=1, max_size=12),
    st.integers(1, 4),
    st.sampled_from(["all", "any", "first(2)"]),
)
async def test_it_runs_again_from_its_record_with_the_same_result(team, sleep, again, durations, members, rule):
    async def work(n):
        await sleep(durations[n])
        return n

    def make(**more):
        return team({f"w#{n}": work for n in range(members)}, items=range(len(durations)), **more)

    if rule != "first(2)" or len(durations) > 1:
        await again(complete(rule), make)


def test_it_is_bounded_by_its_items():
    assert ScatterGather().most(5, 7) == 7
    assert ScatterGather().most(5, None) is None
    assert not list(ScatterGather().agents_used())
    assert not list(ScatterGather().problems([]))
    with pytest.raises(ValueError):
        ScatterGather(max_parallel=0)
