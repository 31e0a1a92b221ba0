"""Where an engine finds environments, and where it puts new ones."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hand_made import make_prefix, snapshot
from lab import Lab, environment

from conda_s3_sync_plugin.exceptions import EngineError
from conda_s3_sync_plugin.models import Unknown

if TYPE_CHECKING:
    from make_channel import Channel


@pytest.fixture
def lab(
    tmp_path: Path, kind: str, channel: Channel, monkeypatch: pytest.MonkeyPatch
) -> Lab:
    return Lab(tmp_path / "here", monkeypatch, kind, channels=[channel.url])


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


def test_an_environment_without_history_is_unknown_and_is_left_alone(lab: Lab) -> None:
    lab.make("ml", "lib00")
    lab.machine.history("ml").unlink()
    assert isinstance(lab.engine.look("ml", lab.prefix("ml")), Unknown)
    before = lab.snapshot("ml")
    with pytest.raises(EngineError, match="is in the way"):
        lab.apply("ml", environment("lib01"))
    assert lab.snapshot("ml") == before
