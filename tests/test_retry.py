"""Retry: which failures are asked again, how often, and after how long."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agentical.errors import CallInvalid
from agentical.graph import Retry
from agentical.retry import CLASSES, NONE, RETRIED, STANDARD, policy, wait_before

draws = st.floats(0, 1, exclude_max=True)


@given(
    st.integers(0, 100), draws, st.floats(0.001, 100), st.floats(0.001, 1000), st.sampled_from(["exponential", "fixed"])
)
def test_full_jitter_stays_between_nothing_and_the_backoff(retried, draw, delay, most, backoff):
    rule = Retry(limit=retried + 1, delay=delay, max_delay=most, backoff=backoff)
    wait = wait_before({"transient": rule}, "transient", retried, draw)
    bound = min(most, delay * 2.0**retried if backoff == "exponential" else delay)
    assert 0 <= wait < bound
    assert wait == pytest.approx(bound * draw)


@given(st.integers(0, 2000), draws)
def test_without_jitter_the_wait_is_the_backoff_itself(retried, draw):
    rule = Retry(limit=5000, delay=1.0, max_delay=60.0, jitter="none")
    assert wait_before({"bug": rule}, "bug", retried, draw) == min(60.0, 2.0 ** min(retried, 64))


@pytest.mark.parametrize("kind", CLASSES)
def test_each_class_is_retried_up_to_its_own_limit(kind):
    limit = STANDARD[kind].limit if kind in STANDARD else 0
    waits = [wait_before(STANDARD, kind, retried, 0.5) for retried in range(7)]
    assert [wait is not None for wait in waits] == [retried < limit for retried in range(7)]


@given(draws, st.floats(0, 3600))
def test_what_the_server_asks_for_is_waited_for_at_least(draw, after):
    assert wait_before(STANDARD, "rate-limited", 0, draw, after) >= after


def test_the_server_cannot_allow_more_retries_than_the_policy():
    assert wait_before(STANDARD, "rate-limited", 5, 0.5, 1.0) is None
    assert wait_before(NONE, "rate-limited", 0, 0.5, 1.0) is None


def test_a_number_retries_what_may_pass_by_itself():
    assert policy(2, {}) == {kind: Retry(limit=2) for kind in RETRIED}
    assert "bug" not in policy(2, {})


def test_names_are_built_in_or_the_playbooks_own():
    own = {"gently": {"bug": Retry(limit=1)}}
    assert policy(None, own) == policy("none", own) == {}
    assert policy("standard", own) == STANDARD
    assert policy("gently", own) == own["gently"]
    with pytest.raises(CallInvalid, match=r"'gentle'.*none, standard, gently"):
        policy("gentle", own)


def test_rules_hold_for_what_may_pass_and_a_class_adds_its_own():
    read = policy(
        {"limit": 3, "delay": "500ms", "max-delay": "2m", "bug": {"limit": 1}, "transient": {"jitter": "none"}}, {}
    )
    assert read["exhausted"] == Retry(limit=3, delay=0.5, max_delay=120.0)
    assert read["bug"] == Retry(limit=1, delay=0.5, max_delay=120.0)
    assert read["transient"] == Retry(limit=3, delay=0.5, max_delay=120.0, jitter="none")
    assert "denied" not in read


def test_rules_of_one_class_retry_no_other():
    assert policy({"invalid": {"limit": 2}}, {}) == {"invalid": Retry(limit=2)}
