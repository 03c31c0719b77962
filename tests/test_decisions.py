"""Decisions: the rules of the playbook format, one at a time, on small playbooks."""

import json

import pytest
from lives import code, live, payload, statuses, visits
from msgspec import Raw

from agentical import events as ev
from agentical.events import Failure

# needs and if


def test_a_failed_step_stops_what_needs_it_and_nothing_else():
    life = live("{a: {}, b: {needs: [a]}, c: {}, d: {needs: [b]}, e: {needs: [c]}}", {"a": ["failed"]})
    assert statuses(life) == {"a": "failed", "b": "skipped", "c": "completed", "d": "skipped", "e": "completed"}
    assert code(life) == "TASK_FAILED"
    assert life.ended.step == "a"


def test_skipped_and_cancelled_needs_do_not_count_but_one_must_have_completed():
    life = live("{a: {}, b: {if: 'false'}, c: {needs: [a, b]}, d: {needs: [b]}}")
    assert statuses(life) == {"a": "completed", "b": "skipped", "c": "completed", "d": "skipped"}
    life = live("{a: {}, b: {}, c: {needs: [a, b]}, d: {needs: [b]}}", {"b": ["cancelled"]})
    assert statuses(life) == {"a": "completed", "b": "cancelled", "c": "completed", "d": "skipped"}


@pytest.mark.parametrize(
    ("condition", "after"),
    [
        ("always()", {"failed": 1, "cancelled": 1, "ok": 1}),
        ("success()", {"failed": 0, "cancelled": 0, "ok": 1}),
        ("failed()", {"failed": 1, "cancelled": 0, "ok": 0}),
        ("cancelled()", {"failed": 0, "cancelled": 1, "ok": 0}),
        ("steps.a.status == 'failed'", {"failed": 1, "cancelled": 0, "ok": 0}),
        ("true", {"failed": 0, "cancelled": 0, "ok": 1}),
        ("!failed()", {"failed": 0, "cancelled": 1, "ok": 1}),
    ],
)
def test_with_a_status_in_it_the_condition_alone_decides(condition, after):
    for result, starts in after.items():
        life = live(f'{{a: {{}}, b: {{needs: [a], if: "{condition}"}}}}', {"a": [result]})
        assert statuses(life)["b"] == ("completed" if starts else "skipped"), result


def test_a_need_that_left_by_an_edge_counts_as_skipped_also_for_status_functions():
    steps = "{a: {next: {error: fix, ok: fix}}, fix: {}, b: {needs: [a], if: 'failed()'}, c: {needs: [a]}, d: {needs: [a], if: 'success()'}}"
    for result in ("failed", "ok"):
        life = live(steps, {"a": [result]})
        assert statuses(life)["fix"] == "completed"
        assert (statuses(life)["b"], statuses(life)["c"], statuses(life)["d"]) == ("skipped", "skipped", "completed")


@pytest.mark.parametrize("seed", range(5))
def test_a_join_starts_with_enough_completed_needs_whatever_the_others_do(seed):
    steps = "{a: {}, b: {}, c: {}, d: {needs: [a, b, c], join: first(2)}, e: {needs: [a, b], join: any}}"
    assert statuses(live(steps, {"a": ["failed"]}, seed=seed))["d"] == "completed"
    life = live(steps, {"a": ["failed"], "b": ["failed"]}, seed=seed)
    assert (statuses(life)["d"], statuses(life)["e"]) == ("skipped", "skipped")
    journal = [entry.event for entry in live(steps, seed=seed).journal]
    began = next(n for n, one in enumerate(journal) if isinstance(one, ev.VisitStarted) and one.step == "d")
    assert sum(isinstance(one, ev.StepCompleted) and one.step in "abc" for one in journal[:began]) >= 2


def test_a_condition_that_cannot_be_evaluated_fails_its_step():
    life = live("{a: {}, b: {needs: [a], if: 'steps.a.output > 3'}}")
    assert statuses(life)["b"] == "failed"
    assert code(life) == "EXPRESSION_FAILED"


# next


@pytest.mark.parametrize(
    ("next", "result", "to"),
    [
        ("b", "anything", "b"),
        ("b", "failed", None),
        ("{ok: b, else: c}", "ok", "b"),
        ("{ok: b, else: c}", "other", "c"),
        ("{ok: b, else: c}", "failed", None),
        ("{error: b, else: c}", "failed", "b"),
        ("{error: b}", "ok", None),
        ("[{if: output == 'ok', to: b}, {to: c}]", "ok", "b"),
        ("[{if: output == 'ok', to: b}, {to: c}]", "no", "c"),
        ("end", "ok", "end"),
    ],
)
def test_an_edge_is_chosen_by_outcome_or_by_condition(next, result, to):
    life = live(f"{{a: {{next: {next}}}, b: {{needs: []}}, c: {{needs: []}}}}", {"a": [result]})
    ended = next_event(life, "a")
    assert ended.to == to


def next_event(life, step):
    return next(
        entry.event for entry in life.journal
        if isinstance(entry.event, ev.StepCompleted | ev.StepFailed | ev.StepSkipped) and entry.event.step == step
    )  # fmt: skip


