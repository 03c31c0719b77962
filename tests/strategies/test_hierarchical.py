"""Hierarchical: plan, dispatch, review, combine, and who leads when the leader cannot."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agentical.errors import Invalid, StepFailed, Transient, Upstream
from agentical.ports import Edge, Member
from agentical_strategies.hierarchical import Hierarchical
from agentical_strategies.plans import PlanInvalid, blocked, read_plan, read_review

WORKERS = [Member("a", "a", ("read",)), Member("b#1", "b", ("write",)), Member("b#2", "b", ("write",))]


def work(id, worker="a", **more):
    return {"id": id, "goal": f"do {id}", "worker": worker, **more}


def leader(*assignments, reviews=(), combine=lambda q: q["answers"]):
    """A leader that plans these assignments and gives these reviews in order; then it accepts."""
    to_come = list(reviews)

    def lead(question):
        if question["ask"] == "plan":
            return {"assignments": list(assignments)}
        if question["ask"] == "review":
            return to_come.pop(0) if to_come else {"accept": True}
        return combine(question)

    return lead


def keys(team):
    return [key for key, *_ in team.asked]


def echo(question):
    return question["payload"] or sum(question["answers"].values()) + 1


async def test_the_leader_plans_workers_work_and_the_leader_combines(team):
    boss = leader(
        work("x", payload=5), work("y", "b", **{"depends-on": ["x"]}), combine=lambda q: sum(q["answers"].values())
    )
    pair = team({"a": echo, "b": echo}, beside={"boss": boss}, capabilities={"a": ("read",)})
    assert await Hierarchical(leader="boss")(pair, "goal") == 11
    assert keys(pair) == ["plan", "assignment-x", "assignment-y", "review-1", "combine"]
    assert pair.asked[0][2] == {
        "ask": "plan",
        "goal": "goal",
        "workers": [{"name": "a", "capabilities": ["read"]}, {"name": "b", "capabilities": []}],
    }
    assert pair.asked[2][2] == {"goal": "do y", "payload": None, "answers": {"x": 5}}
    assert pair.asked[3][2] == {"ask": "review", "goal": "goal", "answers": {"x": 5, "y": 6}, "errors": {}}
    assert pair.asked[4][2] == {"ask": "combine", "goal": "goal", "answers": {"x": 5, "y": 6}, "errors": {}}


async def test_what_does_not_depend_on_each_other_is_done_at_the_same_time(team, after):
    boss = leader(work("x"), work("y", "b"), work("z", "a", depends_on=["x"]))
    pair = team({"a": after(2, 1), "b": after(5, 2)}, beside={"boss": boss})
    assert await Hierarchical(leader="boss", review="none")(pair, None) == {"x": 1, "y": 2, "z": 1}
    assert pair.now == 5


async def test_work_for_a_capability_goes_to_the_least_busy_who_has_it(team, after):
    wanted = [{"id": f"w{n}", "capability": "write"} for n in range(4)]
    three = team(
        {"a": after(1, 1), "b": after(1, 2), "c": after(1, 3)},
        beside={"boss": leader(*wanted)},
        capabilities={"b": ("write",), "c": ("write",)},
    )
    await Hierarchical(leader="boss", review="none")(three, None)
    assert three.peak == {"boss": 1, "b": 2, "c": 2}


async def test_a_leader_of_the_team_gets_no_work(team):
    pair = team({"boss": leader(work("x")), "a": 1})
    await Hierarchical(leader="boss")(pair, None)
    assert [worker["name"] for worker in pair.asked[0][2]["workers"]] == ["a"]


async def test_a_failed_assignment_is_an_error_and_what_depends_on_it_is_not_done(team, after):
    boss = leader(work("x"), work("y", "b", **{"depends-on": ["x"]}), work("z", "b"), combine=lambda q: q["errors"])
    pair = team({"a": after(1, Upstream("gone")), "b": 2}, beside={"boss": boss})
    assert await Hierarchical(leader="boss")(pair, None) == {
        "x": {"class": "upstream", "message": "gone"},
        "y": {"class": "upstream", "message": "depends on x, which failed"},
    }
    assert "assignment-y" not in keys(pair)
    assert pair.record["answered"] == ["z"]


async def test_a_final_review_sends_work_back_in_a_bounded_number_of_rounds(team):
    no = {"accept": False, "rework": [work("x", payload=7)]}
    pair = team({"a": echo}, beside={"boss": leader(work("x", payload=5), reviews=[no])})
    assert await Hierarchical(leader="boss")(pair, None) == {"x": 7}
    assert keys(pair) == ["plan", "assignment-x", "review-1", "assignment-x/round-2", "review-2", "combine"]
    never = team({"a": echo}, beside={"boss": leader(work("x", payload=5), reviews=[no] * 9)})
    assert await Hierarchical(leader="boss", max_rounds=3)(never, None) == Edge("exhausted", {"x": 7})
    assert never.record["rounds"] == {"x": 3}
    assert never.record["accepted"] is False


async def test_rework_can_mend_what_failed_and_so_free_what_depends_on_it(team, after):
    mend = {"accept": False, "rework": [work("x", "b", payload=1)]}
    boss = leader(work("x"), work("y", "b", payload=2, **{"depends-on": ["x"]}), reviews=[mend])
    pair = team({"a": after(1, Upstream("gone")), "b": echo}, beside={"boss": boss})
    assert await Hierarchical(leader="boss")(pair, None) == {"x": 1, "y": 2}


async def test_each_answer_is_reviewed_before_anything_builds_on_it(team, after):
    redo = {"accept": False, "rework": [work("x", payload=8)]}
    boss = leader(
        work("x", payload=5), work("y", "b", **{"depends-on": ["x"]}), work("z", "b", payload=1), reviews=[redo]
    )
    pair = team({"a": after(1, lambda q: q["payload"]), "b": after(3, echo)}, beside={"boss": after(1, boss)})
    assert await Hierarchical(leader="boss", review="each")(pair, None) == {"x": 8, "y": 9, "z": 1}
    assert "review-x/round-2" in keys(pair)
    assert pair.record["accepted"] is True
    assert pair.now == 11


async def test_an_answer_that_is_never_accepted_ends_as_exhausted(team):
    redo = {"accept": False, "rework": [work("x", payload=8)]}
    pair = team({"a": echo}, beside={"boss": leader(work("x", payload=5), reviews=[redo] * 5)})
    assert await Hierarchical(leader="boss", review="each")(pair, None) == Edge("exhausted", {"x": 8})
    assert pair.record["rounds"] == {"x": 2}


async def test_a_wrong_plan_may_be_repaired_once(team):
    plans = [{"assignments": [work("x", "nobody")]}, {"assignments": [work("x")]}]
    boss = leader()

    def lead(question):
        return plans.pop(0) if question["ask"] == "plan" else boss(question)

    pair = team({"a": 1}, beside={"boss": lead})
    assert await Hierarchical(leader="boss")(pair, "g") == {"x": 1}
    assert keys(pair)[:2] == ["plan", "plan-repair"]
    assert "there is no worker 'nobody'" in pair.asked[1][2]["problems"][0]
    assert pair.asked[1][2]["answer"] == {"assignments": [work("x", "nobody")]}


async def test_a_deputy_takes_over_when_the_leader_fails_and_stays(team, after):
    pair = team({"a": 1}, beside={"boss": after(1, Transient("asleep")), "vice": leader(work("x"))})
    assert await Hierarchical(leader="boss", deputies=("vice",))(pair, "g") == {"x": 1}
    assert keys(pair) == ["plan", "plan/vice", "assignment-x", "review-1/vice", "combine/vice"]
    assert pair.asked[1][2] == pair.asked[0][2]
    assert pair.record["leader"] == "vice"
    assert pair.record["takeovers"] == [{"leader": "boss", "asked": "plan", "class": "transient", "message": "asleep"}]


async def test_a_deputy_takes_over_from_a_leader_whose_plans_stay_wrong(team):
    pair = team({"a": 1}, beside={"boss": {"plan": "none"}, "vice": leader(work("x"))})
    assert await Hierarchical(leader="boss", deputies=("vice",))(pair, "g") == {"x": 1}
    assert keys(pair)[:3] == ["plan", "plan-repair", "plan/vice"]


async def test_a_deputy_takes_over_in_the_middle(team, after):
    def faints(question):
        if question["ask"] == "review":
            raise Transient("fainted")
        return leader(work("x"))(question)

    pair = team({"a": 1}, beside={"boss": faints, "vice": leader()})
    assert await Hierarchical(leader="boss", deputies=("vice",))(pair, "g") == {"x": 1}
    assert keys(pair) == ["plan", "assignment-x", "review-1", "review-1/vice", "combine/vice"]


async def test_with_nobody_left_to_lead_the_step_fails(team, after):
    pair = team({"a": 1}, beside={"boss": after(1, Invalid("no")), "vice": after(1, Transient("busy"))})
    with pytest.raises(StepFailed, match="busy") as caught:
        await Hierarchical(leader="boss", deputies=("vice",))(pair, "g")
    assert (caught.value.failure_code, caught.value.failure_class) == ("LEADER_FAILED", "transient")
    assert len(pair.record["takeovers"]) == 2


@pytest.mark.parametrize("review", ["final", "each", "none"])
async def test_it_runs_again_from_its_record_with_the_same_result(team, after, review):
    def make(**more):
        redo = {"accept": False, "rework": [work("x", "b", payload=3)]}
        boss = leader(
            work("x"), work("y", "b"), work("z", depends_on=["y"]), reviews=[redo] if review == "final" else []
        )
        return team({"a": after(2, 1), "b": after(1, 2)}, beside={"boss": boss}, **more)

    first = make()
    result = await Hierarchical(leader="boss", review=review)(first, "g")
    second = make(replay=first.handed)
    assert await Hierarchical(leader="boss", review=review)(second, "g") == result
    assert second.record == first.record


@pytest.mark.parametrize(
    ("assignments", "problem"),
    [
        ([], "no assignments"),
        ([work("x"), work("x")], "'x' is used more than once"),
        ([work("x"), work("x", "b")], "'x' is used more than once"),
        ([work("x", "z")], "there is no worker 'z'"),
        ([{"id": "x", "capability": "fly"}], "no worker with capability 'fly'"),
        ([{"id": "x"}], "either a worker or a capability"),
        ([work("x", capability="read")], "either a worker or a capability"),
        ([work("x", **{"depends-on": ["q"]})], "'q', which is not in the plan"),
        ([work("x", depends_on=["y"]), work("y", depends_on=["x"])], "circle: "),
        ([work("x", depends_on=["x"])], "circle: x -> x"),
        ([work(str(n)) for n in range(9)], "9 assignments, at most 8"),
        ([work("x/y")], "without slashes"),
        ([work("")], "without slashes"),
        ([{"goal": "?"}], "missing required field `id`"),
        ([work("x", depends_on="y")], "Expected `array`"),
        (["x"], "Expected `object`"),
        (7, "Expected `array`"),
    ],
)
def test_a_plan_that_cannot_be_carried_out_is_refused_with_the_reason(assignments, problem):
    with pytest.raises(PlanInvalid) as caught:
        read_plan({"assignments": assignments}, WORKERS, 8)
    assert any(problem in found for found in caught.value.problems)


@pytest.mark.parametrize(
    "answer", [None, "yes", {}, {"accept": "perhaps"}, {"accept": False}, {"accept": False, "rework": []}]
)
def test_a_review_that_says_nothing_is_refused(answer):
    plan = read_plan({"assignments": [work("x")]}, WORKERS, 8)
    with pytest.raises(PlanInvalid):
        read_review(answer, WORKERS, 8, plan)


def test_rework_must_fit_the_plan():
    plan = read_plan({"assignments": [work("x"), work("y", depends_on=["x"])]}, WORKERS, 8)
    with pytest.raises(PlanInvalid, match="circle"):
        read_review({"accept": False, "rework": [work("x", depends_on=["y"])]}, WORKERS, 8, plan)
    with pytest.raises(PlanInvalid, match="sends back 'x'"):
        read_review({"accept": False, "rework": [work("x"), work("y")]}, WORKERS, 8, plan, only="x")
    with pytest.raises(PlanInvalid, match="sends back 'x'"):
        read_review({"accept": False, "rework": [work("z")]}, WORKERS, 8, plan, only="x")
    assert read_review({"accept": False, "rework": [work("x"), work("z")]}, WORKERS, 8, plan, only="x").rework


@given(st.integers(2, 8), st.data())
def test_what_is_blocked_is_what_failed_work_leads_to(size, data):
    assignments = [
        work(f"w{n}", depends_on=[f"w{m}" for m in data.draw(st.sets(st.integers(0, n - 1), max_size=2))] if n else [])
        for n in range(size)
    ]
    plan = read_plan({"assignments": assignments}, WORKERS, 8)
    failed = data.draw(st.sets(st.sampled_from(sorted(plan))))
    lost = blocked(plan, failed, ())
    for id, assignment in plan.items():
        expected = id not in failed and any(other in failed or other in lost for other in assignment.depends_on)
        assert (id in lost) == expected


@pytest.mark.parametrize(
    "options", [{"depth": 2}, {"span": 0}, {"max_rounds": 0}, {"deputies": ("boss",)}, {"deputies": ("a", "a")}]
)
def test_options_that_cannot_be_are_refused(options):
    with pytest.raises(ValueError):
        Hierarchical(leader="boss", **options)


def test_its_bounds_and_agents():
    strategy = Hierarchical(leader="boss", deputies=("vice",))
    assert list(strategy.agents_used()) == ["boss", "vice"]
    assert "needs a worker" in next(iter(strategy.problems([Member("boss", "boss")])))
    assert not list(strategy.problems(WORKERS))
    assert strategy.most(3, None) == 8 * 2 + 2 * (2 + 2 + 1)
