"""Packages that cannot be had, or are not what the lock says."""

from __future__ import annotations

import hashlib
import json
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest
from lab import Lab

from conda_s3_sync_plugin.exceptions import EngineError

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from http_channel import HttpChannel
    from make_channel import Channel

    from conda_s3_sync_plugin.models import Lock

pytestmark = pytest.mark.conda

WRONG = hashlib.sha256(b"another package").hexdigest()


@pytest.fixture
def lab(tmp_path: Path, channel: Channel, monkeypatch: pytest.MonkeyPatch) -> Lab:
    return Lab(tmp_path / "here", monkeypatch, channels=[channel.url])


@pytest.fixture
def over_http(
    tmp_path: Path, http_channel: HttpChannel, monkeypatch: pytest.MonkeyPatch
) -> Callable[[str], Lab]:
    """Build labs that know the channel over HTTP."""
    return lambda name: Lab(tmp_path / name, monkeypatch, channels=[http_channel.url])


def with_change(lock: Lock, name: str, **changes: Any) -> Lock:
    """Return a lock in which one package is said to be something else."""
    return replace(
        lock,
        packages=tuple(
            {**entry, **changes} if entry["name"] == name else entry
            for entry in lock.packages
        ),
    )


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
    "wrong sha256": (wrong_sha256, "expected sha256"),
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
    for name, verb in (("ml", "changed"), ("new", "created")):
        pattern = f"{name} could not be {verb}: .*{why}"
        with pytest.raises(EngineError, match=pattern) as error:
            here.apply(name, export.file, lock)
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
    with pytest.raises(
        EngineError, match=f"is not the package that .*{WRONG}"
    ) as error:
        here.apply("new", export.file, lock)
    assert "conda clean" in error.value.hint
    assert here.machine.environments() == ["ml"]


@pytest.mark.parametrize("cached", [True, False], ids=["cached", "not cached"])
def test_a_package_of_a_folder_with_another_sha256_is_not_linked(
    lab: Lab, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, cached: bool
) -> None:
    export = lab.make("ml", "acty")
    lock = with_change(export.lock, "acty", sha256=WRONG)
    if not cached:
        urls = lab.machine.environment["CONDA_CHANNELS"]
        lab = Lab(tmp_path / "fresh", monkeypatch, channels=[urls])
    with pytest.raises(EngineError, match="is not the package that was locked"):
        lab.apply("new", export.file, lock)
    assert not lab.prefix("new").exists()
    assert list(lab.machine.pkgs.glob("acty*/info/index.json")) == [
        *lab.machine.pkgs.glob("acty*/info/index.json" if cached else "none")
    ]


def test_a_package_cached_without_sha256_is_hashed(
    over_http: Callable[[str], Lab],
) -> None:
    here = over_http("here")
    export = here.make("ml", "acty")
    (path,) = here.machine.pkgs.glob("acty-1.0-0/info/repodata_record.json")
    entry = json.loads(path.read_bytes())
    del entry["sha256"]
    path.write_text(json.dumps(entry))
    here.enter()
    here.apply("new", export.file, export.lock)
    lock = with_change(export.lock, "acty", sha256=WRONG)
    with pytest.raises(EngineError, match="is not the package that was locked"):
        here.apply("newer", export.file, lock)


def test_offline_what_is_cached_is_enough(over_http: Callable[[str], Lab]) -> None:
    there = over_http("there")
    cached, other = there.make("a", "lib02=1.1"), there.make("b", "acty")
    here = over_http("here")
    here.make("old", "lib02=1.1")
    here.enter(CONDA_OFFLINE="true")
    here.apply("a", cached.file, cached.lock)
    assert here.export("a").lock == cached.lock
    before = here.snapshot("a")
    with pytest.raises(EngineError, match="a could not be changed: .*[Oo]ffline"):
        here.apply("a", other.file, other.lock)
    assert here.snapshot("a") == before
