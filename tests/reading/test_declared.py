"""What a playbook declares: agents, inputs, secrets."""

from agentical.parser import parse
from agentical.playbook import Playbook

DECLARED = """
name: declared
inputs:
  path:  {type: string, default: "."}
  deep:  {type: object, required: [x], minProperties: 1}
  maybe: {type: integer, required: false}
secrets: {one: "env:ONE", two: {env: TWO}, three: {file: /run/three}}
agents:
  walker:  python:audit_agents.list_files
  scanner: {uses: "python:audit_agents.scan", replicas: 4, timeout: 30s, executor: processes, rate: 10/1m}
steps: {a: {agent: walker}}
"""


def example() -> Playbook:
    return parse(DECLARED).playbook


def test_an_agents_short_form_is_its_uses():
    walker = example().agents["walker"]
    assert (walker.uses, walker.kind, walker.target) == (
        "python:audit_agents.list_files",
        "python",
        "audit_agents.list_files",
    )


def test_own_keys_of_a_kind_are_kept_apart_from_the_common_ones():
    scanner = example().agents["scanner"]
    assert scanner.options == {"executor": "processes"}
    assert (scanner.replicas, scanner.timeout, scanner.rate) == (4, 30.0, (10, 60.0))


def test_secrets_are_places_in_one_form():
    assert example().secrets == {"one": "env:ONE", "two": "env:TWO", "three": "file:/run/three"}


def test_an_input_is_a_json_schema_and_whether_it_must_be_given():
    inputs = example().inputs
    assert inputs["path"].json_schema() == {"type": "string"}
    assert inputs["deep"].json_schema() == {"type": "object", "required": ["x"], "minProperties": 1}
    assert inputs["maybe"].json_schema() == {"type": "integer"}
    assert [inputs[name].must_be_given for name in ("path", "deep", "maybe")] == [False, True, False]
