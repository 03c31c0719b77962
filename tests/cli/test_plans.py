"""Plans: order, and the most tasks possible."""

from __future__ import annotations

from agentical.cli.plans import in_order, most_tasks, plan_lines, plan_of, visits_of
from agentical.graph import AgentSpec, Graph, InputSpec, Route, Step


def agents(**replicas: int) -> dict[str, AgentSpec]:
    return {name: AgentSpec(name, "python", replicas=count) for name, count in replicas.items()}


def test_steps_are_planned_in_the_order_of_their_needs() -> None:
    graph = Graph("x", (Step("b", 0, 1, "set", waits=(1,)), Step("a", 1, 0, "set")))
    assert [step.id for step in in_order(graph)] == ["a", "b"]


def test_a_loop_counts_as_often_as_its_head_may_be_visited() -> None:
    draft = Step("draft", 0, 0, "agent", members=("a",), max_visits=5, routes=(Route("review"),))
    review = Step(
        "review", 1, 1, "agent", starts="edge", members=("a",), routes=(Route("draft", on="bad"), Route("end"))
    )
    graph = Graph("x", (draft, review), agents=agents(a=1))
    assert visits_of(graph) == [5, 5]
    assert plan_of(graph)["most_tasks"] == 10


def test_two_edges_to_one_step_may_make_two_visits() -> None:
    one = Step("one", 0, 0, "agent", members=("a",), routes=(Route("both", on="x"), Route("both", on="y")))
    two = Step("two", 1, 0, "agent", members=("a",), routes=(Route("both"),))
    both = Step("both", 2, 1, "agent", starts="edge", members=("a",))
    assert visits_of(Graph("x", (one, two, both))) == [1, 1, 2]


def test_a_team_counts_its_replicas_and_what_its_strategy_says() -> None:
    step = Step("s", 0, 0, "team", members=("a", "b"), strategy="consensus", options={"rounds": 3})
    assert most_tasks(Graph("x", (step,), agents=agents(a=2, b=1)), step) == 9


def test_items_that_are_written_in_the_playbook_are_counted() -> None:
    written = Step("s", 0, 0, "agent", members=("a",), strategy="scatter-gather", for_each=[1, 2, 3])
    graph = Graph("x", (written,), agents=agents(a=2))
    assert most_tasks(graph, written) == 3


def test_what_depends_on_items_is_unknown_unless_the_budget_bounds_it() -> None:
    step = Step("s", 0, 0, "agent", members=("a",), strategy="scatter-gather", for_each="${{ inputs.x }}")
    graph = Graph("x", (step,), agents=agents(a=1))
    assert plan_of(graph)["most_tasks"] is None
    assert plan_of(Graph("x", (step,), agents=agents(a=1), budget_tasks=7))["most_tasks"] == 7


def test_a_source_of_items_makes_the_count_unknown_for_every_strategy() -> None:
    step = Step("s", 0, 0, "team", members=("a",), strategy="adaptive", source="b")
    assert most_tasks(Graph("x", (step,), agents=agents(a=1, b=1)), step) is None


def test_a_plan_for_people_leaves_nothing_out() -> None:
    score = Step(
        "score", 0, 0, "team", members=("a", "b"), helpers=("c",), strategy="scatter-gather", options={"max_parallel": 2},
        for_each=["x", "y"], writes={"total": 1}, timeout=30.0, max_visits=3,
        routes=(Route("score", condition="state.total < 3"), Route("end")),
    )  # fmt: skip
    note = Step("note", 1, 1, "set", waits=(0,), join=1, condition="always()", writes={"seen": True})
    inputs = {"path": InputSpec({"type": "string"}), "deep": InputSpec({}, required=False, default=[1])}
    graph = Graph("x", (score, note), version="1.2", agents=agents(a=3, b=1, c=1), inputs=inputs)
    assert list(plan_lines(plan_of(graph))) == [
        "x 1.2",
        "  input path (string), required",
        "  input deep, otherwise [1]",
        "",
        "  1. score: asks a × 3, b, scatter-gather",
        '     for each  ["x","y"]',
        "     options   max-parallel: 2",
        "     also asks c",
        "     sets      total",
        "     timeout   30 s",
        "     then      score if state.total < 3",
        "     then      end",
        "     tasks     at most 6 in at most 3 visits",
        "",
        "  2. note: sets seen",
        "     needs     score (first 1)",
        "     if        always()",
        "",
        "Most tasks in all: 6",
    ]


def test_the_labels_of_a_playbook_stand_in_its_plan() -> None:
    plan = plan_of(Graph("x", (), labels={"team": "core", "tier": "2"}))
    assert plan["labels"] == {"team": "core", "tier": "2"}
    assert "  labels team=core, tier=2" in plan_lines(plan)
