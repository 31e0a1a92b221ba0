"""What an environment is, read from its plain files."""

from __future__ import annotations

import os
from datetime import datetime, timedelta, timezone
from typing import TYPE_CHECKING

import pytest
from hand_made import (
    SITE,
    add_conda_distribution,
    add_distribution,
    add_record,
    make_prefix,
    snapshot,
    write_variables,
)

from conda_s3_sync_plugin.engines import prefix as plain
from conda_s3_sync_plugin.exceptions import EngineError
from conda_s3_sync_plugin.models import Export, LocalEnv, Unknown

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


@pytest.fixture
def prefix(tmp_path: Path) -> Path:
    """An environment with one package and a python without files."""
    prefix = make_prefix(tmp_path / "ml")
    add_record(prefix, "python", plain_python())
    add_record(prefix, "lib")
    (prefix / SITE).mkdir(parents=True)
    return prefix


def plain_python() -> str:
    return f"{SITE.split('/')[1].removeprefix('python')}.1"


def look(prefix: Path) -> LocalEnv:
    env = plain.look("ml", prefix)
    assert isinstance(env, LocalEnv)
    return env


def read(
    prefix: Path, *, secrets: bool = False, requested: tuple[str, ...] = ()
) -> Export:
    return plain.read(look(prefix), "linux-64", requested, secrets=secrets)


def set_time(path: Path, seconds: int) -> None:
    os.utime(path, (seconds, seconds))


CHANGES: dict[str, Callable[[Path], object]] = {
    "conda has done something": lambda p: set_time(p / "conda-meta/history", 5),
    "a record has another name": lambda p: (p / "conda-meta/lib-1.0-0.json").rename(
        p / "conda-meta/lib-1.1-0.json"
    ),
    "a package is new": lambda p: add_record(p, "new"),
    "a variable is set": lambda p: write_variables(p, {"A": "1"}),
    "it is pinned": lambda p: (p / "conda-meta/pinned").write_text("lib=1"),
    "it is frozen": lambda p: (p / "conda-meta/frozen").touch(),
    "pip has installed": lambda p: add_distribution(p, "hello", "1.0"),
    "setup.py has installed": lambda p: add_distribution(
        p, "hello", "1.0", ending=".egg-info"
    ),
}


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
def test_a_change_changes_the_stamp(
    prefix: Path, change: Callable[[Path], object]
) -> None:
    before = look(prefix).stamp
    assert look(prefix).stamp == before
    change(prefix)
    assert look(prefix).stamp != before


def test_pip_replacing_a_version_changes_the_stamp(prefix: Path) -> None:
    folder = add_distribution(prefix, "hello", "1.0")
    before = look(prefix).stamp
    folder.rename(folder.with_name("hello-2.0.dist-info"))
    assert look(prefix).stamp != before


def test_what_says_nothing_of_packages_is_not_in_the_stamp(prefix: Path) -> None:
    before = look(prefix).stamp
    (prefix / "bin").mkdir()
    (prefix / SITE / "module.py").touch()
    set_time(prefix / "conda-meta" / "lib-1.0-0.json", 5)
    assert look(prefix).stamp == before


def test_a_record_that_conda_has_put_aside_tells_of_a_change_under_way(
    prefix: Path,
) -> None:
    env = look(prefix)
    assert not env.is_changing
    record = prefix / "conda-meta" / "lib-1.0-0.json"
    record.rename(record.with_name("lib-1.0-0.json.c~"))
    changing = look(prefix)
    assert changing.is_changing
    assert changing.stamp != env.stamp


def test_looking_and_reading_change_nothing(prefix: Path) -> None:
    write_variables(prefix, {"A": "1"})
    add_conda_distribution(prefix, "six", "1.15.0")
    before = snapshot(prefix)
    read(prefix)
    assert snapshot(prefix) == before


def test_a_folder_without_conda_meta_is_no_environment(tmp_path: Path) -> None:
    assert plain.look("ml", tmp_path) is None
    assert plain.look("ml", tmp_path / "nothing") is None


def test_an_environment_without_history_is_unknown(prefix: Path) -> None:
    (prefix / "conda-meta" / "history").unlink()
    seen = plain.look("ml", prefix)
    assert isinstance(seen, Unknown)
    assert "history is missing" in seen.reason


