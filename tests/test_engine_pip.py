"""Environments with a python that runs: pip beside conda, on real prefixes."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from lab import Lab, environment

from conda_s3_sync_plugin.exceptions import EngineError

if TYPE_CHECKING:
    from pathlib import Path

    from make_channel import Channel


@pytest.fixture
def lab(
    tmp_path: Path,
    channel: Channel,
    wheels: Path,
    monkeypatch: pytest.MonkeyPatch,
    kind: str,
) -> Lab:
    settings = {"channels": [channel.url], "wheels": wheels}
    return Lab(tmp_path / "here", monkeypatch, kind, **settings)


def six(lab: Lab, name: str) -> str:
    """Return the version that python sees."""
    return lab.machine.python(name, "-c", "import six; print(six.__version__)").stdout


def test_a_lock_that_a_solve_has_made_knows_what_pip_has_added(lab: Lab) -> None:
    written = environment("python", "pip", pip=["greet"])
    solved = lab.make("ml", "python", "pip", pip=["greet"])
    assert solved.file.pip == ("greet==1.0", "hello==2.0")
    lab.apply("next", written, replace(solved.lock, digest=written.digest))
    assert lab.export("next").file.pip == solved.file.pip


def test_the_same_version_from_another_source_is_a_change(
    lab: Lab, wheels: Path
) -> None:
    lab.make("ml", "python", "pip", pip=["hello==1.0"])
    before = lab.look("ml").stamp
    wheel = (wheels / "hello-1.0-py3-none-any.whl").as_uri()
    lab.machine.pip("ml", "install", "--force-reinstall", f"hello @ {wheel}")
    assert lab.look("ml").stamp != before


def test_a_package_that_pip_replaced_is_so_elsewhere_and_then_conda_s_again(
    lab: Lab, capfd: pytest.CaptureFixture[str]
) -> None:
    plain = lab.make("source", "python", "pip", "six")
    lab.machine.pip("source", "install", "six==1.16.0", "hello==1.0")
    before = lab.snapshot("source")
    replaced = lab.export("source")
    assert lab.snapshot("source") == before
    assert replaced.file.pip == ("hello==1.0", "six==1.16.0")
    assert any(spec.startswith("six=1.15.0=") for spec in replaced.file.specs)
    assert replaced.file.digest != plain.file.digest

    capfd.readouterr()
    lab.apply("ml", replaced.file, replaced.lock)
    assert capfd.readouterr().out == ""
    assert lab.export("ml").lock == replaced.lock
    assert six(lab, "ml") == "1.16.0\n"

    lab.apply("ml", plain.file, plain.lock)
    assert lab.export("ml").lock == plain.lock
    assert six(lab, "ml") == "1.15.0\n"
    assert lab.machine.pip("ml", "list").stdout.count("six") == 1
    stamp = lab.look("ml").stamp
    lab.apply("ml", plain.file, plain.lock)
    assert lab.look("ml").stamp == stamp


def test_a_pip_that_fails_leaves_conda_s_part_and_is_tried_again(lab: Lab) -> None:
    export = lab.make("source", "python", "pip", "lib00=1.1")
    wanted = environment(*export.file.specs, pip=["hello==1.0", "nosuch==9"])
    with pytest.raises(EngineError, match=r"could not install nosuch==9: "):
        lab.apply("ml", wanted, replace(export.lock, pip=wanted.pip))
    lab.machine.pip("ml", "uninstall", "--yes", "hello")
    assert lab.export("ml").lock == export.lock
    again = environment(*export.file.specs, pip=["hello==1.0"])
    lab.apply("ml", again, replace(export.lock, pip=again.pip))
    assert lab.machine.pip_packages("ml") == {"hello": "1.0"}


def test_without_python_nothing_is_left_of_what_pip_had_installed(lab: Lab) -> None:
    plain = lab.make("plain", "lib00=1.0")
    lab.make("ml", "lib00=1.0", "python", "pip", "six", pip=["hello==1.0", "greet"])
    lab.machine.python("ml", "-c", "import hello, greet, six")
    lab.apply("ml", plain.file, plain.lock)
    assert leaving_out_meta(lab, "ml") == leaving_out_meta(lab, "plain")


def leaving_out_meta(lab: Lab, name: str) -> set[str]:
    """Return all that is in an environment, but for what conda keeps."""
    return {path for path in lab.snapshot(name) if not path.startswith("conda-meta")}


def test_an_editable_install_is_not_exported_and_stays(
    lab: Lab, tmp_path: Path
) -> None:
    export = lab.make("ml", "python", "pip")
    project = tmp_path / "app"
    project.mkdir()
    (project / "pyproject.toml").write_text(
        '[build-system]\nrequires = []\nbuild-backend = "b"\nbackend-path = ["."]\n'
    )
    (project / "b.py").write_text(BACKEND)
    lab.machine.pip("ml", "install", "-e", str(project))
    again = lab.export("ml")
    assert again.file == export.file
    assert again.warnings == (
        f"pip package app stays here: installed from {project.as_uri()}",
    )
    lab.apply("ml", export.file, export.lock)
    assert lab.machine.pip_packages("ml") == {"app": "1.0"}


BACKEND = """
import zipfile

def build_editable(folder, config_settings=None, metadata_directory=None):
    name = "app-1.0-py3-none-any.whl"
    info = "app-1.0.dist-info"
    with zipfile.ZipFile(f"{folder}/{name}", "w") as wheel:
        wheel.writestr("app.pth", "")
        text = "Metadata-Version: 2.1\\nName: app\\nVersion: 1.0\\n"
        wheel.writestr(f"{info}/METADATA", text)
        tag = "Wheel-Version: 1.0\\nRoot-Is-Purelib: true\\nTag: py3-none-any\\n"
        wheel.writestr(f"{info}/WHEEL", tag)
        wheel.writestr(f"{info}/RECORD", "")
    return name
"""
