"""conda's history of an environment, read and written without conda.

What has been asked for, and what came of it. Whatever else changes environments reads
the file, or at least leaves it alone.
"""

from __future__ import annotations

import ast
import re
import time
from typing import TYPE_CHECKING, NamedTuple

from ..exceptions import EngineError
from . import prefix as plain

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping
    from pathlib import Path

    from .prefix import Record

_REVISION = re.compile(r"^\s*==>.+<==", re.MULTILINE)
_COMMAND = re.compile(r"#\s*cmd:\s*\S")
_SPECS = re.compile(r"#\s*(\w+)\s*specs:\s*(.+)")

#: Between specs as conda wrote them before 4.5: `python >=3.5,<4,jupyter`.
_OLD_COMMA = re.compile(r",(?!\s*[<>=!~])")

#: What a line says of its specs; `neutered` ones replace those that stood in the way.
_KINDS = {
    **dict.fromkeys(("remove", "uninstall"), "removed"),
    **dict.fromkeys(("update", "install", "create"), "added"),
    "neutered": "neutered",
}


class Request(NamedTuple):
    """What was once asked for: specs to remove, and specs to add."""

    removed: list[str]
    added: list[str]


def requested(prefix: Path, name_of: Callable[[str], str]) -> dict[str, str]:
    """Return what was asked for in an environment, by package, as it was written.

    As conda does, of packages that are there. `name_of` tells the package of a spec; it
    may raise EngineError.
    """
    specs: dict[str, str] = {}
    for request in _requests(prefix / "conda-meta" / "history"):
        for text in request.removed:
            specs.pop(_name(text, name_of), None)
        specs |= {_name(text, name_of): text for text in request.added}
    have = plain.names(prefix)
    return {name: specs[name] for name in sorted(specs) if name in have}


def _name(text: str, name_of: Callable[[str], str]) -> str:
    try:
        return name_of(text)
    except EngineError:  # what no program reads today was no reason to stop then
        return ""


def _requests(path: Path) -> Iterator[Request]:
    """Read the requests, the oldest first; a revision without a command has none."""
    text = path.read_text("utf-8", errors="replace") if path.exists() else ""
    for body in _REVISION.split(text)[1:]:
        lines = [line.strip() for line in body.splitlines()]
        said: dict[str, list[str]] = {}
        for match in filter(None, map(_SPECS.match, lines)):
            kind, specs = _KINDS.get(match[1]), _split(match[2])
            if kind and specs:  # of two lines of a kind, conda takes the last
                said[kind] = specs
        if any(map(_COMMAND.match, lines)):
            added = [*said.get("added", ()), *said.get("neutered", ())]
            yield Request(said.get("removed", []), added)


def _split(text: str) -> list[str]:
    """Read a list of specs, as conda writes it today or once did."""
    if text.startswith("["):
        try:
            found = ast.literal_eval(text)
        except (ValueError, SyntaxError, TypeError, RecursionError, MemoryError):
            return []  # all that it raises
        texts = [str(item) for item in found]
    else:
        texts = [part.strip() for part in _OLD_COMMA.split(text)]
    return [spec for spec in texts if spec and not spec.endswith("@")]  # a feature


def record_revision(
    prefix: Path,
    before: Iterable[Record],
    requested_before: Mapping[str, str],
    requested_now: Mapping[str, str],
) -> None:
    """Write down what has changed since `before`, and what was asked for.

    Both as name -> spec. Where there is nothing to tell, the file stays as it is.
    """
    old, new = set(map(_dist, before)), set(map(_dist, plain.records(prefix)))
    path = prefix / "conda-meta" / "history"
    is_new = not path.exists() or not path.stat().st_size
    if old == new and requested_before == requested_now and not is_new:
        return
    dropped = sorted(requested_before.keys() - requested_now.keys())
    lines = [
        time.strftime("==> %Y-%m-%d %H:%M:%S <=="),
        "# cmd: conda-s3-sync",
        *(f"-{dist}" for dist in sorted(old - new)),
        *(f"+{dist}" for dist in sorted(new - old)),
        *([f"# remove specs: {dropped}"] if dropped else []),
        *([f"# update specs: {list(requested_now.values())}"] if requested_now else []),
    ]
    with path.open("a", encoding="utf-8") as file:
        file.writelines(f"{line}\n" for line in lines)


def _dist(record: Record) -> str:
    """Name a package as conda's history does."""
    folder = record["url"].rsplit("/", 2)
    channel = plain.channel_name(folder[0])
    name = "-".join((record["name"], record["version"], record["build"]))
    return f"{channel}/{record.get('subdir', folder[1])}::{name}"
