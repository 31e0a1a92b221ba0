"""Files that one process at a time has for itself, on any system."""

from __future__ import annotations

import sys
from typing import IO, Any

if sys.platform == "win32":
    import msvcrt
else:
    import fcntl


def lock(file: IO[Any]) -> None:
    """Lock a file without waiting; raise OSError where another process has it.

    Until the file is closed. What is in it, others can read all the same.
    """
    if sys.platform == "win32":
        file.seek(1 << 20)  # far behind the text
        msvcrt.locking(file.fileno(), msvcrt.LK_NBLCK, 1)
    else:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