@pytest.mark.parametrize("next", ["{good: b}", "[{if: output == 'good', to: b}]"])
def test_where_no_edge_fits_there_is_no_branch(next):
    life = live(f"{{a: {{next: {next}}}, b: {{}}}}", {"a": ["odd"]})
    assert code(life) == "NO_BRANCH"
    assert statuses(life) == {"a": "failed", "b": "skipped"}


def test_a_branch_not_taken_is_skipped_at_once_and_what_joins_both_goes_on():
    life = live("{a: {next: {x: b, else: c}}, b: {}, c: {}, d: {needs: [b, c]}}", {"a": ["x"]})
    assert statuses(life) == {"a": "completed", "b": "completed", "c": "skipped", "d": "completed"}


def test_one_visit_per_arrival():
    life = live("{a: {next: c}, b: {next: c}, c: {}, d: {needs: [c]}}")
    assert sorted(visits(life)) == ["a#1", "b#1", "c#1", "c#2", "d#1"]
    assert visits(life)[-1] == "d#1"


def test_an_edge_carries_the_output_and_an_error():
    life = live("{a: {next: b}, b: {}}", {"a": [{"n": 1}]})
    assert payload(life, "b#1") == '{"n":1}'
    life = live("{a: {next: {error: b}}, b: {}}", {"a": ["failed"]})
    assert payload(life, "b#1") == '{"class":"bug","code":"TASK_FAILED","message":"it broke"}'
    assert life.ended == ev.ExecutionCompleted(Raw(b'{"b":"ok"}'))


def test_led_to_fail_the_execution_fails_when_all_else_has_ended():
    life = live("{a: {next: fail}, b: {}, c: {needs: [b]}}")
    assert code(life) == "LED_TO_FAIL"
    assert statuses(life)["c"] == "completed"


def test_a_skipped_step_may_leave_by_an_edge_of_its_own():
    life = live("{a: {if: 'false', next: {skipped: b}}, b: {}}")
    assert statuses(life) == {"a": "skipped", "b": "completed"}


def test_a_jump_forward_in_a_list_passes_what_lies_between():
    life = live("[{id: a, next: {x: c, else: b}}, {id: b}, {id: c}, {id: d}]", {"a": ["x"]})
    assert statuses(life) == {"a": "completed", "b": "skipped", "c": "completed", "d": "completed"}
    assert visits(life) == ["a#1", "c#1", "d#1"]
    assert payload(life, "c#1") == '"x"'


def test_a_step_that_an_edge_led_to_does_not_start_a_second_time_by_itself():
    life = live("[{id: a, next: b}, {id: b, if: always()}, {id: c}]")
    assert visits(life) == ["a#1", "b#1", "c#1"]


@pytest.mark.parametrize("seed", range(3))
def test_a_step_that_may_lead_back_to_what_it_needs_is_not_stuck(seed):
    life = live("[{id: a, next: b}, {id: b, next: {again: a, ok: end}}]", {"b": ["again", "ok"]}, seed=seed)
    assert visits(life) == ["a#1", "b#1", "a#2", "b#2"]
    assert isinstance(life.ended, ev.ExecutionCompleted)


# loops and limits


def test_a_loop_runs_until_its_edge_leads_on():
    life = live("{a: {needs: [], next: b}, b: {next: {again: a, ok: c}}, c: {}}", {"b": ["again", "again", "ok"]})
    assert visits(life) == ["a#1", "b#1", "a#2", "b#2", "a#3", "b#3", "c#1"]


def test_beyond_max_visits_the_outcome_is_exhausted_or_the_step_fails():
    life = live("{a: {needs: [], max-visits: 2, next: {exhausted: b, else: a}}, b: {}}")
    assert visits(life) == ["a#1", "a#2", "b#1"]
    assert isinstance(life.ended, ev.ExecutionCompleted)
    life = live("{a: {needs: [], max-visits: 2, next: a}}")
    assert (visits(life), code(life)) == (["a#1", "a#2"], "VISIT_LIMIT")


@pytest.mark.parametrize(
    "steps",
    [
        "{a: {needs: [], max-visits: 2, next: {exhausted: a, else: a}}}",
        "{a: {needs: [], max-visits: 3, if: 'false', next: {skipped: a}}}",
        "{a: {needs: [], if: 'false', max-visits: 2, next: {skipped: b}}, b: {if: 'false', next: {skipped: a}}}",
        "{a: {needs: [], max-visits: 1, next: {exhausted: b, else: b}}, b: {max-visits: 1, next: {exhausted: a, else: a}}}",
    ],
)
def test_edges_on_skipped_and_exhausted_cannot_go_round_for_ever(steps):
    assert code(live(steps)) == "VISIT_LIMIT"


# state


STATE = {
    "trail": {"type": "array", "merge": "append", "default": []},
    "best": {"merge": "max"},
    "n": {"type": "integer"},
}


