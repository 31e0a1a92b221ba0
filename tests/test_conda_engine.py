"""The conda engine on real prefixes: finding, looking, exporting."""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hand_made import make_prefix, snapshot
from lab import Lab, environment

from conda_s3_sync_plugin.exceptions import EngineError, UsageError
from conda_s3_sync_plugin.models import Unknown

if TYPE_CHECKING:
    from make_channel import Channel

pytestmark = pytest.mark.conda


@pytest.fixture
def lab(tmp_path: Path, channel: Channel, monkeypatch: pytest.MonkeyPatch) -> Lab:
    return Lab(tmp_path / "here", monkeypatch, channels=[channel.url])


def found(lab: Lab) -> list[tuple[str, Path]]:
    return list(lab.engine.environments())


def register(lab: Lab, *lines: str | Path) -> Path:
    path = lab.machine.home / ".conda" / "environments.txt"
    path.parent.mkdir(exist_ok=True)
    path.write_text("".join(f"{line}\n" for line in lines))
    return path


def test_a_machine_has_its_base_and_what_is_in_its_folder(lab: Lab) -> None:
    for name in ("b", "a"):
        make_prefix(lab.prefix(name))
    (lab.machine.envs / "no-environment").mkdir()
    (lab.machine.envs / "file").touch()
    base = lab.machine.base
    assert found(lab) == [
        ("root", base),
        ("a", lab.prefix("a")),
        ("b", lab.prefix("b")),
    ]


def test_environments_elsewhere_are_those_that_this_user_has_registered(
    lab: Lab, tmp_path: Path
) -> None:
    mine = make_prefix(tmp_path / "project" / "mine")
    make_prefix(tmp_path / "project" / "nobodys")
    register(lab, mine, tmp_path / "gone", "relative", "", mine)
    assert found(lab)[1:] == [("mine", mine)]


def test_the_home_of_the_password_database_is_not_asked(
    lab: Lab, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import pwd

    user = pwd.getpwuid(0)
    other = tmp_path / "other-home"
    theirs = make_prefix(tmp_path / "theirs")
    (other / ".conda").mkdir(parents=True)
    (other / ".conda" / "environments.txt").write_text(f"{theirs}\n")
    entry = pwd.struct_passwd((*user[:5], str(other), user[6]))
    monkeypatch.setattr(pwd, "getpwall", lambda: [entry])
    monkeypatch.setattr(pwd, "getpwuid", lambda uid: entry)
    assert [name for name, _ in found(lab)] == ["root"]


def test_all_folders_of_environments_are_searched(lab: Lab, tmp_path: Path) -> None:
    second = make_prefix(tmp_path / "second" / "a")
    make_prefix(lab.prefix("a"))
    folders = [lab.machine.envs, second.parent, tmp_path / "missing"]
    lab.enter(CONDA_ENVS_DIRS=":".join(map(str, folders)))
    assert found(lab)[1:] == [("a", lab.prefix("a")), ("a", second)]


def test_one_environment_under_two_paths_is_found_once(
    lab: Lab, tmp_path: Path
) -> None:
    real = make_prefix(lab.prefix("a"))
    (tmp_path / "link").symlink_to(real)
    (lab.machine.envs / "b").symlink_to(real)
    register(lab, tmp_path / "link", real, lab.machine.base)
    assert found(lab)[1:] == [("a", real)]


def test_the_base_of_another_installation_is_no_environment(
    lab: Lab, tmp_path: Path
) -> None:
    other = make_prefix(tmp_path / "miniforge3")
    (other / "condabin").mkdir()
    inner = make_prefix(other / "envs" / "inner")
    register(lab, other, inner)
    assert found(lab)[1:] == [("inner", inner)]


@pytest.mark.parametrize(
    "content", [b"\xff\xfe/a\n", b"/a\0b\n", b"\0" * 9, b"# comment\n"]
)
def test_a_broken_list_of_environments_hides_no_other(lab: Lab, content: bytes) -> None:
    make_prefix(lab.prefix("a"))
    register(lab).write_bytes(content)
    assert found(lab)[1:] == [("a", lab.prefix("a"))]


def test_a_folder_that_cannot_be_read_hides_no_other(
    lab: Lab, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    closed = tmp_path / "closed"
    closed.mkdir()
    make_prefix(lab.prefix("a"))
    lab.enter(CONDA_ENVS_DIRS=f"{closed}:{lab.machine.envs}")
    iterdir = Path.iterdir

    def refuse(path: Path) -> object:
        if path == closed:
            raise PermissionError(13, "Permission denied", str(path))
        return iterdir(path)

    monkeypatch.setattr(Path, "iterdir", refuse)  # root may read everything
    assert found(lab)[1:] == [("a", lab.prefix("a"))]


def test_finding_environments_changes_no_file(lab: Lab) -> None:
    make_prefix(lab.prefix("a"))
    register(lab, "/gone", lab.prefix("a"))
    before = snapshot(lab.machine.root)
    assert len(found(lab)) == 2
    assert snapshot(lab.machine.root) == before


def test_new_environments_come_into_the_first_writable_folder(lab: Lab) -> None:
    assert lab.engine.prefix_for("new") == lab.prefix("new")
    assert lab.engine.prefix_for("root") == lab.machine.base
    assert not (lab.machine.home / ".conda").exists()  # where it is tried out


def test_where_no_folder_can_be_written_no_environment_can_be_made(
    lab: Lab, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "access", lambda path, mode: False)  # root may write all
    with pytest.raises(EngineError, match="no folder for environments"):
        lab.engine.prefix_for("new")


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


def test_an_environment_without_history_is_unknown_and_is_left_alone(lab: Lab) -> None:
    lab.make("ml", "lib00")
    lab.machine.history("ml").unlink()
    assert isinstance(lab.engine.look("ml", lab.prefix("ml")), Unknown)
    before = lab.snapshot("ml")
    with pytest.raises(EngineError, match="is in the way"):
        lab.apply("ml", environment("lib01"))
    assert lab.snapshot("ml") == before


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
