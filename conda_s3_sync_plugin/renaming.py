"""Renamed environments: one that has come, and one that has gone, of one content."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import replace
from typing import TYPE_CHECKING

from .exceptions import EngineError
from .location import quoted
from .models import Version
from .words import REMOVALS, Action

if TYPE_CHECKING:
    from collections.abc import Iterable

    from .models import Observation, Outcome, Step

#: Rows of the table: what is new here or in the bucket, and what has gone there.
_NEW, _GONE = (1, 2), (10, 12)


def pair_renamed(
    planned: Iterable[Step], observations: Iterable[Observation]
) -> list[Step]:
    """Tell of new environments that only have a new name, and of old ones where to.

    Where several of the same content have gone or come, nobody can tell.
    """
    steps = list(planned)
    partners: dict[str, str] = {}
    seen = {item.name: item for item in observations}
    for rows in zip(_NEW, _GONE, strict=True):
        names: dict[int, dict[str, list[str]]] = {
            row: defaultdict(list) for row in rows
        }
        for step in steps:
            if step.row in rows:
                digest = _digest(step.row, seen[step.name])
                names[step.row][digest].append(step.name)
        new, old = (names[row] for row in rows)
        for digest in new.keys() & old.keys():
            if len(new[digest]) == len(old[digest]) == 1:
                (here,), (there,) = new[digest], old[digest]
                partners |= {here: there, there: here}
    return [
        _tell(step, partners[step.name]) if step.name in partners else step
        for step in steps
    ]


def kept_for_partner(step: Step, outcomes: Iterable[Outcome]) -> EngineError | None:
    """Return why an old name must not go yet: the new one has not come to be."""
    if step.action not in REMOVALS or not step.partner:
        return None
    for outcome in outcomes:
        new = outcome.step
        if new.name == step.partner and new.partner == step.name and outcome.is_settled:
            return None
    return EngineError(
        f"It stays, because {step.partner}, its new name, could not be brought about.",
        hint="The next run tries both again.",
    )


def _digest(row: int, seen: Observation) -> str:
    """Return the content that has come or gone, on the side that the row is about."""
    if row in _GONE:
        assert seen.baseline is not None  # noqa: S101 (the table has it so)
        return seen.baseline.local if row == _GONE[0] else seen.baseline.remote
    side = seen.local if row == _NEW[0] else seen.remote
    return side.digest if isinstance(side, Version) else ""


def _tell(step: Step, partner: str) -> Step:
    if step.row in _NEW and step.action in (Action.PUSH, Action.PULL):
        return replace(step, reason=f"renamed from {partner}", partner=partner)
    if step.action in REMOVALS:
        return replace(step, reason=f"renamed to {partner}", partner=partner)
    if step.row in _GONE and step.action in (Action.PUSH, Action.PULL):
        hint = (
            f"It is {partner} now. To be rid of the old name, conda env remove -n "
            f"{quoted(step.name)}, and run this with --delete."
        )
        return replace(step, hint=hint, partner=partner)
    return step
