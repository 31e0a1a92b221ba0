"""A computer with conda and one without, one bucket: neither can tell the other."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from acceptance import (
    NOTHING_TO_DO,
    content,
    contents,
    history,
    plant,
    put,
    requested,
    stamps,
    sync_twice,
)
from machine import Machine

if TYPE_CHECKING:
    import subprocess
    from collections.abc import Callable
    from pathlib import Path

    from http_channel import HttpChannel
    from make_channel import Channel
    from s3server import Request, S3Server

    Build = Callable[..., Machine]

pytestmark = [pytest.mark.conda, pytest.mark.usefixtures("without_conda")]

#: Who goes first, and who has to cope with that.
ORDERS = [("conda", "standalone"), ("standalone", "conda")]


@pytest.fixture(scope="module")
def original(
    tmp_path_factory: pytest.TempPathFactory, channel: Channel, wheels: Path
) -> Machine:
    """A machine with environments that conda has made; only to be copied from."""
    folder = tmp_path_factory.mktemp("original") / "machine"
    machine = Machine(folder, channels=[channel.url], wheels=wheels)
    machine.create("py", "python", "pip", "lib01=1.1", "six")
    machine.pip("py", "install", "hello==1.0", "greet")
    machine.set_variables("py", MODE="fast", COLOR="blue")
    machine.create("libs", "lib01=1.0", "python", "six")
    return machine


@pytest.fixture
def a(machine: Build, original: Machine) -> Machine:
    """A machine with conda, and the environments of the original."""
    a = machine("a", kind="conda")
    for name in original.environments():
        plant(original, name, a)
    return a


@pytest.fixture
def b(machine: Build) -> Machine:
    """A machine without conda, and without environments."""
    return machine("b", kind="standalone")


@pytest.fixture
def both(a: Machine, b: Machine, bucket: str) -> dict[str, Machine]:
    """Both machines, in step, by their kind."""
    for one in (a, b):
        one.sync(bucket)
    return {one.kind: one for one in (a, b)}


def edit(machine: Machine) -> None:
    """Add, change and remove packages of conda, packages of pip, and variables."""
    machine.install("py", "nopy", "lib01=2.0")
    machine.remove("py", "six")
    machine.pip("py", "install", "hello==2.0", "fromsource")
    machine.pip("py", "uninstall", "--yes", "greet")
    machine.set_variables("py", MODE="slow", SHAPE="round")
    machine.manage("env", "config", "vars", "unset", "-n", "py", "COLOR")


def in_site_packages(machine: Machine, name: str, pattern: str) -> list[str]:
    """Return what is there, whether anybody knows of it or not."""
    found = machine.prefix(name).glob(f"lib/python3.*/site-packages/{pattern}")
    return sorted(path.name for path in found)


def repodata(http_channel: HttpChannel) -> list[str]:
    """Return the requests that only a solve needs, and forget all."""
    paths = [path for path in http_channel.requests if "repodata" in path]
    http_channel.requests.clear()
    return paths


def test_what_conda_has_made_is_restored_without_conda_and_without_a_solve(
    machine: Build,
    http_channel: HttpChannel,
    s3: S3Server,
    bucket: str,
) -> None:
    a = machine("a", kind="conda", channels=[http_channel.url])
    b = machine("b", kind="standalone", channels=[http_channel.url])
    a.create("py", "python", "pip", "lib01=1.1", "six")
    a.pip("py", "install", "hello==1.0", "greet")
    a.set_variables("py", MODE="fast", COLOR="blue")
    a.create("libs", "lib05", "lib02=1.1")
    a.create("one", "nopy=1.0", "python")
    assert repodata(http_channel)
    sync_twice(a, s3, f"{bucket}/team")
    pulled = sync_twice(b, s3, f"{bucket}/team")
    assert [line.split()[:2] for line in pulled.stdout.splitlines()[:-1]] == [
        ["pull", "libs"],
        ["pull", "one"],
        ["pull", "py"],
    ]
    assert len(http_channel.requests) == len(set(http_channel.requests)) > 0
    assert repodata(http_channel) == []
    assert contents(b) == contents(a)
    assert stamps(b) == {name: ns // 1000 * 1000 for name, ns in stamps(a).items()}
    # What the comparison rests on is there at all, and works.
    assert b.pip_packages("py") == {"hello": "1.0", "greet": "1.0"}
    assert b.variables("py") == {"MODE": "fast", "COLOR": "blue"}
    assert requested(b, "libs") == ["lib02=1.1", "lib05"]
    says = b.python("py", "-c", "import hello, greet, six; print(hello.__version__)")
    assert says.stdout == "1.0\n"
    sync_twice(a, s3, f"{bucket}/team")


@pytest.mark.parametrize(("first", "second"), ORDERS)
def test_an_edit_arrives_as_an_update_and_life_goes_on(
    first: str, second: str, both: dict[str, Machine], s3: S3Server, bucket: str
) -> None:
    here, there = both[first], both[second]
    before = content(there, "py")
    edit(here)
    assert "push  py  changed here" in sync_twice(here, s3, bucket).stdout
    pulled = sync_twice(there, s3, bucket).stdout
    assert "pull  py  changed in the bucket" in pulled
    assert content(there, "py") == content(here, "py") != before
    assert in_site_packages(there, "py", "six*") == []
    assert (
        in_site_packages(there, "py", "nopy*")
        == in_site_packages(here, "py", "nopy*")
        != []
    )
    says = there.python("py", "-c", "import hello, nopy; print(hello.__version__)")
    assert says.stdout == "2.0\n"
    there.install("py", "acty")
    there.remove("py", "nopy")
    assert "push  py  changed here" in sync_twice(there, s3, bucket).stdout
    sync_twice(here, s3, bucket)
    assert content(here, "py") == content(there, "py")
    assert in_site_packages(here, "py", "nopy*") == []
    assert "acty" in here.packages("py")


def test_conda_works_on_with_what_came_from_a_machine_without_it(
    a: Machine, b: Machine, s3: S3Server, bucket: str
) -> None:
    a.sync(bucket)
    b.sync(bucket)
    edit(b)
    b.create("new", "lib02=1.0", "nopy", "python")
    sync_twice(b, s3, bucket)
    sync_twice(a, s3, bucket)
    for name in ("py", "new"):
        told = [line.split() for line in a.conda("list", "-n", name).stdout.split("\n")]
        listed = {line[0]: line[1] for line in told if len(line) > 2 and line[0] != "#"}
        packages = {key: what[0] for key, what in a.packages(name).items()}
        assert listed == packages | a.pip_packages(name)
    exported = a.conda("env", "export", "--from-history", "-n", "new").stdout
    for spec in ("lib02=1.0", "nopy", "python"):
        assert f"- {spec}\n" in exported
    a.install("new", "lib01=1.1")
    assert "lib02=1.0" in requested(a, "new")
    assert a.packages("new")["lib02"][0] == "1.0"
    sync_twice(a, s3, bucket)
    sync_twice(b, s3, bucket)
    assert contents(b) == contents(a)
    assert b.packages("new")["lib01"][0] == "1.1"


@pytest.mark.parametrize(("first", "second"), ORDERS)
def test_a_conflict_is_seen_the_newest_wins_and_the_history_keeps_both(
    first: str, second: str, both: dict[str, Machine], s3: S3Server, bucket: str
) -> None:
    early, late = both[first], both[second]
    early.install("libs", "acty")
    early.set_variables("libs", WHO="early")
    late.set_variables("libs", WHO="late")
    late.sync(bucket)
    said = sync_twice(early, s3, bucket).stdout
    assert "libs  changed on both sides; last changed in the bucket" in said
    sync_twice(late, s3, bucket)
    assert content(early, "libs") == content(late, "libs")
    assert early.variables("libs") == {"WHO": "late"}
    kept = history(s3, bucket, "libs")
    assert [text for text in kept if "WHO: early" in text and "acty" in text] != []


@pytest.mark.parametrize(("first", "second"), ORDERS)
def test_without_prune_nothing_is_removed_and_both_stay_in_step(
    first: str, second: str, both: dict[str, Machine], s3: S3Server, bucket: str
) -> None:
    here, there = both[first], both[second]
    here.install("py", "nopy")
    here.remove("py", "six")
    here.pip("py", "uninstall", "--yes", "greet")
    here.sync(bucket)
    sync_twice(there, s3, bucket, "--no-prune")
    assert {"six", "nopy"} <= there.packages("py").keys()
    assert there.pip_packages("py") == {"hello": "1.0", "greet": "1.0"}
    assert {"six", "nopy"} <= set(requested(there, "py"))
    there.python("py", "-c", "import six, nopy, greet")
    sync_twice(here, s3, bucket)
    assert "six" not in here.packages("py")


HAND_WRITTEN = """\
name: ml
channels: ['{channel}']
dependencies:
  - python
  - pip
  - lib02=1.1
  - nopy
  - pip: [hello==1.0]
