"""Errors: one tree, as it is drawn; each says what its reader can do."""

import re

import pytest

from agentical import errors
from agentical.errors import AgentError, AgenticalError, CallInvalid, Mistake, PlaybookInvalid, StoreError
from agentical.retry import CLASSES

EXISTING = [
    one
    for one in vars(errors).values()
    if isinstance(one, type) and issubclass(one, AgenticalError) and one is not AgenticalError
]


def drawn():
    """(class, parent) of every name in the tree of the docstring."""
    found, above = [], {0: "AgenticalError"}
    for line in errors.__doc__.splitlines():
        match = re.match(r"((?:│ {3}| {4})*)[├└]── (\w+(?: {1,2}[A-Z]\w+)*)", line)
        if match:
            depth = len(match[1]) // 4
            for name in match[2].split():
                found.append((name, above[depth]))
                above[depth + 1] = name
    return found


def test_the_tree_in_the_docstring_is_the_tree_of_the_classes():
    parents = dict(drawn())
    assert len(parents) == len(drawn())
    assert parents.keys() == {one.__name__ for one in EXISTING}
    for one in EXISTING:
        names = [parent.__name__ for parent in one.__mro__[1:]]
        assert parents[one.__name__] in names


def test_exit_two_is_for_what_is_wrong_with_the_playbook_or_the_call():
    for one in EXISTING:
        wrong = issubclass(one, (PlaybookInvalid, CallInvalid, errors.CodeChanged))
        assert one.exit_status == (2 if wrong else 1)


def test_codes_are_words_in_capitals():
    assert all(re.fullmatch(r"[A-Z]+(_[A-Z]+)*", one.code) for one in EXISTING)


def test_each_failure_class_has_an_error_an_agent_can_raise():
    assert {one.failure_class for one in [AgentError, *AgentError.__subclasses__()]} == set(CLASSES)


def test_mistakes_stand_in_the_order_of_the_file_one_per_line():
    late = Mistake("steps.b", "is wrong.", "Do this.", 9, 3, "p.yaml")
    early = Mistake("", "is wrong too.", "", 2, 1, "p.yaml")
    error = PlaybookInvalid([late, early])
    assert error.mistakes == (early, late)
    assert str(error) == "p.yaml:2:1: playbook: is wrong too.\np.yaml:9:3: steps.b: is wrong. Do this."


@pytest.mark.parametrize(
    ("error", "parts"),
    [
        (errors.ExecutionUnknown("x-1"), ["x-1", "agentical list"]),
        (errors.PluginUnknown("strategy", "paralel", ["parallel"]), ["strategy", "paralel", "There are: parallel."]),
        (errors.TaskFailed("k", "alice", "bug", "it broke"), ["alice", "it broke", "bug"]),
        (errors.ExecutionFailed("x-1", "why"), ["x-1", "why"]),
        (errors.StrategyDiverged("v#1", "k", "another payload"), ["v#1", "k", "another payload", "remember"]),
        (errors.CodeChanged("x-1", ["mine"]), ["x-1", "mine", "--accept-code"]),
        (errors.CrashLoop("v#1"), ["v#1", "--accept-crash-loop"]),
        (errors.BudgetExceeded("tasks", 5), ["5 tasks"]),
        (errors.JournalDamaged("x-1", 7, "its hash"), ["x-1", "7", "its hash"]),
        (errors.OwnershipLost("x-1"), ["x-1"]),
        (errors.ExecutionOwned("x-1", "pid 5"), ["x-1", "pid 5", "--follow"]),
    ],
)
def test_a_message_names_what_it_is_about_and_what_can_be_done(error, parts):
    assert all(part in str(error) for part in parts)


def test_only_an_unavailable_store_can_be_waited_for():
    assert StoreError.recoverable
    assert not errors.JournalDamaged.recoverable
    assert not AgenticalError.recoverable


def test_an_agents_error_carries_when_to_come_back():
    assert errors.RateLimited("slow down", retry_after=2.5).retry_after == 2.5
    assert errors.Transient("again").retry_after is None
