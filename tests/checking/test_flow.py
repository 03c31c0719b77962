"""The arrows between steps: order, loops, circles, ancestry, reach."""

from __future__ import annotations

from collections.abc import Sequence

import networkx as nx
from hypothesis import given
from hypothesis import strategies as st

from agentical.checking.flow import Ancestry, circles, loops, ranks, reachable

NONE: list[list[int]] = [[], [], [], []]


@st.composite
def arrows(draw: st.DrawFn, *, forward: bool = False) -> list[list[int]]:
    count = draw(st.integers(1, 8))
    return [
        sorted(draw(st.sets(st.integers(0, max(step - 1, 0) if forward else count - 1), max_size=3)) - {step})
        for step in range(count)
    ]


@st.composite
def wired(draw: st.DrawFn) -> tuple[list[list[int]], list[list[int]]]:
    needs = draw(arrows(forward=True))
    edges = [sorted(draw(st.sets(st.integers(0, len(needs) - 1), max_size=2))) for _ in needs]
    return needs, edges


def whole(needs: Sequence[Sequence[int]], edges: Sequence[Sequence[int]]) -> nx.DiGraph[int]:
    graph: nx.DiGraph[int] = nx.DiGraph()
    graph.add_nodes_from(range(len(needs)))
    for all_ in (needs, edges):
        graph.add_edges_from((before, step) for step, its in enumerate(all_) for before in its)
    return graph


def test_declared_order_decides_between_equals() -> None:
    assert ranks([[], [], [0], [1]], NONE, [0, 1, 2, 3]) == [0, 1, 2, 3]
    assert ranks([[3], [], [], []], NONE, [1, 2, 3, 0]) == [3, 0, 1, 2]


def test_a_loop_is_entered_where_an_edge_from_before_leads_in() -> None:
    needs, edges = [[], [], [], []], [[1], [2], [3, 0], []]
    assert ranks(needs, edges, loops(needs, edges)) == [3, 2, 1, 0]


@given(wired())
def test_needs_and_the_edges_between_loops_lead_forward(given: tuple[list[list[int]], list[list[int]]]) -> None:
    needs, edges = given
    loop = loops(needs, edges)
    order = ranks(needs, edges, loop)
    assert sorted(rank for rank in order if rank is not None) == list(range(len(needs)))
    assert all(order[before] < order[step] for step, its in enumerate(needs) for before in its)
    between = [(before, step) for step, its in enumerate(edges) for before in its if loop[before] != loop[step]]
    assert all(order[before] < order[step] for before, step in between)


@given(wired())
def test_steps_share_a_loop_exactly_when_each_leads_to_the_other(
    given: tuple[list[list[int]], list[list[int]]],
) -> None:
    needs, edges = given
    loop = loops(needs, edges)
    graph = whole(needs, edges)
    for one in graph:
        for other in graph:
            mutual = one == other or (nx.has_path(graph, one, other) and nx.has_path(graph, other, one))
            assert (loop[one] == loop[other]) == mutual


@given(wired())
def test_ancestry_is_reach_along_the_arrows(given: tuple[list[list[int]], list[list[int]]]) -> None:
    needs, edges = given
    ancestry = Ancestry(needs, edges, loops(needs, edges))
    graph = whole(needs, edges)
    for one in graph:
        for other in graph:
            assert ancestry.comes_before(one, other) == nx.has_path(graph, one, other)
            outside = ancestry.elsewhere(ancestry.loops_of([one]), other)
            apart = not nx.has_path(graph, other, one)
            assert ancestry.leads_to(outside, other) == (apart and nx.has_path(graph, one, other))


@given(arrows())
def test_a_circle_is_found_exactly_where_there_is_one(needs: list[list[int]]) -> None:
    none: list[list[int]] = [[] for _ in needs]
    found = list(circles(needs, ranks(needs, none, loops(needs, none))))
    assert bool(found) != nx.is_directed_acyclic_graph(whole(needs, none))
    for circle in found:
        for before, step in zip(circle, [*circle[1:], circle[0]], strict=True):
            assert before in needs[step]


def test_every_circle_apart_is_found_and_begins_with_its_first_step() -> None:
    needs = [[2], [0], [1], [4], [3], [5]]
    assert list(circles(needs, [None] * 6)) == [[0, 1, 2], [3, 4], [5]]


def test_a_step_that_only_its_own_loop_leads_to_cannot_be_reached() -> None:
    assert reachable([[], [0]], [[1], []], [True, False], [0, 1]) == [False, False]
    assert reachable([[], [], []], [[], [0, 2], [1]], [False, True, True], [0, 0, 0]) == [True, True, True]


def test_enough_needs_must_be_reachable() -> None:
    edges: list[list[int]] = [[], [1], [], [], []]
    assert reachable([[], [], [0, 1], [0, 1], [1]], edges, [False, True, False, False, False], [0, 0, 1, 2, 0]) == [
        True, False, True, False, True,
    ]  # fmt: skip
