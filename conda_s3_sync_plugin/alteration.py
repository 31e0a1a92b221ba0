"""A prefix that is about to be changed: what is remembered of it meanwhile."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

from .exceptions import LocalChangedError, S3SyncError
from .models import Baseline, LocalEnv
from .observe import Here, read

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from datetime import datetime
    from pathlib import Path

    from .models import Export
    from .observe import Sight
    from .session import Session


class Alteration:
    """One change of one prefix.

    What it leaves when it is broken off is nobody's edit, and must not be pushed as
    one; nor what it leaves when it fails, unless it `leaves_edit`. `removes`: the
    version that the prefix is rid of then, where it is to go as a whole.
    """

    def __init__(
        self,
        session: Session,
        sight: Sight,
        prefix: Path,
        modified: datetime,
        *,
        leaves_edit: bool = False,
        removes: str = "",
    ) -> None:
        self._engine, self._memory = session.engine, session.memory
        self._sight, self.prefix = sight, prefix
        self._modified, self._removes = modified, removes
        self._leaves_edit = leaves_edit
        #: The prefix may be half of something.
        self.has_begun = False

    def begin(self) -> None:
        """Note that from now on the prefix may be half of something.

        Raise LocalChangedError where it is not what was observed any more.
        """
        if not self._is_unchanged():
            raise LocalChangedError(
                f"{self.prefix} has just been changed by another program."
            )
        self.has_begun = True
        old = self._sight.baseline.local if self._sight.baseline else ""
        elsewhere = self._sight.elsewhere
        half = Baseline(old, "", self._removes, "", self._modified, elsewhere)
        self._memory.remember(self._sight.name, half)

    def result(self, elsewhere: Mapping[str, str]) -> tuple[LocalEnv, Export]:
        """See and read what the prefix has become; raise LocalChangedError.

        `elsewhere` is what its lock has to say for other platforms.
        """
        env = self._engine.look(self._sight.name, self.prefix)
        if not isinstance(env, LocalEnv):
            raise LocalChangedError(f"{self.prefix} has just been removed.")
        return env, read(self._engine, env, elsewhere)

    @contextlib.contextmanager
    def noting_failure(self) -> Iterator[None]:
        """Note what is left where the change fails: to be pulled again, or removed."""
        try:
            yield
        except BaseException:
            if self.has_begun:
                with contextlib.suppress(S3SyncError):
                    self._remember_failure()
            raise

    def _remember_failure(self) -> None:
        name = self._sight.name
        if self._leaves_edit or self._is_unchanged():
            self._memory.remember(name, self._sight.baseline)
            return
        if self._removes:
            return
        env = self._engine.look(name, self.prefix)
        if isinstance(env, LocalEnv):
            digest = read(self._engine, env).file.digest
            elsewhere = self._sight.elsewhere
            left = Baseline(digest, env.stamp, "", "", env.modified, elsewhere)
            self._memory.remember(name, left)

    def _is_unchanged(self) -> bool:
        env, here = self._engine.look(self._sight.name, self.prefix), self._sight.here
        if isinstance(here, Here):
            return isinstance(env, LocalEnv) and env.stamp == here.env.stamp
        return env is None
