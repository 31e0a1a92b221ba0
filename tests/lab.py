"""A machine that this process is one of, and one of its engines, called directly."""

from __future__ import annotations

import importlib.util
import re
import shutil
from dataclasses import replace
from datetime import datetime, timezone
from typing import TYPE_CHECKING, Any

from hand_made import snapshot
from machine import Machine
from make_channel import this_subdir

from conda_s3_sync_plugin.envfile import render
from conda_s3_sync_plugin.models import LocalEnv, Lock

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

    import pytest
    from make_channel import Channel

    from conda_s3_sync_plugin.engines.abstract import AbstractEngine
    from conda_s3_sync_plugin.models import EnvFile, Export

#: The sha256 of no package.
WRONG = "5" * 64

WHEN = datetime(2026, 3, 4, 5, 6, 7, 890_123, tzinfo=timezone.utc)


class Lab:
    """A machine, entered; `engine` is its engine: conda's, or rattler's."""

    def __init__(
        self,
        root: Path,
        monkeypatch: pytest.MonkeyPatch,
        kind: str = "conda",
        **settings: Any,
    ) -> None:
        self.kind = kind
        self.machine = Machine(root, **settings)
        self._monkeypatch = monkeypatch
        self.enter()

    def enter(self, **variables: str) -> AbstractEngine[Any, Any]:
        """Make this process one of this machine, with more variables than before."""
        self.machine.environment |= variables
        self.machine.enter(self._monkeypatch)
        self.engine = self._make_engine()
        return self.engine

    def _make_engine(self) -> AbstractEngine[Any, Any]:
        if self.kind == "rattler":
            from conda_s3_sync_plugin.condarc import Condarc
            from conda_s3_sync_plugin.engines.installation import find_root
            from conda_s3_sync_plugin.engines.rattler import RattlerEngine

            root = find_root()
            return RattlerEngine(root, Condarc.load(root))
        from conda_s3_sync_plugin.engines.conda import CondaEngine

        return CondaEngine()

    def prefix(self, name: str) -> Path:
        """Return the folder of an environment."""
        return self.machine.prefix(name)

    def apply(
        self, name: str, file: EnvFile, lock: Lock | None = None, **options: Any
    ) -> tuple[str, ...]:
        """Make an environment what a file says, and return the notes."""
        options = {"modified": WHEN, "origin": this_subdir(), **options}
        applied = self.engine.apply(name, self.prefix(name), file, lock, **options)
        return (*applied.given_up, *applied.notes)

    def fetch(self, locks: Mapping[str, Lock]) -> None:
        """Bring what environments lack of their locks to this machine."""
        self.engine.fetch([(self.prefix(name), lock) for name, lock in locks.items()])

    def clear_caches(self) -> None:
        """Remove all packages that are not installed."""
        for folder in (self.machine.pkgs, self.machine.home / ".cache"):
            shutil.rmtree(folder, ignore_errors=True)
        self.enter()

    def make(self, name: str, *specs: str, **content: Any) -> Export:
        """Make an environment from specs, and export it."""
        self.apply(name, environment(*specs, **content))
        return self.export(name)

    def look(self, name: str) -> LocalEnv:
        """Look at an environment that is there."""
        env = self.engine.look(name, self.prefix(name))
        assert isinstance(env, LocalEnv), env
        return env

    def export(self, name: str) -> Export:
        """Export an environment."""
        return self.engine.export(self.look(name))

    def snapshot(self, name: str) -> dict[str, tuple[object, ...]]:
        """Return all files of an environment."""
        return snapshot(self.prefix(name))

    def versions(self, name: str) -> dict[str, str]:
        """Return the versions of the conda packages, as their records have them."""
        return {key: what[0] for key, what in self.machine.packages(name).items()}

    def requested(self, name: str) -> dict[str, str]:
        """Return what was asked for, as conda reads it where there is one."""
        if importlib.util.find_spec("conda") is None:
            from conda_s3_sync_plugin.engines import history

            return history.requested(self.prefix(name), name_of)
        from conda.core.prefix_data import PrefixData
        from conda.history import History

        PrefixData._cache_.clear()
        specs = History(str(self.prefix(name))).get_requested_specs_map()
        return {key: str(spec) for key, spec in specs.items()}

    def registered(self) -> list[str]:
        """Return what environments.txt lists."""
        path = self.machine.home / ".conda" / "environments.txt"
        return path.read_text().split() if path.exists() else []


def name_of(spec: str) -> str:
    """Return the package of one of the specs that tests use."""
    return re.split(r"[\s=<>!~\[]", spec.rpartition("::")[2], maxsplit=1)[0]


def lock_of(channel: Channel, *names: str, url: str = "") -> Lock:
    """Return a lock of packages that could not be installed, so as to export them."""
    packages = [
        {**record, "fn": file, "url": f"{url or channel.url}/{subdir}/{file}"}
        for subdir, records in channel.records.items()
        for file, record in records.items()
        if record["name"] in names
    ]
    return Lock("0" * 64, channel.subdirs[0], tuple(packages), names)


def with_change(lock: Lock, name: str, **changes: Any) -> Lock:
    """Return a lock in which one package is said to be something else."""
    return replace(
        lock,
        packages=tuple(
            {**entry, **changes} if entry["name"] == name else entry
            for entry in lock.packages
        ),
    )


def environment(
    *specs: str,
    channels: Iterable[str] = (),
    pip: Iterable[str] = (),
    variables: Mapping[str, str] | None = None,
    pinned: Iterable[str] = (),
) -> EnvFile:
    """Return an environment file as a person writes it."""
    return render(
        "any",
        channels=channels,
        specs=specs,
        pip=pip,
        variables=variables,
        pinned=pinned,
    )
