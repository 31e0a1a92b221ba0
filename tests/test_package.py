"""The conda package, as far as that can be seen without installing it."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from importlib.metadata import distribution
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from rattler_build import Package

import conda_s3_sync_plugin
from conda_s3_sync_plugin.__main__ import _OLDEST_CONDA

ROOT = Path(__file__).resolve().parents[1]
PACKAGE = Path(conda_s3_sync_plugin.__file__).parent


@pytest.fixture
def package(built: Path) -> Package:
    """The one package that was built."""
    (path,) = built.glob("*/*.conda")
    return Package.from_file(path)


def test_the_channel_offers_the_package_and_nothing_that_was_there_before(
    built: Path, package: Package
) -> None:
    (index,) = built.rglob("repodata.json")
    assert index.parent.name == package.subdir == "noarch"
    repodata = json.loads(index.read_bytes())
    assert list(repodata["packages.conda"]) == [package.filename]
    assert repodata["packages"] == {}


def test_it_is_what_the_project_says_of_itself(package: Package) -> None:
    ours = distribution("conda-s3-sync-plugin")
    assert (package.name, package.noarch) == (ours.name, "python")
    assert package.version == conda_s3_sync_plugin.__version__
    assert package.license == ours.metadata["License-Expression"]
    required = [Requirement(line) for line in ours.requires or ()]
    specs = {
        f"{canonicalize_name(one.name)} {one.specifier}"
        for one in required
        if one.marker is None
    }
    python = f"python {ours.metadata['Requires-Python']}"
    conda = f"conda >={'.'.join(map(str, _OLDEST_CONDA))}"
    assert set(package.depends) == specs | {python, conda}


def test_it_has_the_modules_and_the_metadata_and_no_more(package: Package) -> None:
    modules = {
        f"site-packages/{path.relative_to(PACKAGE.parent).as_posix()}"
        for path in PACKAGE.rglob("*.py")
    }
    others = set(package.files) - modules
    assert modules <= set(package.files)
    assert {re.sub(r".*/[^/]+\.dist-info/", "", path) for path in others} == {
        "INSTALLER",
        "METADATA",
        "RECORD",
        "REQUESTED",
        "WHEEL",
        "entry_points.txt",
        "licenses/LICENSE",
    }


def test_what_keeps_it_from_being_built_is_told(tmp_path: Path) -> None:
    for part in ("dev", "recipe", "tests", "conda_s3_sync_plugin"):
        shutil.copytree(ROOT / part, tmp_path / part)
    (tmp_path / "pyproject.toml").write_text('[project]\ndescription = "nameless"\n')
    channel = tmp_path / "channel"
    command = [sys.executable, tmp_path / "dev" / "package.py", channel]
    done = subprocess.run(command, capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (1, "")
    *log, reason = done.stderr.splitlines()
    assert any("pyproject.toml" in line for line in log)
    assert reason.startswith("the package cannot be built: ")
    assert not channel.exists()
