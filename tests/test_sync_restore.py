"""Going back: an old version is the current one again, as a new version."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

import pytest
from fake_engine import START
from fake_machine import (
    LATER,
    LATEST,
    NOW,
    FakeMachine,
    InlineExecutor,
    Pair,
    actions,
    change,
    errors,
    in_step,
    is_quiet,
    make_pair,
)

from conda_s3_sync_plugin.envfile import parse, render
from conda_s3_sync_plugin.exceptions import (
    EngineError,
    EnvFileError,
    RemoteChangedError,
    StoreError,
    UsageError,
)
from conda_s3_sync_plugin.models import Scope
from conda_s3_sync_plugin.restore import restore
from conda_s3_sync_plugin.timeline import read_timeline
from conda_s3_sync_plugin.versions import Kind
from conda_s3_sync_plugin.words import Action

if TYPE_CHECKING:
    from pathlib import Path

    from conda_s3_sync_plugin.models import Result


@pytest.fixture
def pair(tmp_path: Path) -> Pair:
    """Two machines in step, with a version 2.0 of `ml` before the current 2.1."""
    a, b = make_pair(tmp_path)
    in_step(a, b)
    change(a, "2.1")
    a.sync()
    b.sync()
    return a, b


def old_one(machine: FakeMachine) -> str:
    """Return how the history names the first version."""
    return versions(machine)[0].rpartition("-")[2][:8]


def versions(machine: FakeMachine) -> list[str]:
    """Return the keys of all versions in the history, the oldest first."""
    start, end = ".s3-sync/ml/", ".yml"
    keys = sorted(machine.bucket.objects)
    return [key for key in keys if key.startswith(start) and key.endswith(end)]


def only(result: Result) -> tuple[Action, object]:
    (outcome,) = result.outcomes
    return outcome.step.action, outcome.error


def test_a_version_is_current_again_here_and_in_the_bucket(pair: Pair) -> None:
    a, b = pair
    keys = versions(a)
    result = a.restore("ml", old_one(a))
    assert only(result) == (Action.RESTORE, None)
    assert a.engine.versions("ml")["numpy"] == "2.0"
    assert a.engine.digest("ml") == a.remote("ml")
    # By its lock, and as a new version: nothing is taken back.
    assert not a.engine.calls["solve"]
    assert versions(a)[:-1] == keys
    assert a.engine.env("ml").modified == a.bucket.objects["ml.yml"].modified > NOW
    assert a.watcher.told == [("start", "ml"), ("finish", "ml")]
    assert is_quiet(a.sync())
    # To the others it is a change like any other.
    assert actions(b.sync()) == {"ml": Action.PULL}
    assert b.engine.env("ml").content == a.engine.env("ml").content


def test_without_a_version_the_latest_but_the_current_one_is_taken(pair: Pair) -> None:
    a, _ = pair
    for version in ("2.0", "2.1", "2.0"):
        a.restore("ml")
        assert a.engine.versions("ml")["numpy"] == version


def test_it_is_newer_than_any_version_whatever_their_clocks(pair: Pair) -> None:
    a, b = pair
    future = NOW + timedelta(days=300)
    body = render("ml", channels=["fake"], specs=["numpy=9"]).body
    a.bucket.plant("ml.yml", body, future)
    a.sync()
    a.restore("ml", old_one(a))
    # A clock that is far ahead is not believed.
    assert NOW < a.bucket.objects["ml.yml"].modified < future
    assert actions(b.sync()) == {"ml": Action.PULL}
    assert b.engine.versions("ml") == a.engine.versions("ml")


def test_what_it_replaces_here_is_kept_first(pair: Pair) -> None:
    a, _ = pair
    ours = change(a, "7", at=LATEST)
    a.restore("ml", old_one(a))
    assert ours in a.history("ml")
    written = [operation for operation, _ in a.log if operation in ("keep", "put")]
    assert written[:3] == ["keep", "keep", "put"]
    a.restore("ml", ours[:8])
    assert a.engine.digest("ml") == ours


def test_what_it_replaces_in_the_bucket_is_kept_first(pair: Pair) -> None:
    a, _ = pair
    body = render("ml", channels=["fake"], specs=["numpy=9"]).body
    a.bucket.plant("ml.yml", body, LATEST)
    theirs = a.remote("ml")
    a.restore("ml", old_one(a))
    assert theirs in a.history("ml")
    assert a.remote("ml") == a.engine.digest("ml") != theirs


def test_what_exists_no_more_comes_back(pair: Pair) -> None:
    a, b = pair
    digest = a.engine.digest("ml")
    a.engine.drop("ml")
    a.sync(delete=True, force=True)
    b.sync(delete=True, force=True)
    assert a.remote("ml") is None
    a.restore("ml")
    assert a.engine.digest("ml") == a.remote("ml") == digest
    assert actions(b.sync(delete=True)) == {"ml": Action.PULL}
    assert b.engine.digest("ml") == digest
    for machine in pair:
        assert is_quiet(machine.sync(delete=True))
    # Nobody takes it for deleted any more.
    del b.bucket.objects["ml.yml"]
    assert actions(b.sync(delete=True)) == {"ml": Action.PUSH}


def test_who_never_had_it_can_bring_it_back(pair: Pair, tmp_path: Path) -> None:
    a, _ = pair
    for machine in pair:
        machine.engine.drop("ml")
        machine.sync(delete=True, force=True)
    c = FakeMachine(tmp_path / "c", a.bucket)
    assert actions(c.sync()) == {}
    c.restore("ml")
    assert c.engine.versions("ml")["numpy"] == "2.1"
    for machine in pair:
        assert actions(machine.sync(delete=True)) == {"ml": Action.PULL}


def test_another_platform_goes_back_as_far_as_it_can(
    pair: Pair, tmp_path: Path
) -> None:
    a, _ = pair
    mac = FakeMachine(tmp_path / "mac", a.bucket, platform="osx-arm64")
    mac.restore("ml", old_one(a))
    assert mac.engine.versions("ml")["numpy"] == "2.0"
    assert mac.remote("ml") != mac.engine.digest("ml")
    assert is_quiet(mac.sync())
    a.sync()
    assert a.engine.versions("ml")["numpy"] == "2.0"
    assert not a.engine.calls["solve"]


def test_looking_at_it_writes_nothing(pair: Pair) -> None:
    a, _ = pair
    change(a, "7")
    before = dict(a.bucket.objects)
    result = a.restore("ml", old_one(a), dry_run=True)
    assert result.dry_run
    assert not a.did()
    assert a.bucket.objects == before
    difference = result.outcomes[0].difference
    assert difference
    (numpy,) = difference.conda
    assert (numpy.name, numpy.old, numpy.new) == ("numpy", "7", "2.0")


@pytest.mark.parametrize("moment", ["get_kept", "put"])
def test_who_loses_the_race_changes_nothing(pair: Pair, moment: str) -> None:
    a, b = pair
    theirs = change(b, "3", at=LATEST)
    ours = a.engine.digest("ml")
    before = a.baseline("ml")

    def hook(operation: str, _: str) -> None:
        if operation == moment:
            b.sync()

    with pytest.raises(RemoteChangedError):
        a.run(hook, lambda: a.restore("ml", old_one(a)))
    assert (a.remote("ml"), a.engine.digest("ml")) == (theirs, ours)
    assert a.baseline("ml") == before
    assert not a.did("apply")
    # And may do it again.
    a.restore("ml", old_one(a))
    assert a.remote("ml") == a.engine.digest("ml")
    assert theirs in a.history("ml")


@pytest.mark.parametrize("operation", ["keep", "put"])
def test_what_cannot_be_written_changes_nothing(pair: Pair, operation: str) -> None:
    a, _ = pair
    ours = change(a, "7", at=LATEST)
    remote = a.remote("ml")

    def deny(at: str, _: str) -> None:
        if at == operation:
            raise StoreError("denied")

    with pytest.raises(StoreError, match="denied"):
        a.run(deny, lambda: a.restore("ml", old_one(a)))
    assert (a.remote("ml"), a.engine.digest("ml")) == (remote, ours)


@pytest.mark.parametrize("operation", ["get_lock", "download", "link"])
@pytest.mark.parametrize("is_edited", [False, True], ids=["in step", "edited"])
def test_what_fails_here_is_told_and_pulled_next(
    pair: Pair, operation: str, is_edited: bool
) -> None:
    a, _ = pair
    ours = change(a, "7", at=LATEST) if is_edited else a.engine.digest("ml")

    def fail(at: str, _: str) -> None:
        if at == operation:
            raise EngineError("no")

    result = a.run(fail, lambda: a.restore("ml", old_one(a)))
    assert errors(result) == {"ml": "no"}
    assert a.watcher.told[-1] == ("finish", "ml")
    assert actions(a.sync()) == {"ml": Action.PULL}
    assert a.engine.versions("ml")["numpy"] == "2.0"
    assert ours in a.history("ml")
    assert is_quiet(a.sync())


def test_an_edit_meanwhile_is_not_overwritten(pair: Pair) -> None:
    a, _ = pair
    edited: list[str] = []

    def edit(operation: str, _: str) -> None:
        if operation == "download":
            edited.append(change(a, "7", at=LATEST))

    result = a.run(edit, lambda: a.restore("ml", old_one(a)))
    assert "just been changed" in errors(result)["ml"]
    assert [a.engine.digest("ml")] == edited
    a.sync()
    assert is_quiet(a.sync())
    assert {*edited} <= a.history("ml")


@pytest.mark.parametrize(
    ("name", "version", "says"),
    [
        ("ml", "ffff", "no version ffff of ml"),
        ("nothing", "", "no version of nothing"),
        ("root", "", "base environment"),
    ],
)
def test_what_cannot_be_is_wrong_usage(
    pair: Pair, name: str, version: str, says: str
) -> None:
    a, _ = pair
    with pytest.raises(UsageError, match=says):
        a.restore(name, version)
    assert not a.did()


def test_an_environment_that_cannot_be_told_is_left_alone(pair: Pair) -> None:
    a, _ = pair
    before = dict(a.bucket.objects)
    a.engine.env("ml").broken = True
    with pytest.raises(EngineError, match="history is missing"):
        a.restore("ml", old_one(a))
    assert a.bucket.objects == before
    assert not a.did()


def test_a_version_that_cannot_be_read_is_left_alone(pair: Pair) -> None:
    a, _ = pair
    a.bucket.plant(versions(a)[0], b"dependencies: {")
    before = dict(a.bucket.objects)
    with pytest.raises(EnvFileError, match="cannot be read"):
        a.restore("ml", old_one(a))
    assert a.bucket.objects == before


def test_base_goes_back_only_when_asked_and_is_only_added_to(pair: Pair) -> None:
    a, _ = pair
    with_root = Scope(root=True)
    a.engine.edit("root", {"conda": "1", "mamba": "1"}, at=START)
    a.sync(scope=with_root)
    first = a.engine.digest("root")
    a.engine.edit("root", {"conda": "2"}, at=LATER)
    a.sync(scope=with_root)
    session = a.session(with_root)
    restore(session, "root", first[:8], a.watcher)
    assert a.engine.versions("root") == {"conda": "2", "mamba": "1"}
    assert a.remote("root") == first


@pytest.mark.parametrize("action", [Action.PULL, Action.PUSH])
def test_the_loser_of_a_conflict_comes_back_by_the_name_that_was_told(
    action: Action, pair: Pair
) -> None:
    a, b = pair
    winner, loser = change(a, "3", at=LATEST), change(b, "4", at=LATER)
    if action is Action.PUSH:
        loser, winner = change(a, "3", at=LATER), change(b, "4", at=LATEST)
    a.sync()
    (outcome,) = b.sync().outcomes
    assert outcome.step.action is action
    look, back = outcome.notes
    assert look.endswith("--history ml")
    command, _, word = back.rpartition(" ")
    assert command.endswith("conda s3-sync --restore")
    name, _, version = word.partition("@")
    entries = read_timeline(b.store, InlineExecutor(), name, parse)
    assert [e.kept.digest for e in entries if Kind.LOSER in e.kinds] == [loser[:12]]
    b.restore(name, version)
    assert b.engine.digest("ml") == b.remote("ml") == loser
    assert {winner, loser} <= b.history("ml")
