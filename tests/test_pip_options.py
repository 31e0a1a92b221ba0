"""Options of pip in a file of the bucket: refused, unless a setting allows them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from acceptance import actions, bodies, put, sync_json, sync_twice
from make_wheels import write_wheel

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from machine import Machine
    from make_channel import Channel
    from s3server import S3Server

    Build = Callable[..., Machine]


@pytest.fixture
def written(
    tmp_path: Path, channel: Channel, s3: S3Server, bucket: str
) -> dict[str, bytes]:
    """The bucket, with a file whose one pip package only an option can find."""
    write_wheel(tmp_path, "private", "1.0", requires=["hello"])
    put(
        s3,
        bucket,
        "py.yml",
        f"channels: ['{channel.url}']\n"
        f"dependencies: [python, pip, {{pip: [--find-links={tmp_path}, private]}}]\n",
    )
    return bodies(s3, bucket)


def test_without_the_setting_it_is_refused_with_a_word_about_it(
    machine: Build, written: dict[str, bytes], s3: S3Server, bucket: str
) -> None:
    a = machine("a")
    for _ in range(2):
        (entry,) = sync_json(a, bucket, code=1)["environments"]
        assert entry["action"] == "skip"
        assert "It asks pip for '--find-links=" in entry["reason"]
        assert "s3_sync_pip_options" in entry["hint"]
    assert a.environments() == []
    assert bodies(s3, bucket) == written


def test_with_the_setting_pip_finds_what_the_file_and_what_the_lock_names(
    machine: Build, written: dict[str, bytes], s3: S3Server, bucket: str
) -> None:
    a, b = machine("a"), machine("b")
    for one in (a, b):
        one.environment["CONDA_PLUGINS_S3_SYNC_PIP_OPTIONS"] = "true"
        assert actions(sync_json(one, bucket)) == {"py": "pull"}
        assert one.pip_packages("py") == {"hello": "2.0", "private": "1.0"}
        sync_twice(one, s3, bucket)
    # The first has shared a lock, and the file is as it was written.
    assert any(key.endswith(".json") for key in bodies(s3, bucket))
    assert bodies(s3, bucket)["py.yml"] == written["py.yml"]
