"""What differs between versions, as people and programs read it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from .engines.privacy import presentable, without_credentials
from .versions import Change

if TYPE_CHECKING:
    from collections.abc import Iterator

    from .versions import Difference

#: How many changes are told in one line.
_FEW = 6


def lines(difference: Difference) -> Iterator[str]:
    """Yield a line for each change."""
    for kind, changes in _shown(difference):
        for change in changes:
            yield " ".join(filter(None, (_sign(change), kind, _told(change, " -> "))))
    if difference.moves_channels:
        old, new = (", ".join(names) or "none" for names in _channels(difference))
        yield f"~ channels {old} -> {new}"


def in_short(difference: Difference) -> str:
    """Return the changes in one line, which may leave some out."""
    told = [
        f"{_sign(change)}{f'{kind}:' if kind else ''}{_told(change, '->')}"
        for kind, changes in _shown(difference)
        for change in changes
    ]
    told += ["~channels"] if difference.moves_channels else []
    if len(told) > _FEW + 1:  # one more is as long as the words about it
        told = [*told[:_FEW], f"and {len(told) - _FEW} more"]
    return "  ".join(told)


def _shown(difference: Difference) -> Iterator[tuple[str, list[Change]]]:
    """Yield the changes by kind, without what is secret on any machine."""
    for kind, changes in difference.kinds():
        hide = presentable if kind == "variable" else _plainly
        yield (
            kind,
            [
                Change(without_credentials(name), hide(name, old), hide(name, new))
                for name, old, new in (
                    (change.name, change.old, change.new) for change in changes
                )
            ],
        )


def _plainly(name: str, text: str | None) -> str | None:
    return text and without_credentials(text)


def _channels(difference: Difference) -> Iterator[list[str]]:
    for names in difference.channels:
        yield [without_credentials(name) for name in names]


def _sign(change: Change) -> str:
    if change.old is None:
        return "+"
    return "-" if change.new is None else "~"


def _told(change: Change, arrow: str) -> str:
    if change.old is None or change.new is None:
        return f"{change.name} {change.new or change.old or ''}".rstrip()
    return f"{change.name} {change.old or 'any'}{arrow}{change.new or 'any'}"


def facts(difference: Difference) -> dict[str, Any]:
    """Return the changes as part of a JSON document."""
    kinds = {"": "conda", "pip": "pip", "variable": "variables", "pin": "pins"}
    found: dict[str, Any] = {
        kinds[kind]: [
            {"name": change.name, "old": change.old, "new": change.new}
            for change in changes
        ]
        for kind, changes in _shown(difference)
    }
    old, new = map(list, _channels(difference))
    found["channels"] = {"old": old, "new": new} if old != new else None
    return found
