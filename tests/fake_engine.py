"""A conda installation in memory: the engine's contract, without conda."""

from __future__ import annotations

import copy
import hashlib
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta, timezone
from functools import cache
from pathlib import Path
from typing import Any

from conda_s3_sync_plugin.envfile import render
from conda_s3_sync_plugin.exceptions import EngineError
from conda_s3_sync_plugin.location import ROOT
from conda_s3_sync_plugin.models import (
    Applied,
    EnvFile,
    Export,
    LocalEnv,
    Lock,
    Unknown,
)

#: Called with an operation and the name of an environment.
Hook = Callable[[str, str], None]

START = datetime(2026, 1, 1, tzinfo=timezone.utc)


class Clock:
    """A clock that only moves when it is told to, or looked at: no two edits tie."""

    def __init__(self, now: datetime = START, skew: timedelta = timedelta(0)) -> None:
        self.time, self.skew = now, skew

    def __call__(self) -> datetime:
        self.advance(microseconds=1)
        return self.time + self.skew

    def advance(self, **delta: float) -> None:
        self.time += timedelta(**delta)


@dataclass
class FakeEnv:
    """What is in one prefix; packages are name -> (version, platform)."""

    packages: dict[str, tuple[str, str]] = field(default_factory=dict)
    pip: dict[str, str] = field(default_factory=dict)
    variables: dict[str, str] = field(default_factory=dict)
    pinned: tuple[str, ...] = ()
    requested: tuple[str, ...] = ()
    modified: datetime = START
    touched: datetime = START
    serial: int = 0
    frozen: bool = False
    #: conda-meta/history is missing.
    broken: bool = False

    @property
    def content(self) -> tuple[object, ...]:
        """Return what synchronizing has to bring elsewhere."""
        return self.packages, self.pip, self.variables, self.pinned


