"""Graph: the compiled playbook is stored and read back whole."""

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from agentical.graph import AgentSpec, Graph, InputSpec, Retry, Route, StateKey, Step, decode_graph, encode_graph

texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=8)
trees = st.recursive(
    st.none() | st.booleans() | st.integers(-9, 9) | texts,
    lambda one: st.lists(one) | st.dictionaries(texts, one),
    max_leaves=5,
)
steps = st.builds(
    Step, texts, st.integers(0, 9), st.integers(0, 9), st.sampled_from(["agent", "team", "set", "end"]),
    waits=st.lists(st.integers(0, 9)).map(tuple), join=st.none() | st.integers(1, 3), payload=trees, for_each=trees,
    routes=st.lists(st.builds(Route, texts, st.none() | texts, st.none() | texts)).map(tuple),
    retry=st.dictionaries(texts, st.builds(Retry, st.integers(0, 9)), max_size=2), options=st.dictionaries(texts, trees, max_size=2),
)  # fmt: skip
agents = st.builds(
    AgentSpec,
    texts,
    texts,
    rate=st.none() | st.tuples(st.integers(1, 9), st.floats(0.1, 9)),
    options=st.dictionaries(texts, trees),
)
graphs = st.builds(
    Graph, texts, st.lists(steps, max_size=3).map(tuple), agents=st.dictionaries(texts, agents, max_size=2),
    state=st.dictionaries(texts, st.builds(StateKey, st.none() | texts, texts, trees), max_size=2),
    inputs=st.dictionaries(texts, st.builds(InputSpec, st.dictionaries(texts, trees), st.booleans(), trees), max_size=2),
    outputs=st.dictionaries(texts, trees, max_size=2),
)  # fmt: skip


@given(graphs)
def test_a_stored_graph_is_read_back_the_same_and_stored_the_same(graph):
    assert decode_graph(encode_graph(graph)) == graph
    assert encode_graph(decode_graph(encode_graph(graph))) == encode_graph(graph)


def test_the_smallest_graph_takes_few_bytes():
    assert encode_graph(Graph("x", ())) == b'{"name":"x","steps":[]}'


@pytest.mark.parametrize("data", [b"{}", b'{"name":"x","steps":[{"id":"a"}]}', b"[]"])
def test_what_is_no_graph_is_refused(data):
    with pytest.raises(msgspec.ValidationError):
        decode_graph(data)
