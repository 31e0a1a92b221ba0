"""Many edit and synchronize at the same time: nothing is lost, all come into step."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from acceptance import contents, sync_nothing
from conda_here import HAS_CONDA
from crowd import digests, finish, lose_nothing, settle, start
from lengths import IS_LONG

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from machine import Machine
    from s3server import S3Server

    Build = Callable[..., Machine]

pytestmark = pytest.mark.long

#: Each run of conda is a process, which takes as long as ten runs without it: there
#: are fewer, who all edit the same.
SIZE, NAMES, MANY = (3, "x", 4) if HAS_CONDA else (8, "x,y", 12)


def test_a_crowd_with_one_bucket_loses_nothing_and_comes_into_step(
    machine: Build, originals: list[Path], s3: S3Server, bucket: str
) -> None:
    machines = [machine(f"m{number}") for number in range(SIZE)]
    rounds, names = (MANY, "x,y,z") if IS_LONG else (2, NAMES)
    lose_nothing(machines, originals, s3, bucket, rounds=rounds, names=names)
    for one in machines:
        sync_nothing(one, s3, bucket)


def test_two_processes_on_one_machine_lose_nothing(
    machine: Build, originals: list[Path], s3: S3Server, bucket: str
) -> None:
    a, b = machine("a"), machine("b")
    rounds = MANY if IS_LONG else 3
    made, _ = finish(
        [
            start(a, originals, seed, rounds, bucket, "variable", name)
            for seed, name in enumerate("xy")
        ]
    )
    assert len(made) == 2 * rounds
    settle([a, b], bucket)
    now, ever = digests(s3, bucket)
    assert made - ever == set()
    assert now.keys() == {"x", "y"}
    assert contents(a) == contents(b)
