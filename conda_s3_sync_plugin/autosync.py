"""What follows a conda command that has changed environments, without being asked."""

from __future__ import annotations

import contextlib
import os
import sys
from collections import defaultdict
from dataclasses import replace
from typing import TYPE_CHECKING, Final

from . import commands
from .cli import no_flags
from .engines.conda import without_flags
from .exceptions import UsageError, hint_of, summary_of, visible
from .interruption import not_lost
from .models import LocalEnv, Unknown
from .options import Options, conda_surroundings, count
from .report import Silence
from .roster import Roster
from .state import RUNNING, State
from .status import Status, of_location, status
from .words import Action, Direction, Prefer

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from .models import Outcome, Policy, Result
    from .options import Surroundings
    from .protocols import Engine
    from .state import Memory

#: More names than that would not fit on a line.
_MOST_NAMES: Final = 5
_MOST_REASONS: Final = 3

_LATER: Final = "what was changed here is shared after the next command"

#: What was done, in the order in which it is told.
_DONE: Final = {
    Action.PUSH: "pushed {} to {location}",
    Action.PULL: "pulled {} from {location}",
    Action.DELETE_REMOTE: "removed {} from {location}",
}


def follow(make_engine: Callable[[Options], Engine]) -> None:
    """Share what a command of conda has changed, and tell it in one line on stderr.

    That command has done its work, and nothing may spoil it: raises nothing.
    """
    if os.environ.get(RUNNING):  # it is part of a run of ours
        return
    try:
        surroundings = conda_surroundings()
        with not_lost(), without_flags():
            line = share(surroundings, make_engine)
    except KeyboardInterrupt:
        line = f"interrupted; {_LATER}"
    except (Exception, SystemExit) as error:
        line = f"{summary_of(error)} {hint_of(error)}".rstrip()
    if line and sys.stderr:
        with contextlib.suppress(OSError, ValueError):  # nobody is there to read it
            sys.stderr.write(f"s3-sync: {visible(line)}\n")
            sys.stderr.flush()


def share(surroundings: Surroundings, make_engine: Callable[[Options], Engine]) -> str:
    """Share what was changed here, and return what is to be told of it.

    Makes no request where nothing has changed since the last run, and has nothing to
    tell then. Raise S3SyncError.
    """
    options = _options(surroundings)
    engine = make_engine(options)
    if not _has_news(options, engine):
        return ""
    if surroundings.offline:
        return f"offline; {_LATER}"
    command = commands.begin(options, surroundings, lambda _: engine)
    result = command.synchronize(Silence())
    parts = [] if surroundings.quiet else list(_done(result))
    parts += _undone(result.outcomes, surroundings.command)
    return "; ".join(parts)


def _options(surroundings: Surroundings) -> Options:
    """Return what the settings say, but for what nobody should do without being asked.

    Raise UsageError.
    """
    options = Options.read(no_flags(), surroundings.configured)
    direction = options.policy.direction
    if surroundings.configured["s3_sync_auto"] == "push":
        if direction is Direction.PULL:
            raise UsageError("s3_sync_auto says push, and s3_sync_direction pull.")
        direction = Direction.PUSH
    return replace(
        options,
        policy=replace(
            options.policy, direction=direction, prefer=Prefer.NONE, unasked=True
        ),
        timeout=count(surroundings.configured, "s3_sync_auto_timeout"),
    )


def _has_news(options: Options, engine: Engine) -> bool:
    """Tell whether anything here is not as the last run has left it."""
    memories = of_location(State().memories(str(engine.root)), options.location)
    roster = Roster(engine, options.scope)
    envs = list(_environments(roster, engine))
    return all(
        _is_news(memory, envs, roster, options.policy) for memory in memories.values()
    )


def _environments(roster: Roster, engine: Engine) -> Iterator[LocalEnv]:
    """Yield those that take part, as far as they can be told apart and seen."""
    for name in roster.names:
        place = roster.place(name)
        env = None if isinstance(place, Unknown) else engine.look(name, place)
        if isinstance(env, LocalEnv):
            yield env


def _is_news(
    memory: Memory, envs: Iterable[LocalEnv], roster: Roster, policy: Policy
) -> bool:
    settled = {Status.IN_STEP, Status.IN_CONFLICT}
    if policy.direction is Direction.PUSH:
        settled.add(Status.HALF_PULLED)
    if any(status(env, memory) not in settled for env in envs):
        return True
    gone = memory.baselines.keys() - roster.everything
    return policy.delete and any(map(roster.takes_part, gone))


def _done(result: Result) -> Iterator[str]:
    for action, words in _DONE.items():
        names = [
            outcome.step.name
            for outcome in result.outcomes
            if outcome.step.action is action and not outcome.error
        ]
        if names:
            yield words.format(_listed(names), location=result.location)


def _undone(outcomes: Iterable[Outcome], command: str) -> Iterator[str]:
    """Say what is left for a person, or for the next time; what is alike only once."""
    reasons: dict[str, list[str]] = defaultdict(list)
    for outcome in outcomes:
        step = outcome.step
        if outcome.error:
            reasons[summary_of(outcome.error).rstrip(".")].append(step.name)
        elif not outcome.is_settled:
            reasons[f"{step.action}, {step.reason}"].append(step.name)
    told = [f"{_listed(names)}: {reason}" for reason, names in reasons.items()]
    yield from told[:_MOST_REASONS]
    if len(told) > _MOST_REASONS:
        yield f"{len(told) - _MOST_REASONS} more such reasons"
    if reasons:
        yield f"see {command} --dry-run"


def _listed(names: Sequence[str]) -> str:
    more = len(names) - _MOST_NAMES
    rest = [f"{more} more"] if more > 0 else []
    return ", ".join([*names[:_MOST_NAMES], *rest])
