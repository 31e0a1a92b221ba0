"""The pipeline: observe, reconcile, apply, remember."""

from __future__ import annotations

import contextlib
import logging
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import TYPE_CHECKING

from .apply import Applier
from .exceptions import (
    ConflictError,
    LocalChangedError,
    RemoteChangedError,
    S3SyncError,
    StateError,
)
from .interruption import result_of
from .location import ROOT
from .looking import begin_look
from .models import Observation, Outcome, Policy, Result, Unknown
from .observe import Here, Sight, is_news
from .plan import plan
from .renaming import kept_for_partner
from .roster import collisions, left_alone
from .safety import check_deletions, check_sides
from .state import Conflict
from .words import REMOVALS, Action, Conditions, Direction, Prefer

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Sequence

    from .apply import Job
    from .models import Listing, Step
    from .protocols import Watcher
    from .session import Session
    from .state import Memory

log = logging.getLogger(__name__)

#: Pulls take long, and are done one after the other; what goes, goes last: under
#: another name it may have to come first.
_ORDER = {
    Action.PULL: 1,
    Action.MERGE: 1,
    Action.DELETE_LOCAL: 2,
    Action.DELETE_REMOTE: 2,
}

#: How often one environment is planned anew because somebody else was faster.
_ATTEMPTS = 3


@dataclass(frozen=True, slots=True)
class Plan:
    """What a run would do, and what it has seen for that."""

    steps: tuple[Step, ...]
    sights: dict[str, Sight]
    #: All that was ever in step, whether it takes part or not; base apart.
    known: tuple[Observation, ...]


