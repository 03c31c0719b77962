"""The real clock."""

import re
import time

from agentical.clock import SystemClock


def test_ids_are_short_lower_case_and_no_two_alike():
    ids = {SystemClock().new_id() for _ in range(2000)}
    assert len(ids) == 2000
    assert all(re.fullmatch(r"[a-z0-9]{10}", one) for one in ids)
    assert not set("".join(ids)) & set("01lo")


def test_time_is_the_machines_and_draws_are_below_one():
    clock = SystemClock()
    assert abs(clock.now() - time.time()) < 5
    first = clock.monotonic()
    assert clock.monotonic() >= first
    assert all(0 <= clock.random() < 1 for _ in range(100))
