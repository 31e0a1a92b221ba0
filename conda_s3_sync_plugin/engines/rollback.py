"""Around transactions that take nothing back themselves: all of it, or nothing."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import tempfile
import threading
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator

#: Signals that ask a program to end.
_ENDING = (signal.SIGINT, signal.SIGTERM)


@contextlib.contextmanager
def undisturbed() -> Iterator[None]:
    """Put off signals that end the program until the block is done.

    A library with threads of its own would go on while this one cleans up already.
    """
    if threading.current_thread() is not threading.main_thread():
        yield  # signals come to the main thread alone
        return
    caught: list[int] = []
    usual = {
        ending: signal.signal(ending, lambda number, _: caught.append(number))
        for ending in _ENDING
    }
    try:
        yield
    finally:
        for ending, handler in usual.items():
            signal.signal(ending, handler or signal.SIG_DFL)
        for number in caught[:1]:
            signal.raise_signal(number)


@contextlib.contextmanager
def rolled_back(prefix: Path, files: Collection[str]) -> Iterator[None]:
    """Around a transaction: where it fails, the prefix is what it was before.

    `files`: what it may remove or replace; those of noarch packages may be named as
    they are in the archive, where nobody knows the python to come.
    """
    if not os.path.lexists(prefix):
        try:
            yield
        except BaseException:
            shutil.rmtree(prefix, ignore_errors=True)
            raise
        return
    folders, paths = _walk(prefix)
    with tempfile.TemporaryDirectory(dir=prefix, prefix=".s3-sync-") as backup:
        touched = [
            path for path in paths if path in files or _in_archive(path) in files
        ]
        kept = _keep(prefix, touched, Path(backup))
        try:
            yield
        except BaseException:
            _remove(prefix, paths, Path(backup).name)
            _put_back(kept, prefix, folders)
            raise


def _walk(prefix: Path) -> tuple[dict[str, int], set[str]]:
    """Return all folders below a prefix, with their times, and all that is in them."""
    folders: dict[str, int] = {}
    paths: set[str] = set()
    for name, below, files in os.walk(prefix):
        folder = Path(name).relative_to(prefix).as_posix()
        folders[folder] = Path(name).stat().st_mtime_ns
        start = "" if folder == "." else f"{folder}/"
        paths.update(f"{start}{entry}" for entry in (*below, *files))
    return folders, paths


def _in_archive(path: str) -> str:
    """Return what a noarch package calls a file in site-packages."""
    _, site, rest = path.rpartition("site-packages/")
    return f"{site}{rest}"


def _keep(prefix: Path, paths: Iterable[str], backup: Path) -> dict[Path, Path]:
    """Keep files, by a second name where that can be; return file -> what is kept."""
    meta = prefix / "conda-meta"
    kept: dict[Path, Path] = {}
    for path in {*map(prefix.joinpath, paths), *meta.glob("*.json")}:
        if path.is_symlink() or path.is_file():
            kept[path] = copy = backup / str(len(kept))
            try:
                os.link(path, copy, follow_symlinks=False)
            except OSError:  # not every file system has them
                shutil.copy2(path, copy, follow_symlinks=False)
    # Lines are going to be added to the file itself, whatever its name.
    kept[meta / "history"] = backup / "history"
    shutil.copy2(meta / "history", backup / "history")
    return kept


def _remove(prefix: Path, paths: set[str], backup: str) -> None:
    """Remove all from a prefix that is not among these paths, but for the backup."""
    folders, found = _walk(prefix)
    for path in sorted(found - paths, reverse=True):  # a folder after what is in it
        if path.partition("/")[0] != backup:
            with contextlib.suppress(OSError):
                place = prefix / path
                place.rmdir() if path in folders else place.unlink()


def _put_back(kept: dict[Path, Path], prefix: Path, folders: dict[str, int]) -> None:
    """Put files where they were, and folders; go on where that fails."""
    for path, copy in kept.items():
        with contextlib.suppress(OSError):
            path.parent.mkdir(parents=True, exist_ok=True)
            copy.replace(path)
    for name, time in folders.items():
        with contextlib.suppress(OSError):
            (prefix / name).mkdir(parents=True, exist_ok=True)
            os.utime(prefix / name, ns=(time, time))
