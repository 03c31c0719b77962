"""Coordination in one line: every strategy by name, any function, and calls that are wrong."""

import pytest

import agentical
from agentical.errors import CallInvalid, ExecutionFailed, PluginUnknown
from agentical.ports import Ask, Team


async def double(payload):
    return payload * 2


async def triple(payload):
    return payload * 3


async def broken(payload):
    raise agentical.Invalid("not today")


def voter(name, choice):
    async def vote(payload):
        return choice

    vote.__name__ = name
    return vote


YES, YES_TOO, NO = voter("ann", "yes"), voter("bob", "yes"), voter("cy", "no")


async def test_parallel():
    answered = await agentical.coordinate("parallel", [double, triple, broken], 2, complete="quorum(50%)")
    assert answered["answers"] == {"double": 4, "triple": 6}
    assert answered["errors"]["broken"]["class"] == "invalid"


async def test_sequential():
    assert await agentical.coordinate("sequential", [double, triple], 2) == 12


async def test_pipeline():
    assert await agentical.coordinate("pipeline", [double, triple], for_each=[1, 2, 3]) == [6, 12, 18]


async def test_scatter_gather():
    assert await agentical.coordinate("scatter-gather", [double], for_each=[1, 2, 3], gather="sum") == 12


async def test_consensus():
    agreed = await agentical.coordinate("consensus", [YES, YES_TOO, NO], "?", vote="majority")
    assert (agreed["choice"], agreed["outcome"]) == ("yes", "agreed")


async def test_adaptive():
    assert await agentical.coordinate("adaptive", [double, triple], 2, candidates=["sequential"]) == 12


async def test_hierarchical():
    async def boss(payload):
        if payload["ask"] == "plan":
            return {"assignments": [{"id": "one", "goal": "double it", "worker": "worker", "payload": 21}]}
        return {"accept": True} if payload["ask"] == "review" else payload["answers"]["one"]

    async def worker(payload):
        return payload["payload"] * 2

    assert await agentical.coordinate("hierarchical", [boss, worker], "double 21", leader="boss") == 42


async def test_a_function_is_a_strategy():
    async def whoever_is_right(team: Team, payload):
        first = await team.ask("double", payload, key="first")
        outcomes = [one async for one in team.ask_each([Ask("triple", first, "second")])]
        return outcomes[0].unwrap()

    assert await agentical.coordinate(whoever_is_right, [double, triple], 5) == 30


async def test_the_same_id_in_a_store_asks_nobody_twice(tmp_path):
    asked = []

    async def count(payload):
        asked.append(payload)
        return len(asked)

    store = f"sqlite:///{tmp_path}/s.db"
    first = await agentical.coordinate("parallel", [count], 1, id="once", store=store)
    assert await agentical.coordinate("parallel", [count], 1, id="once", store=store) == first
    assert asked == [1]
    with pytest.raises(CallInvalid, match="once was begun with other inputs"):
        await agentical.coordinate("parallel", [count], 2, id="once", store=store)


async def test_what_fails_raises_and_says_why():
    with pytest.raises(ExecutionFailed, match="not today"):
        await agentical.coordinate("sequential", [broken], 1)


def test_programs_without_an_event_loop_run_synchronously():
    run = agentical.run_sync("parallel", team=[double], payload=4, store="memory:")
    assert (run.status, run.outputs["result"]["answers"]) == ("completed", {"double": 8})


@pytest.mark.parametrize(
    ("strategy", "team", "options", "said"),
    [
        ("parallel", [], {}, "needs a team"),
        ("parallel", [double, double], {}, "two members of the team are called 'double'"),
        ("parallel", [double, "triple"], {}, "made of callables, and 'triple' is none"),
        ("paralel", [double], {}, "Did you mean `parallel`"),
        ("consensus", [YES], {"votes": "majority"}, "no option `votes`. Did you mean `vote`"),
        ("consensus", [YES, NO], {"max_faulty": 1}, "max-faulty"),
        ("parallel", [double], {"complete": object()}, "complete"),
        (len, [double], {"vote": "x"}, "a strategy function takes no options"),
        (7, [double], {}, "run by a strategy"),
    ],
)
async def test_a_wrong_call_is_told_before_anything_runs(strategy, team, options, said):
    with pytest.raises(CallInvalid) as error:
        await agentical.coordinate(strategy, team, 1, **options)
    assert said in str(error.value)
    assert error.value.exit_status == 2


async def test_an_unknown_store_is_named():
    with pytest.raises(PluginUnknown, match="store"):
        await agentical.coordinate("parallel", [double], 1, store="nowhere://x")


async def test_a_strategy_of_items_needs_items_and_the_others_take_none():
    with pytest.raises(CallInvalid, match="scatter-gather works on items"):
        await agentical.coordinate("scatter-gather", [double])
    with pytest.raises(CallInvalid, match="sequential does not take items"):
        await agentical.coordinate("sequential", [double], 1, for_each=[1, 2])


async def test_a_team_that_is_one_callable_is_refused():
    with pytest.raises(CallInvalid, match="a list of one callable at least"):
        await agentical.coordinate("parallel", double, 1)
