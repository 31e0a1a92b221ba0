"""conda's transactions: fetch, verify, and leave exactly these packages in a prefix."""

from __future__ import annotations

import contextlib
import hashlib
import io
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit
from urllib.request import url2pathname

from conda import CondaError
from conda.base.context import context
from conda.core.envs_manager import register_env, unregister_env
from conda.core.link import PrefixSetup, UnlinkLinkTransaction
from conda.core.package_cache_data import PackageCacheData, ProgressiveFetchExtract
from conda.core.prefix_data import PrefixData, delete_prefix_from_linked_data
from conda.gateways.disk.delete import rm_rf
from conda.models.channel import Channel
from conda.models.match_spec import MatchSpec
from conda.models.prefix_graph import PrefixGraph
from conda.models.records import PackageRecord

from ..exceptions import EngineError, S3SyncError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence


def record(entry: Mapping[str, Any]) -> PackageRecord:
    """Turn an entry of a lock into what conda works with."""
    return PackageRecord(**{**entry, "channel": entry["url"].rsplit("/", 1)[0]})


def in_order(packages: Iterable[PackageRecord]) -> list[PackageRecord]:
    """Sort packages so that each comes after what it depends on."""
    return list(PrefixGraph(packages).graph)


def leaves(error: BaseException) -> list[BaseException]:
    """Take a CondaMultiError apart; it may hold twins, and what is no error."""
    parts = [
        part for part in getattr(error, "errors", ()) if isinstance(part, BaseException)
    ]
    return [leaf for part in parts for leaf in leaves(part)] if parts else [error]


def in_one_line(error: BaseException) -> str:
    """Say what went wrong as conda says it, without its line breaks and repetitions."""
    texts = [
        " ".join(str(leaf).split()) or type(leaf).__name__ for leaf in leaves(error)
    ]
    return "; ".join(dict.fromkeys(texts))


@contextlib.contextmanager
def translated(what: str) -> Iterator[None]:
    """Turn whatever conda raises into an EngineError of one line: `what`, why."""
    try:
        yield
    except S3SyncError:
        raise
    except (CondaError, OSError, ValueError, SystemExit) as error:
        # SystemExit: fetching side by side with another conda, and some solvers.
        raise EngineError(f"{what}: {in_one_line(error)}") from error


@contextlib.contextmanager
def quiet() -> Iterator[None]:
    """Keep conda from asking questions, and from talking on a stdout that is ours."""
    with (
        contextlib.redirect_stdout(io.StringIO()),
        context._override("always_yes", True),
    ):
        yield


@contextlib.contextmanager
def guarded(prefix: Path) -> Iterator[None]:
    """Around a transaction: where it fails, the prefix is what it was before.

    conda rolls back the packages. But from 25.11 to 26.5 it deletes the history of an
    environment then, and before 26.7 it leaves the rest of one that it was creating.
    """
    existed = os.path.lexists(prefix)
    history = prefix / "conda-meta" / "history"
    saved = (history.read_bytes(), history.stat()) if history.exists() else None
    try:
        with quiet():
            yield
    except BaseException:
        if saved and not history.exists():
            content, stat = saved
            history.write_bytes(content)
            os.utime(history, ns=(stat.st_atime_ns, stat.st_mtime_ns))
        if not existed and os.path.lexists(prefix):
            delete_prefix_from_linked_data(str(prefix))
            rm_rf(str(prefix))
            unregister_env(str(prefix))
        raise
    finally:
        forget(prefix)


def forget(prefix: Path) -> None:
    """Make conda read a prefix anew: its cache has two entries, and updates one."""
    cache = PrefixData._cache_
    for key in [key for key in cache if str(key[0]) == str(prefix)]:
        del cache[key]


def check_changeable(prefix: Path) -> None:
    """Raise EngineError where conda's commands, not its transactions, would refuse."""
    if not os.path.lexists(prefix):
        return
    if not (prefix / "conda-meta" / "history").exists():
        raise EngineError(
            f"{prefix} is in the way: it is no environment.",
            hint="Rename it or remove it, and run the command again.",
        )
    if (prefix / "conda-meta" / "frozen").exists():
        raise EngineError(
            f"{prefix} is frozen, and stays as it is.",
            hint="Remove its conda-meta/frozen, or leave it out with --path-filter.",
        )
    if not PrefixData(str(prefix)).is_writable:
        raise EngineError(
            f"{prefix} cannot be written.",
            hint="Run as the user who owns it, or leave it out with --path-filter.",
        )


def fetch(packages: Sequence[PackageRecord]) -> None:
    """Bring packages into the package cache, authorized, and verify every hash.

    conda compares no sha256 of a package that it has already, and nothing at all of one
    from a `file:` channel. Raise EngineError, or what conda raises.
    """
    for package in packages:
        if package.url.startswith("file:"):
            path = Path(url2pathname(urlsplit(package.url).path))
            if path.exists():  # otherwise conda says so in its own words
                _verify(package, hashlib.sha256(path.read_bytes()).hexdigest())
    with quiet():
        ProgressiveFetchExtract(
            [_with_credentials(item) for item in packages]
        ).execute()
    for package in packages:
        _verify(package, PackageCacheData.get_entry_to_link(package).get("sha256"))


