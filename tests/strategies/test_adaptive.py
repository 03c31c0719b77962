"""Adaptive: rules first, then what worked before."""

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agentical.errors import Invalid, StepFailed, TaskFailed
from agentical.events import Tally
from agentical.gather import Gather
from agentical.ports import Ask, Edge, Member, NamedStrategy
from agentical_strategies.adaptive import Adaptive
from agentical_strategies.choosing import LARGE, Candidate, Features, best, suited
from agentical_strategies.consensus import Consensus
from agentical_strategies.parallel import Parallel
from agentical_strategies.pipeline import Pipeline
from agentical_strategies.scatter_gather import ScatterGather
from agentical_strategies.sequential import Sequential

PAIR = (NamedStrategy("parallel", Parallel()), NamedStrategy("sequential", Sequential()))


async def chosen(strategy, made, payload=None):
    await strategy(made, payload)
    return made.record["choice"]


async def test_items_for_members_alike_are_scattered(team):
    made = team({"w#1": 1, "w#2": 1}, items=[1, 2, 3])
    assert await chosen(Adaptive(), made) == "scatter-gather"
    assert made.record["features"] == {
        "items": True,
        "item_count": 3,
        "members": 2,
        "agents": 1,
        "payload_bytes": 4,
        "capabilities_differ": False,
    }
    assert "there are items" in made.record["reason"]
    assert made.record["record"]["answered"] == 3


async def test_items_for_members_that_differ_stream_through_them(team):
    made = team({"a": 1, "b": 2}, items=[1], capabilities={"a": ("parse",), "b": ("classify",)})
    assert await chosen(Adaptive(), made) == "pipeline"


async def test_a_source_counts_as_items_and_loses_none(team):
    made = team({"a": lambda n: n, "b": lambda n: n}, items=[4, 5, 6], source=lambda _: 1.0)
    assert await Adaptive()(made, None) == [4, 5, 6]
    assert made.record["choice"] == "scatter-gather"


async def test_without_items_everybody_is_asked_at_once_and_one_member_alone_in_turn(team):
    assert await chosen(Adaptive(), team({"a": 1, "b": 2})) == "parallel"
    assert await chosen(Adaptive(), team({"a": 1})) == "sequential"


async def test_a_member_that_can_lead_leads(team):
    def boss(question):
        return {"plan": {"assignments": [{"id": "x", "worker": "a"}]}, "review": {"accept": True}}.get(
            question["ask"], "done"
        )

    made = team({"boss": boss, "a": 1}, capabilities={"boss": ("lead",)})
    assert await Adaptive()(made, None) == "done"
    assert made.record["choice"] == "hierarchical"


async def test_what_did_best_before_is_chosen(team):
    sums = {"adaptive/any/parallel": Tally(9, 1), "adaptive/any/sequential": Tally(9, 8)}
    made = team({"a": 1}, sums=sums)
    assert await chosen(Adaptive(candidates=PAIR), made) == "sequential"
    assert made.record["tallies"]["sequential"]["succeeded"] == 8
    assert "8 of 9" in made.record["reason"]


async def test_tasks_of_another_class_teach_nothing(team):
    sums = {"adaptive/other/parallel": Tally(9, 1), "adaptive/other/sequential": Tally(9, 8)}
    assert await chosen(Adaptive(candidates=PAIR), team({"a": 1}, sums=sums)) == "parallel"
    assert await chosen(Adaptive(candidates=PAIR, class_="other"), team({"a": 1}, sums=sums)) == "sequential"


async def test_how_it_went_is_kept(team, after):
    made = team({"a": after(2, 1), "b": after(3, 1)}, costs={"a": 0.5, "b": 0.25})
    await Adaptive(candidates=PAIR, class_="sums")(made, None)
    assert made.added == [("adaptive/sums/parallel", Tally(1, 1, 3.0, 0.75))]


async def test_a_failure_is_kept_too_and_goes_on(team, after):
    made = team({"a": after(2, Invalid("no"))})
    with pytest.raises(StepFailed):
        await Adaptive(candidates=PAIR)(made, None)
    assert made.added == [("adaptive/any/parallel", Tally(1, 0, 2.0, 0.0))]
    assert made.record["record"]["failed"]["a"]["message"] == "no"


async def test_an_outcome_that_needs_an_edge_is_no_success(team):
    made = team({"a": "x", "b": "y"})
    result = await Adaptive(candidates=(NamedStrategy("consensus", Consensus()),))(made, None)
    assert isinstance(result, Edge)
    assert result.outcome == "tie"
    assert made.added[0][1].succeeded == 0


async def test_a_pin_decides_at_once(team):
    made = team({"a": 1}, sums={"adaptive/any/parallel": Tally(9, 0)})
    assert await chosen(Adaptive(candidates=PAIR, pin="parallel"), made) == "parallel"
    assert made.record["reason"] == "pinned"


async def test_a_pin_that_does_not_fit_the_team_fails_the_step(team):
    with pytest.raises(StepFailed, match="hierarchical"):
        await Adaptive(pin="hierarchical")(team({"a": 1}), None)


async def test_exploring_draws_once_and_remembers_the_draw(team, monkeypatch):
    monkeypatch.setattr(random, "random", lambda: 0.0)
    monkeypatch.setattr(random, "choice", lambda names: names[-1])
    made = team({"a": 1})
    assert await chosen(Adaptive(candidates=PAIR, explore=0.1), made) == "sequential"
    assert "explored" in made.record["reason"]
    monkeypatch.setattr(random, "random", lambda: 0.9)
    resumed = team({"a": 1}, known=made.known, replay=made.handed)
    assert await chosen(Adaptive(candidates=PAIR, explore=0.1), resumed) == "sequential"


