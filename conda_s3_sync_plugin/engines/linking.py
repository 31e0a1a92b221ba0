"""rattler's transactions: leave exactly these packages in a prefix, or do nothing."""

from __future__ import annotations

import contextlib
import json
from typing import TYPE_CHECKING

from . import history
from . import prefix as plain
from .rollback import is_unfinished, rolled_back, undisturbed

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping, Sequence
    from pathlib import Path

    import rattler

    from .gateway import Gateway
    from .prefix import Record
    from .rollback import Patience
    from .worker import Worker

    Package = rattler.RepoDataRecord

#: Tells backup programs to leave a folder out.
_TAG = "CACHEDIR.TAG"

#: The mode of a record as rattler writes it: nobody else could read the environment.
_PRIVATE = 0o600


def mirror(
    gateway: Gateway,
    worker: Worker,
    prefix: Path,
    packages: Sequence[Package],
    asked: Mapping[str, str],
    wishes: Mapping[str, str],
    *,
    again: Collection[str] = (),
) -> None:
    """Leave exactly these packages in a prefix, new or not, in one transaction.

    Those that come are in the cache. `asked` is what the history says until now, and
    `wishes` what it shall say. Packages `again` are linked though they are there.
    """
    before = plain.records(prefix)
    new = {str(package.name.normalized): package for package in packages}
    stay = _unchanged(before, new).difference(again)
    was_killed = is_unfinished(prefix)
    if was_killed:
        stay = set()  # their scripts may not have run
        again = {*again, *(item["name"] for item in before if item["name"] in new)}
    elif before and stay == new.keys() == {record["name"] for record in before}:
        history.record_revision(prefix, before, asked, wishes)
        return
    going = _files(record for record in before if record["name"] not in stay)
    # What two packages have brought goes with either of them.
    partners = [
        record
        for record in before
        if record["name"] in stay and not going.isdisjoint(_files([record]))
    ]
    again = {*again, *(record["name"] for record in partners)}
    gateway.download([new[name] for name in again])  # perhaps no longer in the cache
    leaving = going | _files(partners)
    is_tagged = (prefix / _TAG).exists() and not was_killed
    coming = [new[name] for name in new if name not in stay - again]

    with (
        undisturbed() as patience,
        rolled_back(prefix, leaving, lambda: gateway.cache.files(coming)),
    ):
        _install(gateway, worker, prefix, packages, again, patience)
        if not is_tagged:
            (prefix / _TAG).unlink(missing_ok=True)  # backups would leave it out
        _sweep(prefix, _files(before) - _files(plain.records(prefix)))
        history.record_revision(prefix, before, asked, wishes)


def _unchanged(before: Iterable[Record], new: Mapping[str, Package]) -> set[str]:
    """Return the names of packages that stay as they are."""
    old = {
        record["name"]: (record["url"], record.get("sha256") or "") for record in before
    }
    found = {
        name: (package.url, (package.sha256 or b"").hex())
        for name, package in new.items()
    }
    if old.get("python") != found.get("python"):
        return set()  # with it move others
    return {name for name in old.keys() & found.keys() if old[name] == found[name]}


def _install(
    gateway: Gateway,
    worker: Worker,
    prefix: Path,
    packages: Iterable[Package],
    again: Collection[str],
    patience: Patience,
) -> None:
    """Have rattler do it, and make of what it leaves what conda would leave."""
    worker.run(
        patience,
        prefix=str(prefix),
        platform=gateway.platform,
        cache=str(gateway.cache.folder),
        packages=[json.loads(package.to_json()) for package in packages],
        again=list(again),
    )
    mode = (prefix / "conda-meta" / "history").stat().st_mode & 0o777
    for path in (prefix / "conda-meta").glob("*.json"):
        if path.stat().st_mode & 0o777 == _PRIVATE:
            path.chmod(mode)


def _files(records: Iterable[Record]) -> set[str]:
    """Return the files of packages, and where those would be that have given way."""
    return {
        name
        for record in records
        for file in record["files"]
        for name in (file, file.removeprefix(f"__clobbers__/{record['name']}/"))
    }


def _sweep(prefix: Path, files: Iterable[str]) -> None:
    """Remove what rattler leaves of packages that conda had linked.

    conda's records name the files of noarch packages as they are in the archive, and
    rattler looks for them there.
    """
    for path in (prefix / file for file in files):
        with contextlib.suppress(OSError):  # a folder by now, or not empty
            path.unlink(missing_ok=True)
            for folder in path.parents:
                if folder == prefix:
                    break
                folder.rmdir()
