"""What an environment is, read from its plain files; nothing here changes any of them.

conda's own readers are slower by an order of magnitude, and the one that sees pip's
packages deletes the records of conda packages that pip has replaced.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
from collections import Counter
from datetime import datetime, timedelta, timezone
from operator import attrgetter
from stat import S_ISDIR
from typing import TYPE_CHECKING, Any, Final

from ..envfile import render
from ..exceptions import EngineError
from ..models import Export, LocalEnv, Lock, Unknown
from .distributions import INFO, pip_packages, site_packages
from .privacy import private_variables, without_credentials

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

    Record = Mapping[str, Any]

#: What of a record reinstalls the package, and lets others be solved with it.
_NEEDED: Final = ("name", "version", "build", "url")
_FIELDS: Final = (
    *_NEEDED,
    *("build_number", "subdir", "fn", "md5", "sha256"),
    *("size", "depends", "constrains", "noarch", "timestamp", "license"),
    *("license_family", "track_features", "features"),
    *("python_site_packages_path", "legacy_bz2_md5", "legacy_bz2_size"),
)

#: Files in conda-meta whose change is a change of the environment.
_MARKS: Final = ("history", "state", "pinned", "frozen")

#: How conda calls the record of a package until another one is in its place.
_PUT_ASIDE: Final = ".json.c~"

#: conda's mark for a variable that hides one of an outer environment.
UNSET: Final = "***unset***"

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=timezone.utc)

#: Channels that people, and conda everywhere, know by a name.
_CHANNEL_NAMES: Final = (
    (re.compile(r"https://repo\.anaconda\.com/pkgs/(?:main|r|msys2)"), "defaults"),
    (re.compile(r"https://conda\.anaconda\.org/(.+)"), r"\1"),
)


#: What to do about an environment that is damaged.
_REPAIR: Final = "Repair it, or remove the environment: what the bucket has comes back."


def look(name: str, prefix: Path) -> LocalEnv | Unknown | None:
    """See whether a folder is an environment, and stamp it; reads no file."""
    meta = prefix / "conda-meta"
    digest = hashlib.blake2b(digest_size=16)
    try:
        times = [meta.stat().st_mtime_ns]
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError as error:
        return _unreadable(prefix, error)
    try:
        # Not iterdir: to make a Path of each of hundreds takes as long as all the rest.
        found = {item.name: item for item in os.scandir(meta)}
        names = sorted(found)
        text = "".join(f"{file}\n" for file in (*names, *_MARKS))
        digest.update(text.encode(errors="surrogateescape"))
        for mark in filter(found.__contains__, _MARKS):
            stat = found[mark].stat()
            times.append(stat.st_mtime_ns)
            digest.update(f"{mark} {stat.st_mtime_ns} {stat.st_size}\n".encode())
        for site in site_packages(prefix, names):
            times.append(site.stat().st_mtime_ns)
            infos = [item for item in os.scandir(site) if item.name.endswith(INFO)]
            for info in sorted(infos, key=attrgetter("name")):
                # With its time: the same version from another source has its name.
                text = f"{info.name} {info.stat().st_mtime_ns}\n"
                digest.update(text.encode(errors="surrogateescape"))
        if "history" not in found:
            return Unknown(
                f"{meta / 'history'} is missing",
                hint=f"If {prefix} is the rest of a failed command, remove the folder.",
            )
        history = found["history"].stat()
        if S_ISDIR(history.st_mode):
            return Unknown(f"{meta / 'history'} is a folder", hint=_REPAIR)
        modified = from_ns(history.st_mtime_ns)
        touched = from_ns(max(times))
    except OSError as error:
        return _unreadable(prefix, error)
    except OverflowError:
        return Unknown(f"{prefix} has a time that is beyond any calendar")
    is_changing = any(file.endswith(_PUT_ASIDE) for file in names)
    return LocalEnv(name, prefix, digest.hexdigest(), modified, touched, is_changing)


def _unreadable(prefix: Path, error: OSError) -> Unknown:
    return Unknown(
        f"{prefix} cannot be read: {error.strerror}", hint="See who may read it."
    )


def from_ns(nanoseconds: int) -> datetime:
    """Turn a time of the file system into UTC, whole microseconds."""
    return _EPOCH + timedelta(microseconds=nanoseconds // 1000)


def to_ns(moment: datetime) -> int:
    """Turn a time into nanoseconds, exactly: a float would be off by some hundred."""
    return (moment - _EPOCH) // timedelta(microseconds=1) * 1000


def names(prefix: Path) -> set[str]:
    """Return the names of all conda packages, as their records are called."""
    paths = (prefix / "conda-meta").glob("*.json")
    return {path.stem.rsplit("-", 2)[0] for path in paths}


def records(prefix: Path) -> list[dict[str, Any]]:
    """Return the records of all conda packages, by name; raise EngineError."""
    found = []
    for path in (prefix / "conda-meta").glob("*.json"):
        try:
            record = json.loads(path.read_bytes())
            texts = [record[key] for key in _NEEDED]
        except (OSError, ValueError, KeyError, TypeError, RecursionError):
            texts = [None]
        if not all(isinstance(text, str) for text in texts):
            # A broken record, or one that a running conda is just replacing.
            raise EngineError(
                f"{path} cannot be read.", hint=f"Try: conda doctor -p {prefix}"
            )
        found.append(record)
    return sorted(found, key=lambda record: (record["name"], record["url"]))


def read(
    env: LocalEnv, platform: str, requested: Iterable[str], *, secrets: bool
) -> Export:
    """Read all of an environment; without `secrets`, what looks like one stays out.

    Raise EngineError.
    """
    packages = records(env.prefix)
    pip, local = pip_packages(env.prefix, packages)
    values = variables(env.prefix)
    stay = private_variables(values, secrets=secrets)
    shared = {name: value for name, value in values.items() if name not in stay}
    file = render(
        env.name,
        channels=_channels(packages),
        specs=[f"{r['name']}={r['version']}={r['build']}" for r in packages],
        pip=pip.values(),
        variables=shared,
        pinned=pinned(env.prefix),
    )
    lock = Lock(
        file.digest,
        platform,
        tuple(map(lockable, packages)),
        tuple(without_credentials(spec) for spec in requested),
        file.pip,
        file.variables,
    )
    warnings = [f"pip package {name} stays here: {why}" for name, why in local.items()]
    warnings += [f"variable {name} stays here: {why}" for name, why in stay.items()]
    return Export(file, lock, tuple(warnings))


def lockable(record: Record) -> dict[str, Any]:
    """Return the entry of a lock for a record of conda-meta."""
    kept = {
        key: record[key] for key in _FIELDS if record.get(key) not in (None, "", [])
    }
    return {**kept, "url": without_credentials(record["url"])}


def _channels(packages: Iterable[Record]) -> list[str]:
    """Name the channels, those of most packages first: the nearest thing to a priority.

    The same on every machine, whatever its configuration calls them.
    """
    counts = Counter(channel_name(item["url"].rsplit("/", 2)[0]) for item in packages)
    return sorted(counts, key=lambda channel: (-counts[channel], channel))


def channel_name(url: str) -> str:
    """Return what everybody calls a channel, or its address without any login."""
    # With a slash: that is what ends a token.
    url = without_credentials(f"{url}/").removesuffix("/")
    for pattern, name in _CHANNEL_NAMES:
        if match := pattern.fullmatch(url):
            return match.expand(name)
    return url


def variables(prefix: Path) -> dict[str, str]:
    """Return what `conda env config vars` has set; raise EngineError."""
    path = prefix / "conda-meta" / "state"
    try:
        state = json.loads(path.read_bytes())
        values = state.get("env_vars", {}).items()
    except FileNotFoundError:
        return {}
    except (OSError, ValueError, AttributeError):
        raise EngineError(f"{path} cannot be read.", hint=_REPAIR) from None
    return {name: str(value) for name, value in sorted(values) if value != UNSET}


def pinned(prefix: Path) -> list[str]:
    """Return what conda keeps as it is in an environment; raise EngineError."""
    path = prefix / "conda-meta" / "pinned"
    try:
        lines = map(str.strip, path.read_text("utf-8").splitlines())
    except FileNotFoundError:
        return []
    except (OSError, ValueError):
        raise EngineError(f"{path} cannot be read.", hint=_REPAIR) from None
    pins = {" ".join(line.split()) for line in lines if line and line[0] != "#"}
    return sorted(map(without_credentials, pins))
