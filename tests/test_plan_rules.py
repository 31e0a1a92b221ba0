"""What holds for every plan, whatever the table says."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timezone
from typing import TYPE_CHECKING

import pytest
from plan_cases import CASES, NOON, decide, row_of

from conda_s3_sync_plugin.exceptions import SafetyError
from conda_s3_sync_plugin.models import Baseline, Observation, Policy, Unknown, Version
from conda_s3_sync_plugin.plan import plan
from conda_s3_sync_plugin.safety import check_sides
from conda_s3_sync_plugin.words import Action, Direction, Prefer

if TYPE_CHECKING:
    from conda_s3_sync_plugin.models import Side, Step


def test_nothing_is_removed_here_without_a_statement() -> None:
    removals = [case for case in CASES if decide(case).action is Action.DELETE_LOCAL]
    assert removals
    for case in removals:
        assert case.seen.deleted
        assert case.policy.delete
        assert case.policy.direction is not Direction.PUSH


def test_a_change_beats_a_deletion() -> None:
    for case in CASES:
        action, base = decide(case).action, case.seen.baseline
        if action is Action.DELETE_LOCAL:
            assert base
            assert (case.here, case.there) == (base.local, "absent")
        if action is Action.DELETE_REMOTE:
            assert base
            assert (case.here, case.there) == ("absent", base.remote)


def test_nothing_is_deleted_unless_asked_for() -> None:
    deletions = (Action.DELETE_LOCAL, Action.DELETE_REMOTE)
    for case in CASES:
        assert case.policy.delete or decide(case).action not in deletions


def test_what_nobody_has_asked_for_brings_nothing_back_and_removes_nothing() -> None:
    held = set()
    for case in CASES:
        step = decide(case)
        unasked = decide(replace(case, policy=replace(case.policy, unasked=True)))
        comes_back = step.action is Action.PULL and step.row in (10, 11)
        if comes_back or step.action is Action.DELETE_LOCAL:
            assert unasked.action is Action.HOLD
            held.add(step.row)
        else:
            assert unasked.action is step.action
    assert held == {10, 11, 12}


@pytest.mark.parametrize(
    ("direction", "ways"),
    [
        (Direction.PUSH, {Action.PULL, Action.DELETE_LOCAL}),
        (Direction.PULL, {Action.PUSH, Action.DELETE_REMOTE}),
    ],
)
def test_one_way_is_one_way(direction: Direction, ways: set[Action]) -> None:
    for case in CASES:
        if case.policy.direction is direction:
            step = decide(case)
            assert step.action not in ways
            if step.action is Action.HOLD:
                assert f"--{direction}-only" in step.reason


def test_preference_matters_in_conflicts_only() -> None:
    for case in CASES:
        if row_of(case)[4] != "newest":
            usual = replace(case.policy, prefer=Prefer.NEWEST)
            assert decide(case) == decide(replace(case, policy=usual)), case


class Clock(datetime):
    """A time that must not be compared."""

    def __lt__(self, other: object) -> bool:
        raise AssertionError("a clock was read")

    __gt__ = __le__ = __ge__ = __lt__


def with_clocks(side: Side) -> Side:
    if not isinstance(side, Version):
        return side
    return Version(side.digest, Clock(2026, 5, 4, tzinfo=timezone.utc))


def test_no_clock_is_read_without_a_conflict() -> None:
    conflicts = 0
    for case in CASES:
        seen = replace(
            case.seen,
            local=with_clocks(case.seen.local),
            remote=with_clocks(case.seen.remote),
        )
        timed = replace(case, seen=seen)
        if row_of(case)[4] == "newest" and case.policy.prefer is Prefer.NEWEST:
            conflicts += 1
            with pytest.raises(AssertionError, match="a clock was read"):
                decide(timed)
        else:
            decide(timed)
    assert conflicts


def carry_out(step: Step, seen: Observation, solved: str | None) -> Observation:
    """Do what a step says, in the smallest world there is.

    `solved`: what a pull makes of the environment here, where it is not the same.
    """
    local, remote = seen.local, seen.remote
    if step.action is Action.PUSH:
        remote = local
    elif step.action is Action.PULL:
        assert isinstance(remote, Version)
        local = replace(remote, digest=solved or remote.digest)
    elif step.action is Action.DELETE_LOCAL:
        local = None
    elif step.action is Action.DELETE_REMOTE:
        remote = None
    elif step.action in (Action.CONFLICT, Action.HOLD, Action.SKIP):
        return seen
    baseline = None
    if isinstance(local, Version) and isinstance(remote, Version):
        baseline = Baseline(local.digest, "stamp", remote.digest, "etag", NOON)
    return Observation(seen.name, local, remote, baseline, seen.deleted)


@pytest.mark.parametrize("solved", [None, "solved anew"], ids=["exact", "solved"])
def test_a_second_plan_has_nothing_to_do(solved: str | None) -> None:
    for case in CASES:
        first = decide(case)
        seen = carry_out(first, case.seen, solved)
        (second,) = plan([seen], case.policy)
        if first.action in (Action.CONFLICT, Action.HOLD, Action.SKIP):
            assert second == first, case
        elif seen.local is seen.remote is None:
            # Nothing is left to look at: only who asks for the name gets an answer.
            assert second.action is Action.SKIP, case
            assert seen.baseline is None
        else:
            assert second.action is Action.NOTHING, case


def test_steps_come_in_the_order_of_the_names() -> None:
    names = ["b", "a", "B", "ä", "c"]
    seen = [Observation(name, Version("x", NOON), None) for name in names]
    steps = plan(seen, Policy())
    assert [step.name for step in steps] == sorted(names)
    assert plan(reversed(seen), Policy()) == steps


KNOWN = Baseline("base", "stamp", "base", "etag", NOON)
HERE = THERE = Version("base", NOON)
CANNOT_TELL = Unknown("it cannot be read")


@pytest.mark.parametrize(
    ("pairs", "place"),
    [
        ([(None, THERE), (None, THERE)], "this machine"),
        ([(None, THERE), (None, None)], "this machine"),
        ([(None, CANNOT_TELL), (None, THERE)], "this machine"),
        ([(HERE, None), (HERE, None)], "s3://bucket/team"),
        ([(HERE, None), (CANNOT_TELL, None), (None, None)], "s3://bucket/team"),
    ],
)
def test_a_side_that_has_lost_everything_stops_the_run(
    pairs: list[tuple[Side, Side]], place: str
) -> None:
    seen = [Observation(str(i), *pair, KNOWN) for i, pair in enumerate(pairs)]
    with pytest.raises(SafetyError, match=f"gone from {place}") as caught:
        check_sides(iter(seen), "s3://bucket/team")
    assert caught.value.return_code == 3
    assert "--force" in caught.value.hint


NEW = Observation("new", HERE, None)
BEGUN = replace(KNOWN, stamp="")


@pytest.mark.parametrize(
    "seen",
    [
        [],
        [Observation("a", None, THERE, KNOWN)],
        [Observation("a", None, THERE, KNOWN), Observation("b", HERE, THERE, KNOWN)],
        [Observation("a", None, THERE, KNOWN), Observation("b", HERE, None, KNOWN)],
        [Observation("a", None, None, KNOWN), Observation("b", None, None, KNOWN)],
        [Observation("a", None, THERE, BEGUN), Observation("b", None, THERE, BEGUN)],
        [Observation("a", None, THERE), Observation("b", None, THERE), NEW],
    ],
    ids=["none", "one", "some", "each other's", "both sides", "begun", "never known"],
)
def test_less_than_that_stops_nothing(seen: list[Observation]) -> None:
    check_sides(seen, "s3://bucket/team")
