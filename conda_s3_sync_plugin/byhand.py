"""Locks in the hands of conda: it makes environments of them, and them of those."""

from __future__ import annotations

import shlex
import sys
from datetime import datetime, timezone
from pathlib import Path
from typing import TYPE_CHECKING, Final

import pluggy
from conda.base.context import context
from conda.exceptions import DryRunExit
from conda.models.environment import Environment
from conda.plugins.types import CondaPostCommand

from .engines.conda import CondaEngine
from .engines.fetch import fetch, record
from .engines.manners import translated
from .engines.pip import python_in
from .engines.privacy import forget_secrets
from .engines.transaction import in_order
from .exceptions import EngineError, EnvFileError, PipError, UsageError, visible
from .location import ROOT
from .lockfile import lock_in, render_lock
from .models import EnvFile, LocalEnv

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from .models import Lock

#: conda calls its hooks in the order of their names: before `s3-sync` shares it.
_REST: Final = "s3-lock-rest"

_HOOKIMPL = pluggy.HookimplMarker("conda")


def environment_of(source: str, body: bytes) -> Environment:
    """Return what conda has to install of a lock; all of it is in the package cache.

    conda installs no more than packages, and takes all of them for what was asked for:
    the rest follows after its command. Raise S3SyncError, or DryRunExit.
    """
    try:
        lock = lock_in(body)
    except EnvFileError as error:
        raise EnvFileError(
            f"{source} cannot be used. {error.summary}",
            hint="Export it anew: conda export --format=s3-sync-lock.",
        ) from None
    if lock.platform != context.subdir:
        raise EnvFileError(
            f"{source} is for {lock.platform}, not for {context.subdir}.",
            hint=f"Take the lock for {context.subdir} from beside it; where there is "
            "none, conda s3-sync solves.",
        )
    if context.dry_run:  # conda itself would go on until it fails
        raise DryRunExit()
    _follow_up(source, lock)
    packages = [record(entry) for entry in lock.packages]
    try:
        with translated(f"{source} could not be installed"):
            fetch(packages)
    except EngineError as error:
        forget_secrets(error)
        raise
    return Environment(platform=lock.platform, explicit_packages=in_order(packages))


def export(environment: Environment) -> str:
    """Return the lock of an environment, as a push would write it; raise EngineError.

    What stays out of it is said on stderr.
    """
    prefix = Path(environment.prefix)
    if environment.platform != context.subdir:
        raise EngineError(
            f"{prefix} is an environment for {context.subdir}: there is no lock of it "
            f"for {environment.platform}.",
            hint=f"Make it on a {environment.platform} machine, and export it there.",
        )
    engine = _engine()
    env = engine.look(environment.name or prefix.name, prefix)
    if not isinstance(env, LocalEnv):
        raise EngineError(f"{env.reason if env else f'{prefix} is no environment'}.")
    exported = engine.export(env)
    _tell(env.name, exported.warnings)
    if exported.file.pinned:
        _tell(env.name, ["pins stay here: a lock has none"])
    return render_lock(exported.lock).decode()


class _Rest:
    """What a lock has that conda does not install: done when its command is done."""

    def __init__(self, lock: Lock) -> None:
        self.lock = lock

    @_HOOKIMPL
    def conda_post_commands(self) -> Iterator[CondaPostCommand]:
        """Come after what makes an environment, or adds to one."""
        commands = {"create", "env_create", "install"}
        yield CondaPostCommand(name=_REST, action=self.install, run_for=commands)

    def install(self, command: str) -> None:
        """Install it into the prefix of the command; raise S3SyncError."""
        prefix, lock = Path(context.target_prefix), self.lock
        # Base is called so, and treated otherwise; this is whatever the user names.
        name = str(prefix) if prefix.name == ROOT else prefix.name
        try:
            applied = _engine().apply(
                name,
                prefix,
                EnvFile(b"", lock.digest, pip=lock.pip, variables=lock.variables),
                lock,
                modified=datetime.now(timezone.utc),
                prune=command != "install",
            )
        except PipError as error:
            again = [str(python_in(prefix)), "-m", "pip", "install", "--no-deps"]
            raise PipError(
                error.summary,
                hint="All else of the lock is in place. To try again: "
                + shlex.join([*again, *lock.pip]),
            ) from None
        _tell(name, [*applied.given_up, *applied.notes])


def _follow_up(source: str, lock: Lock) -> None:
    """Let the rest of a lock be done; raise UsageError where it is a second one."""
    manager = context.plugin_manager
    rest = manager.get_plugin(_REST)
    if rest is None:
        manager.register(_Rest(lock), _REST)
    elif rest.lock != lock:
        raise UsageError(f"{source} is a second lock: an environment is made of one.")


def _engine() -> CondaEngine:
    return CondaEngine(secrets=bool(context.plugins.s3_sync_secret_variables))


def _tell(name: str, notes: Iterable[str]) -> None:
    for note in notes:
        print(visible(f"{name}: {note}"), file=sys.stderr)
