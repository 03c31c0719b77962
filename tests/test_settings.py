"""Settings: from the environment, from keywords, and what is wrong with them."""

import pytest

from agentical.errors import CallInvalid
from agentical.settings import PREFIX, Settings, default_store, read_settings


def test_without_anything_the_defaults_hold():
    assert read_settings({}) == Settings()
    assert (Settings().max_concurrent_agents, Settings().max_concurrent_executions) == (20, 10)


def test_the_environment_sets_and_keywords_come_before_it():
    environment = {"AGENTICAL_MAX_CONCURRENT_AGENTS": "16", "AGENTICAL_STORE": "memory:", "HOME": "/"}
    assert read_settings(environment) == Settings(store="memory:", max_concurrent_agents=16)
    given = read_settings(environment, max_concurrent_agents=4, store=None)
    assert given == Settings(store="memory:", max_concurrent_agents=4)


def test_the_process_environment_is_read_by_itself(monkeypatch):
    monkeypatch.setenv("AGENTICAL_MAX_CONCURRENT_EXECUTIONS", "3")
    assert read_settings().max_concurrent_executions == 3


@pytest.mark.parametrize("value", ["many", "0", "-1", "1.5", ""])
def test_a_wrong_value_names_setting_and_variable(value):
    with pytest.raises(CallInvalid) as error:
        read_settings({"AGENTICAL_MAX_CONCURRENT_AGENTS": value})
    for part in ("max_concurrent_agents", "AGENTICAL_MAX_CONCURRENT_AGENTS", repr(value)):
        assert part in str(error.value)


@pytest.mark.parametrize("value", [0, "x", [1], 2.5])
def test_a_wrong_keyword_names_the_setting(value):
    with pytest.raises(CallInvalid, match="setting max_concurrent_executions"):
        read_settings({}, max_concurrent_executions=value)


def test_an_unknown_keyword_names_the_known():
    with pytest.raises(CallInvalid, match=r"max_agents.*max_concurrent_agents"):
        read_settings({}, max_agents=3)


def test_other_variables_of_the_prefix_are_left_alone():
    assert read_settings({f"{PREFIX}NOCOLOR": "1", "agentical_store": "x"}) == Settings()


def test_monitors_are_names_separated_by_commas():
    assert read_settings({"AGENTICAL_MONITORS": " log, ,other "}).monitor_names == ["log", "other"]


def test_the_store_is_the_nearest_one_upward_or_here(tmp_path):
    deep = tmp_path / "a" / "b"
    deep.mkdir(parents=True)
    assert default_store(deep).startswith(f"sqlite:///{deep}/.agentical/")
    (tmp_path / ".agentical").mkdir()
    assert default_store(deep) == f"sqlite:///{tmp_path}/.agentical/agentical.db"
