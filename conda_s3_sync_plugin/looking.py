"""Looking before acting: what steps would change, package by package."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from .difference import compare
from .download import fetch
from .exceptions import S3SyncError
from .models import Outcome
from .observe import Here, There
from .words import Action

if TYPE_CHECKING:
    from .models import EnvFile, Step
    from .observe import Sight
    from .session import Session

#: Of a merge, too, nobody knows before it is solved.
_NOTHING = (
    Action.NOTHING,
    Action.ADOPT,
    Action.FORGET,
    Action.SKIP,
    Action.MERGE,
)


def look(session: Session, step: Step, sight: Sight) -> Outcome:
    """Return what a step would change, with what cannot be read as its error."""
    outcome = Outcome(step)
    if step.action in _NOTHING:
        return outcome
    try:
        here, there, origin = _both(session, sight)
    except S3SyncError as error:
        return replace(outcome, error=error)
    builds = origin in ("", session.engine.platform)
    old, new = (there, here) if _goes_up(step, sight) else (here, there)
    return replace(outcome, difference=compare(old, new, builds=builds))


def _goes_up(step: Step, sight: Sight) -> bool:
    """Tell whether what is here replaces what is in the bucket."""
    if step.action in (Action.PUSH, Action.DELETE_REMOTE):
        return True
    return step.action is Action.HOLD and sight.changed_here


def _both(session: Session, sight: Sight) -> tuple[EnvFile | None, EnvFile | None, str]:
    """Read both sides, and where that of the bucket was made."""
    here = there = None
    origin = ""
    if isinstance(sight.here, Here):
        here = sight.here.read(session.engine).file
    if isinstance(sight.there, There):
        fetched = fetch(session, sight.name, sight.there)
        there, origin = fetched.file, fetched.remote.platform
    return here, there, origin
