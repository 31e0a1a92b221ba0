"""Where a conda or a mamba keeps environments, found without asking it."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING

import pytest
from conda_asked import ask_conda
from hand_made import make_prefix
from machine import Machine

from conda_s3_sync_plugin.condarc import Condarc
from conda_s3_sync_plugin.engines import installation
from conda_s3_sync_plugin.engines.installation import find_root, places
from conda_s3_sync_plugin.exceptions import UsageError

if TYPE_CHECKING:
    from pathlib import Path

    from conda_s3_sync_plugin.engines.places import Places


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The home of a user who has no conda of any kind; this process is hers."""
    home = tmp_path / "home"
    home.mkdir()
    for name in list(os.environ):
        if name.startswith(("CONDA", "MAMBA", "XDG")):
            monkeypatch.delenv(name)
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    monkeypatch.setattr(installation, "_SHARED", tmp_path / "opt")
    monkeypatch.chdir(home)
    return home


def install(root: Path, *programs: str) -> Path:
    """Install a conda that does nothing, and return its root."""
    make_prefix(root)
    for program in programs or ("bin/conda",):
        path = root / program
        path.parent.mkdir(exist_ok=True)
        path.write_text("#!/bin/sh\n")
        path.chmod(0o755)
    return root


def find_places(root: Path | None = None) -> Places:
    root = root or find_root()
    return places(root, Condarc.load(root))


def test_without_any_installation_it_would_be_in_the_user_s_own_folder(
    home: Path,
) -> None:
    assert find_root() == home / ".conda"
    assert find_places().folders == (home / ".conda" / "envs",)
    assert find_places().prefix_for("e") == home / ".conda" / "envs" / "e"
    assert not (home / ".conda").exists()


@pytest.mark.parametrize(
    "given", ["x/bin/conda", "x/condabin/conda", "x", "link", "~/x/bin/conda", "~/x"]
)
def test_an_installation_is_named_by_its_program_or_its_folder(
    given: str, home: Path
) -> None:
    install(home / "x", "bin/conda", "condabin/conda")
    install(home / "y")
    (home / "link").symlink_to("x/bin/conda")
    assert find_root(given) == home / "x"


