"""Looking before acting: what steps would change, package by package."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from .difference import compare
from .download import fetch
from .exceptions import S3SyncError
from .interruption import result_of
from .models import Outcome
from .observe import Here, There
from .words import Action

if TYPE_CHECKING:
    from collections.abc import Callable
    from concurrent.futures import Future

    from .models import Step
    from .observe import Fetched, Sight
    from .session import Session

#: Of a merge, too, nobody knows before it is solved.
_NOTHING = (
    Action.NOTHING,
    Action.ADOPT,
    Action.FORGET,
    Action.SKIP,
    Action.MERGE,
)


def begin_look(session: Session, step: Step, sight: Sight) -> Callable[[], Outcome]:
    """Start to read what a step would change; return what tells it.

    What cannot be read is the error of its outcome.
    """
    if step.action in _NOTHING:
        return lambda: Outcome(step)
    got = None
    if isinstance(sight.there, There):
        got = session.pool.submit(fetch, session, sight.name, sight.there)
    return partial(_look, session, step, sight, got)


def _look(
    session: Session, step: Step, sight: Sight, got: Future[Fetched] | None
) -> Outcome:
    here = there = None
    origin = ""
    try:
        if isinstance(sight.here, Here):
            here = sight.here.read(session.engine).file
        if got:
            fetched = result_of(got)
            there, origin = fetched.file, fetched.remote.platform
    except S3SyncError as error:
        return Outcome(step, error=error)
    builds = origin in ("", session.engine.platform)
    old, new = (there, here) if _goes_up(step, sight) else (here, there)
    return Outcome(step, difference=compare(old, new, builds=builds))


def _goes_up(step: Step, sight: Sight) -> bool:
    """Tell whether what is here replaces what is in the bucket."""
    if step.action in (Action.PUSH, Action.DELETE_REMOTE):
        return True
    return step.action is Action.HOLD and sight.changed_here
