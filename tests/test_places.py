"""Where environments are: folders made by hand, and no engine."""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hand_made import make_prefix, snapshot

from conda_s3_sync_plugin.engines.places import Places, check_changeable
from conda_s3_sync_plugin.exceptions import EngineError

if TYPE_CHECKING:
    from collections.abc import Callable


@pytest.fixture
def places(tmp_path: Path) -> Places:
    """A base, a folder for environments below it and another one, and a registry."""
    base = make_prefix(tmp_path / "base")
    folders = (base / "envs", tmp_path / "other")
    for folder in folders:
        folder.mkdir()
    return Places(base, folders, tmp_path / "home" / ".conda" / "environments.txt")


def found(places: Places) -> list[tuple[str, Path]]:
    """Return all environments but the base, which is the first."""
    (name, prefix), *rest = places.environments()
    assert (name, prefix) == ("root", places.root)
    return rest


def write_registry(places: Places, content: bytes) -> None:
    places.registry.parent.mkdir(parents=True, exist_ok=True)
    places.registry.write_bytes(content)


def test_environments_are_in_the_folders_in_their_order(places: Places) -> None:
    first, second = places.folders
    prefixes = [first / "b", first / "z", second / "a"]
    for prefix in reversed(prefixes):
        make_prefix(prefix)
    (first / "no-environment").mkdir()
    (first / "file").touch()
    assert found(places) == [(prefix.name, prefix) for prefix in prefixes]


def test_an_environment_whose_history_is_gone_is_still_found(places: Places) -> None:
    prefix = make_prefix(places.folders[0] / "a")
    (prefix / "conda-meta" / "history").unlink()
    assert found(places) == [("a", prefix)]


def test_a_base_that_is_not_there_is_not_found(places: Places) -> None:
    shutil.rmtree(places.root)
    prefix = make_prefix(places.folders[1] / "a")
    assert list(places.environments()) == [("a", prefix)]


def test_what_is_registered_comes_last_and_once(places: Places, tmp_path: Path) -> None:
    inside = make_prefix(places.folders[0] / "inside")
    elsewhere = make_prefix(tmp_path / "project" / "env")
    (tmp_path / "link").symlink_to(elsewhere)
    lines = [tmp_path / "gone", elsewhere, inside, places.root, "env", "", elsewhere]
    write_registry(places, "\n".join(map(str, lines)).encode())
    assert found(places) == [("inside", inside), ("env", elsewhere)]
    write_registry(places, f"{tmp_path / 'link'}\n{elsewhere}\n".encode())
    assert len(found(places)) == 2


def test_the_base_of_another_installation_is_no_environment(
    places: Places, tmp_path: Path
) -> None:
    other = make_prefix(tmp_path / "miniforge3")
    (other / "condabin").mkdir()
    write_registry(places, f"{other}\n".encode())
    assert found(places) == []


def test_a_link_to_an_environment_is_no_second_one(places: Places) -> None:
    first, second = places.folders
    z = make_prefix(second / "z")
    links = {first / "a": z, first / "b": places.root, second / "c": z}
    for link, place in links.items():
        link.symlink_to(place)
    assert found(places) == [("z", z)]
    for link in links:
        with pytest.raises(EngineError, match=f"{link} is a link to "):
            places.prefix_for(link.name)


def test_a_link_is_where_an_environment_is_that_has_no_other_name(
    places: Places, tmp_path: Path
) -> None:
    link = places.folders[0] / "a"
    link.symlink_to(make_prefix(tmp_path / "elsewhere"))
    assert found(places) == [("a", link)]


@pytest.mark.parametrize(
    "rubbish", [b"\xff\xfe/a", b"/a\0b", b"\0" * 9, b"# comment", b"/" + b"a" * 5000]
)
def test_a_broken_line_of_the_registry_hides_no_other(
    places: Places, tmp_path: Path, rubbish: bytes
) -> None:
    mine = make_prefix(tmp_path / "mine")
    write_registry(places, rubbish + b"\n" + os.fsencode(mine) + b"\n")
    assert found(places) == [("mine", mine)]
    new = make_prefix(tmp_path / "new")
    places.register(new)
    assert found(places) == [("mine", mine), ("new", new)]


def test_a_registry_that_is_a_folder_hides_no_environment(places: Places) -> None:
    prefix = make_prefix(places.folders[0] / "a")
    places.registry.mkdir(parents=True)
    assert found(places) == [("a", prefix)]
    places.register(prefix)


