"""How environments stand, from what this machine remembers: nothing is asked of S3."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .words import Word

if TYPE_CHECKING:
    from collections.abc import Mapping

    from .location import Location
    from .models import LocalEnv
    from .state import Memory


class Status(Word):
    """What is known of an environment before anybody has looked into the bucket."""

    IN_STEP = "in step"
    CHANGED = "changed"
    NEW = "never synchronized"
    IN_CONFLICT = "in conflict"
    HALF_PULLED = "pulled in part"


def status(env: LocalEnv, memory: Memory) -> Status:
    """Compare an environment with what the last run has left; reads nothing of it."""
    baseline, conflict = memory.baselines.get(env.name), memory.conflicts.get(env.name)
    if baseline and baseline.remote and baseline.stamp == env.stamp:
        return Status.IN_STEP
    if conflict and conflict.stamp == env.stamp:
        return Status.IN_CONFLICT
    if baseline is None:
        return Status.NEW
    return Status.CHANGED if baseline.remote else Status.HALF_PULLED


def of_location(
    memories: Mapping[str, Memory], location: Location
) -> dict[str, Memory]:
    """Return those of a location, on each server where it has been.

    Which of them it is would take boto3 to tell.
    """
    return {
        identity: memory
        for identity, memory in memories.items()
        if identity == str(location) or identity.startswith(f"{location} at ")
    }
