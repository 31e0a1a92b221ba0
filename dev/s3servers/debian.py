"""Programs of any release of Debian, unpacked with all that they need, its libc too."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from lanes import cleared_environment

from .processes import ServerError, install

if TYPE_CHECKING:
    from collections.abc import Iterable

KEYRINGS = "/usr/share/keyrings/debian-archive-keyring.*"

#: Nothing runs that would need them.
LEFT_OUT = ("./usr/share/doc", "./usr/share/man", "./usr/share/locale", "./dev")


def release(suite: str, packages: Iterable[str]) -> Path:
    """Return the root of a tree with packages of a release, downloaded once.

    Nothing is installed: apt believes that the machine has no packages at all.
    """
    if not shutil.which("apt-get"):
        raise ServerError("there is no apt-get here: this server needs Debian's")
    return install(f"debian-{suite}", lambda root: _unpack(suite, packages, root))


def command(root: Path, program: str, *arguments: str) -> tuple[str, ...]:
    """Return what runs a program of a tree, by the loader and the libraries there."""
    loader = one(root, "usr/lib/*/ld-linux*.so.*")
    library = loader.parent
    path = f"{library}:{library / 'ceph'}"
    return (str(loader), "--library-path", path, str(root / program), *arguments)


def one(root: Path, pattern: str) -> Path:
    """Return the one file below a folder that a pattern means."""
    for found in sorted(root.glob(pattern)):
        return found
    raise ServerError(f"there is no {pattern} below {root}")


def _unpack(suite: str, packages: Iterable[str], root: Path) -> None:
    # Older packages have files in /lib, whose place is /usr/lib by now.
    for name in ("bin", "lib", "lib64", "sbin"):
        (root / "usr" / name).mkdir(parents=True)
        (root / name).symlink_to(f"usr/{name}")
    with tempfile.TemporaryDirectory() as folder:
        for archive in _download(suite, packages, Path(folder)):
            _extract(archive, root)


def _download(suite: str, packages: Iterable[str], folder: Path) -> list[Path]:
    keyring = one(Path("/"), KEYRINGS.lstrip("/"))
    (folder / "sources.list").write_text(
        f"deb [signed-by={keyring}] {_mirror()} {suite} main\n"
    )
    (folder / "status").touch()
    for name in ("lists/partial", "cache/archives/partial"):
        (folder / name).mkdir(parents=True)
    settings = {
        "Dir::Etc::sourcelist": folder / "sources.list",
        "Dir::Etc::sourceparts": "/dev/null",
        "Dir::Etc::preferencesparts": "/dev/null",
        "Dir::State::lists": folder / "lists",
        "Dir::State::status": folder / "status",
        "Dir::Cache": folder / "cache",
        "Debug::NoLocking": "true",
    }
    if os.geteuid() == 0:
        settings["APT::Sandbox::User"] = "root"  # the folder is ours alone
    options = [f"-o{name}={value}" for name, value in settings.items()]
    quiet = ("-qq", "-y", "--no-install-recommends", "--download-only")
    _call("apt-get", *options, "-qq", "update")
    _call("apt-get", *options, *quiet, "install", *packages)
    return sorted((folder / "cache" / "archives").glob("*.deb"))


def _mirror() -> str:
    """Return from where apt has the packages of Debian itself, on this machine."""
    said = _call("apt-get", "indextargets", "--format=$(REPO_URI)")
    for line in said.splitlines():
        if line.rstrip("/").endswith("/debian"):
            return line
    raise ServerError("apt has no source of Debian here: this server needs one")


def _extract(archive: Path, root: Path) -> None:
    reading = ("dpkg-deb", "--fsys-tarfile", str(archive))
    left_out = [f"--exclude={name}" for name in LEFT_OUT]
    options = ("--no-same-owner", "--keep-directory-symlink")
    writing = ("tar", "-x", "-C", str(root), *options, *left_out)
    with subprocess.Popen(reading, stdout=subprocess.PIPE) as packed:
        done = subprocess.run(writing, stdin=packed.stdout)
    if packed.returncode or done.returncode:
        raise ServerError(f"{archive.name} cannot be unpacked")


def _call(*words: str) -> str:
    done = subprocess.run(
        words, env=cleared_environment(), capture_output=True, text=True
    )
    if done.returncode:
        raise ServerError(f"{words[0]} {words[-1]}: {done.stderr[-2000:]}")
    return done.stdout
