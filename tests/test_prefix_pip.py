"""Which distributions of an environment are pip's, read from their plain files."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from hand_made import (
    SITE,
    VERSION,
    add_conda_distribution,
    add_distribution,
    add_record,
    make_prefix,
)

from conda_s3_sync_plugin.engines import prefix as plain
from conda_s3_sync_plugin.engines.distributions import pip_packages
from conda_s3_sync_plugin.models import LocalEnv

if TYPE_CHECKING:
    from pathlib import Path

    from conda_s3_sync_plugin.models import Export


@pytest.fixture
def prefix(tmp_path: Path) -> Path:
    """An environment with a python."""
    prefix = make_prefix(tmp_path / "ml")
    add_record(prefix, "python", VERSION)
    (prefix / SITE).mkdir(parents=True)
    return prefix


def found(prefix: Path) -> dict[str, str]:
    return pip_packages(prefix, plain.records(prefix))[0]


def local(prefix: Path) -> dict[str, str]:
    return pip_packages(prefix, plain.records(prefix))[1]


def read(prefix: Path) -> Export:
    env = plain.look("ml", prefix)
    assert isinstance(env, LocalEnv)
    return plain.read(env, "linux-64", (), secrets=False)


def test_distributions_of_conda_are_not_pips(prefix: Path) -> None:
    add_conda_distribution(prefix, "six", "1.15.0")
    add_distribution(prefix, "old", "1.0", ending=".egg-info")
    add_record(prefix, "old", files=[f"{SITE}/old-1.0.egg-info/PKG-INFO"])
    (prefix / SITE / "older-1.0-py3.egg-info").write_text("Name: older\nVersion: 1\n")
    add_record(prefix, "older", files=[f"{SITE}/older-1.0-py3.egg-info"])
    assert found(prefix) == local(prefix) == {}


@pytest.mark.parametrize("ending", [".dist-info", ".egg-info"])
def test_distributions_of_nobody_are_pips(prefix: Path, ending: str) -> None:
    add_distribution(prefix, "My.Hello_World", "1.0+local", ending=ending)
    assert found(prefix) == {"my-hello-world": "my-hello-world==1.0+local"}


def test_an_egg_info_that_is_one_file_is_read(prefix: Path) -> None:
    (prefix / SITE / "old-1.0.egg-info").write_text("Name: old\nVersion: 1.0\n")
    assert found(prefix) == {"old": "old==1.0"}


def test_a_conda_package_that_pip_replaced_is_both(prefix: Path) -> None:
    add_conda_distribution(prefix, "six", "1.15.0")
    folder = prefix / SITE / "six-1.15.0.dist-info"
    for path in folder.iterdir():
        path.unlink()
    folder.rmdir()
    add_distribution(prefix, "six", "1.16.0")
    export = read(prefix)
    assert "six=1.15.0=0" in export.file.specs
    assert export.file.pip == ("six==1.16.0",)


@pytest.mark.parametrize(
    ("folder", "version"),
    [
        pytest.param("python3.13t", "3.13.1", id="free-threaded"),
        pytest.param("pypy3.9", "3.9.18", id="pypy"),
    ],
)
def test_other_pythons_have_other_folders(
    tmp_path: Path, folder: str, version: str
) -> None:
    prefix = make_prefix(tmp_path / "other")
    add_record(prefix, "python", version)
    info = prefix / "lib" / folder / "site-packages" / "hello-1.0.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text("Name: hello\nVersion: 1.0\n")
    assert found(prefix) == {"hello": "hello==1.0"}


GIT = {"vcs": "git", "commit_id": "abc", "requested_revision": "main"}
ELSEWHERE: dict[str, tuple[dict[str, Any], str]] = {
    "git": (
        {"url": "https://h.org/x.git", "vcs_info": GIT},
        "git+https://h.org/x.git@abc",
    ),
    "git by ssh": (
        {"url": "ssh://git@h.org/x.git", "vcs_info": GIT},
        "git+ssh://git@h.org/x.git@abc",
    ),
    "a folder of it": (
        {"url": "https://h.org/x.git", "vcs_info": GIT, "subdirectory": "src/x"},
        "git+https://h.org/x.git@abc#subdirectory=src/x",
    ),
    "an archive": (
        {"url": "https://h.org/x.zip", "archive_info": {"hashes": {"sha256": "12"}}},
        "https://h.org/x.zip#sha256=12",
    ),
    "an archive without hash": (
        {"url": "https://h.org/x.zip", "archive_info": {}},
        "https://h.org/x.zip",
    ),
}


@pytest.mark.parametrize(("direct", "source"), ELSEWHERE.values(), ids=ELSEWHERE)
def test_what_came_by_url_is_named_by_it(
    prefix: Path, direct: dict[str, Any], source: str
) -> None:
    add_distribution(prefix, "x", "1.0", direct=direct)
    assert found(prefix) == {"x": f"x @ {source}"}
    export = read(prefix)
    assert export.file.pip == (f"x @ {source}",)


HERE: dict[str, tuple[object, str]] = {
    "editable": (
        {"url": "file:///home/joe/x", "dir_info": {"editable": True}},
        "installed from file:///home/joe/x",
    ),
    "a folder": (
        {"url": "file:///home/joe/x", "dir_info": {}},
        "installed from file:///home/joe/x",
    ),
    "a wheel on this disk": (
        {"url": "file:///tmp/x.whl", "archive_info": {}},
        "installed from file:///tmp/x.whl",
    ),
    "a repository on this disk": (
        {"url": "file:///home/joe/x", "vcs_info": GIT},
        "installed from file:///home/joe/x",
    ),
    "no URL": ({"dir_info": {}}, "its direct_url.json cannot be read"),
    "no object": ([1], "its direct_url.json cannot be read"),
}


@pytest.mark.parametrize(("direct", "why"), HERE.values(), ids=HERE)
def test_what_is_only_here_stays_here(prefix: Path, direct: object, why: str) -> None:
    add_distribution(prefix, "x", "1.0", direct=direct)
    assert found(prefix) == {}
    assert local(prefix) == {"x": why}


def test_a_development_link_stays_here(prefix: Path) -> None:
    (prefix / SITE / "my_app.egg-link").write_text("/home/joe/app\n.")
    assert local(prefix) == {"my-app": "an editable install"}


def test_what_an_uninstall_left_behind_is_no_distribution(prefix: Path) -> None:
    add_distribution(prefix, "hello", "2.0")
    left = add_distribution(prefix, "hello", "1.0")
    left.rename(left.with_name("~ello-1.0.dist-info"))
    (prefix / SITE / "empty-1.0.dist-info").mkdir()
    assert found(prefix) == {"hello": "hello==2.0"}
    assert local(prefix) == {}


def test_metadata_that_cannot_be_read_harms_no_other(prefix: Path) -> None:
    add_distribution(prefix, "hello", "1.0")
    folder = add_distribution(prefix, "odd", "1.0")
    (folder / "METADATA").write_bytes(b"Name: \xff\n")
    (add_distribution(prefix, "bare", "1.0") / "METADATA").write_text("Name: bare\n")
    assert found(prefix) == {"hello": "hello==1.0"}
    assert local(prefix) == {
        "bare": "its metadata names no version",
        "odd-1.0": "its metadata cannot be read",
    }