variables:
  MODE: fast
"""


@pytest.mark.parametrize(("first", "second"), ORDERS)
def test_what_one_has_solved_for_the_other_takes_as_it_is(
    first: str,
    second: str,
    machine: Build,
    http_channel: HttpChannel,
    s3: S3Server,
    bucket: str,
) -> None:
    here, there = machine("here", kind=first), machine("there", kind=second)
    put(s3, bucket, "ml.yml", HAND_WRITTEN.format(channel=http_channel.url))
    sync_twice(here, s3, bucket)
    assert repodata(http_channel)
    sync_twice(there, s3, bucket)
    assert len(http_channel.requests) == len(there.packages("ml")) > 0
    assert repodata(http_channel) == []
    assert content(there, "ml") == content(here, "ml")
    assert there.packages("ml")["lib02"][0] == "1.1"
    assert there.pip_packages("ml") == {"hello": "1.0"}
    assert set(requested(there, "ml")) == {"lib02=1.1", "nopy", "pip", "python"}
    sync_twice(here, s3, bucket)


def nothing_is_done(machine: Machine, s3: S3Server, bucket: str) -> bool:
    """Run once, and tell whether that was a look at the bucket and no more."""
    memory = machine.home / ".conda" / "s3-sync" / "baselines.json"
    before = memory.read_bytes(), stamps(machine)
    s3.requests.clear()
    said = machine.sync(bucket)
    assert said.stdout.count("\n") == 1, said.stdout
    assert said.stderr == ""
    after = memory.read_bytes(), stamps(machine)
    return s3.counts() == NOTHING_TO_DO and after == before


def test_on_one_disk_what_one_command_has_done_the_other_knows(
    a: Machine, b: Machine, s3: S3Server, bucket: str
) -> None:
    other = a.with_kind("standalone")
    # They may have found their way to the same folder through different links.
    link = a.root / "link"
    link.symlink_to(a.base)
    other.environment["CONDA_ROOT_PREFIX"] = str(link)
    a.sync(bucket)
    assert nothing_is_done(other, s3, bucket)
    a.set_variables("py", MODE="slow")
    other.sync(bucket)
    assert nothing_is_done(a, s3, bucket)
    b.sync(bucket)
    edit(b)
    b.remove("libs", "six")
    b.create("new", "lib02", "nopy", "python")
    b.sync(bucket)
    # It changes what conda has made there, and makes what conda does not know yet.
    assert other.sync(bucket).stdout.endswith(": 3 pulled\n")
    assert nothing_is_done(a, s3, bucket)
    assert contents(a) == contents(b)
    for name in ("py", "libs"):
        assert in_site_packages(a, name, "six*") == []
    listed = a.conda("env", "list").stdout
    assert str(a.prefix("new")) in listed
    # And the other way round.
    a.remove("new", "nopy")
    assert in_site_packages(a, "new", "nopy*") == []
    a.install("py", "acty")
    sync_twice(a, s3, bucket)
    assert nothing_is_done(other, s3, bucket)
    sync_twice(b, s3, bucket)
    assert contents(b) == contents(a)


@pytest.mark.parametrize(("first", "second"), [*ORDERS, ("conda", "conda")])
def test_on_one_disk_one_command_keeps_the_other_out_while_it_runs(
    first: str,
    second: str,
    a: Machine,
    s3: S3Server,
    bucket: str,
) -> None:
    running, waiting = a.with_kind(first), a.with_kind(second)
    held: list[Request] = []
    kept_out: list[subprocess.CompletedProcess[str]] = []

    def start_the_other(request: Request) -> None:
        if not held:
            held.append(request)
            kept_out.append(waiting.sync(bucket, check=False))

    s3.before = start_the_other
    running.sync(bucket)
    s3.before = None
    assert held[0].verb == "LIST"
    (done,) = kept_out
    assert (done.returncode, done.stdout) == (1, "")
    assert "is running: process " in done.stderr
    assert "run the command again" in done.stderr
    assert nothing_is_done(waiting, s3, bucket)
