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
    from collections.abc import Callable, Collection, Iterable, Iterator

#: Signals that ask a program to end; not every system has all of them.
ENDING = [
    getattr(signal, name)
    for name in ("SIGINT", "SIGTERM", "SIGHUP")
    if hasattr(signal, name)
]

#: What rattler has in a prefix for itself: notes, what has given way, and its trials.
_OWN = ("conda-meta/", "__clobbers__/", "symtest_", "CACHEDIR.TAG")

#: What is kept for a transaction is in a folder of the prefix whose name begins so.
_BACKUP = ".s3-sync-"


class Patience:
    """The signals that had to wait; at the second one, what they wait for is ended."""

    def __init__(self) -> None:
        self.caught: list[int] = []
        self.give_up: Callable[[], object] = lambda: None

    def hear(self, number: int, frame: object) -> None:
        """Handle a signal."""
        self.caught.append(number)
        if len(self.caught) > 1:
            self.give_up()


@contextlib.contextmanager
def undisturbed() -> Iterator[Patience]:
    """Put off signals that end the program until the block is done.

    A library with threads of its own would go on while this one cleans up already.
    """
    patience = Patience()
    if threading.current_thread() is not threading.main_thread():
        yield patience  # signals come to the main thread alone
        return
    usual = {ending: signal.signal(ending, patience.hear) for ending in ENDING}
    try:
        yield patience
    finally:
        for ending, handler in usual.items():
            signal.signal(ending, handler or signal.SIG_DFL)
        for number in patience.caught[:1]:
            signal.raise_signal(number)


def is_unfinished(prefix: Path) -> bool:
    """Tell whether a transaction was killed here: what it had kept is still there."""
    return any(prefix.glob(f"{_BACKUP}*"))


@contextlib.contextmanager
def rolled_back(
    prefix: Path, leaving: Collection[str], coming: Callable[[], Collection[str]]
) -> Iterator[None]:
    """Around a transaction: where it fails, the prefix is what it was before.

    `leaving`: the files of packages that it removes or replaces; `coming`: those that
    it brings, as far as that is known by then. Those of noarch packages may be named as
    they are in the archive, where nobody knows the python to come. What else comes
    meanwhile is somebody else's, and stays.
    """
    existed = os.path.lexists(prefix)
    prefix.mkdir(parents=True, exist_ok=True)
    leftovers = list(prefix.glob(f"{_BACKUP}*"))
    folders, paths = _walk(prefix)
    with tempfile.TemporaryDirectory(dir=prefix, prefix=_BACKUP) as backup:
        touched = filter(_is_of({*leaving, *coming()}), paths)
        kept = _keep(prefix, touched, Path(backup), _is_of(leaving))
        try:
            yield
        except BaseException:
            if existed:
                _remove(prefix, paths, _is_of({*leaving, *coming()}))
                _put_back(kept, prefix, folders)
            else:
                shutil.rmtree(prefix, ignore_errors=True)
            raise
        for leftover in leftovers:
            shutil.rmtree(leftover, ignore_errors=True)


def _is_of(files: Collection[str]) -> Callable[[str], bool]:
    """Tell of a path in a prefix whether a transaction of these files may touch it."""

    def is_touched(path: str) -> bool:
        _, site, rest = path.rpartition("site-packages/")
        return path in files or f"{site}{rest}" in files or path.startswith(_OWN)

    return is_touched


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


def _keep(
    prefix: Path, paths: Iterable[str], backup: Path, is_leaving: Callable[[str], bool]
) -> dict[Path, Path]:
    """Keep files; return file -> what is kept.

    By a second name where that can be. But the history, and what belongs to no package,
    are written over as they are.
    """
    kept: dict[Path, Path] = {}
    for name in paths:
        path, copy = prefix / name, backup / str(len(kept))
        if path.is_symlink() or path.is_file():
            kept[path] = copy
            may_be_linked = is_leaving(name) and path.name != "history"
            if not (may_be_linked and _link(path, copy)):
                shutil.copy2(path, copy, follow_symlinks=False)
    return kept


def _link(path: Path, copy: Path) -> bool:
    """Give a file a second name, if the file system knows such."""
    try:
        os.link(path, copy, follow_symlinks=False)
    except OSError:
        return False
    return True


def _remove(prefix: Path, paths: set[str], is_ours: Callable[[str], bool]) -> None:
    """Remove from a prefix what has come to these paths, as far as it is ours."""
    folders, found = _walk(prefix)
    for path in sorted(found - paths, reverse=True):  # a folder after what is in it
        with contextlib.suppress(OSError):  # not empty: others have begun to use it
            if path in folders:
                (prefix / path).rmdir()
            elif is_ours(path):
                (prefix / path).unlink()


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
