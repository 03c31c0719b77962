"""Arrows: turned round and added up."""

from hypothesis import given
from hypothesis import strategies as st

from agentical.arrows import Arrows, bits
from agentical.graph import Graph, Route, Step


@st.composite
def graphs(draw):
    count = draw(st.integers(1, 8))
    steps = []
    for n in range(count):
        waits = draw(st.sets(st.integers(0, n - 1), max_size=3)) if n else set()
        to = draw(st.lists(st.integers(0, count - 1), max_size=2))
        routes = (*(Route(f"s{one}") for one in to), *draw(st.sampled_from([(), (Route("end"),), (Route("fail"),)])))
        starts = draw(st.sampled_from(["needs", "edge"]))
        steps.append(Step(f"s{n}", n, count - n, "set", starts, tuple(sorted(waits)), routes=routes))
    return Graph("g", tuple(steps))


def leads(graph, one, other):
    return one in graph.steps[other].waits or any(route.to == f"s{other}" for route in graph.steps[one].routes)


def reaches(graph):
    """Warshall: whether one leads to another, in one step or many."""
    numbers = range(len(graph.steps))
    found = {(one, other) for one in numbers for other in numbers if leads(graph, one, other)}
    for middle in numbers:
        found |= {
            (one, other) for one in numbers for other in numbers if (one, middle) in found and (middle, other) in found
        }
    return found


@given(graphs())
def test_ancestors_are_all_that_can_lead_to_a_target(graph):
    arrows, found = Arrows.of(graph), reaches(graph)
    for index, before in arrows.ancestors.items():
        assert set(bits(before)) == {one for one, other in found if other == index}
    for index, after in enumerate(arrows.reach):
        assert set(bits(after)) == {other for one, other in found if one == index and arrows.is_target(other)}


@given(graphs(), st.integers(0, 255), st.integers(0, 255))
def test_the_dead_are_those_that_nothing_active_leads_to(graph, among, active):
    arrows, everybody = Arrows.of(graph), (1 << len(graph.steps)) - 1
    among, active = among & arrows.targets, active & everybody
    found = set(arrows.dead(among, active)) if arrows.targets else set()
    assert found == {one for one in bits(among & ~active) if not arrows.ancestors[one] & active}


@given(graphs())
def test_needed_by_is_waits_turned_round(graph):
    arrows = Arrows.of(graph)
    assert {(need, step) for need, after in enumerate(arrows.needed_by) for step in after} == {
        (need, step.index) for step in graph.steps for need in step.waits
    }


@given(graphs())
def test_targets_are_what_edges_lead_to_and_what_starts_by_edges_only(graph):
    arrows = Arrows.of(graph)
    led_to = {route.to for step in graph.steps for route in step.routes}
    wanted = [step for step in graph.steps if step.id in led_to or step.starts == "edge"]
    assert list(bits(arrows.targets)) == [step.index for step in wanted]
    assert all(arrows.is_target(step.index) == (step in wanted) for step in graph.steps)
