"""Many machines with one bucket, which edit and synchronize at the same time."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import pytest
from acceptance import bodies, contents
from crowd_member import ORIGINALS
from machine import PYTHONS, TIMEOUT

from conda_s3_sync_plugin.envfile import parse

if TYPE_CHECKING:
    from collections.abc import Iterable

    from machine import Machine
    from real_server import RealServer
    from s3server import S3Server

MEMBER = Path(__file__).with_name("crowd_member.py")

#: All that a run may fail of: somebody else was faster.
EXCUSES = (
    *("another writer was faster", "has just changed", "has changed meanwhile"),
    *("has just been changed", "has just been removed", "is being changed"),
    *("other writes keep getting in the way", "Another synchronization is running"),
)


class Done(NamedTuple):
    """What a crowd has made, as names and digests, and was warned of."""

    made: set[tuple[str, str]]
    warnings: str


def start(
    machine: Machine, originals: list[Path], *arguments: object
) -> subprocess.Popen[str]:
    """Start a member of the crowd."""
    return subprocess.Popen(
        [PYTHONS[machine.kind], MEMBER, *map(str, arguments)],
        cwd=machine.home,
        env={**machine.environment, ORIGINALS: str(originals[0].parent)},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def finish(crowd: Iterable[subprocess.Popen[str]]) -> Done:
    """Wait for a crowd, and see that its runs failed of nothing but each other."""
    made: set[tuple[str, str]] = set()
    warnings = ""
    for process in crowd:
        try:
            out, err = process.communicate(timeout=TIMEOUT)
        finally:
            process.kill()
        assert (process.returncode, err) == (0, "")
        told = json.loads(out)
        for text in told["failed"]:
            assert any(excuse in text for excuse in EXCUSES), text
        made |= {(name, digest) for name, digest in told["made"]}
        warnings += told["warnings"]
    return Done(made, warnings)


def digests(
    s3: S3Server | RealServer, bucket: str
) -> tuple[dict[str, str], set[tuple[str, str]]]:
    """Return what the bucket has: name -> digest by now; all versions, old and new."""
    now, ever = {}, set()
    for key, body in bodies(s3, bucket).items():
        if key.endswith(".yml"):
            digest = parse(body).digest
            if "/" not in key:
                now[key.removesuffix(".yml")] = digest
            name = key.split("/")[1] if "/" in key else key.removesuffix(".yml")
            ever.add((name, digest))
    return now, ever


def settle(machines: list[Machine], bucket: str) -> None:
    """Synchronize one after the other, until nobody has anything to do."""
    for _ in range(4):
        said = [
            machine.sync_here(bucket, "--prefer", "remote").stdout
            for machine in machines
        ]
        if all(text.count("\n") == 1 for text in said):
            return
    pytest.fail("does not converge")


def lose_nothing(
    machines: list[Machine],
    originals: list[Path],
    s3: S3Server | RealServer,
    bucket: str,
    *,
    rounds: int,
    names: str,
) -> str:
    """See that a crowd loses nothing and comes into step; return its warnings."""
    whims = "variable,variable,copy,remove"
    made, warnings = finish(
        [
            start(one, originals, seed, rounds, bucket, whims, names)
            for seed, one in enumerate(machines)
        ]
    )
    assert len(made) > len(machines)
    assert not (lost := made - digests(s3, bucket)[1]), lost
    settle(machines, bucket)
    now, ever = digests(s3, bucket)
    assert not (lost := made - ever), lost
    assert contents(machines[0]).keys() == now.keys()
    for other in machines[1:]:
        assert contents(other) == contents(machines[0])
    return warnings
