"""Parallel: everybody at once, and every completion rule."""

import pytest

from agentical.completion import Completion
from agentical.errors import Denied, Invalid, StepFailed, Transient
from agentical.ports import Member
from agentical_strategies.parallel import Parallel


def complete(rule, **options):
    return Parallel(complete=Completion.parse(rule), **options)


async def test_everybody_gets_the_payload_at_once_and_answers_come_in_team_order(team, after):
    three = team({"a": after(3, "A"), "b": after(1, lambda p: p["x"]), "c": after(2, "C")})
    result = await Parallel()(three, {"x": 7})
    assert result == {"answers": {"a": "A", "b": 7, "c": "C"}, "errors": {}}
    assert list(result["answers"]) == ["a", "b", "c"]
    assert three.now == 3
    assert three.record["took"] == {"b": 1, "c": 2, "a": 3}


async def test_one_failure_fails_all_but_the_record_keeps_every_siblings_answer(team, after):
    three = team({"a": after(1, Denied("no key")), "b": after(2, "B"), "c": after(3, "C")})
    with pytest.raises(StepFailed, match="2 of 3 members") as caught:
        await Parallel()(three, None)
    assert caught.value.failure_code == "INCOMPLETE"
    assert three.record["answers"] == {"b": "B", "c": "C"}
    assert three.record["failed"] == {"a": {"class": "denied", "message": "no key"}}
    assert three.record["missing"] == ["a"]


async def test_a_quorum_bears_failures_and_names_them(team, after):
    three = team({"a": after(1, Transient("busy")), "b": after(2, "B"), "c": after(9, "C")})
    assert await complete("quorum(60%)")(three, None) == {
        "answers": {"b": "B", "c": "C"},
        "errors": {"a": {"class": "transient", "message": "busy"}},
    }


async def test_the_first_two_win_and_the_rest_is_left_under_way(team, after):
    three = team({"a": after(9, "A"), "b": after(2, "B"), "c": after(1, "C")})
    assert await complete("first(2)")(three, None) == {"answers": {"b": "B", "c": "C"}, "errors": {}}
    assert three.now == 2
    assert list(three.under_way) == ["a"]


async def test_any_gives_the_one_value_of_whoever_answers_first(team, after):
    three = team({"a": after(1, Invalid("no")), "b": after(3, "B"), "c": after(2, "C")})
    assert await complete("any")(three, None) == "C"
    assert three.record["counted"] == ["c"]


async def test_any_fails_only_when_everybody_failed(team, after):
    with pytest.raises(StepFailed, match="0 of 2"):
        await complete("any")(team({"a": after(1, Invalid("no")), "b": after(2, Invalid("no"))}), None)


async def test_best_hears_everybody_and_gives_the_best_value(team, after):
    three = team({"a": after(1, {"s": 1}), "b": after(2, {"s": 9}), "c": after(3, Invalid("no"))})
    assert await complete("best(answer.s)")(three, None) == {"s": 9}


async def test_a_score_that_is_no_number_fails_the_step(team):
    with pytest.raises(StepFailed) as caught:
        await complete("best(answer)")(team({"a": "text"}), None)
    assert caught.value.failure_code == "SCORE_INVALID"


async def test_at_most_max_parallel_are_under_way(team, after):
    four = team({name: after(1, name) for name in "abcd"})
    await Parallel(max_parallel=2)(four, None)
    assert four.now == 2


async def test_nobody_new_is_asked_once_it_is_lost(team, after):
    three = team({"a": after(1, Denied("no")), "b": after(1, "B"), "c": after(1, "C")})
    with pytest.raises(StepFailed):
        await Parallel(max_parallel=1)(three, None)
    assert [key for key, *_ in three.asked] == ["a"]


@pytest.mark.parametrize("rule", ["all", "quorum(2)", "first(2)", "any", "best(answer)"])
async def test_it_runs_again_from_its_record_with_the_same_result(team, after, again, rule):
    await again(complete(rule), lambda **more: team({"a": after(3, 1), "b": after(1, 2), "c": after(2, 3)}, **more))


def test_a_rule_beyond_the_team_is_found_when_read():
    pair = [Member("a", "a"), Member("b", "b")]
    assert "3 members must answer" in next(iter(complete("first(3)").problems(pair)))
    assert not list(Parallel().problems(pair))
    assert Parallel().most(2, None) == 2
    assert not list(Parallel().agents_used())
    with pytest.raises(ValueError):
        Parallel(max_parallel=0)