class FakeEngine:
    """The environments of one machine.

    `before` is called ahead of each operation, with its name and that of the
    environment. `apply` has three more, in this order: `link`, with half of the
    packages in place; `pip`, when conda's part is done; `stamp`, when all but the time
    of the environment is. What it raises in `link` is rolled back, unless it is a
    crash: then the half stays. `remove` has two: `unlink`, before anything is gone, and
    `clear`, when half of the packages is. `calls` counts the operations.
    """

    def __init__(
        self,
        home: Path = Path("/machine"),
        *,
        platform: str = "linux-64",
        clock: Callable[[], datetime] | None = None,
    ) -> None:
        self.platform = platform
        self.root = home / "base"
        self.clock = clock or Clock()
        self.before: Hook | None = None
        self.calls: Counter[str] = Counter()
        self.envs: dict[Path, FakeEnv] = {self.root: FakeEnv()}
        #: Folders of environments that are not there at present.
        self.unmounted: set[Path] = set()
        #: Environments that are there, and are not found.
        self.hidden: set[Path] = set()
        self._serial = 0

    def edit(
        self,
        name: str,
        packages: Mapping[str, str] | None = None,
        *,
        pip: Mapping[str, str] | None = None,
        variables: Mapping[str, str] | None = None,
        pinned: Iterable[str] | None = None,
        at: datetime | None = None,
        prefix: Path | None = None,
    ) -> FakeEnv:
        """Make an environment hold these, and leave what is not given.

        As with conda, only a change of packages gives its history a new time.
        """
        env = self.envs.setdefault(prefix or self.prefix_for(name), FakeEnv())
        now = at or self.clock()
        if packages is not None or not env.serial:
            packages = packages or {}
            env.packages = {key: (packages[key], self.platform) for key in packages}
            env.requested = tuple(packages)
            env.modified = now
        if pip is not None:
            env.pip = dict(pip)
        if variables is not None:
            env.variables = dict(variables)
        if pinned is not None:
            env.pinned = tuple(sorted(pinned))
        self._stamp(env, now)
        return env

    def touch(self, name: str) -> None:
        """Change the time of an environment's history, and nothing else."""
        env = self.envs[self.prefix_for(name)]
        env.modified = self.clock()
        self._stamp(env, env.modified)

    def drop(self, name: str) -> None:
        """Remove an environment, as its user does."""
        del self.envs[self.prefix_for(name)]

    def env(self, name: str) -> FakeEnv:
        """Return an environment."""
        return self.envs[self.prefix_for(name)]

    def versions(self, name: str) -> dict[str, str]:
        """Return the versions of an environment's packages."""
        packages = self.env(name).packages
        return {package: version for package, (version, _) in packages.items()}

    def digest(self, name: str) -> str:
        """Return the digest of an environment, without counting as an export."""
        return self._export(name, self.env(name)).file.digest

    def environments(self) -> Iterator[tuple[str, Path]]:
        self._begin("environments")
        for prefix in self.envs.keys() - self.hidden:
            yield ROOT if prefix == self.root else prefix.name, prefix

    def prefix_for(self, name: str) -> Path:
        return self.root if name == ROOT else self.root / "envs" / name

    def look(self, name: str, prefix: Path) -> LocalEnv | Unknown | None:
        self._begin("look", name)
        env = self.envs.get(prefix)
        if env is None:
            return None
        if env.broken:
            return Unknown(f"{prefix}/conda-meta/history is missing")
        return LocalEnv(name, prefix, str(env.serial), env.modified, env.touched)

    def is_there(self, prefix: Path) -> bool:
        return prefix in self.envs

    def has_folder(self, prefix: Path) -> bool:
        return prefix.parent not in self.unmounted

    def export(self, env: LocalEnv) -> Export:
        self._begin("export", env.name)
        there = self.envs.get(env.prefix)
        if there is None:
            raise EngineError(f"{env.prefix} cannot be read.")
        return self._export(env.name, there)

    def _export(self, name: str, env: FakeEnv) -> Export:
        file = _render(
            name,
            tuple(f"{key}={v}={build}" for key, (v, build) in env.packages.items()),
            tuple(f"{key}=={version}" for key, version in env.pip.items()),
            tuple(env.variables.items()),
            env.pinned,
        )
        records = tuple(_record(key, *env.packages[key]) for key in env.packages)
        lock = Lock(
            file.digest, self.platform, records, env.requested, file.pip, file.variables
        )
        return Export(file, lock)

    def fetch(self, pulls: Iterable[tuple[Path, Lock]]) -> None:
        self._begin("fetch")

    def apply(
        self,
        name: str,
        prefix: Path,
        file: EnvFile,
        lock: Lock | None,
        *,
        modified: datetime,
        origin: str = "",
        prune: bool = True,
        begin: Callable[[], None] = lambda: None,
    ) -> Applied:
        self._begin("apply", name)
        old = self.envs.get(prefix)
        if old and old.frozen:
            raise EngineError(f"{prefix} is frozen, and stays as it is.")
        want, requested, applied = self._solve(file, lock, origin)
        self._begin("download", name)
        begin()
        old = self.envs.get(prefix)
        env = self.envs.setdefault(prefix, FakeEnv())
        if name == ROOT:
            want = {**want, **env.packages}
        elif not prune:
            want = {**env.packages, **want}
        self._link(name, prefix, want, copy.deepcopy(old))
        env.requested = requested
        self._begin("pip", name)
        keep = not prune or name == ROOT
        pip = dict(text.split("==") for text in file.pip)
        env.pip = {**env.pip, **pip} if keep else pip
        env.variables = {**(env.variables if keep else {}), **file.variables}
        if file.pinned is not None and name != ROOT:
            pins = {*(env.pinned if keep else ()), *file.pinned}
            env.pinned = tuple(sorted(pins))
        self._stamp(env)
        self._begin("stamp", name)
        env.modified = modified
        self._stamp(env)
        if keep:
            return applied
        return replace(applied, builds=frozenset((key, *want[key]) for key in want))

    def remove(
        self, name: str, prefix: Path, *, begin: Callable[[], None] = lambda: None
    ) -> None:
        self._begin("remove", name)
        if self.envs[prefix].frozen:
            raise EngineError(f"{prefix} is frozen, and stays as it is.")
        begin()
        self._begin("unlink", name)
        env = self.envs[prefix]
        env.packages = dict(list(env.packages.items())[: len(env.packages) // 2])
        self._stamp(env)
        self._begin("clear", name)
        del self.envs[prefix]

    def _solve(
        self, file: EnvFile, lock: Lock | None, origin: str
    ) -> tuple[dict[str, tuple[str, str]], tuple[str, ...], Applied]:
        """Choose the packages: those of the lock, or what the file asks for.

        Every package exists in every version on every platform, but only-PLATFORM.
        """
        if lock and lock.platform == self.platform:
            locked = {p["name"]: (p["version"], p["build"]) for p in lock.packages}
            return locked, lock.requested, Applied((), lock.notes, lock.elsewhere)
        self.calls["solve"] += 1
        wanted = dict(_parts(spec) for spec in file.specs)
        if lock and lock.requested:
            had = {p["name"]: p["version"] for p in lock.packages}
            asked = dict(_parts(spec) for spec in lock.requested)
            wanted = {key: had[key] or asked[key] for key in asked if key in had}
            wanted = {**lock.elsewhere, **wanted}
        ours = f"only-{self.platform}"
        foreign = [key for key in wanted if key.startswith("only-") and key != ours]
        if foreign and origin == self.platform:
            raise EngineError(f"{foreign[0]} is in none of its channels.")
        elsewhere = {key: wanted.pop(key) for key in foreign}
        packages = {key: (wanted[key], self.platform) for key in wanted}
        notes = [f"{key} is not to be had here: left out" for key in foreign]
        applied = Applied((), tuple(notes), elsewhere if lock else {})
        return packages, tuple(wanted), applied

    def _link(
        self,
        name: str,
        prefix: Path,
        want: dict[str, tuple[str, str]],
        old: FakeEnv | None,
    ) -> None:
        env = self.envs[prefix]
        half = sorted(want)[: len(want) // 2]
        env.packages = {key: want[key] for key in half}
        self._stamp(env)
        try:
            self._begin("link", name)
        except Exception:
            # conda's rollback: the packages are as before, and the stamp is not.
            if old is None:
                del self.envs[prefix]
            else:
                vars(env).update(vars(old))
                self._stamp(env)
            raise
        env.packages = want
        env.modified = self.clock()
        self._stamp(env)

    def _stamp(self, env: FakeEnv, now: datetime | None = None) -> None:
        self._serial += 1
        env.serial = self._serial
        env.touched = now or self.clock()

    def _begin(self, operation: str, name: str = "") -> None:
        self.calls[operation] += 1
        if self.before:
            self.before(operation, name)


@cache
def _render(
    name: str,
    specs: tuple[str, ...],
    pip: tuple[str, ...],
    variables: tuple[tuple[str, str], ...],
    pinned: tuple[str, ...],
) -> EnvFile:
    """Write a file; a fleet writes few different ones, and each of them often."""
    return render(
        name,
        channels=["fake"],
        specs=specs,
        pip=pip,
        variables=dict(variables),
        pinned=pinned,
    )


def _parts(spec: str) -> tuple[str, str]:
    name, _, rest = spec.partition("=")
    return name, rest.partition("=")[0] or "1"


def _record(name: str, version: str, build: str) -> dict[str, Any]:
    archive = f"{name}-{version}-{build}.conda"
    return {
        "name": name,
        "version": version,
        "build": build,
        "subdir": build,
        "fn": archive,
        "url": f"https://fake.invalid/{build}/{archive}",
        "sha256": hashlib.sha256(archive.encode()).hexdigest(),
    }
