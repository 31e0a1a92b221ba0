"""All there can be on both sides and all that can be asked, and what is right then."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime, timedelta, timezone
from itertools import product
from typing import TYPE_CHECKING

from conda_s3_sync_plugin.models import Baseline, Observation, Policy, Unknown, Version
from conda_s3_sync_plugin.plan import plan
from conda_s3_sync_plugin.words import Action, Direction, Prefer

if TYPE_CHECKING:
    from collections.abc import Iterator

    from conda_s3_sync_plugin.models import Side, Step

# What is in step is `base` here and `base` there; after a pull that was solved anew,
# `solved` here and `base` there.
CONTENTS = ("base", "solved", "a", "b")

NOON = datetime(2026, 5, 4, 12, tzinfo=timezone.utc)
HOUR = timedelta(hours=1)
TIMES = {"here is newer": HOUR, "there is newer": -HOUR, "tie": 0 * HOUR}

# row, baseline, here, in the bucket, what is done, what is done with --delete;
# `if-stated` is a deletion that the history has to state, and a push without that.
TABLE = """
 1  no   present  absent         push           push
 2  no   absent   present        pull           pull
 3  no   present  equal          adopt          adopt
 4  no   present  differs        newest         newest
 5  yes  same     same           nothing        nothing
 6  yes  changed  same           push           push
 7  yes  same     changed        pull           pull
 8  yes  changed  changed+equal  adopt          adopt
 9  yes  changed  changed        newest         newest
10  yes  absent   same           pull           delete-remote
11  yes  absent   changed        pull           pull
12  yes  same     absent         push           if-stated
13  yes  changed  absent         push           push
14  yes  absent   absent         forget         forget
15  any  unknown  any            skip           skip
16  any  any      unknown        skip           skip
"""
ROWS = [line.split() for line in TABLE.strip().splitlines()]

# Not in the table.  An environment that was solved anew may become what the bucket has,
# or the other way round: there is nothing to transfer then.  Nothing on either side is
# seen where somebody asks for a name that does not exist.  And what an unfinished pull
# has left, or a removal, is nobody's work: it is not pushed, but removed where that is
# stated; where a pull was broken off, it may only look like what the bucket has.
EXTRA_ROWS = [
    ["7", "broken-off", "same", "changed+equal", "pull", "pull"],
    ["6", "yes", "changed", "same+equal", "adopt", "adopt"],
    ["7", "yes", "same", "changed+equal", "adopt", "adopt"],
    ["12", "unfinished", "same", "absent", "skip", "rest-if-stated"],
    ["16", "no", "absent", "absent", "skip", "skip"],
]


@dataclass(frozen=True)
class Case:
    """Everything that a decision depends on."""

    seen: Observation
    policy: Policy
    here: str
    there: str
    baseline: str


def baselines() -> dict[str, Baseline | None]:
    done = Baseline("base", "stamp", "base", "etag", NOON)
    return {
        "none": None,
        "in step": done,
        "in step, solved anew": replace(done, local="solved"),
        "failed pull": replace(done, remote="", etag=""),
        # As it is saved, and as observing completes it with what was found here: so it
        # does with a removal that was.
        "interrupted": replace(done, local="", stamp="", remote="", etag=""),
        "interrupted, seen": replace(done, stamp="", remote="", etag=""),
    }


def sides(time: timedelta) -> dict[str, Side]:
    contents: dict[str, Side] = {
        digest: Version(digest, NOON + time) for digest in CONTENTS
    }
    return {"absent": None, "unknown": Unknown("it cannot be read"), **contents}


def observations() -> Iterator[Case]:
    """Yield all there can be, with the usual policy."""
    for time, (name, baseline) in product(TIMES.values(), baselines().items()):
        pairs = product(sides(time).items(), sides(0 * HOUR).items(), (False, True))
        for (here, local), (there, remote), deleted in pairs:
            seen = Observation("ml", local, remote, baseline, deleted)
            yield Case(seen, Policy(), here, there, name)


CASES = [
    replace(case, policy=Policy(*choices))
    for case in observations()
    for choices in product(Prefer, Direction, (False, True))
]


def decide(case: Case) -> Step:
    (step,) = plan([case.seen], case.policy)
    return step


def words(side: str, base: str | None) -> set[str]:
    """Return the words of the table that fit a side."""
    if side in ("absent", "unknown"):
        return {side, "any"}
    change = "same" if side == base else "changed"
    return {"any", "present", change}


def row_of(case: Case) -> list[str]:
    """Look a case up; the more particular row goes before the more general one."""
    base = case.seen.baseline
    here = words(case.here, base.local if base else None)
    there = words(case.there, base.remote if base else None)
    if {"present"} <= here & there:
        there.add("equal" if case.here == case.there else "differs")
    known = {"any", "no" if base is None else "yes"}
    if base and not base.remote:
        known.add("unfinished")
    if base and base.is_interrupted:
        known.add("broken-off")
    fitting = [
        row
        for row in [*ROWS[14:], *EXTRA_ROWS, ROWS[7], *ROWS]
        if row[1] in known and row[2] in here and set(row[3].split("+")) <= there
    ]
    return fitting[0]


def expected(case: Case) -> Action:
    """Read the table, and settle what it leaves to the user."""
    row = row_of(case)
    word = row[5] if case.policy.delete else row[4]
    if word.endswith("if-stated"):
        otherwise = "skip" if word.startswith("rest") else "push"
        word = "delete-local" if case.seen.deleted else otherwise
    is_conflict = word == "newest"
    if is_conflict:
        here = getattr(case.seen.local, "modified", NOON)
        there = getattr(case.seen.remote, "modified", NOON)
        word = {
            Prefer.NEWEST: ["conflict", "push", "pull"][
                (here > there) - (here < there)
            ],
            Prefer.LOCAL: "push",
            Prefer.REMOTE: "pull",
            Prefer.NONE: "conflict",
            Prefer.MERGE: "merge",
        }[case.policy.prefer]
    ways = {
        "push": "push",
        "delete-remote": "push",
        "pull": "pull",
        "delete-local": "pull",
        "merge": "both",
    }
    if case.policy.direction not in ("both", ways.get(word, case.policy.direction)):
        word = "conflict" if is_conflict else "hold"
    return Action(word)
