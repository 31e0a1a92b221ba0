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

#: Where installers put it, below the home or /opt.
_NAMES: Final = (
    *("miniforge3", "mambaforge", "miniconda3", "anaconda3"),
    *("miniforge", "miniconda", "anaconda", "conda", "micromamba"),
)
_MAMBA2: Final = Path("~/.local/share/mamba")


def installation_at(path: str) -> Path:
    """Return the prefix of an installation; raise UsageError where there is none.

    `path`: its conda executable, or its folder.
    """
    place = Path(shutil.which(path) or path).expanduser().resolve()
    root = place if place.is_dir() else place.parent.parent
    if not _is_installation(root):
        raise UsageError(
            f"--conda-bin {path} is no conda installation.",
            hint="Give the path of its executable, such as ~/miniforge3/bin/conda.",
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
            return Path(os.environ[variable]).expanduser()
    usual = (root for root in _usual_roots() if _is_installation(root))
    return next(usual, Path("~/.conda").expanduser())


def _usual_roots() -> Iterator[Path]:
    for program in (os.environ.get("CONDA_EXE"), *map(shutil.which, _PROGRAMS)):
        if program:  # perhaps through a link in ~/bin
            yield Path(program).resolve().parent.parent
    for folder in (Path.home(), Path("/opt")):
        for name in _NAMES:
            yield folder / name
    yield _MAMBA2.expanduser()


def _is_installation(root: Path) -> bool:
    return (root / "conda-meta").is_dir() or (
        # micromamba's may have no base environment.
        (root / "envs").is_dir() and (root / "pkgs").is_dir()
    )


def places(root: Path, condarc: Condarc) -> Places:
    """Return where the environments of this user are."""
    home = Path("~/.conda").expanduser()
    own = [root / "envs", home / "envs"]
    if not os.access(root, os.W_OK):
        own.reverse()
    named = [
        *condarc.items("envs_dirs", os.pathsep),
        *filter(None, os.environ.get("CONDA_ENVS_PATH", "").split(os.pathsep)),
    ]
    folders = [*(Path(name).expanduser() for name in named), *own]
    others = (Path("~/micromamba").expanduser(), _MAMBA2.expanduser())
    folders += [other / "envs" for other in others if (other / "envs").is_dir()]
    return Places(root, tuple(dict.fromkeys(folders)), home / "environments.txt")
