"""Reading a text: every mistake has its place, and no text at all does worse than be refused."""

import json
import time

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from agentical.errors import PlaybookInvalid
from agentical.parser import MOST_BYTES, parse, read

PLAYBOOK = """\
# yaml-language-server: $schema=x
name: small
agents:
  scan: &scan {uses: "python:a.scan", timeout: 30s}
  again: {<<: *scan, replicas: 2}
steps:
  files: {agent: scan, with: {path: "${{ inputs.path }}", deep: [1, 2.5, null, true]}}
  judge:
    needs: [files]
    team: [scan, again]
    strategy: {type: consensus, vote: majority}
    with: |
      text
    timeout: 1h30m
"""
JSON = json.dumps({"name": "small", "agents": {"a": "python:m.f"}, "steps": [{"id": "one", "agent": "a"}]}, indent="\t")


def refused(text, file="p.yaml"):
    with pytest.raises(PlaybookInvalid) as caught:
        parse(text, file)
    return [str(mistake) for mistake in caught.value.mistakes]


def test_yaml_and_json_are_the_same_tree():
    tree = {"name": "x", "agents": {"a": {"uses": "command", "argv": ["ls", "é"]}}, "steps": {"s": {"agent": "a"}}}
    as_json = parse(json.dumps(tree)).playbook
    assert as_json == parse(json.dumps(tree).replace('"name": "x"', "name: x")).playbook
    assert as_json.agents["a"].options == {"argv": ["ls", "é"]}


def test_a_file_is_read_with_its_name_and_bytes(tmp_path):
    file = tmp_path / "p.yaml"
    file.write_text(PLAYBOOK)
    parsed = read(file)
    assert (parsed.playbook.name, parsed.file, parsed.text) == ("small", str(file), PLAYBOOK.encode())


def test_a_file_that_cannot_be_read_is_a_mistake(tmp_path):
    with pytest.raises(PlaybookInvalid, match="cannot be read: No such file"):
        read(tmp_path / "none.yaml")
    with pytest.raises(PlaybookInvalid, match="cannot be read"):
        read("a\0b")
    with pytest.raises(PlaybookInvalid, match="cannot be read"):
        read(tmp_path)


def test_later_checks_place_their_mistakes():
    parsed = parse(PLAYBOOK, "p.yaml")
    assert (
        str(parsed.mistake(("steps", "judge", "team", 1), "gone.", "Why?"))
        == "p.yaml:10:18: steps.judge.team.1: gone. Why?"
    )
    assert parsed.where(("steps", "judge")) == (8, 3)
    assert parsed.where(("steps", "judge", "timeout")) == (14, 14)
    assert parsed.where(("steps", "judge", "timeout"), key=True) == (14, 5)
    assert parsed.where(("steps", "judge", "nowhere", 3)) == (8, 3)
    assert parsed.where(()) == (2, 1)


def test_merge_keys_and_aliases_are_followed():
    agents = parse(PLAYBOOK).playbook.agents
    assert (agents["again"].uses, agents["again"].timeout, agents["again"].replicas) == ("python:a.scan", 30.0, 2)


def test_the_nearest_of_merged_keys_counts():
    text = "name: x\nagents:\n  one: &one {uses: 'python:a.a', cost: 1}\n"
    text += "  two: {cost: 3, <<: [*one, {weight: 2, cost: 9}], uses: 'python:c.c'}\nsteps: {s: {agent: one}}\n"
    two = parse(text).playbook.agents["two"]
    assert (two.uses, two.cost, two.weight) == ("python:c.c", 3, 2)


def test_scalars_follow_yaml_1_2():
    text = "[on, no, yes, 12:30:45, 2024-01-01, 0o17, 0x1F, 0123, 1_000, 1e3, .5, ~, '1', !!str 1, <<, null, True, '']"
    payload = parse(f"name: x\nsteps: {{a: {{agent: a, with: {text}}}}}").playbook.steps["a"].payload
    assert payload == [
        "on", "no", "yes", "12:30:45", "2024-01-01", 15, 31, 123, "1_000", 1000.0, 0.5, None, "1", "1", "<<", None, True, "",
    ]  # fmt: skip
    assert parse("name: x\nsteps: {a: {agent: a, next: {on: b, no: c}}}").playbook.steps["a"].next == {
        "on": "b",
        "no": "c",
    }


def test_all_mistakes_are_told_at_once_in_the_order_of_the_file():
    text = "name: Bad\nsteps:\n  a: {agnet: x}\n  b:\n    agent: a\n    timeout: 30\n    frob: 1\n  end: {agent: a}\n"
    id_hint = "Use small letters, digits and _, starting with a letter, and no word of the expression language."
    unit_hint = "Write a number and its unit, such as 500ms, 30s, 2m or 1h30m."
    assert refused(text) == [
        "p.yaml:1:7: name: `Bad` is not a name. Use small letters, digits and -.",
        "p.yaml:3:7: steps.a.agnet: unknown key. Did you mean `agent`?",
        f"p.yaml:6:14: steps.b.timeout: must be a duration above zero, not `30`. {unit_hint}",
        "p.yaml:7:5: steps.b.frob: unknown key.",
        f"p.yaml:8:3: steps.end: `end` is not an id for a step. {id_hint} Not `end` or `fail`, either.",
    ]


