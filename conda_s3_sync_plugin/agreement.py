"""Both sides of an environment in step: what is remembered of that."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, Final

from .exceptions import StoreError
from .lockfile import requests_of
from .models import Baseline
from .pruning import prune

if TYPE_CHECKING:
    from datetime import datetime

    from .models import Export, LocalEnv
    from .observe import Sight
    from .session import Session

#: Old versions are looked for when there may be a fifth more than there should be.
_SELDOM: Final = 5


def agree(
    env: LocalEnv,
    export: Export,
    *,
    remote: str,
    etag: str,
    modified: datetime,
    pushes: int,
) -> Baseline:
    """Return what is to be remembered of an environment as it is here.

    `remote` and `etag`: of what it is in step with; see `Baseline`.
    """
    return Baseline(
        local=export.file.digest,
        stamp=env.stamp,
        remote=remote,
        etag=etag,
        modified=modified,
        elsewhere=export.lock.elsewhere,
        pushes=pushes,
        prefix=str(env.prefix),
        requests=requests_of(export.lock),
    )


def finish_push(
    session: Session,
    sight: Sight,
    env: LocalEnv,
    export: Export,
    *,
    etag: str,
    modified: datetime,
) -> None:
    """Remember what was pushed, and let old versions go once in a while.

    Raise StateError. Who may not delete does not mind.
    """
    name, digest, keep = sight.name, export.file.digest, session.keep_versions
    pushes = sight.pushes + 1
    is_time = 0 < keep <= pushes * _SELDOM
    baseline = agree(
        env,
        export,
        remote=digest,
        etag=etag,
        modified=modified,
        pushes=0 if is_time else pushes,
    )
    session.memory.remember(name, baseline)
    if is_time:
        with contextlib.suppress(StoreError):
            prune(session.store, name, current=digest, keep=keep, now=session.now())
