"""The pipeline: observe, reconcile, apply, remember."""

from __future__ import annotations

import contextlib
import logging
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from .apply import Applier
from .exceptions import (
    LocalChangedError,
    RemoteChangedError,
    S3SyncError,
    StateError,
)
from .location import ROOT
from .models import Listed, Outcome, Policy, Result, Unknown
from .observe import Sight, collisions
from .plan import plan
from .safety import check_sides
from .words import Action, Conditions, Direction

if TYPE_CHECKING:
    from collections.abc import Sequence

    from .apply import Job
    from .models import Baseline, Listing, Step
    from .protocols import Watcher
    from .session import Session

log = logging.getLogger(__name__)

#: How often one environment is planned anew because somebody else was faster.
_ATTEMPTS = 3


@dataclass(frozen=True, slots=True)
class Plan:
    """What a run would do, and what it has seen for that."""

    steps: tuple[Step, ...]
    sights: dict[str, Sight]


class Synchronization:
    """One run: over one location and one conda installation."""

    def __init__(
        self,
        session: Session,
        *,
        policy: Policy | None = None,
        prune: bool = True,
        force: bool = False,
    ) -> None:
        self._session = session
        self._engine, self._store = session.engine, session.store
        self._policy = policy or Policy()
        self._prune, self._force = prune, force

    def run(self, watcher: Watcher, *, dry_run: bool = False) -> Result:
        """Bring both sides into step, environment by environment.

        Raise StoreError where the bucket cannot be listed, StateError, and SafetyError
        where a person should look first. What fails for one environment is in its
        outcome, and stops no other.
        """
        with self._session.opened() as listing:
            planned = self._plan(listing)
            watcher.plan(planned.steps)
            if dry_run:
                outcomes = [Outcome(step) for step in planned.steps]
            else:
                outcomes = self._apply(planned, watcher)
        return Result(
            self._store.identity,
            tuple(sorted(outcomes, key=lambda outcome: outcome.step.name)),
            tuple(self._warnings(listing, outcomes)),
            dry_run,
        )

    def _plan(self, listing: Listing) -> Plan:
        observer, memory = self._session.observer, self._session.memory
        names = {*listing.environments, *memory.baselines, *self._session.scope.names}
        names = {name for name in names if observer.takes_part(name)}
        names |= observer.names
        objects = {
            name: self._session.pool.submit(self._store.get, name)
            for name in names & listing.environments.keys()
            if _is_news(listing.environments[name], memory.baselines.get(name))
        }
        sights = {
            name: observer.sight(
                name,
                memory.baselines.get(name),
                listing.environments.get(name),
                lambda name=name: objects[name].result(),  # type: ignore[misc]
            )
            for name in sorted(names)
        }
        present = observer.everything | listing.environments.keys()
        for name, reason in collisions(present).items():
            if name in sights:
                sights[name] = replace(sights[name], here=reason)
        observations = [sight.observation for sight in sights.values()]
        if not self._force:
            # Base is always here: it says nothing about a disk that is gone.
            others = [seen for seen in observations if seen.name != ROOT]
            check_sides(others, self._store.identity)
        return Plan(tuple(plan(observations, self._policy)), sights)

    def _apply(self, planned: Plan, watcher: Watcher) -> list[Outcome]:
        memory = self._session.memory
        applier = Applier(
            self._session,
            prune=self._prune,
            pull_only=self._policy.direction is Direction.PULL,
        )
        # Pulls last: they take long, and are done one after the other.
        steps = sorted(planned.steps, key=lambda step: step.action is Action.PULL)
        jobs = [applier.begin(step, planned.sights[step.name]) for step in steps]
        applier.fetch_ahead()
        outcomes = []
        for step, job in zip(steps, jobs, strict=True):
            watcher.start(step)
            outcomes.append(self._finish(step, job, applier))
            watcher.finish(outcomes[-1])
        with contextlib.suppress(StateError):  # it can be found out again
            memory.remember_conditions(self._store.conditions)
        return outcomes

    def _finish(
        self, step: Step, job: Job, applier: Applier, attempts: int = _ATTEMPTS
    ) -> Outcome:
        """See one job to its end; who loses a race looks again, and plans again."""
        try:
            return Outcome(step, job())
        except (RemoteChangedError, LocalChangedError) as error:
            if attempts == 1:
                return Outcome(step, error=error)
        except Exception as error:  # a mistake of ours must not stop the others
            return self._failed(step, error)
        try:
            sight = self._session.look_again(step.name)
            (step,) = plan([sight.observation], self._policy)
        except Exception as error:
            return self._failed(step, error)
        job = applier.begin(step, sight)
        return self._finish(step, job, applier, attempts - 1)

    @staticmethod
    def _failed(step: Step, error: Exception) -> Outcome:
        if not isinstance(error, S3SyncError):
            log.info("%s failed", step.name, exc_info=error)
        return Outcome(step, error=error)

    def _warnings(self, listing: Listing, outcomes: Sequence[Outcome]) -> list[str]:
        refused = {} if self._session.scope.names else listing.refused
        warnings = self._session.observer.warnings.copy()
        warnings += [f"{key} is left alone: {why}" for key, why in refused.items()]
        pushed = any(outcome.step.action is Action.PUSH for outcome in outcomes)
        if pushed and self._store.conditions is Conditions.NONE:
            warnings.append(
                "this S3 server cannot refuse a write that comes too late: of two at "
                "the same moment one wins, and the history keeps both"
            )
        return [*self._session.state.warnings, *warnings]


def _is_news(listed: Listed | Unknown, baseline: Baseline | None) -> bool:
    """Tell whether an object has to be read, because it is not what it was."""
    if isinstance(listed, Unknown):
        return False
    return baseline is None or baseline.etag != listed.etag
