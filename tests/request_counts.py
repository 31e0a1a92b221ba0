"""How many requests each operation makes to S3, for the tests and for the docs.

One thing comes on top, once per machine and location, on servers other than Amazon's:
five requests of a first push, which find out how the server takes conditions.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

    from s3server import S3Server


@dataclass(frozen=True)
class Cost:
    """The requests of one operation, by verb."""

    #: For the run.
    run: Mapping[str, int]
    #: And for each environment that it is about, or each version that is looked at.
    each: Mapping[str, int] = field(default_factory=dict)

    def of(self, number: int) -> dict[str, int]:
        """Return the requests for so many of them."""
        each = {verb: number * count for verb, count in self.each.items()}
        return dict(Counter(self.run) + Counter(each))


COSTS = {
    "nothing to do": Cost({"LIST": 1}),
    "first push": Cost({"LIST": 1}, {"LIST": 1, "PUT": 3}),
    "push of a change": Cost({"LIST": 1}, {"PUT": 3}),
    "pull": Cost({"LIST": 1}, {"GET": 2}),
    "the same on both sides": Cost({"LIST": 1}, {"GET": 1}),
    "conflict, won here": Cost({"LIST": 1}, {"LIST": 1, "GET": 1, "HEAD": 1, "PUT": 5}),
    "conflict, won there": Cost({"LIST": 1}, {"GET": 2, "PUT": 2}),
    "conflict, left": Cost({"LIST": 1}, {"GET": 1}),
    "``--dry-run``, ``--diff``": Cost({"LIST": 1}, {"GET": 1}),
    "``--history``": Cost({"LIST": 2}, {"GET": 1}),
    "``--restore``": Cost({"LIST": 2, "GET": 2, "PUT": 2}),
    "``--delete``, removed here": Cost(
        {"LIST": 1}, {"LIST": 1, "PUT": 1, "HEAD": 1, "DELETE": 1}
    ),
    "``--delete``, removed there": Cost({"LIST": 1}, {"LIST": 2}),
}


def spent(s3: S3Server) -> dict[str, int]:
    """Return the requests since the last time, but for those that try conditions."""
    keys = (request for request in s3.requests if not request.key.endswith("/.probe"))
    counts = dict(Counter(request.verb for request in keys))
    s3.requests.clear()
    return counts
