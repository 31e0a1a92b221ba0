"""What `conda doctor` says of an environment, from what this machine remembers."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Final

from .cli import no_flags
from .engines.conda import CondaEngine
from .exceptions import S3SyncError, summary_of, visible
from .location import ROOT, quoted
from .models import LocalEnv, Scope, Unknown
from .options import Options, conda_surroundings
from .roster import Roster
from .state import Memory, State
from .status import Status, of_location, status
from .versions import SHORT

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime

#: What conda's own checks begin with.
_GOOD: Final = "✅"
_BAD: Final = "❌"

#: How it is said, and what the command that follows does about it.
_WORDS: Final = {
    Status.CHANGED: ("has changed since it was in step with", "shares it"),
    Status.NEW: ("was never synchronized with", "shares it"),
    Status.IN_CONFLICT: ("is in conflict with", "shows it"),
    Status.HALF_PULLED: ("is not all that was pulled from", "tries again"),
}


def check(prefix: str, *, verbose: bool) -> None:
    """Print how an environment stands; nothing is asked of S3.  See `conda doctor`."""
    try:
        lines = list(_Checkup(prefix).lines(verbose=verbose))
    except S3SyncError as error:
        lines = [f"{_BAD} What is in step cannot be told: {summary_of(error)}"]
    print("".join(f"{visible(line)}\n" for line in lines))


class _Checkup:
    """One environment, and all locations that it could be in step with."""

    def __init__(self, prefix: str) -> None:
        configured = conda_surroundings().configured
        self._engine = CondaEngine(secrets=configured["s3_sync_secret_variables"])
        self._prefix = prefix
        self._state = State()
        self._memories = self._state.memories(str(self._engine.root))
        self._scope, self._location = Scope(root=True), ""
        if configured["s3_sync_location"]:
            options = Options.read(no_flags(), configured)
            self._scope, self._location = options.scope, str(options.location)
            self._memories = of_location(self._memories, options.location)

    def lines(self, *, verbose: bool) -> Iterator[str]:
        """Yield what there is to say; raise S3SyncError."""
        yield from self._state.warnings
        roster = Roster(self._engine, self._scope)
        name = self._name()
        place = roster.place(name) if name in roster.names else None
        if place is None:
            yield f"{_GOOD} {self._prefix} takes no part in conda s3-sync."
            return
        env = place if isinstance(place, Unknown) else self._engine.look(name, place)
        if not isinstance(env, LocalEnv):
            why = env.reason if env else "it has just been removed"
            yield f"{_BAD} {name} cannot be synchronized: {why}"
            return
        if not self._memories:
            none = "any location, and none is set (s3_sync_location)"
            yield f"{_BAD} {name} was never synchronized with {self._location or none}."
        for identity, memory in self._memories.items():
            yield from self._standing(env, identity, memory, verbose=verbose)

    def _standing(
        self, env: LocalEnv, identity: str, memory: Memory, *, verbose: bool
    ) -> Iterator[str]:
        """Say how an environment stands with one location."""
        name = env.name
        found, baseline = status(env, memory), memory.baselines.get(name)
        if found is Status.CHANGED and baseline:
            digest = self._engine.export(env).file.digest
            if digest == baseline.local:  # touched only
                found = Status.IN_STEP
        if found is Status.IN_STEP:
            yield f"{_GOOD} {name} is in step with {identity}."
        else:
            words, deed = _WORDS[found]
            yield f"{_BAD} {name} {words} {identity}."
            yield f"    {self._command(name, identity, found)}  {deed}"
        if verbose:
            yield from _reasons(env, memory)

    def _command(self, name: str, identity: str, found: Status) -> str:
        """Return what to run about it, for people to copy."""
        words = ["conda s3-sync"]
        if not self._location:
            words.append(identity.partition(" at ")[0].removeprefix("s3://"))
        words += ["-n", quoted(name)]
        if name == ROOT and not self._location:
            words.append("--include-root-env")
        if found is Status.IN_CONFLICT:
            words.append("--diff")
        return " ".join(words)

    def _name(self) -> str:
        """Return what the environment is called; empty: it is not this user's."""
        real = os.path.realpath(self._prefix)
        places = self._engine.environments()
        return next((name for name, at in places if os.path.realpath(at) == real), "")


def _reasons(env: LocalEnv, memory: Memory) -> Iterator[str]:
    """Say from what it is told how an environment stands."""
    baseline, conflict = memory.baselines.get(env.name), memory.conflicts.get(env.name)
    if conflict and conflict.stamp == env.stamp:
        yield f"    when both sides were last compared: {conflict.reason}"
    if baseline and baseline.remote:
        version, when = baseline.remote[:SHORT], _told(baseline.modified)
        yield f"    last in step: version {version}, of {when}"
    elif baseline:
        yield "    a pull was begun, and has not succeeded"
    else:
        yield "    no run of this machine has brought it into step yet"
    yield f"    last touched here: {_told(env.touched)}"


def _told(moment: datetime) -> str:
    return f"{moment:%Y-%m-%d %H:%M} UTC"
