"""Merge: the writes to a key of state add up in the order of the graph, not of finishing."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agentical.merge import RULES, Merged

WRITES = {
    "last": st.integers(),
    "first": st.integers(),
    "append": st.integers(),
    "extend": st.lists(st.integers(), max_size=3),
    "update": st.dictionaries(st.sampled_from("abc"), st.integers(), max_size=2),
    "add": st.integers(),
    "max": st.integers(),
    "min": st.integers(),
    "union": st.lists(st.integers(0, 3), max_size=3),
}
DEFAULTS = {"append": [0], "extend": [0], "union": [0], "update": {"z": 0}, "add": 7, "max": 3, "min": 3}


@st.composite
def written(draw):
    rule = draw(st.sampled_from(sorted(WRITES)))
    orders = draw(st.lists(st.tuples(st.integers(0, 3), st.integers(0, 9)), unique=True, max_size=8))
    writes = [(order, draw(WRITES[rule])) for order in orders]
    default = draw(st.sampled_from([None, DEFAULTS.get(rule)]))
    return rule, default, writes, draw(st.permutations(writes))


def merged(rule, default, writes):
    key = Merged(rule, default)
    for order, write in writes:
        key.write(order, write)
    return key.value


@given(written())
def test_any_order_of_writing_gives_what_the_sorted_order_gives(case):
    rule, default, writes, shuffled = case
    assert merged(rule, default, shuffled) == merged(rule, default, sorted(writes, key=lambda one: one[0]))


@given(written())
def test_the_sorted_order_folds_by_the_rule_alone(case):
    rule, default, writes, shuffled = case
    value = default
    for n, (_, write) in enumerate(sorted(writes, key=lambda one: one[0])):
        value = (write if n == 0 else value) if rule == "first" else RULES[rule](value, write)
    assert merged(rule, default, shuffled) == value


@given(written())
def test_neither_the_default_nor_a_write_is_changed(case):
    rule, default, writes, shuffled = case
    before = repr((default, sorted(writes, key=lambda one: one[0])))
    merged(rule, default, shuffled)
    assert repr((default, sorted(writes, key=lambda one: one[0]))) == before


@pytest.mark.parametrize(
    ("rule", "write", "why"),
    [
        ("extend", "text", "`extend` takes array, not string"),
        ("update", [1], "`update` takes object, not array"),
        ("add", "1", "`add` takes number, not string"),
        ("add", True, "`add` takes number, not boolean"),
        ("max", None, "`max` compares numbers, or strings"),
        ("min", {}, "`min` compares numbers, or strings"),
    ],
)
def test_a_write_that_the_rule_cannot_take_is_refused_and_changes_nothing(rule, write, why):
    key = Merged(rule, None)
    assert key.refuses(write).startswith(why)
    with pytest.raises(TypeError, match=rule):
        key.write((0, 0), write)
    assert key.value is None


@pytest.mark.parametrize(
    ("rule", "held", "write"),
    [("max", "a", 1), ("min", 1, "a"), ("add", "x", 1), ("append", {}, 1), ("update", [1], {}), ("union", "a", [1])],
)
def test_a_write_that_does_not_go_with_what_is_there_is_refused(rule, held, write):
    assert Merged(rule, held).refuses(write)


@pytest.mark.parametrize(
    ("declared", "good", "bad"),
    [
        ("integer", 3.0, 3.5),
        ("integer", 3, True),
        ("number", 1, "1"),
        ("string", "", 1),
        ("boolean", False, 0),
        ("array", [], {}),
        ("object", {}, []),
    ],
)
def test_a_write_is_of_the_declared_type_or_null(declared, good, bad):
    key = Merged("last", None, declared)
    assert key.refuses(good) is None
    assert key.refuses(None) is None
    assert key.refuses(bad).startswith(f"it is declared {declared}, and was given ")


def test_a_union_tells_one_from_true():
    assert merged("union", None, [((0, 0), [1, True, 1]), ((0, 1), "a"), ((0, 2), ["a", {"x": 1}])]) == [
        1,
        True,
        "a",
        {"x": 1},
    ]
