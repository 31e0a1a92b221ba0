"""Making a prefix what a lock says: an exact mirror, without a solve."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from lab import WHEN, Lab, environment
from make_channel import Channel, this_subdir

from conda_s3_sync_plugin.engines.prefix import to_ns
from conda_s3_sync_plugin.exceptions import EngineError

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from http_channel import HttpChannel

    from conda_s3_sync_plugin.models import Export


@pytest.fixture
def make_lab(
    tmp_path: Path, channel: Channel, monkeypatch: pytest.MonkeyPatch, kind: str
) -> Callable[..., Lab]:
    """Build labs; the last one made, or entered, is the one we are in."""

    def build(name: str, **changes: Any) -> Lab:
        usual = {"channels": [channel.url]}
        return Lab(tmp_path / name, monkeypatch, kind, **usual | changes)

    return build


@pytest.fixture
def exports(make_lab: Callable[..., Lab]) -> Callable[..., Export]:
    """Make an environment on another machine, and export it there."""
    there = make_lab("there")

    def export(*specs: str, name: str = "ml", **content: Any) -> Export:
        there.enter()
        return there.make(name, *specs, **content)

    return export


def apply(lab: Lab, export: Export, **options: Any) -> tuple[str, ...]:
    lab.enter()
    return lab.apply("ml", export.file, export.lock, **options)


def test_an_environment_comes_back_exactly(
    make_lab: Callable[..., Lab], capfd: pytest.CaptureFixture[str]
) -> None:
    there = make_lab("there")
    export = there.make("ml", "lib03=1.1", "acty", "nopy", variables={"MODE": "fast"})
    here = make_lab("here")
    capfd.readouterr()
    odd = WHEN.replace(microsecond=999_999)
    assert apply(here, export, modified=odd) == ()
    assert capfd.readouterr() == ("", "")
    assert here.export("ml") == export
    assert here.machine.packages("ml") == there.machine.packages("ml")
    assert here.requested("ml") == there.requested("ml")
    assert here.requested("ml").keys() == {"lib03", "acty", "nopy"}
    assert here.registered() == [str(here.prefix("ml"))]
    assert here.machine.variables("ml") == {"MODE": "fast"}
    assert here.machine.history("ml").stat().st_mtime_ns == to_ns(odd)
    assert here.look("ml").modified == odd
    # And again: nothing is left to do.
    before = here.snapshot("ml")
    assert apply(here, export, modified=odd) == ()
    assert here.snapshot("ml") == before


EDITS = {
    "more packages": ("lib02=1.1", "acty"),
    "fewer packages": ("lib00=1.1",),
    "a downgrade": ("lib02=1.0",),
    "an upgrade": ("lib02=2.0", "lib00=2.0"),
    "all others": ("acty",),
    "none": (),
}


@pytest.mark.parametrize("specs", EDITS.values(), ids=EDITS)
def test_what_is_there_becomes_exactly_what_the_lock_says(
    make_lab: Callable[..., Lab],
    exports: Callable[..., Export],
    specs: tuple[str, ...],
) -> None:
    here = make_lab("here")
    here.make("ml", "lib02=1.1", "lib00=1.1")
    export = exports(*specs)
    apply(here, export)
    again = here.export("ml")  # not what this process remembers of it
    assert again.lock == export.lock
    assert here.requested("ml").keys() == {spec.split("=")[0] for spec in specs}
    stamp = here.look("ml").stamp
    apply(here, export)
    assert here.look("ml").stamp == stamp


def test_a_build_replaced_in_its_channel_is_replaced_here(
    make_lab: Callable[..., Lab], tmp_path: Path
) -> None:
    def publish(content: bytes) -> Channel:
        channel = Channel(tmp_path / "rebuilt")  # the same name, version, build and URL
        channel.add("lib", files={"share/lib.txt": content})
        channel.write_index()
        return channel

    here = make_lab("here", channels=[publish(b"old").url])
    here.make("ml", "lib")
    there = make_lab("there", channels=[publish(b"new, and longer").url])
    export = there.make("ml", "lib")
    apply(here, export)
    text = here.prefix("ml") / "share" / "lib.txt"
    assert text.read_bytes() == b"new, and longer"
    assert here.export("ml").lock == export.lock


def test_another_python_moves_what_is_noarch(
    make_lab: Callable[..., Lab], tmp_path: Path
) -> None:
    channel = Channel(tmp_path / "pythons")
    for version in ("3.50.1", "3.51.0"):
        channel.add("python", version)
    channel.add_noarch_python("data", "1.0", files={"data.txt": b""})
    channel.write_index()
    there = make_lab("there", channels=[channel.url])
    export = there.make("ml", "python=3.51", "data")
    here = make_lab("here", channels=[channel.url])
    here.make("ml", "python=3.50", "data")
    here.make("extra", "python=3.50", "data")
    apply(here, export)
    found = sorted(path.parts[-3] for path in here.prefix("ml").rglob("data.txt"))
    assert found == ["python3.51"]
    assert here.export("ml").lock == export.lock
    # Without pruning it would stay behind, where the new python does not look.
    bare = there.enter() and there.make("bare", "python=3.51")
    here.enter()
    before = here.snapshot("extra")
    with pytest.raises(EngineError, match="data cannot stay: it is installed for"):
        here.apply("extra", bare.file, bare.lock, prune=False)
    assert here.snapshot("extra") == before


def test_an_empty_environment_is_made_and_made_empty(
    make_lab: Callable[..., Lab], exports: Callable[..., Export]
) -> None:
    export = exports()
    here = make_lab("here")
    for _ in range(2):
        apply(here, export)
        assert here.export("ml") == export
    assert here.registered() == [str(here.prefix("ml"))]


def test_two_packages_with_the_same_file_are_no_error(
    make_lab: Callable[..., Lab], exports: Callable[..., Export]
) -> None:
    export = exports("clob1", "clob2")
    here = make_lab("here")
    apply(here, export)
    assert here.export("ml") == export


@pytest.mark.parametrize("kept", ["clob1", "clob2"])
def test_a_file_of_two_packages_stays_with_the_one_that_stays(
    make_lab: Callable[..., Lab], kept: str
) -> None:
    here = make_lab("here")
    here.make("ml", "clob1", "clob2")
    here.make("ml", kept)
    assert (here.prefix("ml") / "share" / "clob.txt").read_text() == f"{kept}\n"


def test_what_repodata_has_corrected_stays_so(
    make_lab: Callable[..., Lab], tmp_path: Path
) -> None:
    channel = Channel(tmp_path / "patched")
    channel.add("lib")
    channel.add("app", depends=["lib", "none-such"])
    (packages,) = (records for records in channel.records.values() if records)
    packages["app-1.0-0.tar.bz2"]["depends"] = ["lib"]
    channel.write_index()
    export = make_lab("there", channels=[channel.url]).make("ml", "app")
    app, _ = export.lock.packages
    assert app["depends"] == ["lib"]
    assert app.keys() >= {"size", "md5", "sha256"}
    here = make_lab("here")
    apply(here, export)
    assert here.export("ml").lock == export.lock


def test_link_scripts_run(
    make_lab: Callable[..., Lab], exports: Callable[..., Export]
) -> None:
    export = exports("postl")
    here = make_lab("here")
    apply(here, export)
    assert (here.prefix("ml") / "postl.txt").read_text() == "ran\n"


def test_without_pruning_what_fits_stays(
    make_lab: Callable[..., Lab], exports: Callable[..., Export]
) -> None:
    export = exports("lib01=1.1", variables={"MODE": "fast"})
    here = make_lab("here")
    here.make("ml", "lib01=1.0", "acty", variables={"MODE": "slow", "MINE": "1"})
    apply(here, export, prune=False)
    versions = here.versions("ml")
    assert versions == {**versions, "acty": "1.0", "lib01": "1.1"}
    assert here.requested("ml") == {"acty": "acty", "lib01": "lib01=1.1"}
    assert here.machine.variables("ml") == {"MODE": "fast", "MINE": "1"}


def test_without_pruning_what_does_not_fit_is_an_error(
    make_lab: Callable[..., Lab], exports: Callable[..., Export]
) -> None:
    export = exports("lib01=2.0")
    here = make_lab("here")
    here.make("ml", "conflict")
    before = here.snapshot("ml")
    with pytest.raises(EngineError, match="conflict cannot stay: it depends on lib01"):
        apply(here, export, prune=False)
    assert here.snapshot("ml") == before


def test_a_request_that_was_dropped_elsewhere_is_dropped_here(
    make_lab: Callable[..., Lab], exports: Callable[..., Export]
) -> None:
    here = make_lab("here")
    here.make("ml", "lib02=1.1", "lib00")
    export = exports("lib02=1.1", "acty")  # lib00 stays, but nobody asks for it
    apply(here, export)
    assert here.requested("ml") == {"acty": "acty", "lib02": "lib02=1.1"}


def test_what_is_asked_for_otherwise_arrives_where_the_packages_are_there_already(
    make_lab: Callable[..., Lab], exports: Callable[..., Export]
) -> None:
    here = make_lab("here")
    here.make("ml", "lib02=1.1", "lib00")
    export = exports("lib02", "lib02=1.1")
    for _ in range(2):
        apply(here, export)
        assert here.requested("ml") == {"lib02": "lib02=1.1"}
        history = here.machine.history("ml").read_bytes()
    apply(here, export, prune=False)
    assert here.machine.history("ml").read_bytes() == history


def test_a_restore_by_lock_fetches_the_packages_and_nothing_else(
    make_lab: Callable[..., Lab],
    http_channel: HttpChannel,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    there = make_lab("there", channels=[http_channel.url])
    export = there.make("ml", "lib02=1.1")
    here = make_lab("here", channels=[http_channel.url])
    here.enter()
    monkeypatch.setattr(here.engine, "_solve", "no solver is called")
    http_channel.requests.clear()
    here.apply("ml", export.file, export.lock)
    packages = [f"/{this_subdir()}/lib0{n}-1.1-h{n}_0.tar.bz2" for n in (0, 1, 2)]
    versions = here.versions("ml")
    assert versions["lib02"] == "1.1"
    fetched = [path.removeprefix("/channel") for path in http_channel.requests]
    assert sorted(fetched) == sorted(
        f"/{this_subdir()}/{entry['fn']}" for entry in export.lock.packages
    )
    assert packages[2] in fetched


def test_all_locks_are_fetched_at_once_and_each_package_once(
    make_lab: Callable[..., Lab], http_channel: HttpChannel
) -> None:
    there = make_lab("there", channels=[http_channel.url])
    exports = [there.make("a", "lib02=1.1"), there.make("b", "lib03=1.1", "acty")]
    here = make_lab("here", channels=[http_channel.url])
    http_channel.requests.clear()
    here.fetch({"a": exports[0].lock, "b": exports[1].lock})
    for name, export in zip("ab", exports, strict=True):
        here.apply(name, export.file, export.lock)
        assert here.export(name).lock == export.lock
    assert len(http_channel.requests) == len(set(http_channel.requests))
    files = {entry["fn"] for export in exports for entry in export.lock.packages}
    assert {path.rpartition("/")[2] for path in http_channel.requests} == files


def test_a_package_that_cannot_be_fetched_harms_no_other_environment(
    make_lab: Callable[..., Lab], http_channel: HttpChannel
) -> None:
    there = make_lab("there", channels=[http_channel.url])
    good, bad = there.make("good", "lib02=1.1"), there.make("bad", "lib00=1.1", "acty")
    here = make_lab("here", channels=[http_channel.url])
    http_channel.broken["acty-1.0-0.tar.bz2"] = 403
    with pytest.raises(EngineError, match="403"):
        here.fetch({"bad": bad.lock, "good": good.lock})
    here.apply("good", good.file, good.lock)
    assert here.export("good").lock == good.lock
    with pytest.raises(EngineError, match="403"):
        here.apply("bad", bad.file, bad.lock)
    assert here.machine.environments() == ["good"]
    assert here.registered() == [str(here.prefix("good"))]


def test_an_environment_by_lock_needs_no_name_of_its_channel(
    make_lab: Callable[..., Lab], exports: Callable[..., Export]
) -> None:
    export = exports("lib00")
    here = make_lab("here", channels=["nowhere"])
    apply(here, export)
    assert here.export("ml") == export


def test_a_file_that_a_person_wrote_is_what_was_asked_for(
    make_lab: Callable[..., Lab],
) -> None:
    here = make_lab("here")
    assert here.apply("ml", environment("lib02>=1.1,<2", "acty")) == ()
    requested = here.requested("ml")
    assert requested.keys() == {"acty", "lib02"}
    assert ">=1.1,<2" in requested["lib02"]
    assert here.versions("ml")["lib02"] == "1.1"
