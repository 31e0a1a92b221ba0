"""A new name in a plan: of what it is one, and of what nobody can tell."""

from __future__ import annotations

from dataclasses import replace

import pytest
from plan_cases import NOON

from conda_s3_sync_plugin.models import Baseline, Observation, Policy, Step, Version
from conda_s3_sync_plugin.plan import plan
from conda_s3_sync_plugin.words import Action, Direction

DELETE = Policy(delete=True)

HERE_PUSH = (Action.PUSH, Action.DELETE_REMOTE)
HERE_PULL = (Action.PULL, Action.DELETE_LOCAL)


def known(digest: str, remote: str = "") -> Baseline:
    return Baseline(digest, "stamp", remote or digest, "etag", NOON)


def version(digest: str) -> Version:
    return Version(digest, NOON)


def came(name: str, digest: str, side: str = "here") -> Observation:
    new = version(digest)
    return Observation(name, *((new, None) if side == "here" else (None, new)))


def gone(
    name: str, digest: str, side: str = "here", *, solved: str = "", stated: bool = True
) -> Observation:
    """Return one that is missing on a side; `solved`: it is that here."""
    local, remote = version(solved or digest), version(digest)
    sides = (None, remote) if side == "here" else (local, None)
    return Observation(name, *sides, known(solved or digest, digest), stated)


def steps(*seen: Observation, policy: Policy = DELETE) -> dict[str, Step]:
    return {step.name: step for step in plan(seen, policy)}


SIDES = pytest.mark.parametrize(
    ("side", "actions"),
    [("here", HERE_PUSH), ("there", HERE_PULL)],
    ids=["renamed here", "renamed elsewhere"],
)


@SIDES
def test_one_that_came_and_one_that_went_are_one(
    side: str, actions: tuple[Action, Action]
) -> None:
    found = steps(came("new", "x", side), gone("old", "x", side))
    new, old = found["new"], found["old"]
    assert (new.action, old.action) == actions
    assert (new.partner, old.partner) == ("old", "new")
    assert new.reason == "renamed from old"
    assert old.reason == "renamed to new"


@SIDES
def test_without_deletions_the_old_one_comes_back_with_a_word(
    side: str, actions: tuple[Action, Action]
) -> None:
    found = steps(came("new", "x", side), gone("old", "x", side), policy=Policy())
    new, old = found["new"], found["old"]
    assert new.reason == "renamed from old"
    assert old.action is {"here": Action.PULL, "there": Action.PUSH}[side]
    assert old.hint.startswith("It is new now. To be rid of the old name, ")


@SIDES
def test_what_is_not_stated_goes_back_with_a_word(
    side: str, actions: tuple[Action, Action]
) -> None:
    old = gone("old", "x", side, stated=False)
    found = steps(came("new", "x", side), old)["old"]
    if side == "there":
        assert (found.action, found.reason) == (Action.PUSH, "missing in the bucket")
        assert found.hint.startswith("It is new now")
    else:  # nobody else has to state what was removed here
        assert found.action is Action.DELETE_REMOTE


@SIDES
@pytest.mark.parametrize(
    ("new", "old"),
    [(["a", "b"], ["old"]), (["new"], ["a", "b"]), (["c", "d"], ["a", "b"])],
    ids=["two came", "two went", "two of both"],
)
def test_of_several_nobody_can_tell(
    side: str, actions: tuple[Action, Action], new: list[str], old: list[str]
) -> None:
    found = steps(
        *(came(name, "x", side) for name in new),
        *(gone(name, "x", side) for name in old),
    )
    assert not any(step.partner for step in found.values())
    assert not any("renamed" in step.reason for step in found.values())
    assert [found[name].action for name in (new[0], old[0])] == [*actions]


UNRELATED = {
    "another content": (came("new", "y"), gone("old", "x")),
    "another side": (came("new", "x", "there"), gone("old", "x")),
    "the other other side": (came("new", "x"), gone("old", "x", "there")),
    "changed at the same time": (
        came("new", "x"),
        replace(gone("old", "x"), remote=version("y")),
    ),
    "still there": (
        came("new", "x"),
        Observation("old", version("x"), version("x"), known("x")),
    ),
    "on both sides": (
        Observation("new", version("x"), version("x")),
        gone("old", "x"),
    ),
}


@pytest.mark.parametrize("seen", UNRELATED.values(), ids=UNRELATED)
def test_what_only_looks_like_it_is_none(seen: tuple[Observation, ...]) -> None:
    for policy in (DELETE, Policy()):
        found = steps(*seen, policy=policy).values()
        assert not any(step.partner for step in found)


def test_it_is_the_content_of_the_side_where_it_was_renamed() -> None:
    """What another platform has solved for anew is another content here."""
    here = steps(came("new", "s"), gone("old", "x", solved="s"))
    assert here["new"].partner == "old"
    assert not steps(came("new", "x"), gone("old", "x", solved="s"))["new"].partner
    there = steps(came("new", "x", "there"), gone("old", "x", "there", solved="s"))
    assert there["new"].partner == "old"


@SIDES
@pytest.mark.parametrize("direction", [Direction.PUSH, Direction.PULL])
def test_one_way_holds_both_back_or_none(
    side: str, actions: tuple[Action, Action], direction: Direction
) -> None:
    policy = Policy(direction=direction, delete=True)
    found = steps(came("new", "x", side), gone("old", "x", side), policy=policy)
    goes = (side == "here") is (direction is Direction.PUSH)
    expected = actions if goes else (Action.HOLD, Action.HOLD)
    assert (found["new"].action, found["old"].action) == expected
    for step in found.values():
        assert bool(step.partner) is ("renamed" in step.reason) is goes
        assert not step.hint


def test_several_are_told_apart() -> None:
    found = steps(
        *(came(f"new-{digest}", digest) for digest in "xyz"),
        *(gone(f"old-{digest}", digest) for digest in "xyz"),
    )
    assert {name: step.partner for name, step in found.items()} == {
        **{f"new-{digest}": f"old-{digest}" for digest in "xyz"},
        **{f"old-{digest}": f"new-{digest}" for digest in "xyz"},
    }