def test_what_comes_after_a_loop_writes_after_it():
    steps = """{a: {agent: probe, needs: [], next: {again: a, ok: b}, set: {trail: a}}, b: {set: {trail: b}},
                c: {needs: [b], set: {trail: c}}, d: {needs: [c], set: {trail: d}}}"""
    life = live(steps, {"a": ["again", "again", "ok"]}, state=STATE)
    assert life.progress.state["trail"].value == ["a", "a", "a", "b", "c", "d"]


def test_what_is_reached_through_a_skipped_step_writes_after_what_led_there():
    steps = """{a: {agent: probe, needs: [], next: {again: a, ok: s}, set: {trail: a}},
                s: {if: 'false', next: {skipped: t}}, t: {set: {trail: t}}}"""
    life = live(steps, {"a": ["again", "ok"]}, state=STATE)
    assert life.progress.state["trail"].value == ["a", "a", "t"]


@pytest.mark.parametrize("seed", range(6))
def test_steps_side_by_side_write_in_declared_order(seed):
    steps = "{a: {set: {trail: a}}, b: {set: {trail: b}}, c: {set: {trail: c}}}"
    assert live(steps, seed=seed, state=STATE).progress.state["trail"].value == ["a", "b", "c"]
    steps = "{x: {next: t}, y: {next: t}, t: {set: {trail: '${{ output }}'}}}"
    life = live(steps, {"t": ["t"]}, seed=seed, state=STATE)
    assert life.progress.state["trail"].value == ["t", "t"]


def test_writes_that_do_not_go_together_fail_the_step_and_never_the_fold():
    life = live("{a: {set: {best: 1}}, b: {set: {best: '${{ output }}'}}}", {"b": ["text"]}, state=STATE)
    assert code(life) == "EXPRESSION_FAILED"
    assert sorted(statuses(life).values()) == ["completed", "failed"]


@pytest.mark.parametrize(
    ("output", "ends"), [(3, None), (3.0, None), (3.5, "EXPRESSION_FAILED"), (True, "EXPRESSION_FAILED")]
)
def test_writes_are_typed(output, ends):
    assert code(live("{a: {set: {n: '${{ output }}'}}}", {"a": [output]}, state=STATE)) == ends


# bodies, payloads, ends


def test_a_payload_is_with_or_what_the_edge_carried_or_the_answer_before_or_nothing():
    life = live("[{id: a}, {id: b}, {id: c, with: {x: '${{ steps.a.output }}'}}]", {"a": [1], "b": [2]})
    assert [payload(life, one) for one in ("a#1", "b#1", "c#1")] == ["{}", "1", '{"x":1}']


def test_the_items_of_for_each_are_evaluated_once_at_the_start():
    life = live(
        "{a: {}, b: {for-each: '${{ steps.a.output }}', with: {i: '${{ item }}', a: '${{ steps.a.output[0] }}'}}}",
        {"a": [[7, 8]]},
    )
    started = next(e.event for e in life.journal if isinstance(e.event, ev.VisitStarted) and e.event.step == "b")
    assert bytes(started.items) == b"[7,8]"
    rules, step = life.decisions.rules, life.progress.by_id["b"]
    frame = json.loads(bytes(started.payload))
    assert rules.item_payload(step, frame, 0, 7) == {"i": 7, "a": 7}
    life = live("{a: {}, b: {for-each: '${{ steps.a.output }}'}}", {"a": [{"no": "list"}]})
    assert (code(life), statuses(life)["b"]) == ("EXPRESSION_FAILED", "failed")


@pytest.mark.parametrize(
    ("how", "kind"),
    [("completed", ev.ExecutionCompleted), ("failed", ev.ExecutionFailed), ("cancelled", ev.ExecutionCancelled)],
)
def test_an_end_step_ends_the_execution(how, kind):
    life = live(f"{{a: {{}}, z: {{needs: [a], end: {how}}}}}")
    assert isinstance(life.ended, kind)


def test_without_declared_outputs_they_are_those_of_the_last_steps():
    life = live("{a: {}, b: {needs: [a]}, c: {needs: [a], if: 'false'}}", {"b": [5]})
    assert life.decisions.outputs() == {"b": 5, "c": None}
    life = live("{a: {}}", outputs={"it": "${{ steps.a.status }}: ${{ steps.a.output }}"})
    assert life.decisions.outputs() == {"it": "completed: ok"}


def test_outputs_that_cannot_be_evaluated_fail_the_execution():
    assert code(live("{a: {}}", {"a": [1]}, outputs={"it": "${{ steps.a.output.deep }}"})) == "EXPRESSION_FAILED"


def test_an_outcome_that_must_be_taken_and_is_not_fails():
    life = live("{a: {next: {error: b}}, b: {}}", run=False)
    life.note(ev.ExecutionStarted("small", "", "", Raw(b"{}")))
    life.move()
    step = life.progress.by_id["a"]
    event = life.decisions.completed(step, "a#1", None, Raw(b"null"), outcome="split", required=True)
    assert (event.failure.code, event.to) == ("OUTCOME_UNHANDLED", "b")
    assert life.decisions.failed(step, "a#1", Failure("bug", "x"), "timeout").to is None
