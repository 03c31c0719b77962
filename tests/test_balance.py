"""Balance: who of equals is asked."""

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agentical.balance import Load, pick


def test_the_least_busy_is_asked_and_the_earlier_of_equals():
    one, two = Load("one"), Load("two")
    assert pick([one, two]) is one
    one.begin()
    assert pick([one, two]) is two
    two.begin()
    assert pick([one, two]) is one


def test_of_equally_busy_ones_the_quicker_is_asked():
    slow, quick = Load("slow"), Load("quick")
    for load, took in ((slow, 2.0), (quick, 0.1)):
        load.begin()
        load.end(took, failed=False)
    assert pick([slow, quick]) is quick


@given(st.lists(st.tuples(st.none() | st.integers(1, 3), st.integers(0, 4)), max_size=6))
def test_nobody_is_asked_beyond_its_room(members):
    loads = [Load(str(n), room, outstanding) for n, (room, outstanding) in enumerate(members)]
    free = [load for load in loads if load.room is None or load.outstanding < load.room]
    assert pick(loads) in (free or [None])


def simulate(*, asks=800, at_once=8, failing=0, quick=0.01, slow=1.0):
    """Eight members, `at_once` asks at a time; the one at `failing` fails after `quick` seconds, others answer after `slow`."""
    loads = [Load(f"m#{n}") for n in range(8)]
    rng, now, asked, running = random.Random(3), 0.0, [0] * 8, []
    while sum(asked) < asks:
        while len(running) < at_once:
            load = pick(loads)
            load.begin()
            n = loads.index(load)
            asked[n] += 1
            took = quick if n == failing else slow * rng.uniform(0.9, 1.1)
            running.append((now + took, took, n))
        running.sort()
        now, took, n = running.pop(0)
        loads[n].end(took, failed=n == failing)
    return asked


@pytest.mark.parametrize("failing", [0, 3, 7])
@pytest.mark.parametrize("at_once", [4, 8, 16])
def test_a_member_that_fails_fast_gets_few_asks(failing, at_once):
    asked = simulate(failing=failing, at_once=at_once)
    others = [count for n, count in enumerate(asked) if n != failing]
    assert asked[failing] < sum(asked) / 8 / 2
    assert at_once < 8 or max(others) < 2 * min(others)


def test_a_member_that_recovers_is_asked_again():
    load, other = Load("load"), Load("other")
    for _ in range(50):
        load.begin()
        load.end(0.01, failed=True)
    assert pick([load, other]) is other
    other.outstanding = 200_000
    assert pick([load, other]) is load
    for _ in range(30):
        load.begin()
        load.end(0.01, failed=False)
    assert load.failure < 0.01


def test_an_ask_that_was_cut_off_says_nothing_of_the_member():
    load = Load("one", failure=0.5, latency=2.0)
    load.begin()
    load.end(0.0, failed=None)
    assert load == Load("one", failure=0.5, latency=2.0)
