"""Every order of events around the plan, as far as a small world goes."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from lengths import IS_LONG_ONCE
from plan_model import Guards, Model

from conda_s3_sync_plugin import plan
from conda_s3_sync_plugin.plan import Change
from conda_s3_sync_plugin.words import Action

if TYPE_CHECKING:
    from conda_s3_sync_plugin.models import Observation, Step

AGREE, SKEWED, THREE = (0, 0), (0, -1001), (0, -1001, 507)


@pytest.mark.parametrize("delete", [False, True], ids=["default", "delete"])
@pytest.mark.parametrize("skew", [AGREE, SKEWED], ids=["agree", "skewed"])
def test_no_order_of_events_breaks_a_rule(skew: tuple[int, int], delete: bool) -> None:
    model = Model(skew, delete=delete, crashes=True)
    assert model.explore(6) == set()
    assert model.worlds > 5000


@pytest.mark.parametrize("delete", [False, True], ids=["default", "delete"])
def test_no_race_breaks_a_rule(delete: bool) -> None:
    model = Model(SKEWED, delete=delete, races=True)
    assert model.explore(7) == set()
    assert model.worlds > 5000


@pytest.mark.parametrize("delete", [False, True], ids=["default", "delete"])
def test_no_crash_in_a_race_breaks_a_rule(delete: bool) -> None:
    model = Model(SKEWED, delete=delete, crashes=True, races=True)
    assert model.explore(6) == set()
    assert model.worlds > 5000


def test_three_machines_break_no_rule() -> None:
    model = Model(THREE, delete=True, crashes=True, races=True)
    assert model.explore(5) == set()
    assert model.worlds > 5000


@pytest.mark.long
def test_a_million_events_break_no_rule() -> None:
    # Where there is time for that; else it is some ten thousand.
    more, least = (3, 1_000_000) if IS_LONG_ONCE else (0, 10_000)
    worlds = [
        (Model(SKEWED, delete=delete, crashes=True, races=True), 5 + more)
        for delete in (False, True)
    ]
    worlds.append((Model(THREE, delete=True, crashes=True, races=True), 5 + more // 2))
    for model, depth in worlds:
        assert model.explore(depth) == set()
    assert sum(model.transitions for model, _ in worlds) > least


@pytest.mark.parametrize(
    ("guard", "rule"),
    [
        ("history_at_push", "lost"),
        ("history_before_pull", "lost"),
        ("conditional_writes", "overwritten unseen"),
        ("second_look", "lost"),
        ("compared_pair", "not in step"),
    ],
)
def test_each_guard_is_needed(guard: str, rule: str) -> None:
    guards = Guards(**{guard: False})
    assert rule in Model(SKEWED, races=True, guards=guards).explore(6)


@pytest.mark.parametrize(
    ("guard", "rule"),
    [
        ("removal_noted", "half of something was pushed"),
        ("history_before_removal", "lost"),
        ("push_brings_back", "wrongly removed here"),
    ],
)
def test_each_guard_of_a_deletion_is_needed(guard: str, rule: str) -> None:
    guards = Guards(**{guard: False})
    assert rule in Model(AGREE, delete=True, crashes=True, guards=guards).explore(7)


@pytest.mark.parametrize(
    ("here", "there", "action", "rule"),
    [
        (
            Change.CHANGED,
            Change.REMOVED,
            Action.DELETE_LOCAL,
            "wrongly removed here",
        ),
        (
            Change.REMOVED,
            Change.CHANGED,
            Action.DELETE_REMOTE,
            "wrongly removed in the bucket",
        ),
        (
            Change.ABSENT,
            Change.NEW,
            Action.DELETE_REMOTE,
            "wrongly removed in the bucket",
        ),
        (Change.CHANGED, Change.SAME, Action.PULL, "a change was undone by none"),
        (Change.SAME, Change.CHANGED, Action.PUSH, "not in step"),
        (Change.SAME, Change.CHANGED, Action.NOTHING, "not in step"),
    ],
    ids=[
        "deletion beats change here",
        "deletion beats change there",
        "deletion of the unknown",
        "pull undoes a change",
        "push undoes a change",
        "change is overlooked",
    ],
)
def test_a_wrong_row_breaks_a_rule(
    here: Change,
    there: Change,
    action: Action,
    rule: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    row, _, reason = plan._DECISIONS[here, there]
    monkeypatch.setitem(plan._DECISIONS, (here, there), (row, action, reason))
    # Observing does not even ask whether it is stated where something has changed.
    guards = Guards(removal_of_the_unchanged=False)
    model = Model(SKEWED, delete=True, crashes=True, guards=guards)
    assert rule in model.explore(6)


def test_deleting_without_a_statement_breaks_a_rule(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def trust(step: Step, seen: Observation) -> Step:
        return step

    monkeypatch.setattr(plan, "_delete", trust)
    assert "wrongly removed here" in Model(AGREE, delete=True).explore(5)


def test_pushing_what_a_pull_left_half_done_breaks_a_rule(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def push(name: str, row: int) -> Step:
        return plan.Step(name, Action.PUSH, "missing in the bucket", row)

    monkeypatch.setattr(plan, "_half_done", push)
    broken = Model(AGREE, crashes=True).explore(5)
    assert "half of something was pushed" in broken
