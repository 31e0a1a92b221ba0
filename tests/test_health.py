"""What `conda doctor` says of an environment, without a network."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest
from acceptance import put
from conda_here import HAS_CONDA, names_checks
from following import set_up

if TYPE_CHECKING:
    from collections.abc import Callable

    from machine import Machine
    from s3server import S3Server

    Build = Callable[..., Machine]

pytestmark = pytest.mark.conda


#: What no other check says.
OURS = re.compile(r"s3-sync|s3_sync|s3://|^    \S")


@pytest.fixture
def a(machine: Build, bucket: str) -> Machine:
    """A machine with a location, and nothing automatic."""
    return set_up(machine("a"), bucket, auto="off")


def doctor(machine: Machine, s3: S3Server, *flags: str, name: str = "ml") -> list[str]:
    """Return what the check says of an environment; see that no request is made."""
    s3.requests.clear()
    ours = ["s3-sync"] if names_checks() else []
    done = machine.conda("doctor", "-n", name, *ours, *flags)
    assert s3.requests == []
    assert done.stderr == ""
    lines = done.stdout.replace(f" at {s3.endpoint}", "").splitlines()
    if ours:
        assert lines[:2] == [
            f"Environment Health Report for: {machine.prefix(name)}",
            "",
        ]
    return [line for line in lines if OURS.search(line)]


def test_in_step_changed_never_synchronized_and_in_conflict(
    a: Machine, machine: Build, s3: S3Server, bucket: str
) -> None:
    place = f"s3://{bucket}/team"
    command = "    conda s3-sync -n ml"
    a.create("ml", "lib00=1.0")
    never = [f"❌ ml was never synchronized with {place}.", f"{command}  shares it"]
    assert doctor(a, s3) == never[:1]
    a.create("other", "lib00")
    a.sync("-n", "other")
    assert doctor(a, s3) == never
    a.sync()
    assert doctor(a, s3) == [f"✅ ml is in step with {place}."]
    a.history("ml").touch()
    assert doctor(a, s3) == [f"✅ ml is in step with {place}."]
    a.install("ml", "lib00=2.0")
    changed = f"❌ ml has changed since it was in step with {place}."
    assert doctor(a, s3) == [changed, f"{command}  shares it"]
    put(s3, bucket, "team/ml.yml", "dependencies: [lib00=1.1]")
    a.sync("--prefer", "none", check=False)
    conflict = f"❌ ml is in conflict with {place}."
    assert doctor(a, s3) == [conflict, f"{command} --diff  shows it"]
    a.install("ml", "lib01")
    assert doctor(a, s3)[0] == changed
    a.sync("--prefer", "local")
    assert doctor(a, s3) == [f"✅ ml is in step with {place}."]


def test_verbose_says_why(a: Machine, s3: S3Server, bucket: str) -> None:
    a.create("ml", "lib00=1.0")
    a.create("new", "lib00=1.0")
    a.sync("-n", "ml")
    first, last, touched = doctor(a, s3, "-v")
    assert first.startswith("✅ ml is in step")
    version = a.sync("--history", "ml").stdout[:8]
    assert last.startswith(f"    last in step: version {version}, of 20")
    assert touched.startswith("    last touched here: 20")
    why = doctor(a, s3, "-v", name="new")
    assert why[2] == "    no run of this machine has brought it into step yet"
    put(s3, bucket, "team/new.yml", "dependencies: [lib00=1.1]")
    a.sync("--prefer", "none", check=False)
    why = doctor(a, s3, "-v", name="new")
    assert why[2] == "    when both sides were last compared: never in step"


def test_a_pull_that_was_not_finished(a: Machine, s3: S3Server, bucket: str) -> None:
    put(
        s3,
        bucket,
        "team/ml.yml",
        "dependencies: [python, pip, pip: [no-such-package==1]]",
    )
    a.sync(check=False)
    assert doctor(a, s3, "-v")[:3] == [
        f"❌ ml is not all that was pulled from s3://{bucket}/team.",
        "    conda s3-sync -n ml  tries again",
        "    a pull was begun, and has not succeeded",
    ]


def test_without_a_location_all_that_are_remembered_are_told(
    a: Machine, s3: S3Server, bucket: str
) -> None:
    del a.environment["CONDA_PLUGINS_S3_SYNC_LOCATION"]
    a.create("ml", "lib00=1.0")
    assert doctor(a, s3) == [
        "❌ ml was never synchronized with any location, and none is set "
        "(s3_sync_location)."
    ]
    for path in ("one", "two"):
        a.sync(f"{bucket}/{path}")
    a.install("ml", "lib01")
    a.sync(f"{bucket}/one")
    assert doctor(a, s3) == [
        f"✅ ml is in step with s3://{bucket}/one.",
        f"❌ ml has changed since it was in step with s3://{bucket}/two.",
        f"    conda s3-sync {bucket}/two -n ml  shares it",
    ]


def test_what_takes_no_part_is_told(a: Machine, s3: S3Server, bucket: str) -> None:
    a.create("ml", "lib00=1.0")
    a.environment["CONDA_PLUGINS_S3_SYNC_PATH_FILTER"] = "web"
    told = f"✅ {a.prefix('ml')} takes no part in conda s3-sync."
    assert doctor(a, s3) == [told]


def test_what_cannot_be_told_is_said(a: Machine, s3: S3Server, bucket: str) -> None:
    a.create("ml", "lib00=1.0")
    a.environment["CONDA_PLUGINS_S3_SYNC_PREFER"] = "nothing"
    (line,) = doctor(a, s3)
    assert line.startswith(
        "❌ What is in step cannot be told: s3_sync_prefer is one of"
    )


@pytest.mark.skipif(not HAS_CONDA or not names_checks(), reason="needs conda 26.1")
def test_the_list_of_checks_has_it(a: Machine) -> None:
    assert "s3-sync" in a.conda("doctor", "--list").stdout
