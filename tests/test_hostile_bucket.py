"""What somebody who may write to the bucket does to other machines, and cannot do."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from acceptance import put

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from machine import Machine
    from s3server import S3Server

    Build = Callable[..., Machine]

def out(package: dict[str, Any]) -> dict[str, Any]:
    """Let the python of a lock keep its packages outside the prefix."""
    return {**package, "python_site_packages_path": "../../../../elsewhere"}


def anywhere(package: dict[str, Any]) -> dict[str, Any]:
    """Let a package be what has no end."""
    return {**package, "url": f"file:///dev/zero?/{package['fn']}"}


@pytest.mark.parametrize("change", [out, anywhere])
def test_a_lock_that_leads_out_of_the_prefix_is_done_without(
    change: Callable[[dict[str, Any]], dict[str, Any]],
    machine: Build,
    s3: S3Server,
    bucket: str,
    tmp_path: Path,
) -> None:
    a, b = machine("a"), machine("b")
    a.create("py", "python", "six")
    a.sync_here(bucket)
    (key,) = (key for key in s3.keys(bucket) if key.endswith(".json"))
    lock = json.loads(s3.client.get_object(Bucket=bucket, Key=key)["Body"].read())
    lock["packages"] = [
        change(package) if package["name"] == "python" else package
        for package in lock["packages"]
    ]
    put(s3, bucket, key, json.dumps(lock))
    done = b.sync_here(bucket)
    assert "Its lock names packages in an unknown way. It was solved for anew." in (
        done.stdout
    )
    assert b.packages("py") == a.packages("py")
    assert list(tmp_path.rglob("elsewhere")) == []