class Synchronization:
    """One run: over one location and one conda installation.

    `confirm` is asked before environments are removed here.
    """

    def __init__(
        self,
        session: Session,
        *,
        policy: Policy | None = None,
        prune: bool = True,
        force: bool = False,
        confirm: Callable[[Sequence[Step]], bool] = lambda steps: True,
    ) -> None:
        self._session = session
        self._store = session.store
        self._policy = policy or Policy()
        self._prune, self._force = prune, force
        self._confirm = confirm

    def run(
        self, watcher: Watcher, *, dry_run: bool = False, in_detail: bool = False
    ) -> Result:
        """Bring both sides into step, environment by environment.

        A dry run only tells what it would do; `in_detail`, with all that would change.
        Raise StoreError where the bucket cannot be listed, StateError, and SafetyError
        where a person should look first. What fails for one environment is in its
        outcome, and stops no other.
        """
        deletes = self._policy.delete
        with self._session.opened(everything=True, deletes=deletes) as listing:
            ahead, now = self._session.ahead, self._session.now()
            self._policy = replace(self._policy, ahead=ahead, now=now)
            planned = self._plan(listing)
            if dry_run or in_detail:
                watcher.plan(planned.steps)
                outcomes = self._look(planned, in_detail=in_detail)
            else:
                planned = self._confirmed(planned)
                watcher.plan(planned.steps)
                outcomes = self._apply(planned, watcher)
        return Result(
            self._store.identity,
            tuple(sorted(outcomes, key=lambda outcome: outcome.step.name)),
            tuple(self._warnings(listing, outcomes)),
            dry_run or in_detail,
        )

    def _look(self, planned: Plan, *, in_detail: bool) -> list[Outcome]:
        if not in_detail:
            return [Outcome(step) for step in planned.steps]
        sights = planned.sights
        looks = [
            begin_look(self._session, step, sights[step.name]) for step in planned.steps
        ]
        return [look() for look in looks]

    def _plan(self, listing: Listing) -> Plan:
        session, memory = self._session, self._session.memory
        names = {*listing.environments, *memory.baselines, *session.scope.names}
        names = {name for name in names if session.roster.takes_part(name)}
        names |= session.roster.names
        objects = {
            name: session.pool.submit(self._store.get, name)
            for name in names & listing.environments.keys()
            if is_news(listing.environments[name], memory.baselines.get(name))
        }
        sights = {
            name: session.observer.sight(
                name,
                memory.baselines.get(name),
                listing.environments.get(name),
                lambda name=name: result_of(objects[name]),  # type: ignore[misc]
            )
            for name in sorted(names)
        }
        present = session.roster.everything | listing.environments.keys()
        for name, reason in collisions(present).items():
            if name in sights:
                sights[name] = replace(sights[name], here=reason)
        observations = [sight.observation for sight in sights.values()]
        # Base is always here: it says nothing about a disk that is gone.
        known = [seen for seen in observations if not seen.is_base]
        known += self._left_out(listing, names)
        steps = plan(observations, self._policy)
        # What only has a new name is not gone.
        renamed = {step.name for step in steps if step.partner}
        known = [seen for seen in known if seen.name not in renamed]
        if not self._force:
            check_sides(known, self._store.identity, deletes=self._policy.delete)
        return Plan(tuple(steps), sights, tuple(known))

    def _left_out(self, listing: Listing, names: Collection[str]) -> list[Observation]:
        """Return what else is known, as far as it can be told without a look."""
        here = self._session.roster.everything
        unseen = Unknown("left out")
        return [
            Observation(
                name,
                unseen if name in here else None,
                unseen if name in listing.environments else None,
                baseline,
            )
            for name, baseline in self._session.memory.baselines.items()
            if name not in names and name != ROOT
        ]

    def _confirmed(self, planned: Plan) -> Plan:
        """Ask whether environments may be removed here; leave them alone if not.

        Raise SafetyError where it is not even worth asking.
        """
        if not self._force:
            check_deletions(planned.steps, planned.known)
        removals = [
            step for step in planned.steps if step.action is Action.DELETE_LOCAL
        ]
        if not removals or self._confirm(removals):
            return planned
        refused = {
            step: replace(
                step,
                action=Action.SKIP,
                reason=f"{step.reason}, and not confirmed",
                hint="-y removes it here without a question.",
            )
            for step in removals
        }
        steps = tuple(refused.get(step, step) for step in planned.steps)
        return replace(planned, steps=steps)

    def _apply(self, planned: Plan, watcher: Watcher) -> list[Outcome]:
        memory = self._session.memory
        applier = Applier(
            self._session,
            prune=self._prune,
            pull_only=self._policy.direction is Direction.PULL,
            force=self._force,
        )
        steps = sorted(planned.steps, key=lambda step: _ORDER.get(step.action, 0))
        jobs = [applier.begin(step, planned.sights[step.name]) for step in steps]
        applier.fetch_ahead()
        outcomes: list[Outcome] = []
        for step, job in zip(steps, jobs, strict=True):
            watcher.start(step)
            if error := kept_for_partner(step, outcomes):
                outcomes.append(Outcome(step, error=error))
            else:
                outcomes.append(self._finish(step, job, applier))
            watcher.finish(outcomes[-1])
        with contextlib.suppress(StateError):  # it can be found out again
            memory.remember_conditions(self._store.conditions)
            for outcome in outcomes:
                _remember_conflict(memory, outcome, planned.sights[outcome.step.name])
        return outcomes

    def _finish(
        self, step: Step, job: Job, applier: Applier, attempts: int = _ATTEMPTS
    ) -> Outcome:
        """See one job to its end; who loses a race looks again, and plans again."""
        try:
            return Outcome(step, job())
        except ConflictError as error:
            kept = f"{step.reason}; {error.summary}"
            step = replace(step, action=Action.CONFLICT, reason=kept, hint=error.hint)
            return Outcome(step)
        except (RemoteChangedError, LocalChangedError) as error:
            if attempts == 1:
                return Outcome(step, error=error)
        except Exception as error:  # a mistake of ours must not stop the others
            return self._failed(step, error)
        try:
            sight = self._session.look_again(step.name)
            (again,) = plan([sight.observation], self._policy)
        except Exception as error:
            return self._failed(step, error)
        if again.action in REMOVALS and again.action is not step.action:
            return Outcome(step, error=_other_than_planned(step.name))
        if again.row == step.row:
            again = replace(again, partner=step.partner)
        step = again
        job = applier.begin(step, sight)
        return self._finish(step, job, applier, attempts - 1)

    @staticmethod
    def _failed(step: Step, error: Exception) -> Outcome:
        if not isinstance(error, S3SyncError):
            log.info("%s failed", step.name, exc_info=error)
        return Outcome(step, error=error)

    def _warnings(self, listing: Listing, outcomes: Sequence[Outcome]) -> list[str]:
        refused = {} if self._session.scope.names else listing.refused
        warnings = self._session.roster.warnings.copy()
        warnings += left_alone(refused)
        warnings += self._skew(outcomes)
        pushed = any(outcome.step.action is Action.PUSH for outcome in outcomes)
        if pushed and self._store.conditions is Conditions.NONE:
            warnings.append(
                "this S3 server cannot refuse a write that comes too late: of two at "
                "the same moment one wins, and the history keeps both"
            )
        return [*self._session.state.warnings, *warnings]

    def _skew(self, outcomes: Iterable[Outcome]) -> list[str]:
        """Name a clock that is wrong, where a time is written or has decided."""
        ahead, settles = self._session.ahead, self._policy.prefer is not Prefer.NONE
        steps = [outcome.step for outcome in outcomes]
        matters = any(
            step.action is Action.PUSH or (step.is_conflict and settles)
            for step in steps
        )
        if ahead is None or not matters:
            return []
        seconds = round(abs(ahead).total_seconds())
        way = "ahead of" if ahead > timedelta(0) else "behind"
        return [
            f"the clock of this machine is {seconds} seconds {way} the server's: times "
            "are taken by the server's"
        ]


def _remember_conflict(memory: Memory, outcome: Outcome, sight: Sight) -> None:
    step, here = outcome.step, sight.here
    if step.action is Action.CONFLICT and isinstance(here, Here):
        memory.remember_conflict(step.name, Conflict(here.env.stamp, step.reason))
    elif outcome.is_settled:
        memory.remember_conflict(step.name, None)


def _other_than_planned(name: str) -> RemoteChangedError:
    return RemoteChangedError(
        f"{name} has changed meanwhile.", hint="Run the command again."
    )
