"""The decision table, case by case."""

from __future__ import annotations

import pytest
from plan_cases import CASES, EXTRA_ROWS, ROWS, baselines, decide, expected, row_of

from conda_s3_sync_plugin.models import Observation, Policy, Unknown
from conda_s3_sync_plugin.plan import plan
from conda_s3_sync_plugin.words import Action, Direction


def test_all_rows_of_the_table_are_met() -> None:
    met = {tuple(row_of(case)) for case in CASES}
    assert met == {tuple(row) for row in [*ROWS, *EXTRA_ROWS]}


@pytest.mark.parametrize("baseline", baselines())
def test_every_case_is_decided_as_the_table_says(baseline: str) -> None:
    for case in CASES:
        if case.baseline == baseline:
            assert decide(case).action is expected(case), case


def test_every_step_names_its_row() -> None:
    for case in CASES:
        assert decide(case).row == int(row_of(case)[0]), case


def test_every_step_has_a_reason_in_words() -> None:
    for case in CASES:
        step = decide(case)
        assert step.name == "ml"
        assert step.reason
        assert step.reason.isprintable()


def test_whoever_cannot_be_in_step_learns_what_to_do() -> None:
    for case in CASES:
        step = decide(case)
        if step.action is Action.CONFLICT and case.policy.direction is Direction.BOTH:
            assert "-n ml --prefer local" in step.hint


def test_a_hint_of_an_unknown_side_is_passed_on() -> None:
    side = Unknown("it is locked", hint="Unlock it.")
    for seen in (Observation("ml", side, None), Observation("ml", None, side)):
        (step,) = plan([seen], Policy())
        assert (step.action, step.reason, step.hint) == (
            Action.SKIP,
            "it is locked",
            "Unlock it.",
        )


def test_the_time_of_a_step_is_that_of_the_version_that_travels() -> None:
    for case in CASES:
        step = decide(case)
        if step.action in (Action.HOLD, Action.CONFLICT, Action.SKIP):
            assert step.modified is None
        elif step.modified and step.action in (Action.PUSH, Action.PULL):
            mover = case.seen.local if step.action is Action.PUSH else case.seen.remote
            assert step.modified == mover.modified  # type: ignore[union-attr]