def _verify(package: PackageRecord, found: str | None) -> None:
    expected = package.get("sha256")
    if expected and found != expected:
        raise EngineError(
            f"{package.fn} is not the package that was locked: "
            f"its sha256 is {found}, expected {expected}.",
            hint="Its channel, or the package cache, holds another file of that name.",
        )


def _with_credentials(package: PackageRecord) -> PackageRecord:
    """Add what this machine knows of the channel: locks hold no secrets."""
    for name in context.channels:
        for channel in Channel(name).channels:
            if not (channel.token or channel.auth):
                continue
            plain, secret = (
                channel.urls(with_credentials=flag, subdirs=(package.subdir,))[0]
                for flag in (False, True)
            )
            if package.url.startswith(f"{plain}/"):
                url = secret + package.url[len(plain) :]
                return PackageRecord.from_objects(package, url=url, channel=secret)
    return package


def mirror(
    prefix: Path,
    packages: Sequence[PackageRecord],
    requested: Iterable[str],
    *,
    prune: bool,
) -> None:
    """Leave exactly these packages in a prefix, new or not, in one transaction.

    `packages` come with dependencies first. `requested` goes into the history as what
    the user asked for. Without `prune`, what else is there stays, if it still fits.
    """
    have = {item.name: item for item in _installed(prefix)}
    want = {item.name: item for item in packages}
    gone = have.keys() - want.keys() if prune else set()
    if not prune:
        _check_fit([have[name] for name in have.keys() - want.keys()], {**have, **want})
    moved = _changes_python(have, want)
    changed = {
        name
        for name, item in want.items()
        if name not in have
        or not _is_same(have[name], item)
        or (moved and str(item.noarch or "") == "python")  # its files move with python
    }
    unlink = [
        item
        for item in reversed(in_order(have.values()))
        if item.name in gone | changed
    ]
    link = [item for item in packages if item.name in changed]
    wishes = [MatchSpec(spec) for spec in requested]
    dropped = gone | (
        _requested(prefix) - {spec.name for spec in wishes} if prune else set()
    )
    transaction = UnlinkLinkTransaction(
        PrefixSetup(
            str(prefix),
            tuple(unlink),
            tuple(link),
            tuple(MatchSpec(name) for name in sorted(dropped)),
            tuple(wishes),
            (),
        )
    )
    if not transaction.nothing_to_do:
        transaction.download_and_extract()
        transaction.execute()
    if not have and not want:
        _make_empty(prefix)


def _installed(prefix: Path) -> list[PackageRecord]:
    # Without interoperability: reading with it deletes records that pip has replaced.
    return list(PrefixData(str(prefix), interoperability=False).reload().iter_records())


def _requested(prefix: Path) -> set[str]:
    return {name for name, _ in requested_specs(prefix)}


def requested_specs(prefix: Path) -> list[tuple[str, str]]:
    """Return what the user has asked conda for in an environment: name, spec."""
    from conda.history import History

    specs = History(str(prefix)).get_requested_specs_map()
    return [(name, str(spec)) for name, spec in sorted(specs.items())]


def _is_same(old: PackageRecord, new: PackageRecord) -> bool:
    """Tell whether two records are one archive; their `==` ignores the hashes."""
    for key in ("sha256", "md5"):
        if old.get(key) and new.get(key):
            return bool(old.get(key) == new.get(key))
    keys = ("name", "version", "build", "subdir", "url")
    return all(old.get(key) == new.get(key) for key in keys)


def _changes_python(
    have: Mapping[str, PackageRecord], want: Mapping[str, PackageRecord]
) -> bool:
    versions = [
        side["python"].version.split(".")[:2]
        for side in (have, want)
        if "python" in side
    ]
    return len(versions) == 2 and versions[0] != versions[1]


def _check_fit(
    kept: Iterable[PackageRecord], final: Mapping[str, PackageRecord]
) -> None:
    """Raise EngineError where a package that stays would miss what it depends on."""
    for item in kept:
        for spec in map(MatchSpec, item.depends):
            other = final.get(spec.name)
            if not spec.name.startswith("__") and (
                other is None or not spec.match(other)
            ):
                raise EngineError(
                    f"{item.name} cannot stay: it depends on {spec}.",
                    hint="Without --no-prune it is removed, as it was elsewhere.",
                )


def _make_empty(prefix: Path) -> None:
    """Create an environment of no packages; for some releases that is nothing to do."""
    history = prefix / "conda-meta" / "history"
    history.parent.mkdir(parents=True, exist_ok=True)
    history.touch()
    register_env(str(prefix))
