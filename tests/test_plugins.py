"""Plug-ins are found by name and made from options, and everything wrong with these is said at once."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Annotated, Any, ClassVar, Literal

import pytest

from agentical import plugins
from agentical.completion import Completion
from agentical.conditions import Expression
from agentical.errors import CallInvalid, PluginUnknown
from agentical.gather import Gather
from agentical.plugins import OptionsInvalid, build, load, names, options_of, source_hash, version
from agentical.ports import NamedStrategy

STRATEGIES = "agentical.strategies"


@dataclass(frozen=True)
class Voting:
    """A strategy for these tests."""

    outcomes: ClassVar[tuple[str, ...]] = ("agreed",)
    vote: Literal["majority", "plurality"] = "majority"
    rounds: int = 1
    stop_when: Expression | None = None
    complete: Completion | None = None
    gather: Gather | None = None
    pause: Annotated[float, "seconds"] = 0.0
    limit: Annotated[float, "seconds"] | None = None
    workers: Mapping[str, int] = field(default_factory=dict)
    names: tuple[str, ...] = ()
    fallback: NamedStrategy | None = None
    candidates: tuple[NamedStrategy, ...] = ()
    class_: str = "any"

    async def __call__(self, team: Any, payload: Any) -> Any:
        return payload


@dataclass(frozen=True)
class Command:
    argv: tuple[str, ...]
    target: str = ""
    folder: str = ""

    def __post_init__(self) -> None:
        if self.argv == ():
            raise ValueError("argv is empty")


@pytest.fixture
def voting(monkeypatch: pytest.MonkeyPatch) -> None:
    loaded = {"voting": Voting}

    def find(group: str, name: str) -> Any:
        if name not in loaded:
            raise PluginUnknown("strategy", name, tuple(loaded))
        return loaded[name]

    monkeypatch.setattr(plugins, "load", find)


def problems(options: Mapping[str, Any], plugin: type[Any] = Voting, **given: Any) -> list[tuple[str, str, str]]:
    with pytest.raises(OptionsInvalid) as caught:
        build(plugin, options, **given)
    return list(caught.value.problems)


def test_the_seven_strategies_are_known_by_name() -> None:
    ours = {"parallel", "sequential", "pipeline", "scatter-gather", "consensus", "hierarchical", "adaptive"}
    assert ours <= set(names(STRATEGIES))


def test_an_unknown_plugin_is_refused_with_the_nearest_name() -> None:
    with pytest.raises(PluginUnknown, match=r"no strategy is called 'paralel'\. Did you mean `parallel`\?"):
        load(STRATEGIES, "paralel")


def test_an_optional_plugin_that_is_not_installed_says_how_to_install_it(monkeypatch: pytest.MonkeyPatch) -> None:
    def missing() -> None:
        raise ImportError("No module named 'pydantic_ai'")

    point = SimpleNamespace(load=missing, module="agentical.agents.llm")
    monkeypatch.setattr(plugins, "_own", lambda: {("agentical.agents", "llm"): point})
    load.cache_clear()
    with pytest.raises(PluginUnknown, match=r"pip install 'agentical\[llm\]'"):
        load("agentical.agents", "llm")
    load.cache_clear()


def test_a_plugin_is_looked_up_once(monkeypatch: pytest.MonkeyPatch) -> None:
    looked = []
    point = SimpleNamespace(load=lambda: looked.append(1), module="here")
    monkeypatch.setattr(plugins, "_own", lambda: {("agentical.stores", "once"): point})
    load("agentical.stores", "once")
    load("agentical.stores", "once")
    assert len(looked) == 1


def test_a_plugin_of_ours_is_found_without_searching_everything_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    def search(group: str) -> None:
        raise AssertionError(group)

    monkeypatch.setattr(plugins, "_all", search)
    assert (STRATEGIES, "parallel") in plugins._own()
    monkeypatch.setattr(plugins, "_own", lambda: {("agentical.stores", "near"): SimpleNamespace(load=lambda: "found")})
    assert load("agentical.stores", "near") == "found"


def test_the_hash_is_of_the_source_file_and_the_same_for_class_and_instance() -> None:
    assert source_hash(Voting) == source_hash(Voting()) != source_hash(Completion)
    assert len(source_hash(Voting)) == 16


def test_what_has_no_source_file_has_a_hash_all_the_same() -> None:
    assert len(source_hash(len)) == 16


def test_the_version_is_that_of_the_distribution() -> None:
    assert version(Completion) == version(Completion()) != ""
    assert version(pytest.raises) == pytest.__version__
    assert version(Voting) == ""


def test_the_options_are_the_fields_of_the_dataclass() -> None:
    options = options_of(Voting)
    assert "outcomes" not in options
    assert not options["rounds"].required
    assert options["rounds"].default == 1
    assert options_of(Command)["argv"].required


def test_what_is_not_a_dataclass_has_no_options() -> None:
    with pytest.raises(CallInvalid, match="not a dataclass"):
        options_of(int)


def test_values_are_converted_to_the_types_of_the_fields() -> None:
    made = build(
        Voting,
        {
            "vote": "plurality",
            "stop_when": "answer.done",
            "complete": "quorum(90%)",
            "gather": "top(3)",
            "pause": "1m30s",
            "limit": "500ms",
            "workers": {"a": 2},
            "names": ["a", "b"],
        },
    )
    assert made.stop_when == Expression.parse("answer.done")
    assert made.complete == Completion.parse("quorum(90%)")
    assert made.gather == Gather.parse("top(3)")
    assert (made.pause, made.limit) == (90.0, 0.5)
    assert (made.workers, made.names) == ({"a": 2}, ("a", "b"))


def test_a_duration_may_be_a_number_too() -> None:
    assert build(Voting, {"pause": 2, "limit": None}).pause == 2


def test_everything_wrong_is_said_at_once() -> None:
    found = problems({"vote": "majorty", "ronds": 2, "rounds": "2", "pause": "soon", "complete": "most"})
    assert [name for name, _, _ in found] == ["vote", "ronds", "rounds", "pause", "complete"]
    assert found[1][1:] == ("there is no option `ronds`.", "Did you mean `rounds`?")


def test_names_are_shown_as_the_author_writes_them() -> None:
    assert problems({"stop_wen": "x"})[0][2] == "Did you mean `stop-when`?"


def test_an_option_named_like_a_word_of_python_is_written_without_its_underscore() -> None:
    assert build(Voting, {"class": "big"}).class_ == "big"


def test_a_missing_option_is_named() -> None:
    assert problems({}, Command) == [("argv", "`argv` is missing.", "")]


def test_what_the_class_itself_refuses_is_a_problem_without_a_name() -> None:
    assert problems({"argv": []}, Command) == [("", "argv is empty.", "")]


def test_what_is_given_is_not_an_option() -> None:
    assert build(Command, {"argv": ["ls"]}, target="x", folder="/", unknown=1) == Command(("ls",), "x", "/")
    assert problems({"argv": ["ls"], "target": "y"}, Command, target="x")[0][0] == "target"


@pytest.mark.usefixtures("voting")
def test_a_strategy_within_options_is_built_by_name() -> None:
    made = build(Voting, {"fallback": "voting", "candidates": [{"type": "voting", "stop-when": "true", "rounds": 3}]})
    assert made.fallback == NamedStrategy("voting", Voting())
    assert made.candidates[0].run == Voting(stop_when=Expression.parse("true"), rounds=3)
    assert made.candidates[0].options == {"stop_when": "true", "rounds": 3}


@pytest.mark.usefixtures("voting")
def test_a_mistake_within_an_inner_strategy_names_both_options() -> None:
    found = problems({"fallback": {"type": "voting", "ronds": 2}})
    assert found == [("fallback.ronds", "there is no option `ronds`.", "Did you mean `rounds`?")]


@pytest.mark.usefixtures("voting")
@pytest.mark.parametrize("written", [{"rounds": 1}, 7, "vote"])
def test_an_inner_strategy_that_is_none_is_refused(written: Any) -> None:
    assert problems({"fallback": written})[0][0] == "fallback"


def test_looking_up_plugins_loads_no_pydantic() -> None:
    code = "import sys, agentical.plugins as p; p.names('agentical.strategies'); print('pydantic' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"
