"""Sequential: one after the other."""

import pytest

from agentical.conditions import Expression
from agentical.errors import TaskFailed, Upstream
from agentical.ports import Edge
from agentical_strategies.sequential import Sequential


def add(letter):
    return lambda text: f"{text}{letter}"


async def test_each_gets_the_answer_before_it_and_the_first_the_payload(team):
    assert await Sequential()(team({"a": add("a"), "b": add("b"), "c": add("c")}), "-") == "-abc"


async def test_with_full_context_each_gets_the_payload_and_all_answers(team):
    three = team({"a": 1, "b": 2, "c": 3})
    assert await Sequential(context="full")(three, "p") == 3
    assert [payload for *_, payload in three.asked] == [
        {"payload": "p", "answers": []},
        {"payload": "p", "answers": [{"member": "a", "answer": 1}]},
        {"payload": "p", "answers": [{"member": "a", "answer": 1}, {"member": "b", "answer": 2}]},
    ]


async def test_it_stops_when_told(team):
    three = team({"a": 1, "b": 5, "c": 9})
    assert await Sequential(stop_when=Expression.parse("answer > 3"))(three, 0) == 5
    assert three.record["stopped_by"] == "b"
    assert [key for key, *_ in three.asked] == ["a", "b"]


async def test_a_failure_ends_it_and_the_record_keeps_what_was_answered(team, after):
    three = team({"a": 1, "b": after(1, Upstream("gone")), "c": 3})
    with pytest.raises(TaskFailed, match="gone") as caught:
        await Sequential()(three, 0)
    assert caught.value.failure_class == "upstream"
    assert three.record["answers"] == [{"member": "a", "answer": 1}]
    assert three.record["failed"] == {"b": {"class": "upstream", "message": "gone"}}


async def test_the_edge_of_the_last_answer_is_the_steps(team):
    assert await Sequential()(team({"a": 1, "b": lambda _: Edge("bug", 2)}), 0) == Edge("bug", 2)


async def test_it_runs_again_from_its_record_with_the_same_result(team, again):
    assert await again(Sequential(), lambda **more: team({"a": add("a"), "b": add("b")}, **more), "-") == "-ab"


def test_it_asks_each_member_once_and_nobody_else():
    assert Sequential().most(3, None) == 3
    assert not list(Sequential().problems([]))
    assert not list(Sequential().agents_used())
