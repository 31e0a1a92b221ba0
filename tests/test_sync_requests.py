"""Packages stay, and are asked for otherwise: that arrives with the next pull."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from fake_machine import LATER, FakeMachine, Pair, change, in_step, is_quiet, make_pair

from conda_s3_sync_plugin.exceptions import StoreError

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def pair(tmp_path: Path) -> Pair:
    """Two machines that share a bucket, in step."""
    a, b = make_pair(tmp_path)
    in_step(a, b)
    return a, b


@pytest.fixture
def third(pair: Pair, tmp_path: Path) -> FakeMachine:
    """A machine without environments."""
    return FakeMachine(tmp_path / "c", pair[0].bucket)


def ask(machine: FakeMachine, *specs: str) -> None:
    """Ask for packages that are there."""
    machine.engine.env("ml").requested = specs
    machine.engine.touch("ml")


def test_it_goes_into_the_lock_once_and_nothing_else_is_written(
    pair: Pair, third: FakeMachine
) -> None:
    a, b = pair
    ask(a, "numpy")
    assert is_quiet(a.sync())
    assert a.did() == {"put_lock": 1, "save": 1}
    a.engine.touch("ml")
    assert is_quiet(a.sync())
    assert a.did() == {"save": 1}
    third.sync()
    assert third.engine.env("ml").requested == ("numpy",)
    for machine in (a, b, third):
        assert is_quiet(machine.sync())
        assert machine.did() == {}


def test_a_version_that_comes_again_is_asked_for_as_it_is_now(
    pair: Pair, third: FakeMachine
) -> None:
    a, _ = pair
    change(a)
    a.sync()
    a.engine.edit("ml", {"python": "3.12", "numpy": "2.0"}, at=LATER)
    a.engine.env("ml").requested = ("python",)
    a.sync()
    third.sync()
    assert third.engine.env("ml").requested == ("python",)


def test_who_only_pulls_or_may_not_write_is_in_step_all_the_same(pair: Pair) -> None:
    a, b = pair
    ask(a, "numpy")
    assert is_quiet(a.sync(direction="pull"))
    assert a.did() == {"save": 1}
    a.engine.touch("ml")
    a.sync()
    assert a.did() == {"put_lock": 1, "save": 1}

    def refuse(operation: str, name: str) -> None:
        if operation == "put_lock":
            raise StoreError("denied")

    ask(b, "numpy")
    result = b.run(refuse)
    assert is_quiet(result)
    (outcome,) = result.outcomes
    assert outcome.error is None
    assert outcome.notes == ("its lock could not be renewed: denied",)
    assert is_quiet(b.sync())


def test_what_is_not_the_bucket_s_version_says_nothing_about_it(
    pair: Pair, third: FakeMachine
) -> None:
    a, b = pair
    a.engine.edit("ml", {"numpy": "2.0"}, at=LATER)
    a.sync()
    b.sync(prune=False)
    assert b.engine.versions("ml") == {"python": "3.12", "numpy": "2.0"}
    ask(b, "python", "numpy")
    assert is_quiet(b.sync(prune=False))
    assert "put_lock" not in b.did()
    third.sync()
    assert third.engine.env("ml").requested == ("numpy",)


def test_where_both_have_made_the_same_the_first_one_says_it(
    tmp_path: Path, third: FakeMachine
) -> None:
    a, b = make_pair(tmp_path / "other")
    for machine in (a, b):
        machine.engine.edit("ml", {"python": "3.12", "numpy": "2.0"})
    b.engine.env("ml").requested = ("numpy",)
    a.sync()
    b.sync()
    assert "put_lock" not in b.did()
    third.store.bucket = a.bucket
    third.sync()
    assert third.engine.env("ml").requested == ("python", "numpy")
