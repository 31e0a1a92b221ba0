"""The conda package where it belongs: in the base environment of somebody's conda."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest
from conda_here import HAS_CLASSIC
from following import set_up, words
from make_channel import Channel
from own_conda import OwnConda, make_conda_channel
from rattler_build import Package

from conda_s3_sync_plugin import __version__

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from s3server import S3Server

NAME = "conda-s3-sync-plugin"

pytestmark = [
    pytest.mark.conda,
    pytest.mark.skipif(not HAS_CLASSIC, reason="needs conda's classic solver"),
]


@pytest.fixture(scope="session")
def conda_channel(make_once: Callable[..., Path]) -> str:
    """A channel from which a conda can be installed, and what our package needs."""
    return make_once("conda-channel", make_conda_channel).as_uri()


@pytest.fixture(scope="session")
def user(make_once: Callable[..., Path], conda_channel: str, built: Path) -> OwnConda:
    """A machine with the plugin, installed by its own conda; to be left as it is."""

    def make(folder: Path) -> None:
        machine = OwnConda(folder, channels=[conda_channel])
        machine.install_conda()
        machine.run("conda", "install", "-n", "base", "-c", built.as_uri(), NAME)

    return OwnConda(make_once("user", make), channels=[conda_channel])


@pytest.fixture
def a(tmp_path: Path, user: OwnConda, conda_channel: str, s3: S3Server) -> OwnConda:
    """A machine with the plugin."""
    machine = OwnConda(tmp_path / "a", channels=[conda_channel], endpoint=s3.endpoint)
    machine.become(user)
    return machine


def said(machine: OwnConda, *command: str | Path) -> str:
    """Run a command that is to print nothing but what it is asked for; return that."""
    done = machine.run(*command)
    assert done.stderr == ""
    return done.stdout


def test_the_package_passes_the_tests_of_its_recipe(
    built: Path, conda_channel: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RATTLER_CACHE_DIR", str(tmp_path))
    (path,) = built.glob("*/*.conda")
    package = Package.from_file(path)
    assert package.test_count == 2
    results = package.run_tests(channel=[conda_channel])
    output = "\n".join(line for result in results for line in result.output)
    assert all(results), output
    assert "pip check passed" in output
    assert "s3-sync [-n NAME]" in output


def test_conda_knows_the_plugin(user: OwnConda) -> None:
    assert "s3-sync" in said(user, "conda", "--help")
    text = said(user, "conda", "s3-sync", "--help")
    assert re.match(r"usage: \S+ s3-sync ", text)  # by its file, until conda 26.3
    assert said(user, "conda-s3-sync", "--version") == f"{NAME} {__version__}\n"
    if plugins := list_plugins(user):
        assert re.search(rf"^{NAME} +{re.escape(__version__)} +active ", plugins, re.M)


def test_environments_travel(a: OwnConda, s3: S3Server, bucket: str) -> None:
    for number in (1, 2):
        said(a, "conda", "create", "-n", f"env{number}", f"lib={number}")
    packages = a.packages("env1")
    assert said(a, "conda", "s3-sync", bucket).endswith(": 2 pushed\n")
    said(a, "conda", "remove", "-n", "env1", "--all")
    assert said(a, "conda", "s3-sync", bucket).endswith(": 1 pulled, 1 in step\n")
    assert a.packages("env1") == packages
    s3.requests.clear()
    assert said(a, "conda", "s3-sync", bucket).endswith(": 2 in step\n")
    assert s3.counts() == {"LIST": 1}


def test_a_release_is_replaced_by_itself_or_by_another_while_it_follows(
    a: OwnConda, built: Path, s3: S3Server, bucket: str, tmp_path: Path
) -> None:
    said(a, "conda", "create", "-n", "env1", "lib")
    set_up(a, bucket, auto_timeout="60")
    again = ("-n", "base", "--force-reinstall", "-c", built.as_uri())
    done = a.run("conda", "install", *again, NAME)
    assert words(done, s3) == f"pushed env1 to s3://{bucket}/team"
    assert done.stderr.count("\n") == 1

    newer = make_newer_release(tmp_path / "newer", a.base)
    said(a, "conda", "update", "-n", "base", "-c", newer.url, NAME)
    assert said(a, "conda-s3-sync", "--version") == f"{NAME} 99.0\n"
    done = a.run("conda", "create", "-n", "env2", "lib")
    assert words(done, s3) == f"pushed env2 to s3://{bucket}/team"


def make_newer_release(root: Path, base: Path) -> Channel:
    """Build a release whose modules do not fit those of the one that is installed."""
    (site,) = base.glob("lib/python3.*/site-packages")
    files = {
        path.relative_to(site).as_posix(): path.read_bytes()
        for path in ours_in(site)
        if path.is_file() and path.suffix != ".pyc"
    }
    for old, new in (
        ("__init__.py", (__version__, "99.0")),
        ("cli.py", ("import annotations\n", "import annotations\n\nNEW = 1\n")),
        ("autosync.py", ("from .cli import", "from .cli import NEW,")),
    ):
        path = f"conda_s3_sync_plugin/{old}"
        text = files[path].decode()
        assert new[0] in text
        files[path] = text.replace(*new, 1).encode()
    channel = Channel(root)
    channel.add_noarch_python(
        NAME,
        "99.0",
        depends=["python", "boto3", "pyyaml"],
        files=files,
        entry_points=["conda-s3-sync = conda_s3_sync_plugin.__main__:run"],
    )
    channel.write_index()
    return channel


def test_nothing_is_left_of_the_plugin_when_it_is_removed(
    a: OwnConda, bucket: str
) -> None:
    a.write_condarc(plugins={"s3_sync_location": bucket, "s3_sync_auto": "push"})
    assert ours_in(a.base)
    said(a, "conda", "remove", "-n", "base", NAME)
    assert ours_in(a.base) == []
    assert "s3_sync" not in said(a, "conda", "info")
    assert NAME not in list_plugins(a)
    unknown = a.run("conda", "s3-sync", check=False)
    assert unknown.returncode == 2
    assert "invalid choice: 's3-sync'" in unknown.stderr


def list_plugins(machine: OwnConda) -> str:
    """Return what `conda plugins list` says; empty: this conda cannot, before 26.9."""
    done = machine.run("conda", "plugins", "list", check=False)
    return "" if "invalid choice: 'plugins'" in done.stderr else done.stdout


def ours_in(folder: Path) -> list[Path]:
    """Return what is ours in a base environment, or in a part of it."""
    return [
        path
        for path in folder.rglob("*")
        if re.search("s3.sync", path.relative_to(folder).as_posix())
    ]