async def test_a_failing_answer_of_the_choice_is_the_steps(team, after):
    with pytest.raises(TaskFailed, match="broken"):
        await Adaptive(candidates=PAIR[1:])(team({"a": after(1, Invalid("broken"))}), None)


async def test_a_candidate_of_ones_own_may_use_all_of_a_team(team, after):
    class Own:
        async def __call__(self, team, payload):
            seen = [item.value async for item in team.items()]
            one = await team.ask("a", payload, key="one")
            rest = [o.answer async for o in team.ask_each([Ask("b", n, f"n-{n}") for n in seen], at_most=1)]
            team.tally("own", Tally(1))
            return [one, rest, await team.tallies("own"), team.item_count, team.elapsed]

    made = team(
        {"a": after(1, "A"), "b": lambda n: n + 1}, items=[1, 2], source=lambda _: 1.0, costs={"a": 1.0, "b": 0.5}
    )
    assert await Adaptive(candidates=(NamedStrategy("own", Own()),))(made, "p") == ["A", [2, 3], {}, None, 3.0]
    assert made.added == [("own", Tally(1)), ("adaptive/any/own", Tally(1, 1, 3.0, 2.0))]


async def test_asking_one_member_loses_nothing_of_what_else_is_under_way(team, after):
    class Own:
        async def __call__(self, team, payload):
            team.start(Ask("quick", None, "quick"))
            slow = await team.ask("slow", None, key="slow")
            return [slow, (await team.next()).answer, await team.next()]

    made = team({"quick": after(1, "Q"), "slow": after(2, "S")}, costs={"quick": 1.0, "slow": 2.0})
    assert await Adaptive(candidates=(NamedStrategy("own", Own()),))(made, None) == ["S", "Q", None]
    assert made.added[0][1].cost == 3.0


def features(**more):
    return Features(
        **{
            "items": False,
            "item_count": None,
            "members": 3,
            "agents": 3,
            "payload_bytes": 9,
            "capabilities_differ": False,
        }
        | more
    )


def candidates(*kinds, given=False):
    takes = {"scatter-gather", "pipeline"}
    return [Candidate(kind, kind, kind in takes, kind in takes, given) for kind in kinds]


SIX = ("scatter-gather", "pipeline", "parallel", "sequential", "consensus", "hierarchical")


@given(
    st.lists(st.sampled_from(SIX), min_size=1, max_size=6, unique=True),
    st.builds(
        features,
        items=st.booleans(),
        members=st.integers(1, 9),
        payload_bytes=st.integers(0, LARGE),
        capabilities_differ=st.booleans(),
    ),
    st.booleans(),
)
def test_rules_always_leave_somebody_and_say_why_others_went(kinds, seen, given_by_author):
    left, reasons = suited(candidates(*kinds, given=given_by_author), seen)
    assert left
    assert bool(reasons) == (len(left) < len(kinds))
    if seen.items and {"scatter-gather", "pipeline"} & set(kinds):
        assert all(c.takes_items for c in left)


def test_candidates_the_author_named_stay_if_they_can_work():
    left, _ = suited(candidates("scatter-gather", "pipeline", given=True), features(items=True))
    assert len(left) == 2


def test_a_large_payload_is_not_sent_to_everybody():
    left, reasons = suited(candidates("parallel", "sequential"), features(payload_bytes=LARGE))
    assert [c.name for c in left] == ["sequential"]
    assert reasons == ["the payload is large"]


@pytest.mark.parametrize(("objective", "expected"), [("success", "sure"), ("latency", "quick"), ("cost", "cheap")])
def test_the_objective_says_what_best_means(objective, expected):
    tallies = {"sure": Tally(10, 10, 100.0, 10.0), "quick": Tally(10, 5, 5.0, 10.0), "cheap": Tally(10, 8, 100.0, 1.0)}
    assert best(list(tallies), tallies, objective)[0] == expected


@pytest.mark.parametrize("objective", ["latency", "cost"])
def test_for_speed_and_cost_the_untried_are_tried_and_the_hopeless_come_last(objective):
    tallies = {"known": Tally(3, 3, 3.0, 3.0), "hopeless": Tally(3, 0, 0.0, 0.0)}
    assert best(["hopeless", "known", "new"], tallies, objective) == ("new", "not tried before")
    assert best(["hopeless", "known"], tallies, objective)[0] == "known"


@pytest.mark.parametrize(
    "options",
    [
        {"explore": 2.0},
        {"pin": "consensus", "candidates": PAIR},
        {"candidates": (NamedStrategy("adaptive", Adaptive()),)},
    ],
)
def test_options_that_cannot_be_are_refused(options):
    with pytest.raises(ValueError):
        Adaptive(**options)


def test_what_is_wrong_with_a_candidate_is_found_when_read():
    members = [Member("a", "a")]
    staged = Adaptive(candidates=(NamedStrategy("pipeline", Pipeline(workers={"z": 1})), *PAIR, PAIR[0]))
    assert [problem.split(":")[0] for problem in staged.problems(members)] == ["candidate pipeline"]
    assert "does not fit" in next(iter(Adaptive(pin="hierarchical").problems(members)))
    assert not list(Adaptive(pin="parallel#2", candidates=(*PAIR, PAIR[0])).problems(members))


def test_its_bounds_and_agents_are_those_of_its_candidates():
    assert Adaptive(candidates=PAIR).most(4, None) == 4
    assert Adaptive().most(2, 10) == 20
    assert Adaptive().most(2, None) == 2
    assert Adaptive(candidates=(NamedStrategy("own", print),)).most(2, 3) is None
    both = (NamedStrategy("scatter-gather", ScatterGather(gather=Gather.parse("agent:merger"))), PAIR[0])
    assert list(Adaptive(candidates=both).agents_used()) == ["merger"]
