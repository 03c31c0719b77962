"""Graphs of several steps: conditions, joins, loops, for-each, state; run again from every prefix of their journals."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from cases import ID, of_yaml, run_prepared
from crews import Crew, fakes
from journals import SlowStore, answered, cut, entries_of
from virtual import run

from agentical.ports import Edge
from agentical.stores.memory import MemoryStore

HEAD = "schema: agentical/v1\nname: graph\n"
AGENTS = """
agents: {add: python:math.floor, double: python:math.floor, judge: python:math.floor, bad: python:math.floor,
         many: {uses: python:math.floor, replicas: 3}}
"""

LOOP = """
state: {tries: {type: integer, merge: add, default: 0}, seen: {type: array, merge: append, default: []}}
steps:
  draft: {needs: [], agent: add, with: {n: "${{ state.tries }}"}, set: {tries: 1, seen: "${{ output }}"}, next: judge}
  judge:
    agent: judge
    with: {n: "${{ state.tries }}"}
    next: {again: draft, good: publish}
  publish: {agent: double, with: {n: "${{ state.tries }}"}}
outputs: {published: "${{ steps.publish.output }}", seen: "${{ state.seen }}", tries: "${{ state.tries }}"}
"""
DIAMOND = """
state: {notes: {type: array, merge: append, default: []}, most: {type: integer, merge: max, default: 0}}
steps:
  start: {agent: add, with: {n: 1}}
  left: {agent: add, with: {n: "${{ steps.start.output }}"}, set: {notes: "${{ output }}", most: "${{ output }}"}}
  right: {agent: double, with: {n: "${{ steps.start.output }}"}, set: {notes: "${{ output }}", most: "${{ output }}"}}
  never: {agent: bad, if: steps.start.output > 100, with: {n: 1}}
  after_never: {needs: [never], agent: add, with: {n: 1}}
  joined: {needs: [left, right, never], agent: double, with: {n: "${{ state.most }}"}}
  at_once: {needs: [left, right], join: any, agent: add, with: {n: 5}}
outputs: {joined: "${{ steps.joined.output }}", notes: "${{ state.notes }}", never: "${{ steps.after_never.status }}", at_once: "${{ steps.at_once.output }}"}
"""
ITEMS = """
state: {total: {type: integer, merge: add, default: 0}}
steps:
  numbers: {agent: many, for-each: [1, 2, 3, 4, 5], with: {n: "${{ item * 2 }}"}, gather: sum, set: {total: "${{ output }}"}}
  none: {agent: many, for-each: []}
  more: {agent: many, for-each: "${{ [state.total, 7] }}", needs: [numbers], with: {n: "${{ item }}"}, set: {total: "${{ size(output) }}"}}
outputs: {more: "${{ steps.more.output }}", none: "${{ steps.none.output }}", total: "${{ state.total }}"}
"""
CAUGHT = """
steps:
  risky: {agent: bad, with: {n: 1}, next: {error: mend}}
  mend: {agent: add, with: {n: 40}}
  after: {needs: [risky], if: always(), agent: double, with: {n: 4}}
  stop: {needs: [mend, after], end: completed}
  late: {needs: [mend, after], agent: add, with: {n: 1}}
outputs: {mended: "${{ steps.mend.output }}", after: "${{ steps.after.output }}"}
"""
EXPECTED: dict[str, tuple[str, Any]] = {
    "loop": (LOOP, {"published": 6, "seen": [1, 2, 3], "tries": 3}),
    "diamond": (DIAMOND, {"joined": 8, "notes": [3, 4], "never": "skipped", "at_once": 6}),
    "items": (ITEMS, {"more": [36, 8], "none": [], "total": 37}),
    "caught": (CAUGHT, {"mended": 41, "after": 8}),
}


def agents(crew: Crew) -> dict[str, Callable[..., Any]]:
    def fail(payload: Any) -> Any:
        raise ValueError("bound to fail")

    return {
        "add": crew.member("add", lambda payload: payload["n"] + 1),
        "double": crew.member("double", lambda payload: payload["n"] * 2),
        "judge": crew.member("judge", lambda payload: Edge("good" if payload["n"] >= 3 else "again", payload["n"])),
        "many": crew.member("many", lambda payload: payload["n"] + 1),
        "bad": crew.member("bad", fail),
    }


@pytest.mark.parametrize("name", EXPECTED)
def test_a_graph_gives_the_same_from_every_prefix_of_its_journal(name: str, tmp_path: Path) -> None:
    text, expected = EXPECTED[name]

    async def main() -> None:
        source, first = SlowStore(), Crew()
        whole = of_yaml(tmp_path / "graph.yaml", HEAD + AGENTS + text, agents(first), {})
        done = await run_prepared(whole, source)
        assert (done.status, done.error) == ("completed", None)
        outputs = done.outputs
        assert outputs == expected
        entries = await entries_of(source, ID)
        for count in range(len(entries)):
            known, crew, store = answered(entries[:count]), Crew(seed=count + 1), MemoryStore()
            await cut(source, ID, count, store)
            done = await run_prepared(replace(whole, fakes=fakes(agents(crew))), store)
            assert done.outputs == outputs, count
            assert not known & set(crew.calls)

    run(main())


@pytest.mark.parametrize("seed", range(4))
def test_state_is_merged_in_declared_order_whoever_is_faster(seed: int, tmp_path: Path) -> None:
    async def main() -> None:
        prepared = of_yaml(tmp_path / "graph.yaml", HEAD + AGENTS + DIAMOND, agents(Crew(seed)), {})
        done = await run_prepared(prepared, SlowStore(seed))
        assert done.outputs["notes"] == [3, 4]

    run(main())
