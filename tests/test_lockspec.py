"""The lock as a format of conda's own: what is taken for one, and how it is told."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import pytest

from conda_s3_sync_plugin.location import Location
from conda_s3_sync_plugin.lockfile import render_lock
from conda_s3_sync_plugin.models import Lock

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from machine import Machine

    Build = Callable[..., Machine]

pytestmark = pytest.mark.conda

OTHERS = {
    "nothing": b"",
    "list": b"[]",
    "json": b'{"digest": "0123", "format": 1}',
    "yaml": b"dependencies: [lib00]",
    "explicit": b"@EXPLICIT\nhttp://127.0.0.1:9/linux-64/lib00-1.0-0.conda\n",
    "binary": b"\xff\xfe\0",
}


@pytest.mark.parametrize("body", OTHERS.values(), ids=OTHERS)
def test_other_files_are_left_to_others(tmp_path: Path, body: bytes) -> None:
    from conda_s3_sync_plugin.lockspec import LockSpec

    file = tmp_path / "file.json"
    file.write_bytes(body)
    assert LockSpec(str(file)).can_handle() is False


def test_what_is_no_file_is_left_to_others(tmp_path: Path) -> None:
    from conda_s3_sync_plugin.lockspec import LockSpec

    for source in (None, "", str(tmp_path), str(tmp_path / "gone"), "a\0b"):
        assert LockSpec(source).can_handle() is False


def test_a_lock_that_is_elsewhere_is_known_by_its_address() -> None:
    from conda_s3_sync_plugin.lockspec import LockSpec

    # Nobody could be asked there.
    location = Location("my-bucket", "team")
    key = location.lock_key("ml", "ab" * 32, "linux-64")
    for path, is_lock in (
        (key, True),
        ("ml.s3-sync.lock.json", True),
        ("s3-sync.lock.json", True),
        (key.replace(".json", ".yml"), False),
        (location.key("ml"), False),
        ("ml.json", False),
    ):
        for start in ("s3://my-bucket", "http://127.0.0.1:9"):
            assert LockSpec(f"{start}/{path}").can_handle() is is_lock


def test_a_file_may_be_given_as_a_url(tmp_path: Path) -> None:
    from conda_s3_sync_plugin.lockspec import LockSpec

    file = tmp_path / "my lock.json"
    file.write_bytes(render_lock(Lock("ab" * 32, "linux-64", ())))
    for source in (str(file), file.as_uri()):
        assert LockSpec(source).can_handle() is True


def test_conda_lists_the_format_among_its_own(machine: Build, tmp_path: Path) -> None:
    a = machine("a")
    for command in (["export", "--format=no"], ["env", "create", "-f", tmp_path]):
        assert "s3-sync-lock" in a.conda(*command, "-n", "ml", check=False).stderr


def test_a_conda_that_knows_fewer_words_hears_no_others(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    from conda.plugins import types

    from conda_s3_sync_plugin import lockspec

    @dataclass
    class Specifier:
        """As conda has it before 26.1."""

        name: str
        environment_spec: type

    monkeypatch.setattr(types, "CondaEnvironmentSpecifier", Specifier)
    monkeypatch.delattr(types, "EnvironmentFormat", raising=False)
    assert lockspec.specifier() == Specifier("s3-sync-lock", lockspec.LockSpec)
    assert lockspec.exporter().export
