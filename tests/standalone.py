"""What tests of the command `conda-s3-sync` do again and again."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from acceptance import put
from machine import PYTHONS

if TYPE_CHECKING:
    from machine import Machine
    from s3server import S3Server


def document(machine: Machine, *arguments: str, code: int = 0) -> dict[str, Any]:
    """Return the one document that a run with --json prints, and nothing else."""
    done = machine.sync(*arguments, "--json", check=False)
    assert (done.returncode, done.stderr) == (code, ""), done.stdout
    return json.loads(done.stdout)


def complaint(
    machine: Machine, *arguments: str, code: int = 1, **variables: str
) -> list[str]:
    """Return the lines of a run that fails: what, and what to do about it."""
    done = machine.run(*command(machine), *arguments, check=False, **variables)
    lines = done.stderr.splitlines()
    assert (done.returncode, done.stdout) == (code, ""), done.stderr
    assert lines[0].startswith("conda-s3-sync: ")
    assert 1 <= len(lines) <= 2
    return lines


def command(machine: Machine) -> tuple[str, ...]:
    return (PYTHONS["standalone"], "-m", "conda_s3_sync_plugin")


def plant(s3: S3Server, bucket: str, machine: Machine, name: str, *specs: str) -> None:
    """Put an environment file into a bucket, which a machine here can make."""
    channel = machine.environment["CONDA_CHANNELS"]
    put(s3, bucket, f"{name}.yml", json.dumps(
        {"channels": [channel], "dependencies": list(specs)}
    ))  # fmt: skip
