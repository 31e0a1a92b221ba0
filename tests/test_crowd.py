"""Many edit and synchronize at the same time: nothing is lost, all come into step."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from acceptance import NOTHING_TO_DO, bodies
from conda_here import HAS_CONDA
from crowd_member import ORIGINALS, PATIENCE
from lengths import IS_LONG
from machine import PYTHONS, TIMEOUT

from conda_s3_sync_plugin.envfile import parse

if TYPE_CHECKING:
    from collections.abc import Callable

    from machine import Machine
    from s3server import S3Server

    Build = Callable[..., Machine]

pytestmark = [
    pytest.mark.long,
    pytest.mark.rattler,
    pytest.mark.skipif(HAS_CONDA, reason="no conda takes part: see the lane without"),
]

MEMBER = Path(__file__).with_name("crowd_member.py")

#: All that a run may fail of: somebody else was faster.
EXCUSES = (
    *("another writer was faster", "has just changed", "has changed meanwhile"),
    *("has just been changed", "has just been removed", "is being changed"),
    *("other writes keep getting in the way", "Another synchronization is running"),
)


def start(
    machine: Machine, originals: list[Path], *arguments: object
) -> subprocess.Popen[str]:
    """Start a member of the crowd."""
    return subprocess.Popen(
        [PYTHONS["standalone"], MEMBER, *map(str, arguments)],
        cwd=machine.home,
        env={**machine.environment, ORIGINALS: str(originals[0].parent)},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def made_by(crowd: list[subprocess.Popen[str]]) -> set[tuple[str, str]]:
    """Wait for a crowd; return what it has made: names and digests."""
    made: set[tuple[str, str]] = set()
    for process in crowd:
        try:
            out, err = process.communicate(timeout=TIMEOUT)
        finally:
            process.kill()
        assert (process.returncode, err) == (0, "")
        told = json.loads(out)
        assert len(told["told"]) < PATIENCE
        for text in told["told"]:
            assert any(excuse in text for excuse in EXCUSES), text
        made |= {(name, digest) for name, digest in told["made"]}
    return made


def digests(s3: S3Server, bucket: str) -> tuple[dict[str, str], set[tuple[str, str]]]:
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


def settle(machines: list[Machine], s3: S3Server, bucket: str) -> None:
    """Synchronize one after the other, until nobody has anything to do."""
    for _ in range(4):
        quiet = []
        for machine in machines:
            s3.requests.clear()
            machine.sync_here(bucket, "--prefer", "remote")
            quiet.append(s3.counts() == NOTHING_TO_DO)
        if all(quiet):
            return
    pytest.fail("does not converge")


def contents(machine: Machine) -> dict[str, Any]:
    return {
        name: (machine.packages(name), machine.variables(name))
        for name in machine.environments()
    }


def test_a_crowd_with_one_bucket_loses_nothing_and_comes_into_step(
    machine: Build, originals: list[Path], s3: S3Server, bucket: str
) -> None:
    machines = [machine(f"m{number}", kind="standalone") for number in range(8)]
    rounds, names = (12, "x,y,z") if IS_LONG else (2, "x,y")
    whims = "variable,variable,copy,remove"
    crowd = [
        start(one, originals, seed, rounds, bucket, whims, names)
        for seed, one in enumerate(machines)
    ]
    made = made_by(crowd)
    assert len(made) > len(machines)
    assert made - digests(s3, bucket)[1] == set()
    settle(machines, s3, bucket)
    now, ever = digests(s3, bucket)
    assert made - ever == set()
    assert contents(machines[0]).keys() == now.keys()
    for other in machines[1:]:
        assert contents(other) == contents(machines[0])


def test_two_processes_on_one_machine_lose_nothing(
    machine: Build, originals: list[Path], s3: S3Server, bucket: str
) -> None:
    a, b = (machine(name, kind="standalone") for name in "ab")
    rounds = 12 if IS_LONG else 3
    crowd = [
        start(a, originals, seed, rounds, bucket, "variable", name)
        for seed, name in enumerate("xy")
    ]
    made = made_by(crowd)
    assert len(made) == 2 * rounds
    settle([a, b], s3, bucket)
    now, ever = digests(s3, bucket)
    assert made - ever == set()
    assert now.keys() == {"x", "y"}
    assert contents(a) == contents(b)
