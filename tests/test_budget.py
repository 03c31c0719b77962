"""Budget: how many tasks and how much running time are left."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agentical.budget import Budget
from agentical.errors import BudgetExceeded


@given(st.integers(0, 20), st.integers(0, 20))
def test_as_many_tasks_are_asked_as_the_budget_holds_also_after_a_resume(tasks, asked):
    budget = Budget(tasks, None, asked=asked)
    left = max(0, tasks - asked)
    for _ in range(left):
        budget.charge()
    with pytest.raises(BudgetExceeded, match=f"the budget of {tasks} tasks is used up") as error:
        budget.charge()
    assert (error.value.what, error.value.limit) == ("tasks", tasks)


def test_without_a_limit_nothing_runs_out():
    budget = Budget(None, None)
    for _ in range(1000):
        budget.charge()
    assert budget.asked == 1000
    assert budget.seconds_left(1e9) is None


def test_time_is_counted_while_running_and_never_below_nothing():
    budget = Budget(None, 60.0)
    assert budget.seconds_left(45.5) == 14.5
    assert budget.seconds_left(61.0) == 0.0
