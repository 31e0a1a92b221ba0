"""The decision table, written down a second time: what a run of the fleet may do."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from conda_s3_sync_plugin.words import Action

if TYPE_CHECKING:
    from collections.abc import Mapping

    from conda_s3_sync_plugin.models import Step

    Row = tuple[int, Action]

#: Here, in the bucket -> row, what is done.
TABLE: Final = {
    ("new", "absent"): (1, Action.PUSH),
    ("absent", "new"): (2, Action.PULL),
    ("new", "new"): (4, Action.CONFLICT),
    ("same", "same"): (5, Action.NOTHING),
    ("changed", "same"): (6, Action.PUSH),
    ("same", "changed"): (7, Action.PULL),
    ("changed", "changed"): (9, Action.CONFLICT),
    ("removed", "same"): (10, Action.PULL),
    ("removed", "changed"): (11, Action.PULL),
    ("same", "removed"): (12, Action.PUSH),
    ("changed", "removed"): (13, Action.PUSH),
    ("removed", "removed"): (14, Action.FORGET),
}
#: What may become of a conflict, whatever the times are; a merge may fail.
ANY: Final = {Action.PUSH, Action.PULL, Action.CONFLICT}
CONFLICTS: Final = {
    "local": {Action.PUSH},
    "remote": {Action.PULL},
    "none": {Action.CONFLICT},
    "merge": {Action.MERGE, Action.CONFLICT},
}
#: What goes no way but the other one.
HELD: Final = {
    "push": {Action.PULL, Action.DELETE_LOCAL, Action.MERGE},
    "pull": {Action.PUSH, Action.DELETE_REMOTE, Action.MERGE},
}
EQUAL: Final = {4: 3, 9: 8}

#: What was agreed on when a run did not end as it should: not for us to say.
UNSURE: Final = ("?", "?")


def row_of(
    agreed: tuple[str, str] | None, here: str | None, there: str | None
) -> Row | None:
    """Return row and action; None: it cannot be told, or nothing is there.

    `agreed` has the digests of both sides when they were in step for the last time.
    """
    if agreed == UNSURE or (agreed, here, there) == (None, None, None):
        return None
    ours, theirs = agreed or (None, None)
    row, action = TABLE[_change(here, ours), _change(there, theirs)]
    if here == there and row in (4, 6, 7, 9):
        return EQUAL.get(row, row), Action.ADOPT
    return row, action


def check_step(
    step: Step, row: Row, options: Mapping[str, Any], *, is_stated: bool
) -> None:
    """Compare a step with its row, and with what the options make of that.

    `is_stated`: the version that both sides had was deleted on purpose.
    """
    number, action = row
    assert step.row == number, (step, row)
    allowed = {action}
    if action is Action.CONFLICT:
        allowed = CONFLICTS.get(options.get("prefer", ""), ANY)
    elif options.get("delete") and number == 10:
        allowed = {Action.DELETE_REMOTE}
    elif options.get("delete") and number == 12 and is_stated:
        allowed = {Action.DELETE_LOCAL}
    held = HELD.get(options.get("direction", ""), set())
    if allowed & held:
        kept = Action.CONFLICT if number in (4, 9) else Action.HOLD
        allowed = (allowed - held) | {kept}
    if Action.DELETE_LOCAL in allowed and not options.get("confirm", True):
        allowed = {Action.SKIP}
    assert step.action in allowed, (step, allowed)


def _change(now: str | None, agreed: str | None) -> str:
    if agreed is None:
        return "absent" if now is None else "new"
    if now is None:
        return "removed"
    return "same" if now == agreed else "changed"
