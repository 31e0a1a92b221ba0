"""Packages that cannot be had, or are not what the lock says."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from lab import WRONG, Lab, with_change

from conda_s3_sync_plugin.exceptions import EngineError

if TYPE_CHECKING:
    from collections.abc import Callable

    from http_channel import HttpChannel
    from make_channel import Channel

    from conda_s3_sync_plugin.models import Lock


@pytest.fixture
def make_lab(
    tmp_path: Path, kind: str, monkeypatch: pytest.MonkeyPatch
) -> Callable[..., Lab]:
    return lambda name, url: Lab(tmp_path / name, monkeypatch, kind, channels=[url])


@pytest.fixture
def over_http(
    make_lab: Callable[..., Lab], http_channel: HttpChannel
) -> Callable[[str], Lab]:
    """Build labs that know the channel over HTTP."""
    return lambda name: make_lab(name, http_channel.url)


def no_such_file(server: HttpChannel, lock: Lock) -> Lock:
    server.broken["acty-1.0-0.tar.bz2"] = 403
    return lock


def other_content(server: HttpChannel, lock: Lock) -> Lock:
    server.broken["acty-1.0-0.tar.bz2"] = b"another package"
    return lock


def cut_short(server: HttpChannel, lock: Lock) -> Lock:
    server.broken["acty-1.0-0.tar.bz2"] = b""
    return lock


def wrong_sha256(server: HttpChannel, lock: Lock) -> Lock:
    return with_change(lock, "acty", sha256=WRONG)


DAMAGE = {
    "refused": (no_such_file, "403"),
    "other content": (other_content, "acty"),
    "empty": (cut_short, "acty"),
    "wrong sha256": (wrong_sha256, WRONG),
}


@pytest.mark.parametrize(("damage", "why"), DAMAGE.values(), ids=DAMAGE)
def test_a_package_that_cannot_be_had_changes_nothing(
    over_http: Callable[[str], Lab],
    http_channel: HttpChannel,
    damage: Callable[[HttpChannel, Lock], Lock],
    why: str,
) -> None:
    export = over_http("there").make("ml", "lib02=1.1", "acty")
    here = over_http("here")
    here.make("ml", "lib02=1.0")
    before = here.snapshot("ml")
    lock = damage(http_channel, export.lock)
    for name in ("ml", "new", "ml"):
        with pytest.raises(EngineError, match=why) as error:
            here.apply(name, export.file, lock)
        assert "acty" in error.value.summary
        assert "\n" not in error.value.summary
    assert here.snapshot("ml") == before
    assert here.machine.environments() == ["ml"]
    http_channel.broken.clear()
    here.apply("ml", export.file, export.lock)
    assert here.export("ml").lock == export.lock


def test_a_cached_package_with_another_sha256_is_not_linked(
    over_http: Callable[[str], Lab],
) -> None:
    here = over_http("here")
    export = here.make("ml", "acty")
    lock = with_change(export.lock, "acty", sha256=WRONG)
    for _ in range(3):
        here.enter()
        with pytest.raises(
            EngineError, match=f"is not the package that .*{WRONG}"
        ) as error:
            here.apply("new", export.file, lock)
        assert error.value.hint
    assert here.machine.environments() == ["ml"]
    here.apply("new", export.file, export.lock)


@pytest.mark.parametrize("cached", [True, False], ids=["cached", "not cached"])
def test_a_package_of_a_folder_with_another_sha256_is_not_linked(
    make_lab: Callable[..., Lab], channel: Channel, cached: bool
) -> None:
    lab = make_lab("here", channel.url)
    export = lab.make("ml", "acty")
    lock = with_change(export.lock, "acty", sha256=WRONG)
    if not cached:
        lab = make_lab("fresh", channel.url)
    for _ in range(2):
        with pytest.raises(EngineError, match="is not the package that was locked"):
            lab.apply("new", export.file, lock)
    assert not lab.prefix("new").exists()
    lab.apply("new", export.file, export.lock)


def test_what_is_cached_is_enough_where_nothing_can_be_fetched(
    over_http: Callable[[str], Lab], http_channel: HttpChannel
) -> None:
    there = over_http("there")
    cached, other = there.make("a", "lib02=1.1"), there.make("b", "acty")
    here = over_http("here")
    here.make("old", "lib02=1.1")
    http_channel.close()
    here.enter(CONDA_REMOTE_MAX_RETRIES="0")
    here.apply("a", cached.file, cached.lock)
    assert here.export("a").lock == cached.lock
    before = here.snapshot("a")
    with pytest.raises(EngineError, match="(?i)connection") as error:
        here.apply("a", other.file, other.lock)
    assert http_channel.host in str(error.value)
    assert here.snapshot("a") == before


def test_each_package_is_asked_for_once_and_the_channel_for_nothing_else(
    over_http: Callable[[str], Lab], http_channel: HttpChannel
) -> None:
    export = over_http("there").make("ml", "lib02=1.1", "acty")
    here = over_http("here")
    http_channel.requests.clear()
    here.fetch({"ml": export.lock, "again": export.lock})
    files = [entry["url"].rpartition("/")[2] for entry in export.lock.packages]
    assert sorted(Path(path).name for path in http_channel.requests) == sorted(files)
    http_channel.requests.clear()
    for name in ("ml", "again"):
        here.apply(name, export.file, export.lock)
    assert http_channel.requests == []


def test_all_that_cannot_be_had_is_named_at_once(
    over_http: Callable[[str], Lab], http_channel: HttpChannel
) -> None:
    export = over_http("there").make("ml", "lib02=1.1", "acty")
    here = over_http("here")
    http_channel.broken["acty-1.0-0.tar.bz2"] = 403
    http_channel.broken["lib02-1.1-h2_0.tar.bz2"] = 403
    with pytest.raises(EngineError, match="403") as error:
        here.fetch({"ml": export.lock})
    assert "acty" in error.value.summary
    assert "lib02" in error.value.summary
    assert "lib00" not in error.value.summary


def test_what_is_installed_as_it_is_locked_is_not_fetched_again(
    over_http: Callable[[str], Lab], http_channel: HttpChannel
) -> None:
    there = over_http("there")
    there.make("ml", "lib02=1.0", "acty")
    new = there.make("ml", "lib02=1.1", "acty")
    here = over_http("here")
    here.make("ml", "lib02=1.0", "acty")
    here.clear_caches()
    http_channel.requests.clear()
    here.fetch({"ml": new.lock})
    here.apply("ml", new.file, new.lock)
    assert here.export("ml").lock == new.lock
    names = [path.rpartition("/")[2] for path in http_channel.requests]
    assert names == ["lib02-1.1-h2_0.tar.bz2"]
