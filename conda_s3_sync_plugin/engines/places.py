"""Where environments are, and where new ones go."""

from __future__ import annotations

import contextlib
import os
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from ..atomic import replace_file
from ..exceptions import EngineError
from ..location import ROOT

if TYPE_CHECKING:
    from collections.abc import Iterator


@dataclass(frozen=True)
class Places:
    """Where the environments of one user and one installation are."""

    #: The prefix of the base environment.
    root: Path
    #: Folders of environments, the preferred one first.
    folders: tuple[Path, ...]
    #: The file that lists those elsewhere: conda's environments.txt.
    registry: Path

    def environments(self) -> Iterator[tuple[str, Path]]:
        """Yield name and prefix of all environments of this user; base is `root`.

        A mamba may have no base. conda's own list rewrites a file on the way, and
        root's has everybody's.
        """
        seen = set()
        folders: dict[Path, str] = {}
        # A link is a second name, where what it leads to has one without it.
        inside = sorted(self._in_folders(), key=os.path.islink)
        found = (*inside, *self._registered())
        named = ((prefix.name, prefix) for prefix in found)
        for name, prefix in ((ROOT, self.root), *named):
            # Not Path.is_dir: what may not be seen, or cannot be a path, is not there.
            if not os.path.isdir(prefix / "conda-meta"):  # noqa: PTH112
                continue
            real = _real(prefix, folders)
            if real not in seen:
                seen.add(real)
                yield name, prefix

    def _in_folders(self) -> Iterator[Path]:
        for folder in self.folders:
            with contextlib.suppress(OSError):  # not there, or somebody else's
                yield from sorted(folder.iterdir())

    def _registered(self) -> Iterator[Path]:
        with contextlib.suppress(OSError, ValueError):
            for line in sorted(set(self._lines())):
                prefix = Path(line)
                # An installation of its own is somebody's base, whatever its name.
                if not os.path.isdir(prefix / "condabin"):  # noqa: PTH112
                    yield prefix

    def _lines(self) -> list[str]:
        """Read the registry; a line that cannot be a path is none."""
        text = self.registry.read_bytes() if self.registry.exists() else b""
        lines = map(str.strip, text.decode(errors="replace").splitlines())
        return [line for line in lines if os.path.isabs(line) and "\0" not in line]  # noqa: PTH117

    def prefix_for(self, name: str) -> Path:
        """Return where a new environment would be created; raise EngineError.

        Also for the second name of an environment: a link to it is not found.
        """
        if name == ROOT:
            return self.root
        for link in (folder / name for folder in self.folders):
            if os.path.islink(link):  # noqa: PTH114 (it may be forbidden)
                raise EngineError(
                    f"{link} is a link to {os.path.realpath(link)}.",
                    hint="That has a name of its own, or is not there: remove the link "
                    "if this environment is to be one of its own.",
                )
        # conda's own answer would try the folders out, by writing into them.
        for folder in self.folders:
            places = (folder, *folder.parents)
            # Not Path.exists: it raises for what lies below a folder of others.
            above = (place for place in places if os.path.exists(place))  # noqa: PTH110
            if os.access(next(above), os.W_OK):
                return folder / name
        raise EngineError(
            f"{name} cannot be created: no folder for environments can be written.",
            hint="Name one that can: CONDA_ENVS_DIRS=FOLDER, or envs_dirs in .condarc.",
        )

    def register(self, prefix: Path) -> None:
        """Add an environment to those that are listed, unless it is there."""
        with contextlib.suppress(OSError, ValueError):  # it is of use without that
            if os.path.realpath(prefix) in map(os.path.realpath, self._lines()):
                return
            self.registry.parent.mkdir(parents=True, exist_ok=True)
            with self.registry.open("a+b") as file:
                file.seek(0)
                end = b"" if file.read()[-1:] in (b"", b"\n") else b"\n"
                file.write(end + os.fsencode(os.path.normpath(prefix)) + b"\n")

    def unregister(self, prefix: Path) -> None:
        """Take an environment off the list."""
        real = os.path.realpath(prefix)
        with contextlib.suppress(OSError, ValueError):
            lines = self.registry.read_bytes().splitlines(keepends=True)
            kept = [
                line
                for line in lines
                if os.path.realpath(os.fsdecode(line.strip())) != real
            ]
            if kept != lines:
                replace_file(self.registry, b"".join(kept))


def _real(prefix: Path, folders: dict[Path, str]) -> str:
    """Return what a path really is; few `folders` have many, and are kept in mind."""
    if os.path.islink(prefix):  # noqa: PTH114
        return os.path.realpath(prefix)
    folder = prefix.parent
    if folder not in folders:
        folders[folder] = os.path.realpath(folder)
    return os.path.join(folders[folder], prefix.name)  # noqa: PTH118


def check_removable(prefix: Path, root: Path) -> None:
    """Raise EngineError where an environment is in use, or the base of others."""
    for place in filter(None, (os.environ.get("CONDA_PREFIX"), sys.prefix)):
        if os.path.realpath(place) == os.path.realpath(prefix):
            raise EngineError(
                f"{prefix} is active, and stays.",
                hint="Leave it (conda deactivate), and run the command again.",
            )
    if os.path.realpath(root) == os.path.realpath(prefix):
        raise EngineError(f"{prefix} is the base environment, and stays.")


def check_changeable(prefix: Path, *, protects_frozen: bool = True) -> None:
    """Raise EngineError where an environment must not be changed, or cannot be."""
    if not os.path.lexists(prefix):
        return
    meta = prefix / "conda-meta"
    if not (meta / "history").exists():
        raise EngineError(
            f"{prefix} is in the way: it is no environment.",
            hint="Rename it or remove it, and run the command again.",
        )
    if protects_frozen and (meta / "frozen").exists():
        raise EngineError(
            f"{prefix} is frozen, and stays as it is.",
            hint="Remove its conda-meta/frozen, or leave it out with --path-filter.",
        )
    if not os.access(meta / "history", os.W_OK):
        raise EngineError(
            f"{prefix} cannot be written.",
            hint="Run as the user who owns it, or leave it out with --path-filter.",
        )
