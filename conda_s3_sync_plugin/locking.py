"""Files that one process at a time has for itself, on any system."""

from __future__ import annotations

import sys
from typing import IO, Any

if sys.platform == "win32":
    import msvcrt
else:
    import fcntl


def lock(file: IO[Any], *, wait: bool = False) -> None:
    """Lock a file until it is closed; raise OSError where that cannot be.

    Where another process has it, that is at once, unless it is to `wait`. What is in
    the file, others can read all the same.
    """
    if sys.platform == "win32":
        file.seek(1 << 20)  # far behind the text
        msvcrt.locking(file.fileno(), msvcrt.LK_LOCK if wait else msvcrt.LK_NBLCK, 1)
    else:
        fcntl.flock(file, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
