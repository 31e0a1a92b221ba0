"""What came, against the hash of what was locked."""

from __future__ import annotations

import hashlib
from pathlib import Path
from urllib.parse import urlsplit
from urllib.request import url2pathname

from ..exceptions import EngineError


def local_path(url: str) -> Path | None:
    """Return where a package of a channel on this machine is; None: elsewhere."""
    if url.startswith("file:"):
        return Path(url2pathname(urlsplit(url).path))
    return None


def sha256_of(path: Path) -> str:
    """Return the hash of an archive, as repodata has it."""
    return hashlib.sha256(path.read_bytes()).hexdigest()


def verify(name: str, expected: str | None, found: str | None) -> None:
    """Raise EngineError where an archive is not the one that is meant."""
    if expected and found != expected:
        raise EngineError(
            f"{name} is not the package that was locked: "
            f"its sha256 is {found}, expected {expected}.",
            hint="Its channel, or the package cache, holds another file of that name: "
            "try `conda clean --packages --tarballs`.",
        )
