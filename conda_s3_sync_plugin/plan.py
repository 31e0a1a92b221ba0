"""The decision table: what is done about an environment, given what its sides are.

Pure: no clock, no disk, no network.  `reconcile` asks the table; preference, deletion
and direction are passes of their own over what it answers.
"""

from __future__ import annotations

from dataclasses import replace
from enum import Enum
from typing import TYPE_CHECKING

from .location import quoted
from .models import Observation, Step, Unknown, Version
from .renaming import pair_renamed
from .words import Action, Direction, Prefer

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import datetime

    from .models import Policy, Side


class Change(Enum):
    """What one side is, relative to the baseline."""

    ABSENT = "absent"
    SAME = "same"
    NEW = "new"
    CHANGED = "changed"
    REMOVED = "removed"


_A, _S, _N, _C, _R = Change

#: (here, in the bucket) -> the row of the table, what it says, and why.
#: A change beats a deletion; what was never in step is never deleted.
_DECISIONS: dict[tuple[Change, Change], tuple[int, Action, str]] = {
    (_N, _A): (1, Action.PUSH, "new here"),
    (_A, _N): (2, Action.PULL, "new in the bucket"),
    (_N, _N): (4, Action.CONFLICT, "never in step"),
    (_S, _S): (5, Action.NOTHING, "in step"),
    (_C, _S): (6, Action.PUSH, "changed here"),
    (_S, _C): (7, Action.PULL, "changed in the bucket"),
    (_C, _C): (9, Action.CONFLICT, "changed on both sides"),
    (_R, _S): (10, Action.DELETE_REMOTE, "removed here"),
    (_R, _C): (11, Action.PULL, "removed here, but changed in the bucket"),
    (_S, _R): (12, Action.DELETE_LOCAL, "removed from the bucket"),
    (_C, _R): (13, Action.PUSH, "removed from the bucket, but changed here"),
    (_R, _R): (14, Action.FORGET, "removed on both sides"),
}

#: Rows 3 and 8: both sides hold the same content, whatever each was before.
_ADOPTED = {4: 3, 9: 8}


def plan(observations: Iterable[Observation], policy: Policy) -> list[Step]:
    """Decide each environment, in the order of the names.

    Conflicts that the policy does not settle stay `Action.CONFLICT`; what it forbids
    becomes `Action.HOLD`.
    """
    steps = []
    observations = sorted(observations, key=lambda seen: seen.name)
    for seen in observations:
        may_go = policy.delete and not seen.is_base
        seen = seen if may_go else replace(seen, deleted=False)
        step = reconcile(seen)
        step = _prefer(step, seen, policy)
        step = _delete(step, seen) if may_go else _create_again(step)
        if seen.is_base and step.row in (10, 12):
            step = replace(step, hint="")  # nobody can be rid of it
        if policy.unasked:
            step = _leave_gone(step)
        steps.append(_hold_back(step, policy.direction))
    return pair_renamed(steps, observations)


def reconcile(seen: Observation) -> Step:
    """Ask the table about one environment: with deletion, and without preference."""
    for row, side in ((15, seen.local), (16, seen.remote)):
        if isinstance(side, Unknown):
            return Step(seen.name, Action.SKIP, side.reason, row, hint=side.hint)
    base = seen.baseline
    here = _change(seen.local, base.local if base else None)
    there = _change(seen.remote, base.remote if base else None)
    if (here, there) == (_A, _A):
        return Step(seen.name, Action.SKIP, "neither here nor in the bucket", 16)
    row, action, reason = _DECISIONS[here, there]
    if (here, there) == (_S, _R) and base and not (base.remote or seen.deleted):
        return _half_done(seen.name, row)
    if action is Action.PULL and base and base.is_interrupted:
        reason = "a pull was broken off"  # what it has left may only look the same
    elif action is not Action.NOTHING and _are_equal(seen.local, seen.remote):
        return Step(
            seen.name, Action.ADOPT, "the same on both sides", _ADOPTED.get(row, row)
        )
    mover = seen.remote if action is Action.PULL else seen.local
    modified = mover.modified if isinstance(mover, Version) else None
    return Step(seen.name, action, reason, row, modified)


def _half_done(name: str, row: int) -> Step:
    """Leave alone what was begun and cannot be finished: it is nobody's work.

    Whatever it was before is in the history.
    """
    return Step(
        name,
        Action.SKIP,
        "left half done by a run that broke off, and missing in the bucket",
        row,
        hint=f"Be rid of it: conda env remove -n {quoted(name)}; or keep it as it is, "
        f"under another name: conda rename -n {quoted(name)} NEW_NAME",
    )


