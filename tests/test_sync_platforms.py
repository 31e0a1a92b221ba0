"""Machines of different platforms: they differ, are in step, and share locks."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from fake_engine import START
from fake_machine import LATER, Pair, actions, change, errors, is_quiet, make_pair

from conda_s3_sync_plugin.exceptions import StoreError
from conda_s3_sync_plugin.words import Action

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def strangers(tmp_path: Path) -> Pair:
    """Two machines of different platforms."""
    return make_pair(tmp_path, "osx-arm64")


def test_another_platform_differs_and_is_in_step(strangers: Pair) -> None:
    linux, mac = strangers
    linux.engine.edit("ml", {"numpy": "2", "only-linux-64": "1"}, pip={"x": "1"})
    linux.sync()
    result = mac.sync()
    assert "only-linux-64" in result.outcomes[0].notes[0]
    assert mac.engine.versions("ml") == {"numpy": "2"}
    assert mac.engine.env("ml").pip == {"x": "1"}
    assert mac.engine.digest("ml") != mac.remote("ml") == linux.engine.digest("ml")
    for machine in strangers:
        assert is_quiet(machine.sync())
        assert not machine.did("export", "get")
    mac.engine.touch("ml")
    assert is_quiet(mac.sync())


def test_the_next_machine_of_a_platform_need_not_solve(
    strangers: Pair, tmp_path: Path
) -> None:
    linux, mac = strangers
    _, other = make_pair(tmp_path / "other", "osx-arm64")
    other.store.bucket = linux.bucket
    change(linux)
    linux.sync()
    mac.sync()
    assert mac.engine.calls["solve"] == 1
    # For the others, and of what it has itself, which the next pull overwrites.
    assert mac.did("put_lock")["put_lock"] == 2
    assert mac.engine.digest("ml") in mac.history("ml")
    before = linux.bucket.keys()
    other.sync()
    assert not other.engine.calls["solve"]
    assert linux.bucket.keys() == before
    assert other.engine.env("ml").content == mac.engine.env("ml").content


def test_changes_go_to_and_fro_between_platforms(strangers: Pair) -> None:
    linux, mac = strangers
    change(linux, "1")
    for number, (here, there) in enumerate([(linux, mac), (mac, linux)] * 2):
        change(here, str(number), at=START.replace(day=2 + number))
        assert actions(here.sync())["ml"] == Action.PUSH
        assert actions(there.sync())["ml"] == Action.PULL
        assert there.engine.versions("ml") == here.engine.versions("ml")
        assert is_quiet(here.sync())
        assert is_quiet(there.sync())


def test_what_only_one_platform_has_survives_a_change_on_another(
    strangers: Pair, tmp_path: Path
) -> None:
    linux, mac = strangers
    other, _ = make_pair(tmp_path / "other", "osx-arm64")
    other.store.bucket = linux.bucket
    mac.engine.edit("ml", {"numpy": "1", "only-osx-arm64": "3"})
    mac.sync()
    for number, machine in enumerate((linux, other)):
        assert "only-osx-arm64 is" in machine.sync().outcomes[0].notes[0]
        assert machine.engine.versions("ml") == {"numpy": "1"}
        # The first has shared what it has solved, with a word about what is missing.
        assert machine.engine.calls["solve"] == 1 - number
    for number, machine in enumerate((other, linux, other), 2):
        machine.engine.edit("ml", {"numpy": str(number), "scipy": "1"}, at=LATER)
        assert actions(machine.sync())["ml"] == Action.PUSH
        for here in (linux, other, mac):
            here.sync()
        assert mac.engine.versions("ml") == {
            "numpy": str(number),
            "scipy": "1",
            "only-osx-arm64": "3",
        }
    # Who has it may remove it.
    mac.engine.edit("ml", {"numpy": "9"}, at=LATER)
    mac.sync()
    linux.sync()
    linux.engine.edit("ml", {"numpy": "10"}, at=LATER)
    linux.sync()
    mac.sync()
    assert mac.engine.versions("ml") == {"numpy": "10"}
    for machine in (*strangers, other):
        machine.sync()
        assert is_quiet(machine.sync())


@pytest.mark.parametrize("option", ["no-prune", "pull-only"])
def test_a_lock_is_shared_only_of_what_anybody_would_get(
    strangers: Pair, option: str
) -> None:
    linux, mac = strangers
    linux.engine.edit("ml", {"numpy": "2"}, at=LATER)
    linux.sync()
    mac.engine.edit("ml", {"scipy": "1"}, at=START)
    if option == "no-prune":
        mac.sync(prune=False)
        assert mac.engine.versions("ml") == {"numpy": "2", "scipy": "1"}
    else:
        mac.sync(direction="pull")
        assert mac.engine.versions("ml") == {"numpy": "2"}
    assert mac.store.get_lock("ml", linux.engine.digest("ml"), "osx-arm64") is None
    assert is_quiet(mac.sync())


def test_a_lock_that_cannot_be_shared_is_only_told(strangers: Pair) -> None:
    linux, mac = strangers
    change(linux)
    linux.sync()

    def denied(operation: str, _: str) -> None:
        if operation == "put_lock":
            raise StoreError("denied")

    mac.before = denied
    result = mac.sync()
    assert not errors(result)
    assert "denied" in result.outcomes[0].notes[-1]
    assert is_quiet(mac.sync())