def test_an_installation_is_named_by_a_command(
    home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    install(home / "x", "bin/conda")
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin" / "my-conda").symlink_to(home / "x" / "bin" / "conda")
    monkeypatch.setenv("CONDA_ROOT_PREFIX", str(install(home / "y")))
    assert find_root("my-conda") == home / "x"
    assert find_root() == home / "y"


def test_a_micromamba_is_named_by_its_folder(home: Path) -> None:
    for name in ("envs", "pkgs"):
        (home / "mm" / name).mkdir(parents=True)
    assert find_root("~/mm") == home / "mm"


@pytest.mark.parametrize("given", ["nowhere", "file", "empty", "bin/micromamba", "."])
def test_what_is_no_installation_is_wrong_usage(given: str, home: Path) -> None:
    (home / "file").touch()
    (home / "empty").mkdir()
    install(home / "elsewhere")
    (home / "bin").mkdir()
    (home / "bin" / "micromamba").touch(0o755)
    with pytest.raises(UsageError) as caught:
        find_root(given)
    assert caught.value.summary == f"--conda-bin {given} is no conda installation."
    assert "or of its folder" in caught.value.hint


@pytest.mark.parametrize(
    "variable", ["CONDA_ROOT_PREFIX", "CONDA_ROOT", "MAMBA_ROOT_PREFIX"]
)
@pytest.mark.parametrize("given", ["{home}/x", "~/x", "x", "{home}/y/../x"])
def test_a_variable_names_it_whether_it_is_there_or_not(
    variable: str, given: str, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    install(home / "miniforge3")
    monkeypatch.setenv(variable, given.format(home=home))
    assert find_root() == home / "x"


def test_of_many_signs_the_strongest_counts(
    home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "bin").mkdir()
    signs = {
        "variable": lambda root: monkeypatch.setenv("CONDA_ROOT_PREFIX", str(root)),
        "exe": lambda root: monkeypatch.setenv("CONDA_EXE", f"{root}/bin/conda"),
        "conda": lambda root: (tmp_path / "bin" / "conda").symlink_to(
            root / "bin" / "conda"
        ),
        "mamba": lambda root: (tmp_path / "bin" / "mamba").symlink_to(
            root / "bin" / "mamba"
        ),
        "miniforge3": lambda root: None,
        "anaconda3": lambda root: None,
        "../opt/miniconda3": lambda root: None,
        "micromamba": lambda root: None,
        ".local/share/mamba": lambda root: None,
    }
    # From the weakest: each one that is added is found instead of the others.
    for name, give_sign in reversed(signs.items()):
        root = install(home / name, "bin/conda", "bin/mamba")
        give_sign(root)
        assert find_root().resolve() == root.resolve(), name


def test_a_link_leads_to_the_installation(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    install(home / "x")
    (home / "bin").mkdir()
    (home / "bin" / "conda").symlink_to("../x/bin/conda")
    monkeypatch.setenv("CONDA_EXE", str(home / "bin" / "conda"))
    assert find_root() == home / "x"


def test_a_conda_that_is_a_library_is_no_installation(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As pip puts it into a virtual environment: without conda-meta."""
    venv = home / "venv" / "bin"
    venv.mkdir(parents=True)
    (venv / "conda").touch(0o755)
    monkeypatch.setenv("PATH", str(venv))
    assert find_root() == home / ".conda"


@pytest.mark.parametrize("name", ["micromamba", ".local/share/mamba"])
def test_a_mamba_without_a_base_environment_is_found(name: str, home: Path) -> None:
    root = home / name
    (root / "envs").mkdir(parents=True)
    assert find_root() == home / ".conda"  # just a folder
    (root / "pkgs").mkdir()
    assert find_root() == root
    assert find_places().prefix_for("e") == root / "envs" / "e"


def test_a_micromamba_beside_a_conda_is_not_forgotten(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    root = install(home / "miniforge3")
    monkeypatch.setenv("MAMBA_ROOT_PREFIX", str(home / "elsewhere"))
    monkeypatch.setenv("CONDA_ROOT_PREFIX", str(root))
    mambas = [home / "elsewhere", home / "micromamba", home / ".local/share/mamba"]
    for mamba in mambas:
        make_prefix(mamba / "envs" / f"of-{mamba.name}")
    own = (root / "envs", home / ".conda" / "envs")
    assert find_places().folders == (*own, *(mamba / "envs" for mamba in mambas))
    assert [name for name, _ in find_places().environments()] == [
        "root",
        "of-elsewhere",
        "of-micromamba",
        "of-mamba",
    ]


def test_an_installation_of_others_is_passed_over(home: Path, tmp_path: Path) -> None:
    if os.geteuid() == 0:
        pytest.skip("root may look into all folders")
    install(tmp_path / "opt" / "miniforge3").chmod(0)
    try:
        assert find_root() == home / ".conda"
    finally:
        (tmp_path / "opt" / "miniforge3").chmod(0o755)


def test_environments_in_all_folders_are_found_once(
    home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    root = install(home / "miniforge3")
    (home / ".condarc").write_text("envs_dirs: [~/set, $HOME/set2]")
    monkeypatch.setenv("CONDA_ENVS_DIRS", f"{tmp_path}/one:{tmp_path}/two")
    monkeypatch.setenv("CONDA_ENVS_PATH", f"{tmp_path}/old:{tmp_path}/one")
    prefixes = [
        *(tmp_path / name / f"in-{name}" for name in ("one", "two", "old")),
        *(home / name / f"in-{name}" for name in ("set", "set2")),
        root / "envs" / "in-root",
        home / ".conda" / "envs" / "in-home",
        home / "project" / "listed",
    ]
    for prefix in prefixes:
        make_prefix(prefix)
    listed = [prefixes[-1], prefixes[0], root, home / "gone"]
    (home / ".conda" / "environments.txt").write_text("\n".join(map(str, listed)))
    found = list(find_places().environments())
    assert found == [("root", root), *((path.name, path) for path in prefixes)]
    assert find_places().registry == home / ".conda" / "environments.txt"


#: Which variables there are, what a .condarc says, and whether base can be written.
FOLDERS = {
    "nothing": ({}, "", True),
    "not writable": ({}, "", False),
    "dirs": ({"CONDA_ENVS_DIRS": "/a:~/b:"}, "", True),
    "path": ({"CONDA_ENVS_PATH": "/a:$HOME/b"}, "", True),
    "file": ({}, "envs_dirs: [~/a, relative, $HOME/c/../d]", True),
    "both": ({"CONDA_ENVS_DIRS": "/a:/b"}, "envs_dirs: [/c, /a]", False),
    "own": ({"CONDA_ENVS_DIRS": "~/.conda/envs"}, "", True),
}


@pytest.mark.conda
@pytest.mark.parametrize(
    ("variables", "text", "writable"), FOLDERS.values(), ids=FOLDERS
)
def test_folders_are_those_of_conda_in_the_same_order(
    variables: dict[str, str],
    text: str,
    writable: bool,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    here = Machine(tmp_path / "here")
    del here.environment["CONDA_ENVS_DIRS"]
    here.environment |= variables
    (here.home / ".condarc").write_text(text)
    if not writable:  # not even by root: a program that is running
        here.history("base").unlink()
        here.history("base").symlink_to(os.path.realpath(sys.executable))
    here.enter(monkeypatch)
    assert (find_root(), find_places().root) == (here.base, here.base)
    answer = ask_conda(here, "root_prefix", "envs_dirs")["envs_dirs"]
    assert answer == [str(path) for path in find_places().folders]
