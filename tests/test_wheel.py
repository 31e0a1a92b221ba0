"""The wheel and the source archive, and what comes of installing them."""

from __future__ import annotations

import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from machine import PYTHONS

from conda_s3_sync_plugin import __version__

if TYPE_CHECKING:
    from collections.abc import Callable

    from machine import Machine
    from s3server import S3Server

ROOT = Path(__file__).resolve().parents[1]
NAME = f"conda_s3_sync_plugin-{__version__}"


def run(*command: str | Path) -> str:
    """Run python with some arguments, and fail with what it said."""
    done = subprocess.run(
        [sys.executable, "-m", *command], cwd=ROOT, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture(scope="session")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel, built from the checkout."""
    folder = tmp_path_factory.mktemp("wheel")
    run("hatchling", "build", "--target", "wheel", "--directory", folder)
    return folder / f"{NAME}-py3-none-any.whl"


@pytest.fixture(scope="session")
def archive(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The source archive."""
    folder = tmp_path_factory.mktemp("archive")
    run("hatchling", "build", "--target", "sdist", "--directory", folder)
    return folder / f"{NAME}.tar.gz"


def test_both_are_fit_for_an_index(wheel: Path, archive: Path) -> None:
    assert run("twine", "check", "--strict", wheel, archive).count("PASSED") == 2


def test_the_wheel_has_the_modules_and_the_metadata_and_no_more(wheel: Path) -> None:
    modules = (ROOT / "conda_s3_sync_plugin").rglob("*.py")
    metadata = (
        "METADATA",
        "RECORD",
        "WHEEL",
        "entry_points.txt",
        "licenses/LICENSE",
    )
    assert set(zipfile.ZipFile(wheel).namelist()) == {
        *(path.relative_to(ROOT).as_posix() for path in modules),
        *(f"{NAME}.dist-info/{name}" for name in metadata),
    }


def test_the_source_archive_can_be_built_tested_and_packaged(
    archive: Path, wheel: Path, tmp_path: Path
) -> None:
    with tarfile.open(archive) as tar:
        names = {name.removeprefix(f"{NAME}/") for name in tar.getnames()}
    tests = {f"tests/{path.name}" for path in (ROOT / "tests").glob("*.py")}
    assert names > {"Makefile", "dev/lanes.py", "recipe/recipe.yaml", *tests}
    offline = ("--no-index", "--no-deps", "--no-build-isolation", "--quiet")
    run("pip", "wheel", *offline, "--wheel-dir", tmp_path, archive)
    assert (tmp_path / wheel.name).read_bytes() == wheel.read_bytes()


@pytest.fixture(scope="session")
def command(
    tmp_path_factory: pytest.TempPathFactory, wheel: Path, without_conda: None
) -> Path:
    """The command of the wheel, installed without our checkout and without conda."""
    folder = tmp_path_factory.mktemp("installed")
    maker, python = PYTHONS["standalone"], str(folder / "bin" / "python")
    subprocess.run([maker, "-m", "venv", "--without-pip", folder], check=True)
    offline = ("--no-index", "--no-deps", "--quiet")
    run("pip", "--python", python, "install", *offline, wheel)
    # What we depend on, from where it is: the checkout itself is not led to by a line
    # of ours, but by one that python does not read at second hand.
    ask = "import sysconfig; print(sysconfig.get_path('purelib'))"
    there, here = (
        subprocess.check_output([one, "-c", ask], text=True) for one in (maker, python)
    )
    Path(here.strip(), "dependencies.pth").write_text(there)
    return folder / "bin" / "conda-s3-sync"


def test_the_command_of_the_wheel_runs(
    command: Path, machine: Callable[..., Machine]
) -> None:
    a = machine("a")
    assert a.run(command, "--version").stdout == f"conda-s3-sync-plugin {__version__}\n"
    assert a.run(command, "--help").stdout.startswith("usage: conda-s3-sync ")
    where = "import conda_s3_sync_plugin as ours; print(ours.__file__)"
    python = command.with_name("python")
    assert a.run(python, "-c", where).stdout.startswith(str(python.parents[1]))


def test_the_command_of_the_wheel_synchronizes(
    command: Path, machine: Callable[..., Machine], s3: S3Server, bucket: str
) -> None:
    a, b = machine("a", kind="standalone"), machine("b", kind="standalone")
    a.create("ml", "lib01=1.0")
    assert a.run(command, bucket).stdout.endswith(": 1 pushed\n")
    assert b.run(command, bucket).stdout.endswith(": 1 pulled\n")
    assert b.packages("ml") == a.packages("ml")
    s3.requests.clear()
    assert b.run(command, bucket).stdout.endswith(": 1 in step\n")
    assert s3.counts() == {"LIST": 1}
