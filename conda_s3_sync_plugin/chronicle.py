"""The history of one environment, as people and programs read it."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TextIO

from .exceptions import visible
from .location import quoted
from .observe import Here, There
from .report import JSON_FORMAT
from .timeline import read_timeline
from .versions import Kind
from .wording import facts, in_short

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from .session import Session
    from .timeline import Entry


@dataclass(frozen=True, slots=True)
class Chronicle:
    """All versions of an environment, the oldest first."""

    location: str
    name: str
    entries: Sequence[Entry]
    #: Digests of what is in the bucket now, and of what is here; empty: nothing.
    there: str = ""
    here: str = ""


def read_chronicle(session: Session, name: str) -> Chronicle:
    """Read all versions of an environment; raise StoreError."""
    with session.opened() as listing:
        sight = session.look(name, listing)
        there, here = (
            side.version.digest if isinstance(side, Here | There) else ""
            for side in (sight.there, sight.here)
        )
        entries = read_timeline(session.store, session.pool, name, session.parse)
        same = [entry for entry in entries if there.startswith(entry.kept.digest)]
        if same and same[-1].is_deletion:
            # It comes before the deletion, and that has failed.
            entries.remove(same[-1])
        return Chronicle(session.store.identity, name, entries, there, here)


def write(chronicle: Chronicle, command: str, out: TextIO | None = None) -> None:
    """Write a line for each version, the newest first."""
    out = out or sys.stdout
    rows = [_row(chronicle, entry) for entry in reversed(chronicle.entries)]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for row in rows:
        cells = (f"{cell:{width}}" for cell, width in zip(row, widths, strict=True))
        out.write(f"{visible('  '.join(cells).rstrip())}\n")
    count = sum(not entry.is_deletion for entry in chronicle.entries)
    plural = "" if count == 1 else "s"
    out.write(f"{chronicle.location}: {count} version{plural} of {chronicle.name}\n")
    if count:
        out.write(f"To go back: {command} --restore {quoted(chronicle.name)}@VERSION\n")


def _row(chronicle: Chronicle, entry: Entry) -> tuple[str, ...]:
    kept, there = entry.kept, entry.there
    change = in_short(entry.difference) or "the same as before"
    if entry.is_deletion:
        change = "deleted"
    elif entry.file is None:
        change = "cannot be read"
    marks = list(_places(chronicle, entry))
    if Kind.LOSER in entry.kinds:
        marks.append("lost a conflict")
    elif not (entry.was_current or entry.is_deletion):
        marks.append("on one machine")
    return (
        kept.short,
        f"{kept.modified:%Y-%m-%d %H:%M} UTC",
        (there.pushed_by if there else "") or "-",
        (there.platform if there else "") or "-",
        f"{change} ({', '.join(marks)})" if marks else change,
    )


def _places(chronicle: Chronicle, entry: Entry) -> Iterator[str]:
    """Yield where a version is the current one."""
    if entry is not _latest(chronicle.entries, entry.kept.digest):
        return
    if chronicle.there.startswith(entry.kept.digest):
        yield "in the bucket"
    if chronicle.here.startswith(entry.kept.digest):
        yield "here"


def _latest(entries: Sequence[Entry], digest: str) -> Entry | None:
    same = [entry for entry in entries if entry.kept.digest == digest]
    return same[-1] if same and not same[-1].is_deletion else None


def _kind(entry: Entry) -> Kind:
    """Return what is most worth telling of an entry."""
    order = (Kind.DELETED, Kind.LOSER, Kind.VERSION, Kind.ASIDE)
    return next(kind for kind in order if kind in entry.kinds)


def document(chronicle: Chronicle) -> dict[str, Any]:
    """Return the history as one JSON document, the newest version first."""
    return {
        "format": JSON_FORMAT,
        "success": True,
        "location": chronicle.location,
        "name": chronicle.name,
        "versions": [
            {
                "version": entry.kept.digest,
                "kind": str(_kind(entry)),
                "modified": entry.kept.modified.isoformat(),
                "pushed_by": entry.there.pushed_by if entry.there else "",
                "platform": entry.there.platform if entry.there else "",
                "current": list(_places(chronicle, entry)),
                "difference": facts(entry.difference),
            }
            for entry in reversed(chronicle.entries)
        ],
    }