def test_mistakes_in_json_have_their_places():
    text = JSON.replace('"agent": "a"', '"agent": "a", "timeout": 3, "agent": "b"')
    assert [line.split(" ", 2)[:2] for line in refused(text, "p.json")] == [
        ["p.json:9:29:", "steps.0.timeout:"],
        ["p.json:9:32:", "steps.0.agent:"],
    ]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "p.yaml:1:1: playbook: is empty."),
        ("# only this\n", "p.yaml:1:1: playbook: is empty."),
        ("- x", "p.yaml:1:1: playbook: a playbook is a mapping, not a list."),
        ("name: x\nname: y\nsteps: {a: {agent: a}}", "p.yaml:2:1: name: this key was given before, in line 1."),
        ("name: x\nsteps: {a: {agent: a, with: {b: 1, b: 2}}}", "p.yaml:2:36: steps.a.with.b: this key was given before"),
        ("name: x\nsteps: {a: {agent: a, with: {1: 2}}}", "p.yaml:2:30: steps.a.with: a key is text, not `1`. Put it in quotes."),
        ("name: x\nsteps: {a: {agent: a, with: {[1]: 2}}}", "p.yaml:2:30: steps.a.with: a key is text, not a list."),
        ("name: x\nsteps: {a: {agent: a, with: *x}}", "steps.a.with: `*x` repeats nothing"),
        ("name: x\nsteps: {a: {agent: a, with: &x [*x]}}", "steps.a.with.0: `*x` stands inside what it repeats."),
        ("name: x\nsteps: {a: {agent: a, with: !!binary aa}}", "steps.a.with: the tag `!!binary` is not part of the language."),
        ("name: x\nsteps: {a: {<<: 3, agent: a}}", "steps.a: `<<` takes mappings, not `3`."),
        ("name: x\nsteps: {a: {agent: a, with: .inf}}", "steps.a.with: `.inf` is not a number that fits in 64 bits."),
        ("name: x\nsteps: {a: {agent: a, with: 9223372036854775808}}", "is not a number that fits in 64 bits."),
        (f"name: x\nsteps: {{a: {{agent: a, with: {'9' * 5000}}}}}", "is not a number that fits in 64 bits."),
        ('{"name": "x", "steps": {"a": {"agent": "a", "with": NaN}}}', "p.yaml:1:53: steps.a.with: `NaN` is not a number"),
        ('{"name": "x", "steps": {"a": {"agent": "a", "with": 1e999}}}', "`1e999` is not a number"),
        ('{"name": "x", "steps": {"a": {"agent": "a", "with": "\\ud800"}}}', "holds half of a surrogate pair."),
        ("a: 1\n---\nb: 2\n", "p.yaml:2:1: playbook: holds a second document."),
        ("a: [1,\nb", "p.yaml:1:4: playbook: is not YAML: what begins here does not end."),
        ("a: [1,\nb: }\nc", "p.yaml:2:4: playbook: is not YAML"),
        ("a: b: c", "p.yaml:1:5: playbook: is not YAML: a second `: ` in one line"),
        ("a:\n\t- b", "p.yaml:2:1: playbook: is not YAML: a tab"),
        ("é: \x07", "p.yaml:1:4: playbook: holds a control character."),
        (b"name: x\n\xc3\xa9\xff", "p.yaml:2:2: playbook: is not UTF-8: byte 10 is wrong."),
        ("name: \ud800", "is not UTF-8"),
        ("[" * 5000, "p.yaml:1:101: playbook: is nested deeper than 100 levels."),
        ('{"a":' * 5000, "p.yaml:1:501: playbook: is nested deeper than 100 levels."),
        ("- " * 5000, "playbook: is nested deeper than 100 levels."),
        ("workflow: [{a: {}}]", "p.yaml:1:1: workflow: node workflows do not run in this version yet."),
        ("name: x\nsteps: [{id: a, agent: b}, {id: a, agent: b}]", "p.yaml:2:33: steps.1.id: `a` is the id of an earlier step, too."),
        ("name: x\nsteps: {a: {team: [b, c, b]}}", "p.yaml:2:26: steps.a.team.2: `b` is in the team twice."),
    ],
)  # fmt: skip
def test_what_is_wrong_with_a_text_is_said_where_it_is(text, said):
    assert any(said in line for line in refused(text))


