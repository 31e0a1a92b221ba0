"""What a pull keeps, learns and shares; and what it leaves when it does not end."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from fake_engine import START
from fake_machine import (
    LATER,
    LATEST,
    Crash,
    FakeMachine,
    Pair,
    actions,
    change,
    errors,
    in_step,
    is_quiet,
    make_pair,
    once,
)

from conda_s3_sync_plugin.envfile import render
from conda_s3_sync_plugin.exceptions import (
    AccessDeniedError,
    EngineError,
    StoreError,
)
from conda_s3_sync_plugin.words import Action

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime
    from pathlib import Path


NO = EngineError("no")


@pytest.fixture
def pair(tmp_path: Path) -> Pair:
    return make_pair(tmp_path)


def write_by_hand(machine: FakeMachine, spec: str, at: datetime = LATEST) -> str:
    """Write NAME.yml as a person or the original program does; return its digest."""
    body = render("ml", channels=["fake"], specs=[spec]).body
    machine.bucket.plant(machine.store.location.key("ml"), body, at)
    return str(machine.remote("ml"))


def fail(operation: str, error: BaseException = NO) -> Callable[[str, str], None]:
    def hook(at: str, _: str) -> None:
        if at == operation:
            raise error

    return hook


def test_a_broken_lock_is_solved_around(pair: Pair) -> None:
    a, b = pair
    digest = change(a)
    a.sync()
    a.bucket.plant(f".s3-sync/ml/{digest[:12]}.linux-64.json", b"{}")
    result = b.sync()
    assert "solved for anew" in result.outcomes[0].notes[0]
    assert b.engine.versions("ml") == a.engine.versions("ml")


def test_packages_of_several_pulls_are_fetched_at_once(pair: Pair) -> None:
    a, b = pair
    for name in ("one", "two"):
        a.engine.edit(name, {name: "1"})
    a.sync()
    b.before = fail("fetch")  # which is only a head start
    assert set(actions(b.sync()).values()) == {Action.PULL}
    assert b.did("fetch", "apply") == {"fetch": 1, "apply": 2}
    kinds = [operation for operation, _ in b.log if operation in ("fetch", "apply")]
    assert kinds[0] == "fetch"


def test_documents_of_others_are_kept_when_first_seen(pair: Pair) -> None:
    a, b = pair
    in_step(a, b)
    theirs = write_by_hand(a, "numpy=7")
    assert theirs not in a.history("ml")
    assert actions(b.sync()) == {"ml": Action.PULL}
    assert theirs in b.history("ml")
    assert b.engine.versions("ml") == {"numpy": "7"}
    assert is_quiet(b.sync())
    a.sync()
    assert a.engine.env("ml").content == b.engine.env("ml").content


@pytest.mark.parametrize("how", ["pull", "adopt"])
def test_documents_of_others_survive_a_run_that_only_pulls(
    pair: Pair, how: str
) -> None:
    a, _ = pair
    if how == "adopt":
        a.engine.edit("ml", {"numpy": "7"})
        theirs = write_by_hand(a, "numpy=7=linux-64")
    else:
        theirs = write_by_hand(a, "numpy=7")
    for _ in range(2):
        a.sync(direction="pull")
        assert a.history("ml") == set()
    change(a, "8")
    a.sync()
    assert a.remote("ml") == a.engine.digest("ml")
    assert theirs in a.history("ml")


def test_an_adopted_version_survives_the_next_pull(pair: Pair) -> None:
    a, _ = pair
    a.engine.edit("ml", {"numpy": "7"}, at=LATER)
    ours = write_by_hand(a, "numpy=7=linux-64", LATER)
    assert ours == a.engine.digest("ml")
    a.sync(direction="pull")
    write_by_hand(a, "numpy=8")
    assert actions(a.sync()) == {"ml": Action.PULL}
    assert ours in a.history("ml")


def pull_by_hand(machine: FakeMachine, *, exact: bool) -> str:
    """Pull only, what a person wrote; return the digest of what that is here."""
    write_by_hand(machine, f"numpy=7{'=linux-64' * exact}")
    machine.sync(direction="pull")
    return machine.engine.digest("ml")


EXACT = pytest.mark.parametrize("exact", [True, False], ids=["exact", "solved"])


@EXACT
@pytest.mark.parametrize("direction", ["both", "pull"])
def test_what_others_wrote_is_kept_before_their_next_version_replaces_it(
    pair: Pair, exact: bool, direction: str
) -> None:
    a, b = pair
    theirs = pull_by_hand(a, exact=exact)
    write_by_hand(a, "numpy=8")
    assert actions(a.sync(direction=direction)) == {"ml": Action.PULL}
    assert theirs in a.history("ml")
    assert is_quiet(a.sync())
    b.restore("ml", theirs[:8])
    assert b.engine.digest("ml") == theirs


@EXACT
def test_who_may_not_write_goes_on_to_get_what_others_write(
    pair: Pair, exact: bool
) -> None:
    a, _ = pair
    theirs = pull_by_hand(a, exact=exact)
    a.engine.touch("ml")
    write_by_hand(a, "numpy=8")

    def denied(operation: str, _: str) -> None:
        if operation in ("keep", "put_lock"):
            raise AccessDeniedError("denied")

    # Without --pull-only it is told what it takes, and nothing is lost.
    assert errors(a.run(denied)) == {"ml": "denied"}
    assert a.engine.digest("ml") == theirs
    assert not errors(a.run(denied, direction="pull"))
    assert a.engine.versions("ml") == {"numpy": "8"}
    # But an edit stays where it is.
    ours = change(a, "9")
    write_by_hand(a, "numpy=10")
    result = a.run(denied, direction="pull", prefer="remote")
    assert errors(result) == {"ml": "denied"}
    assert a.engine.digest("ml") == ours


def test_pulling_only_writes_nothing_of_what_was_made_of_the_history(
    tmp_path: Path,
) -> None:
    a, mac = make_pair(tmp_path, "osx-arm64")
    in_step(a)
    mac.sync(direction="pull")
    assert mac.engine.digest("ml") != mac.remote("ml")
    change(a)
    a.sync()
    mac.engine.touch("ml")
    assert actions(mac.sync(direction="pull")) == {"ml": Action.PULL}
    assert set(mac.did()) == {"apply", "save"}


def test_pulling_only_writes_nothing_but_the_loser(pair: Pair) -> None:
    a, b = pair
    in_step(a, b)
    a.engine.edit("theirs", {"numpy": "1"})
    a.engine.edit("loser", {"numpy": "1"}, at=LATER)
    a.engine.edit("winner", {"numpy": "1"}, at=LATER)
    change(a)
    a.sync()
    for name, at in (("ours", LATER), ("loser", START), ("winner", LATEST)):
        b.engine.edit(name, {"numpy": "2"}, at=at)
    loser = b.engine.digest("loser")
    assert actions(b.sync(direction="pull")) == {
        "loser": Action.PULL,
        "ml": Action.PULL,
        "ours": Action.HOLD,
        "theirs": Action.PULL,
        "winner": Action.CONFLICT,
    }
    written = {(op, name) for op, name in b.log if op in ("put", "keep", "put_lock")}
    assert written == {("put_lock", "loser"), ("keep", "loser")}
    assert loser in b.history("loser")
    assert actions(b.sync())["winner"] == Action.PUSH


def test_a_loser_that_cannot_be_kept_is_not_overwritten(pair: Pair) -> None:
    a, b = pair
    in_step(a, b)
    change(a, "3", at=LATEST)
    a.sync()
    ours = change(b, "4")

    def denied(operation: str, _: str) -> None:
        if operation == "keep":
            raise StoreError("denied")

    b.before = denied
    assert errors(b.sync()) == {"ml": "denied"}
    assert b.engine.digest("ml") == ours
    assert not b.did("apply")


@pytest.mark.parametrize("operation", ["link", "pip"])
@pytest.mark.parametrize("is_new", [False, True], ids=["update", "create"])
def test_half_a_pull_is_tried_again_and_never_pushed(
    pair: Pair, operation: str, is_new: bool
) -> None:
    a, b = pair
    in_step(*(pair[:1] if is_new else pair))
    a.engine.edit("ml", {"numpy": "3", "six": "1"}, pip={"x": "1"}, at=LATER)
    a.sync()
    theirs = a.remote("ml")
    b.before = fail(operation)
    for _ in range(3):
        result = b.sync()
        assert errors(result) == {"ml": "no"}
        assert actions(result) == {"ml": Action.PULL}
        assert b.remote("ml") == theirs
    b.before = None
    assert actions(b.sync()) == {"ml": Action.PULL}
    assert b.engine.env("ml").content == a.engine.env("ml").content
    assert is_quiet(b.sync())


def test_an_edit_on_top_of_half_a_pull_is_a_conflict(pair: Pair) -> None:
    a, b = pair
    in_step(a, b)
    a.engine.edit("ml", {"numpy": "3"}, pip={"x": "1"}, at=LATER)
    a.sync()
    theirs = str(a.remote("ml"))
    b.before = fail("pip")
    b.sync()
    b.before = None
    ours = change(b, "4", at=LATEST)
    result = b.sync()
    assert result.outcomes[0].step.row == 9
    assert {ours, theirs} <= b.history("ml")
    assert b.remote("ml") == ours


def test_an_edit_after_a_crash_is_kept(pair: Pair) -> None:
    a, b = pair
    in_step(a, b)
    theirs = change(a, "3")
    a.sync()

    with pytest.raises(Crash):
        b.run(fail("link", Crash()))
    ours = change(b, "4", at=LATEST)
    assert actions(b.sync()) == {"ml": Action.PULL}
    assert b.engine.digest("ml") == theirs
    assert ours in b.history("ml")


def test_a_frozen_environment_stays_as_it_is(pair: Pair) -> None:
    a, b = pair
    in_step(a, b)
    theirs = change(a)
    a.sync()
    before, baseline = b.engine.digest("ml"), b.baseline("ml")
    b.engine.env("ml").frozen = True
    assert "frozen" in errors(b.sync())["ml"]
    assert (b.engine.digest("ml"), b.baseline("ml")) == (before, baseline)
    b.engine.env("ml").frozen = False
    b.sync()
    assert b.engine.digest("ml") == theirs


def test_what_has_become_of_a_file_before_it_is_fetched_is_decided_on_anew(
    pair: Pair,
) -> None:
    a, b = pair
    in_step(a, b)
    b.engine.drop("ml")

    def be_faster() -> None:
        change(a)
        a.sync()

    (outcome,) = b.run(once("get", be_faster)).outcomes
    assert outcome.step.reason == "removed here, but changed in the bucket"
    assert b.engine.digest("ml") == a.engine.digest("ml")
    assert is_quiet(b.sync())
