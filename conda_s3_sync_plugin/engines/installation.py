"""Where a conda, a mamba or nobody yet keeps environments, without asking them."""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Final

from ..exceptions import UsageError
from .places import Places

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ..condarc import Condarc

#: What may name the prefix of the base environment, and programs that are below it.
_ROOTS: Final = ("CONDA_ROOT_PREFIX", "CONDA_ROOT", "MAMBA_ROOT_PREFIX")
_PROGRAMS: Final = ("conda", "mamba")

#: Where installers put it, below the home or here.
_SHARED: Final = Path("/opt")
_NAMES: Final = (
    *("miniforge3", "mambaforge", "miniconda3", "anaconda3"),
    *("miniforge", "miniconda", "anaconda", "conda"),
)

#: Where a mamba without a base environment puts all it makes: until version 2, and now.
_MAMBAS: Final = ("~/micromamba", "~/.local/share/mamba")


def installation_at(path: str) -> Path:
    """Return the prefix of an installation; raise UsageError where there is none.

    `path`: its conda executable, or its folder.
    """
    place = Path(shutil.which(path) or path).expanduser().resolve()
    root = place if os.path.isdir(place) else place.parent.parent  # noqa: PTH112
    if not _is_installation(root):
        raise UsageError(
            f"--conda-bin {path} is no conda installation.",
            hint="Give the path of its executable, such as ~/miniforge3/bin/conda, or "
            "of its folder.",
        )
    return root


def find_root(conda_bin: str = "") -> Path:
    """Return the prefix of the base environment, or where one could be.

    Raise UsageError where `conda_bin` is given, and is no installation.
    """
    if conda_bin:
        return installation_at(conda_bin)
    for variable in _ROOTS:
        if os.environ.get(variable):
            return _absolute(os.environ[variable])
    usual = (root for root in _usual_roots() if _is_installation(root))
    return next(usual, _absolute("~/.conda"))


def _usual_roots() -> Iterator[Path]:
    for program in (os.environ.get("CONDA_EXE"), *map(shutil.which, _PROGRAMS)):
        if program:  # perhaps through a link in ~/bin
            yield Path(program).resolve().parent.parent
    for folder in (_absolute("~"), _SHARED):
        for name in _NAMES:
            yield folder / name
    yield from map(_absolute, _MAMBAS)


def _is_installation(root: Path) -> bool:
    # Not Path.is_dir: it raises for what lies below a folder of others.
    there = {
        name
        for name in ("conda-meta", "envs", "pkgs")
        if os.path.isdir(root / name)  # noqa: PTH112
    }
    # micromamba's may have no base environment.
    return "conda-meta" in there or {"envs", "pkgs"} <= there


def places(root: Path, condarc: Condarc) -> Places:
    """Return where the environments of this user are, as conda would.

    And below a mamba that is not this installation.
    """
    home = _absolute("~/.conda")
    own = [root / "envs", home / "envs"]
    if not _is_writable(root):
        own.reverse()
    others = [os.environ.get("MAMBA_ROOT_PREFIX"), *_MAMBAS]
    mambas = [_absolute(other) / "envs" for other in others if other]
    folders = [
        *map(_absolute, condarc.items("envs_dirs", os.pathsep)),
        *own,
        *(folder for folder in mambas if folder.is_dir()),
    ]
    return Places(root, tuple(dict.fromkeys(folders)), home / "environments.txt")


def _is_writable(root: Path) -> bool:
    """Tell whether environments may go below an installation: if its base may change.

    Tried out, as conda does: root may write everywhere, but for where nobody can.
    """
    try:
        with (root / "conda-meta" / "history").open("r+b"):
            return True
    except FileNotFoundError:  # there is no base
        return os.access(root, os.W_OK)
    except OSError:
        return False


def _absolute(path: str) -> Path:
    # Not resolved: links are part of what people call a place.
    return Path(os.path.abspath(Path(path).expanduser()))  # noqa: PTH100