def test_broken_json_is_called_json():
    assert refused('{"name": }', "p.json") == ["p.json:1:10: playbook: is not JSON: Expecting value."]


def test_a_byte_order_mark_is_no_mistake():
    assert parse(b"\xef\xbb\xbf" + PLAYBOOK.encode()).playbook.name == "small"


def test_a_file_over_16_mib_is_refused_at_once():
    assert "is larger than 16 MiB." in refused("#" * (MOST_BYTES + 1))[0]


@pytest.mark.parametrize(
    "text",
    [
        "x: &a [1,1,1,1,1,1,1,1,1,1]\n"
        + "".join(f"y{n}: &b{n} [{', '.join([f'*b{n - 1}' if n else '*a'] * 10)}]\n" for n in range(9)),
        "x: &a {k: 1}\n"
        + "".join(f"y{n}: &b{n} {{<<: [{', '.join([f'*b{n - 1}' if n else '*a'] * 10)}]}}\n" for n in range(9)),
    ],
)
def test_alias_and_merge_bombs_are_refused_quickly(text):
    before = time.perf_counter()
    assert "aliases repeat more than 100,000 values." in refused(text)[0]
    assert time.perf_counter() - before < 20


def test_aliases_count_for_the_depth():
    text = "x: &a0 []\n" + "".join(f"y{n}: &a{n} [*a{n - 1}]\n" for n in range(1, 200))
    assert "is nested deeper than 100 levels." in refused(text)[0]


def test_ten_thousand_steps_are_read_in_bounded_time():
    steps = "".join(
        f"  s{n}:\n    agent: a\n    needs: [s0]\n    with: {{x: {n}}}\n    timeout: 30s\n" for n in range(10_000)
    )
    before = time.process_time()
    assert len(parse(f"name: x\nagents: {{a: command}}\nsteps:\n{steps}").playbook.steps) == 10_000
    assert time.process_time() - before < 30


def test_text_without_end_is_matched_without_end_of_patience():
    before = time.process_time()
    for rule in (
        "complete: 'best(" + "x " * 500_000 + "'",
        "if: '" + " " * 1_000_000 + "'",
        "for-each: '" + "}} " * 300_000 + "'",
    ):
        refused(f"name: x\nsteps: {{a: {{agent: a, {rule}}}}}")
    assert time.process_time() - before < 50


PIECES = ["{", "}", "[", "]", ":", ": ", ",", "-", "- ", "\n", "\t", "*scan", "&a ", "<<", "!!str ", "|", ">", "?", '"', "'", "#", "%", "@",
          "null", "~", "1e999", "NaN", "\\ud800", "---\n", "...", "\0", "\ufeff", "end", "steps", "agent", "${{", "}}", "\U0001f600"]  # fmt: skip


def is_read_or_refused(text):
    try:
        assert parse(text).playbook.name is not None
    except PlaybookInvalid as invalid:
        for mistake in invalid.mistakes:
            assert mistake.line >= 1
            assert mistake.column >= 1
            assert "pydantic" not in str(mistake)
            assert "Input should" not in str(mistake)


@st.composite
def spoilt(draw, texts, pieces):
    text = draw(st.sampled_from(texts))
    for _ in range(draw(st.integers(1, 4))):
        start = draw(st.integers(0, len(text)))
        end = min(len(text), start + draw(st.sampled_from([0, 0, 1, 2, 5, 30])))
        text = text[:start] + draw(pieces) + text[end:]
    return text


@settings(max_examples=400, deadline=2000, suppress_health_check=[HealthCheck.too_slow])
@given(spoilt([PLAYBOOK, JSON], st.one_of(st.sampled_from(PIECES), st.text(max_size=5))))
def test_a_spoilt_text_is_read_or_refused(text):
    is_read_or_refused(text)


@settings(max_examples=200, deadline=2000, suppress_health_check=[HealthCheck.too_slow])
@given(spoilt([PLAYBOOK.encode(), JSON.encode()], st.binary(max_size=4)))
def test_spoilt_bytes_are_read_or_refused(data):
    is_read_or_refused(data)


@settings(max_examples=200, deadline=2000)
@given(st.one_of(st.text(), st.binary()))
@example("<<: a")
@example("? a")
@example("{? [a, b] : c}")
@example("&a *a")
@example("{")
def test_any_text_is_read_or_refused(text):
    is_read_or_refused(text)


JSON_VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**63 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
)


@settings(max_examples=200, deadline=2000)
@given(JSON_VALUES, st.sampled_from([None, "\t", 2]), st.booleans())
def test_json_values_arrive_as_they_were_written(value, indent, ascii_only):
    text = json.dumps(
        {"name": "x", "steps": {"a": {"agent": "a", "with": value}}}, indent=indent, ensure_ascii=ascii_only
    )
    assert parse(text, "p.json").playbook.steps["a"].payload == value
