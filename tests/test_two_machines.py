"""Two computers, one bucket: environments and edits travel, and then all is quiet."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from acceptance import ZONES, content, contents, plant, stamps, sync_twice
from machine import Machine

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from make_channel import Channel
    from s3server import S3Server

    Build = Callable[..., Machine]


@pytest.fixture(scope="module")
def original(
    tmp_path_factory: pytest.TempPathFactory, channel: Channel, wheels: Path
) -> Machine:
    """A machine with one environment, `py`; only to be copied from."""
    folder = tmp_path_factory.mktemp("original") / "machine"
    machine = Machine(folder, channels=[channel.url], wheels=wheels)
    machine.create("py", "python", "pip", "lib01=1.1", "six")
    machine.pip("py", "install", "hello==1.0", "greet")
    machine.set_variables("py", MODE="fast", COLOR="blue")
    machine.pin("py", "lib01 1.*", "six")
    return machine


def test_all_that_an_environment_is_arrives_on_an_empty_machine(
    original: Machine, machine: Build, s3: S3Server, bucket: str
) -> None:
    a, b = machine("a"), machine("b")
    plant(original, "py", a)
    a.create("libs", "lib05", "lib02=1.1")
    a.create("one", "nopy=1.0", "python")
    pushed = sync_twice(a, s3, f"{bucket}/team")
    assert [line.split()[:2] for line in pushed.stdout.splitlines()[:-1]] == [
        ["push", "libs"],
        ["push", "one"],
        ["push", "py"],
    ]
    pulled = sync_twice(b, s3, f"{bucket}/team")
    assert pulled.stdout.count("pull  ") == 3
    assert contents(b) == contents(a)
    assert stamps(b) == {name: ns // 1000 * 1000 for name, ns in stamps(a).items()}
    sync_twice(a, s3, f"{bucket}/team")
    # What the comparison rests on is there at all, and works.
    libs, py = content(b, "libs"), content(b, "py")
    assert libs["packages"]["lib02"][:2] == ("1.1", "h2_0")
    assert len(libs["packages"]["lib02"][2]) == 64
    assert [spec.split("[")[0] for spec in libs["requested"]] == ["lib02=1.1", "lib05"]
    assert py["pip"] == {"hello": "1.0", "greet": "1.0"}
    assert py["variables"] == {"MODE": "fast", "COLOR": "blue"}
    assert py["pinned"] == ["lib01 1.*", "six"]
    says = b.python("py", "-c", "import hello, greet, six; print(hello.__version__)")
    assert says.stdout == "1.0\n"


def edit_packages(machine: Machine) -> None:
    """Add a package, change one, remove one."""
    machine.install("py", "nopy", "lib01=2.0")
    machine.remove("py", "six")


def edit_by_pip(machine: Machine) -> None:
    """Add a package, change one, remove one."""
    machine.pip("py", "install", "hello==2.0", "fromsource")
    machine.pip("py", "uninstall", "--yes", "greet")


def edit_variables(machine: Machine) -> None:
    """Add a variable, change one, remove one."""
    machine.set_variables("py", MODE="slow", SHAPE="round")
    machine.manage("env", "config", "vars", "unset", "-n", "py", "COLOR")


def edit_pins(machine: Machine) -> None:
    """Add a pin, change one, remove one, as people write them."""
    machine.pin("py", "# why", "lib01   2.*", "python", "")


@pytest.mark.parametrize(
    ("edit", "zones"),
    [
        pytest.param(edit_packages, ("Sao_Paulo", "Tokyo"), id="packages"),
        pytest.param(edit_by_pip, ("Tokyo", "UTC"), id="pip"),
        pytest.param(edit_variables, ("UTC", "Sao_Paulo"), id="variables"),
        pytest.param(edit_pins, ("UTC", "Tokyo"), id="pins"),
    ],
)
def test_edits_arrive_exactly_whatever_the_time_zones(
    edit: Callable[[Machine], None],
    zones: tuple[str, str],
    original: Machine,
    machine: Build,
    s3: S3Server,
    bucket: str,
) -> None:
    a, b = machine("a"), machine("b")
    for one, zone in zip((a, b), zones, strict=True):
        one.environment["TZ"] = ZONES[zone]
    plant(original, "py", a)
    a.sync_here(bucket)
    b.sync_here(bucket)
    before = content(a, "py")
    edit(b)
    edited = content(b, "py")
    assert edited != before
    assert "push  py  changed here just now" in sync_twice(b, s3, bucket).stdout
    pulled = sync_twice(a, s3, bucket)
    assert "pull  py  changed in the bucket just now" in pulled.stdout
    assert content(a, "py") == content(b, "py") == edited
    sync_twice(b, s3, bucket)


def test_an_environment_may_be_empty_and_become_so(
    machine: Build, s3: S3Server, bucket: str
) -> None:
    a, b = machine("a"), machine("b")
    a.create("empty")
    a.sync(bucket)
    sync_twice(b, s3, bucket)
    assert b.environments() == ["empty"]
    b.install("empty", "lib00=1.0")
    b.sync(bucket)
    a.sync(bucket)
    assert a.packages("empty") == b.packages("empty") != {}
    a.remove("empty", "lib00")
    sync_twice(a, s3, bucket)
    sync_twice(b, s3, bucket)
    assert b.packages("empty") == {}
