"""What looks like an accident: a person should look first."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .exceptions import SafetyError
from .words import REMOVALS

if TYPE_CHECKING:
    from collections.abc import Iterable

    from .models import Observation, Step


def check_sides(
    observations: Iterable[Observation], location: str, *, deletes: bool = False
) -> None:
    """Raise SafetyError where one side has lost all of several known environments.

    That is what a disk that is not mounted looks like, or a bucket that was emptied.
    `deletes`: the run may remove them from the other side, too.
    """
    known = _known(observations)
    if len(known) < 2:
        return
    here = any(seen.local is not None for seen in known)
    there = any(seen.remote is not None for seen in known)
    if here == there:
        return
    place, other = ("this machine", location) if there else (location, "this machine")
    hint = f"If that is meant, and {other} shall bring them back, use --force."
    if deletes:
        hint = "Look with --dry-run --force. If that is meant, use --force alone."
    raise SafetyError(
        f"All {len(known)} known environments are gone from {place}; nothing was done.",
        hint=hint,
    )


def check_deletions(steps: Iterable[Step], observations: Iterable[Observation]) -> None:
    """Raise SafetyError where more than half of the known environments would go.

    What only gets another name stays.
    """
    names = [
        step.name for step in steps if step.action in REMOVALS and not step.partner
    ]
    # One whose removal was begun was known as well.
    known = {seen.name for seen in _known(observations)}.union(names)
    if len(names) * 2 > len(known):
        raise SafetyError(
            f"{len(names)} of {len(known)} known environments would be deleted "
            f"({', '.join(names)}); nothing was done.",
            hint="Look with --dry-run. If that is meant, use --force.",
        )


def _known(observations: Iterable[Observation]) -> list[Observation]:
    return [
        seen
        for seen in observations
        if seen.baseline is not None and not seen.baseline.is_interrupted
    ]
