"""Two machines that have changed an environment, each in its own way."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from fake_machine import LATER, make_pair

if TYPE_CHECKING:
    from datetime import datetime
    from pathlib import Path

    from fake_machine import FakeMachine, Pair

    from conda_s3_sync_plugin.models import Outcome

#: Some of everything.
BASE: dict[str, Any] = {
    "packages": {"python": "3.12", "numpy": "1", "scipy": "1"},
    "pip": {"six": "1"},
    "variables": {"MODE": "slow"},
    "pinned": ["python 3.12.*"],
}


def make_merging_pair(folder: Path) -> Pair:
    """Return two machines in step, with some of everything in `ml`."""
    a, b = make_pair(folder)
    a.engine.edit("ml", **BASE)
    a.sync()
    b.sync()
    return a, b


def revise(machine: FakeMachine, at: datetime = LATER, **changes: Any) -> str:
    """Change some of what `ml` has, and return its new digest; None removes."""
    env = machine.engine.env("ml")
    have = {
        "packages": machine.engine.versions("ml"),
        "pip": env.pip,
        "variables": env.variables,
    }
    new: dict[str, Any] = dict(changes)
    for part in have.keys() & changes.keys():
        both = {**have[part], **changes[part]}
        new[part] = {key: value for key, value in both.items() if value is not None}
    machine.engine.edit("ml", at=at, **new)
    return machine.engine.digest("ml")


def part_ways(a: FakeMachine, b: FakeMachine) -> tuple[str, str]:
    """Let both change different things; return the digests here and in the bucket."""
    theirs = revise(a, packages={"numpy": "2"}, pip={"six": "2"})
    a.sync()
    return revise(b, packages={"scipy": "2"}, pip={"rich": "1"}), theirs


#: What comes of it.
BOTH = {"python": "3.12", "numpy": "2", "scipy": "2"}


def merge(machine: FakeMachine) -> Outcome:
    """Merge `ml`, the only environment."""
    (outcome,) = machine.sync(prefer="merge").outcomes
    return outcome
