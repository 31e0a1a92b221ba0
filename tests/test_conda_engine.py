"""The conda engine on what conda has made, and on other installations."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

import pytest
from hand_made import make_prefix, snapshot
from lab import Lab

from conda_s3_sync_plugin.exceptions import EngineError, UsageError

if TYPE_CHECKING:
    from pathlib import Path

    from make_channel import Channel

pytestmark = pytest.mark.conda


@pytest.fixture
def lab(tmp_path: Path, channel: Channel, monkeypatch: pytest.MonkeyPatch) -> Lab:
    return Lab(tmp_path / "here", monkeypatch, channels=[channel.url])


def test_what_conda_makes_is_read_and_reading_changes_nothing(
    lab: Lab, capfd: pytest.CaptureFixture[str]
) -> None:
    prefix = lab.machine.create("ml", "lib03=1.1", "acty")
    lab.machine.set_variables("ml", MODE="fast")
    lab.enter()
    before, stamp = snapshot(lab.machine.root), lab.look("ml").stamp
    capfd.readouterr()
    export = lab.export("ml")
    assert capfd.readouterr() == ("", "")
    assert snapshot(lab.machine.root) == before
    assert lab.look("ml").stamp == stamp
    assert {spec.split("=")[0] for spec in export.file.specs} == {
        *("acty", "lib00", "lib01", "lib02", "lib03")
    }
    assert export.lock.requested == ("acty", "lib03=1.1")
    assert export.file.variables == {"MODE": "fast"}
    # What only reads, through conda, is no change either.
    for command in (("list",), ("run", "true"), ("export",)):
        verb, *rest = command
        lab.machine.conda(verb, "-p", prefix, *rest)
    assert lab.look("ml").stamp == stamp
    lab.machine.conda("env", "config", "vars", "unset", "-p", prefix, "MODE")
    assert lab.look("ml").stamp != stamp


def test_conda_makes_the_environment_from_the_file(lab: Lab, tmp_path: Path) -> None:
    export = lab.make("ml", "lib03=1.1", "acty", variables={"MODE": "fast"})
    file = tmp_path / "environment.yml"
    file.write_bytes(export.file.body)
    lab.machine.conda("env", "create", "-n", "copy", "-f", file)
    assert lab.machine.packages("copy") == lab.machine.packages("ml")
    assert lab.machine.variables("copy") == {"MODE": "fast"}
    assert lab.export("copy").file.digest == export.file.digest


def test_reading_keeps_the_record_of_what_pip_has_replaced(lab: Lab) -> None:
    lab.make("ml", "six")
    site = next(lab.prefix("ml").glob("lib/python3*/site-packages"))
    shutil.rmtree(site / "six-1.15.0.dist-info")
    lab.enter(CONDA_PREFIX_DATA_INTEROPERABILITY="true")
    before = lab.snapshot("ml")
    assert any(spec.startswith("six=1.15.0") for spec in lab.export("ml").file.specs)
    assert lab.snapshot("ml") == before


def test_a_history_that_cannot_be_read_is_an_error_of_one_line(lab: Lab) -> None:
    lab.make("ml", "lib00")
    history = lab.machine.history("ml")
    history.write_bytes(history.read_bytes() + b"# update specs: ['lib00 =>=1']\n")
    with pytest.raises(EngineError, match="ml cannot be read") as error:
        lab.export("ml")
    assert "\n" not in error.value.summary


def another_installation(folder: Path) -> Path:
    """Make what looks like another conda, with one environment."""
    root = make_prefix(folder / "other")
    for path in ("bin/conda", "condabin/conda"):
        (root / path).parent.mkdir()
        (root / path).write_text("#!/bin/sh\n")
        (root / path).chmod(0o755)
    make_prefix(root / "envs" / "theirs")
    return root


INSTALLATION = {
    "folder": "other",
    "executable": "other/bin/conda",
    "condabin": "other/condabin/conda",
    "link": "link",
    "name on PATH": "conda",
    "in the home folder": "~/other",
}


@pytest.mark.parametrize("path", INSTALLATION.values(), ids=INSTALLATION)
def test_another_installation_is_used(
    lab: Lab, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, path: str
) -> None:
    from conda_s3_sync_plugin.engines.conda import CondaEngine, use_installation

    root = another_installation(tmp_path)
    (root / ".condarc").write_text("channels: [theirs]\n")
    (tmp_path / "link").symlink_to(root / "bin" / "conda")
    monkeypatch.setenv("CONDA_ROOT", "")  # so that it is unset afterwards
    monkeypatch.setenv("HOME", str(tmp_path))
    for name in ("CONDA_ENVS_DIRS", "CONDA_CHANNELS"):
        monkeypatch.delenv(name)
    if path == "conda":
        monkeypatch.setenv("PATH", str(root / "bin"))
    elif not path.startswith("~"):
        path = str(tmp_path / path)
    use_installation(path)
    engine = CondaEngine()
    assert engine.root == root
    assert dict(engine.environments())["theirs"] == root / "envs" / "theirs"
    assert engine.prefix_for("new") == root / "envs" / "new"
    from conda.base.context import context

    assert context.channels == ("theirs",)


@pytest.mark.parametrize("path", ["/nothing/bin/conda", "", ".", "no-such-command"])
def test_what_is_no_installation_is_refused(lab: Lab, path: str) -> None:
    from conda.base.context import context

    from conda_s3_sync_plugin.engines.conda import use_installation

    with pytest.raises(UsageError, match="is no conda installation") as error:
        use_installation(path)
    assert error.value.hint
    assert context.root_prefix == str(lab.machine.base)
