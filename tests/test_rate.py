"""Rate: never more asks within the window than were allowed."""

from hypothesis import given
from hypothesis import strategies as st

from agentical.rate import Bucket


@given(st.integers(1, 10), st.floats(0.1, 60), st.lists(st.floats(0, 20), max_size=60))
def test_no_window_ever_holds_more_asks_than_were_allowed(count, seconds, pauses):
    bucket, now, asks = Bucket(count, seconds), 1000.0, []
    for pause in pauses:
        now += pause
        asks.append(now + bucket.take(now))
    assert asks == sorted(asks)
    for n in range(count, len(asks)):
        assert asks[n] - asks[n - count] >= seconds - 1e-9


@given(st.integers(1, 10), st.floats(0.1, 60))
def test_all_that_is_allowed_may_come_at_once_and_the_next_waits_its_turn(count, seconds):
    bucket = Bucket(count, seconds)
    assert [bucket.take(5.0) for _ in range(count)] == [0.0] * count
    assert abs(bucket.take(5.0) - seconds) < 1e-9


def test_whoever_asks_slowly_enough_never_waits():
    bucket = Bucket(2, 1.0)
    assert [bucket.take(n * 0.5) for n in range(20)] == [0.0] * 20