def test_finding_changes_no_file(places: Places, tmp_path: Path) -> None:
    make_prefix(places.folders[0] / "a")
    write_registry(places, b"/gone\n")
    before = snapshot(tmp_path)
    assert len(found(places)) == 1
    assert snapshot(tmp_path) == before


def test_a_new_environment_comes_into_the_first_folder(
    places: Places, tmp_path: Path
) -> None:
    before = snapshot(tmp_path)
    assert places.prefix_for("new") == places.folders[0] / "new"
    assert places.prefix_for("root") == places.root
    places.folders[0].rmdir()
    assert places.prefix_for("new") == places.folders[0] / "new"
    places.folders[0].mkdir()
    assert snapshot(tmp_path) == before


@pytest.fixture
def closed(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Take the right to write away from files and folders: root has it everywhere."""

    def close(*paths: Path) -> None:
        monkeypatch.setattr(os, "access", lambda path, mode: Path(path) not in paths)

    return close


def test_a_folder_that_cannot_be_written_is_passed_over(
    places: Places, closed: Callable[..., None]
) -> None:
    first, second = places.folders
    closed(first)
    assert places.prefix_for("new") == second / "new"
    # Of one that is not there yet, the folder above it tells.
    first.rmdir()
    closed(places.root)
    assert places.prefix_for("new") == second / "new"


def test_where_no_folder_can_be_written_it_is_said_what_to_do(
    places: Places, closed: Callable[..., None]
) -> None:
    closed(*places.folders)
    with pytest.raises(EngineError, match="new cannot be created: no folder") as error:
        places.prefix_for("new")
    assert "CONDA_ENVS_DIRS" in error.value.hint


def test_a_registry_is_begun(places: Places, tmp_path: Path) -> None:
    places.register(tmp_path / "a" / ".." / "b")
    assert places.registry.read_text() == f"{tmp_path / 'b'}\n"


@pytest.mark.parametrize("end", ["\n", ""])
def test_a_registry_is_appended_to_and_keeps_what_it_has(
    places: Places, tmp_path: Path, end: str
) -> None:
    write_registry(places, f"/gone{end}".encode())
    places.register(tmp_path / "a")
    assert places.registry.read_text() == f"/gone\n{tmp_path / 'a'}\n"


def test_what_is_registered_is_not_registered_again(
    places: Places, tmp_path: Path
) -> None:
    real = make_prefix(tmp_path / "real")
    (tmp_path / "link").symlink_to(real)
    places.register(real)
    for prefix in (real, tmp_path / "link"):
        places.register(prefix)
    assert places.registry.read_text() == f"{real}\n"


def remove_history(prefix: Path) -> None:
    (prefix / "conda-meta" / "history").unlink()


def freeze(prefix: Path) -> None:
    (prefix / "conda-meta" / "frozen").touch()


REFUSED = {
    "a folder that is none": (remove_history, "is in the way: it is no environment"),
    "frozen": (freeze, "is frozen"),
}


@pytest.mark.parametrize(("spoil", "why"), REFUSED.values(), ids=REFUSED)
def test_what_must_not_be_changed_is_refused_with_a_hint(
    tmp_path: Path, spoil: Callable[[Path], None], why: str
) -> None:
    prefix = make_prefix(tmp_path / "a")
    check_changeable(prefix)
    spoil(prefix)
    before = snapshot(tmp_path)
    with pytest.raises(EngineError, match=f"{prefix} {why}") as error:
        check_changeable(prefix)
    assert error.value.hint
    assert snapshot(tmp_path) == before


def test_what_is_frozen_can_be_changed_where_nobody_is_protected(
    tmp_path: Path,
) -> None:
    prefix = make_prefix(tmp_path / "a")
    freeze(prefix)
    check_changeable(prefix, protects_frozen=False)


def test_a_link_to_nowhere_is_in_the_way(tmp_path: Path) -> None:
    (tmp_path / "a").symlink_to(tmp_path / "nowhere")
    with pytest.raises(EngineError, match="is in the way"):
        check_changeable(tmp_path / "a")
    check_changeable(tmp_path / "nowhere")


def test_what_cannot_be_written_is_refused_with_a_hint(
    tmp_path: Path, closed: Callable[..., None]
) -> None:
    prefix = make_prefix(tmp_path / "a")
    closed(prefix / "conda-meta" / "history")
    with pytest.raises(EngineError, match="cannot be written") as error:
        check_changeable(prefix)
    assert error.value.hint