def _change(side: Side, digest: str | None) -> Change:
    """Compare a side with its digest in the baseline; None: there is no baseline."""
    if digest is None:
        return _A if side is None else _N
    if side is None:
        return _R
    return _S if isinstance(side, Version) and side.digest == digest else _C


def _are_equal(local: Side, remote: Side) -> bool:
    return (
        isinstance(local, Version)
        and isinstance(remote, Version)
        and local.digest == remote.digest
    )


def _prefer(step: Step, seen: Observation, policy: Policy) -> Step:
    """Settle a conflict as the user prefers; equal times settle nothing."""
    local, remote, prefer = seen.local, seen.remote, policy.prefer
    if step.action is not Action.CONFLICT:
        return step
    if not isinstance(local, Version) or not isinstance(remote, Version):
        raise AssertionError(f"a conflict needs two sides: {seen}")
    push = replace(step, action=Action.PUSH, modified=local.modified)
    pull = replace(step, action=Action.PULL, modified=remote.modified)
    here, there = _times(local, remote, policy)
    if prefer is Prefer.MERGE:
        return replace(step, action=Action.MERGE, modified=None)
    if prefer is Prefer.LOCAL:
        return replace(push, reason=f"{step.reason}; this side is preferred")
    if prefer is Prefer.REMOTE:
        return replace(pull, reason=f"{step.reason}; the bucket is preferred")
    if prefer is Prefer.NEWEST and here > there:
        return replace(push, reason=f"{step.reason}; last changed here")
    if prefer is Prefer.NEWEST and here < there:
        return replace(pull, reason=f"{step.reason}; last changed in the bucket")
    tie = "" if prefer is Prefer.NONE else "; both at the same time"
    return replace(
        step,
        reason=f"{step.reason}{tie}",
        modified=None,
        hint=f"Settle it with -n {quoted(step.name)} --prefer local, or --prefer "
        "remote.",
    )


def _times(
    local: Version, remote: Version, policy: Policy
) -> tuple[datetime, datetime]:
    """Return when both sides were changed, by one clock: the server's."""
    here, there = local.modified, remote.modified
    if policy.ahead:
        here -= policy.ahead
    if policy.now:  # what lies in the future was not made there
        here, there = min(here, policy.now), min(there, policy.now)
    return here, there


def _delete(step: Step, seen: Observation) -> Step:
    """Let deletions happen; on this side only those that the history states."""
    if step.action is Action.DELETE_LOCAL and not seen.deleted:
        return replace(step, action=Action.PUSH, reason="missing in the bucket")
    if step.action is Action.DELETE_LOCAL:
        return replace(step, modified=None)
    return step


def _create_again(step: Step) -> Step:
    """Let nothing be deleted: what is missing on one side is created there."""
    if step.action is Action.DELETE_REMOTE:
        return replace(
            step,
            action=Action.PULL,
            reason="missing here",
            modified=None,
            hint="It comes back because the bucket still has it. To be rid of it, "
            "remove it again, and run this with --delete.",
        )
    if step.action is Action.DELETE_LOCAL:
        return replace(
            step,
            action=Action.PUSH,
            reason="missing in the bucket",
            modified=None,
            hint="It goes back because this machine still has it. To be rid of it, "
            f"conda env remove -n {quoted(step.name)}, and run this with --delete.",
        )
    return step


def _leave_gone(step: Step) -> Step:
    """Let what was removed on one side stay away there, and stay on the other.

    Who has just removed an environment does not expect it back with the same command.
    """
    if step.row in (10, 11) and step.action is Action.PULL:
        return replace(step, action=Action.HOLD, modified=None, hint="")
    if step.action is Action.DELETE_LOCAL:
        return replace(step, action=Action.HOLD, hint="")
    return step


def _hold_back(step: Step, direction: Direction) -> Step:
    """Keep back what travels the other way; a conflict stays one for whoever looks."""
    wrong = {
        Direction.BOTH: (),
        Direction.PUSH: (Action.PULL, Action.DELETE_LOCAL, Action.MERGE),
        Direction.PULL: (Action.PUSH, Action.DELETE_REMOTE, Action.MERGE),
    }[direction]
    if step.action not in wrong:
        return step
    kept = Action.CONFLICT if step.is_conflict else Action.HOLD
    reason = f"{step.reason} (--{direction}-only)"
    return replace(step, action=kept, reason=reason, modified=None, hint="")
