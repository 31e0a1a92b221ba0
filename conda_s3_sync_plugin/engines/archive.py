"""What came, against the hash of what was locked."""

from __future__ import annotations

import hashlib
import json
import os
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


def files_in(folder: Path) -> list[str]:
    """Return the files that an unpacked archive had, of which some may be gone."""
    try:
        paths = json.loads((folder / "info" / "paths.json").read_bytes())["paths"]
        return [str(path["_path"]) for path in paths]
    except (OSError, ValueError, KeyError, TypeError):
        return []


def commands_in(folder: Path) -> list[str]:
    """Return the programs that are made for an unpacked noarch package."""
    try:
        link = json.loads((folder / "info" / "link.json").read_bytes())
        names = [
            text.partition("=")[0].strip() for text in link["noarch"]["entry_points"]
        ]
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return []
    if os.name == "nt":
        return [
            f"Scripts/{name}{end}" for name in names for end in (".exe", "-script.py")
        ]
    return [f"bin/{name}" for name in names]


def verify(name: str, expected: str | None, found: str | None, *, hint: str) -> None:
    """Raise EngineError where an archive is not the one that is meant."""
    if expected and found != expected:
        raise mismatch(name, expected, found, hint=hint)


def mismatch(name: str, expected: str, found: str | None, *, hint: str) -> EngineError:
    """Say that an archive is not the one that is meant."""
    return EngineError(
        f"{name} is not the package that was locked: "
        f"its sha256 is {found}, expected {expected}.",
        hint=hint,
    )
