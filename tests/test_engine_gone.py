"""Packages that are not to be had any more where a lock says: elsewhere, or others."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest
from lab import Lab, environment, with_change

from conda_s3_sync_plugin.exceptions import EngineError

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from http_channel import HttpChannel
    from make_channel import Channel

    from conda_s3_sync_plugin.models import Export, Lock

    Build = Callable[..., Lab]


@pytest.fixture
def make_lab(
    tmp_path: Path, channel: Channel, monkeypatch: pytest.MonkeyPatch, kind: str
) -> Build:
    """Build labs that know the usual channel."""

    def build(name: str, **changes: Any) -> Lab:
        return Lab(
            tmp_path / name, monkeypatch, kind, **{"channels": [channel.url]} | changes
        )

    return build


@pytest.fixture
def lab(make_lab: Build) -> Lab:
    return make_lab("here")


@pytest.mark.parametrize("cached", [True, False], ids=["cached", "not cached"])
def test_packages_that_left_their_channel_are_cached_or_solved_anew(
    make_lab: Build, http_channel: HttpChannel, cached: bool
) -> None:
    there = make_lab("there", channels=[http_channel.url])
    export = there.make("ml", "lib01=1.1", "acty")
    here = make_lab("here", channels=[http_channel.url])
    if cached:
        here.make("old", "lib01=1.1", "acty")
    http_channel.broken["acty-1.0-0.tar.bz2"] = 404
    if cached:
        assert here.apply("ml", export.file, export.lock) == ()
        assert here.export("ml").lock == export.lock
        return
    # Its channel still lists what it does not have: there is no solution either.
    with pytest.raises(EngineError, match="404"):
        here.apply("ml", export.file, export.lock)
    assert here.machine.environments() == []


def moved(export: Export, name: str) -> Lock:
    """Return a lock of which one package has left its channel since, build and all."""
    (old,) = (entry for entry in export.lock.packages if entry["name"] == name)
    fn = old["fn"].replace(old["build"], "moved_0")
    url = old["url"].replace(old["fn"], fn)
    return with_change(export.lock, name, fn=fn, url=url, build="moved_0")


def test_a_lock_with_a_build_that_is_gone_is_solved_anew_and_it_is_named(
    lab: Lab,
) -> None:
    export = lab.make("source", "lib01=1.1", "lib00=1.1")
    assert lab.apply("ml", export.file, moved(export, "lib00")) == (
        "lib00-1.1-moved_0.tar.bz2 not to be had any more: solved anew",
        "lib00=1.1=moved_0 is not to be had here: lib00==1.1 instead",
    )
    assert lab.export("ml").lock.packages == export.lock.packages
    assert lab.requested("ml") == lab.requested("source")


def test_what_only_came_along_may_leave_its_channel_for_good(lab: Lab) -> None:
    export = lab.make("source", "lib01=1.1")
    packages = moved(export, "lib00").packages
    lock = replace(
        export.lock,
        packages=(
            *packages[1:],
            {**packages[0], "name": "gone", "fn": "gone-1.1-moved_0.tar.bz2"}
            | {"url": packages[0]["url"].replace("lib00-", "gone-")},
        ),
    )
    notes = lab.apply("ml", export.file, lock)
    assert notes[-1] == "gone is not to be had here: left out"
    assert lab.versions("ml") == {"lib00": "2.0", "lib01": "1.1"}
    lock = replace(lock, requested=(*lock.requested, "gone"))
    with pytest.raises(EngineError, match="gone is in none of its channels"):
        lab.apply("ml", export.file, lock)


def test_where_a_mirror_is_dead_the_same_comes_from_where_this_machine_looks(
    make_lab: Build, http_channel: HttpChannel
) -> None:
    export = make_lab("there", channels=[http_channel.url]).make("ml", "lib01=1.1")
    alias, _, channel = http_channel.url.rpartition("/")
    dead = "http://127.0.0.1:9"
    packages = tuple(
        {**entry, "url": entry["url"].replace(alias, dead)}
        for entry in export.lock.packages
    )
    file = environment(*export.file.specs, channels=[channel])
    here = make_lab("here", channels=[])
    here.enter(CONDA_CHANNEL_ALIAS=alias, CONDA_REMOTE_MAX_RETRIES="0")
    (note,) = here.apply("ml", file, replace(export.lock, packages=packages))
    files, _, rest = note.partition(" not to be had any more: ")
    assert rest == "solved anew"
    both = {"lib00-2.0-h0_0.tar.bz2", "lib01-1.1-h1_0.tar.bz2"}
    if here.kind == "rattler":
        assert set(files.split(", ")) == both
    else:  # where one has failed, conda may not begin with the other any more
        assert set(files.split(", ")) <= both
    assert here.export("ml").lock == export.lock
    assert here.requested("ml") == {"lib01": "lib01=1.1"}
    # Where nobody else has them either, it is that which is told.
    here.enter(CONDA_CHANNEL_ALIAS=dead)
    here.clear_caches()
    with pytest.raises(EngineError, match="(?i)connection") as error:
        here.apply("new", file, replace(export.lock, packages=packages))
    assert f"{dead}/channel/" in error.value.summary
    assert ".tar.bz2" in error.value.summary
    assert not here.prefix("new").exists()