def test_what_cannot_be_listed_is_unknown(
    prefix: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(path: Path) -> None:
        raise PermissionError(13, "Permission denied", str(path))

    monkeypatch.setattr(os, "scandir", refuse)
    seen = plain.look("ml", prefix)
    assert isinstance(seen, Unknown)
    assert "Permission denied" in seen.reason


def test_times_are_whole_microseconds(prefix: Path) -> None:
    history = prefix / "conda-meta" / "history"
    moment = datetime(2026, 1, 2, 3, 4, 5, 999_999, tzinfo=timezone.utc)
    os.utime(history, ns=(0, plain.to_ns(moment) + 999))
    assert look(prefix).modified == moment
    assert plain.from_ns(plain.to_ns(moment)) == moment


def test_touched_is_the_latest_time_of_all_that_is_looked_at(prefix: Path) -> None:
    for path in (prefix / "conda-meta" / "history", prefix / SITE):
        set_time(path, 1_000)
    set_time(prefix / "conda-meta", 2_000)
    assert look(prefix).touched == datetime.fromtimestamp(2_000, timezone.utc)
    set_time(prefix / SITE, 3_000)
    assert look(prefix).touched - look(prefix).modified == timedelta(seconds=2_000)


BROKEN = {
    "not JSON": b"{",
    "not text": b"\xff\xfe\x00",
    "no object": b"[]",
    "no name": b'{"url": "u"}',
    "no URL": b'{"name": "x", "version": "1", "build": "0"}',
    "a number for a name": b'{"name": 1, "version": "1", "build": "0", "url": "u"}',
    "too deep": b"[" * 100_000,
}


@pytest.mark.parametrize("content", BROKEN.values(), ids=BROKEN)
def test_a_broken_record_is_an_error_that_names_it(
    prefix: Path, content: bytes
) -> None:
    (prefix / "conda-meta" / "x-1-0.json").write_bytes(content)
    with pytest.raises(EngineError, match=r"x-1-0\.json cannot be read"):
        read(prefix)


@pytest.mark.parametrize("content", [b"{", b"[]", b'{"env_vars": []}', b"\xff"])
def test_a_broken_state_is_an_error_that_names_it(prefix: Path, content: bytes) -> None:
    (prefix / "conda-meta" / "state").write_bytes(content)
    with pytest.raises(EngineError, match="state cannot be read"):
        read(prefix)


def test_the_file_names_every_package_with_version_and_build(prefix: Path) -> None:
    file = read(prefix).file
    assert file.specs == ("lib=1.0=0", f"python={plain_python()}=0")
    assert file.channels == ("conda-forge",)
    assert b"prefix" not in file.body


def test_the_lock_holds_what_installs_a_package_again_and_no_more(prefix: Path) -> None:
    whole = add_record(prefix, "lib", depends=["other >=1"], noarch="python")
    (entry, _) = read(prefix).lock.packages
    assert entry == {
        key: whole[key]
        for key in whole
        if key not in ("files", "extracted_package_dir")
    }


def test_an_empty_environment_is_exported(tmp_path: Path) -> None:
    export = read(make_prefix(tmp_path / "empty"))
    assert export.file.specs == export.file.channels == export.lock.packages == ()


def test_channels_are_those_of_the_packages_with_most_packages_first(
    prefix: Path,
) -> None:
    for name, channel in {
        "a": "https://repo.anaconda.com/pkgs/main",
        "b": "https://repo.anaconda.com/pkgs/main",
        "c": "https://repo.anaconda.com/pkgs/r",
        "d": "https://conda.anaconda.org/conda-forge/label/dev",
        "e": "https://mirror.example.org/a/b",
        "f": "file:///srv/t/chan",
    }.items():
        add_record(prefix, name, url=f"{channel}/noarch/{name}-1.0-0.conda")
    assert read(prefix).file.channels == (
        "defaults",
        "conda-forge",
        "conda-forge/label/dev",
        "file:///srv/t/chan",
        "https://mirror.example.org/a/b",
    )


def test_credentials_are_nowhere_in_an_export(prefix: Path) -> None:
    places = ("//joe:sesame@h.org/chan", "//h.org/t/sesame/chan", "//h.org/t/sesame")
    for name, place in zip("abc", places, strict=True):
        add_record(prefix, name, url=f"https:{place}/noarch/{name}-1.0-0.conda")
    url = "https://joe:sesame@h.org/x.whl"
    add_distribution(prefix, "archive", "1.0", direct={"url": url, "archive_info": {}})
    local = {"url": "file://joe:sesame@h/x", "dir_info": {}}
    add_distribution(prefix, "local", "1.0", direct=local)
    export = read(prefix, requested=("https://h.org/t/sesame/chan::a",))
    assert "archive @ https://h.org/x.whl" in export.file.pip
    assert export.lock.requested == ("https://h.org/chan::a",)
    assert "sesame" not in repr(export)


VARIABLES = {"MODE": "fast", "API_KEY": "x", "DATABASE": "postgres://joe:pw@db/x"}


def test_variables_that_look_secret_stay_here_and_are_named(prefix: Path) -> None:
    write_variables(prefix, VARIABLES)
    export = read(prefix)
    assert export.file.variables == export.lock.variables == {"MODE": "fast"}
    assert export.warnings == (
        "variable API_KEY stays here: it looks secret",
        "variable DATABASE stays here: it looks secret",
    )


def test_secret_variables_travel_where_that_is_set(prefix: Path) -> None:
    write_variables(prefix, VARIABLES)
    export = read(prefix, secrets=True)
    assert export.file.variables == VARIABLES
    assert export.warnings == ()


def test_a_variable_that_no_shell_could_set_stays_here(prefix: Path) -> None:
    write_variables(prefix, {"MY-VAR": "1", "ZERO": "a\0b", "MODE": "fast"})
    export = read(prefix, secrets=True)
    assert export.file.variables == {"MODE": "fast"}
    assert [text.split()[1] for text in export.warnings] == ["MY-VAR", "ZERO"]


def test_a_variable_that_was_unset_is_none(prefix: Path) -> None:
    write_variables(prefix, {"MODE": "***unset***", "NUMBER": 1})
    assert read(prefix).file.variables == {"NUMBER": "1"}
