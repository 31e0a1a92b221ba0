"""Break the product a little, in one way at a time: whoever looks after it notices."""

from __future__ import annotations

import contextlib
import io
import os
from functools import partial
from typing import TYPE_CHECKING

import pytest
from fake_machine import Crash, InlineExecutor
from fleet import World
from hypothesis import Phase, settings
from hypothesis.stateful import run_state_machine_as_test
from lengths import profile
from mutants import MUTANTS
from test_fleet import Fleet

from conda_s3_sync_plugin import session
from conda_s3_sync_plugin.exceptions import EngineError, StoreError

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

#: What the world says of a mistake: an assertion fails, or something falls over it.
NOTICED = (AssertionError, LookupError)


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(session, "ThreadPoolExecutor", InlineExecutor)
    # Power does not fail here, and waiting for disks is most of the time.
    monkeypatch.setattr(os, "fsync", lambda _: None)


def in_step(world: World, version: str = "1") -> None:
    """Give all machines an environment."""
    world.edit(world.members[0], "e", packages={"numpy": version, "six": version})
    for member in world.members:
        world.sync(member)


def another_writes_while_we_push(world: World) -> None:
    in_step(world)
    ours = world.members[1]
    world.edit(ours, "e", packages={"numpy": "2"})
    world.race(ours, "put", partial(world.write, "e", {"numpy": "3"}, 0))


def the_user_edits_while_we_pull(world: World) -> None:
    in_step(world)
    theirs, ours, _ = world.members
    world.edit(theirs, "e", packages={"numpy": "2"})
    world.sync(theirs)
    edit = partial(world.edit, ours, "e", packages={"numpy": "3"})
    world.race(ours, "get_lock", edit, local="e")


def a_pull_is_killed(world: World) -> None:
    in_step(world)
    theirs, ours, _ = world.members
    world.edit(theirs, "e", packages={"numpy": "2", "six": "2"})
    world.sync(theirs)
    world.disturb(ours, "link", Crash())


def a_pull_fails_and_the_user_edits_what_it_has_left(world: World) -> None:
    in_step(world)
    theirs, ours, _ = world.members
    world.edit(theirs, "e", packages={"numpy": "2", "six": "2"})
    world.sync(theirs)
    world.disturb(ours, "pip", EngineError("no"))
    world.edit(ours, "e", packages={"numpy": "3"})
    world.sync(ours)
    assert ours.engine.versions("e") == {"numpy": "3"}
    assert ours.remote("e") == ours.local("e")


def a_push_fails(world: World) -> None:
    in_step(world)
    ours = world.members[1]
    world.edit(ours, "e", packages={"numpy": "2"})
    world.disturb(ours, "put", StoreError("no"))


def both_change(world: World) -> None:
    in_step(world)
    theirs, ours, _ = world.members
    world.edit(theirs, "e", packages={"numpy": "2"})
    world.edit(ours, "e", packages={"numpy": "3"})
    world.sync(theirs)


def the_latest_change_wins(world: World) -> None:
    both_change(world)
    ours = world.members[1]
    world.sync(ours)
    assert ours.engine.versions("e") == {"numpy": "3"}


def a_side_is_preferred(world: World) -> None:
    both_change(world)
    world.sync(world.members[1], prefer="remote")


def both_change_the_same_thing_and_merge(world: World) -> None:
    both_change(world)
    world.sync(world.members[1], prefer="merge")


def a_file_goes_without_a_word(world: World) -> None:
    in_step(world)
    world.delete("e")
    world.sync(world.members[1], force=True, delete=True)


def one_deletes_what_the_other_changes(world: World) -> None:
    in_step(world)
    theirs, ours, _ = world.members
    for first, second in ((theirs, ours), (ours, theirs)):
        world.remove(first, "e")
        world.edit(second, "e", packages={"numpy": "2"})
        for member in (first, second, first):
            world.sync(member, force=True, delete=True)
        world.edit(first, "e", packages={"numpy": "4"})
        world.sync(first)
        world.remove(second, "e")
        world.sync(second, force=True, delete=True)


PLAYS = (
    another_writes_while_we_push,
    the_user_edits_while_we_pull,
    a_pull_is_killed,
    a_pull_fails_and_the_user_edits_what_it_has_left,
    a_push_fails,
    the_latest_change_wins,
    a_side_is_preferred,
    both_change_the_same_thing_and_merge,
    a_file_goes_without_a_word,
    one_deletes_what_the_other_changes,
)
every_play = pytest.mark.parametrize("play", PLAYS, ids=lambda play: play.__name__)


@every_play
def test_nobody_complains_of_the_product_as_it_is(
    play: Callable[[World], None], tmp_path: Path
) -> None:
    world = World(tmp_path)
    play(world)
    world.stabilize()


@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda mutant: mutant.__name__)
def test_each_mutant_is_noticed(
    mutant: Callable[..., None], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    mutant(monkeypatch.setattr)
    for play in PLAYS:
        world = World(tmp_path / play.__name__)
        try:
            play(world)
            world.stabilize()
        except NOTICED:
            return
    examples = settings(
        profile(usual=200, long=10_000, stateful_step_count=20),
        phases=[Phase.generate],
        report_multiple_bugs=False,
    )
    with pytest.raises(NOTICED), contextlib.redirect_stdout(io.StringIO()):
        run_state_machine_as_test(Fleet, settings=examples)
