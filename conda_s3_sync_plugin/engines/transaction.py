"""conda's transactions: leave exactly these packages in a prefix, or change nothing."""

from __future__ import annotations

import contextlib
import json
import os
from pathlib import Path
from typing import TYPE_CHECKING

from conda.core.envs_manager import register_env, unregister_env
from conda.core.link import PrefixSetup, UnlinkLinkTransaction
from conda.core.prefix_data import PrefixData, delete_prefix_from_linked_data
from conda.gateways.disk.delete import rm_rf
from conda.history import History
from conda.models.enums import NoarchType
from conda.models.match_spec import MatchSpec
from conda.models.prefix_graph import PrefixGraph

from . import prefix as plain
from .fetch import fetch, record
from .fit import moves_python
from .manners import quiet

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from conda.models.records import PackageRecord


def in_order(packages: Iterable[PackageRecord]) -> list[PackageRecord]:
    """Sort packages so that each comes after what it depends on."""
    return list(PrefixGraph(packages).graph)


@contextlib.contextmanager
def guarded(prefix: Path) -> Iterator[None]:
    """Around a transaction: where it fails, the prefix is what it was before.

    conda rolls back the packages. But from 25.11 to 26.5 it deletes the history of an
    environment then, before 26.7 it leaves the rest of one that it was creating, and on
    a full disk the beginning of a record.
    """
    existed = os.path.lexists(prefix)
    meta = prefix / "conda-meta"
    history, known = meta / "history", set(meta.glob("*.json"))
    saved = (history.read_bytes(), history.stat()) if history.exists() else None
    try:
        with quiet():
            yield
    except BaseException:
        if saved and not history.exists():
            content, stat = saved
            history.write_bytes(content)
            os.utime(history, ns=(stat.st_atime_ns, stat.st_mtime_ns))
        for path in set(meta.glob("*.json")) - known:
            _remove_torn(path)
        if not existed:
            delete_prefix_from_linked_data(str(prefix))
            rm_rf(str(prefix))
            # Releases that remove the rest themselves leave its line in their list.
            unregister_env(str(prefix))
        raise
    finally:
        forget(prefix)


def _remove_torn(path: Path) -> None:
    """Remove a record that is no JSON: nobody could read the environment."""
    try:
        json.loads(path.read_bytes())
    except ValueError:
        path.unlink()


def forget(prefix: Path) -> None:
    """Make conda read a prefix anew: its cache has two entries, and updates one."""
    cache = PrefixData._cache_
    for key in [key for key in cache if str(key[0]) == str(prefix)]:
        del cache[key]


def mirror(
    prefix: Path,
    packages: Sequence[PackageRecord],
    requested: Iterable[str],
    *,
    prune: bool,
) -> None:
    """Leave exactly these packages in a prefix, new or not, in one transaction.

    `requested` goes into the history as what the user asked for. Without `prune`, what
    else is there stays.
    """
    have = {item.name: item for item in _installed(prefix)}
    want = {item.name: item for item in packages}
    gone = have.keys() - want.keys() if prune else set()
    moved = moves_python(have.get("python"), want.get("python"))
    changed = {
        name
        for name, item in want.items()
        if name not in have
        or not _is_same(have[name], item)
        or (moved and _is_noarch_python(item))
    }
    going = {
        file for name in have.keys() & (gone | changed) for file in have[name].files
    }
    # What two packages have brought goes with either of them.
    changed |= {
        name
        for name in have.keys() & want.keys()
        if not going.isdisjoint(_brought(have[name]))
    }
    unlink = [
        item
        for item in reversed(in_order(have.values()))
        if item.name in gone | changed
    ]
    link = [item for item in in_order(packages) if item.name in changed]
    wishes = [MatchSpec(spec) for spec in requested]
    dropped = gone | (
        _requested(prefix) - {spec.name for spec in wishes} if prune else set()
    )
    _execute(
        PrefixSetup(
            str(prefix),
            tuple(unlink),
            tuple(link),
            tuple(MatchSpec(name) for name in sorted(dropped)),
            tuple(wishes),
            (),
        )
    )
    if not have and not want:
        _make_empty(prefix)


def relink(prefix: Path, names: Iterable[str]) -> None:
    """Link packages again, as they are recorded, whose files are gone."""
    have = {item.name: item for item in _installed(prefix)}
    entries = map(plain.lockable, plain.records(prefix))
    link = in_order(record(entry) for entry in entries if entry["name"] in set(names))
    fetch(link)
    unlink = [have[item.name] for item in reversed(link)]
    _execute(PrefixSetup(str(prefix), tuple(unlink), tuple(link), (), (), ()))


def _execute(setup: PrefixSetup) -> None:
    transaction = UnlinkLinkTransaction(setup)
    if transaction.nothing_to_do:
        _note_requests(setup)
    else:
        transaction.download_and_extract()
        transaction.execute()


def _note_requests(setup: PrefixSetup) -> None:
    """Write down what is asked for otherwise, where packages stay as they are."""
    have = dict(requested_specs(Path(setup.target_prefix)))
    want = {spec.name: str(spec) for spec in setup.update_specs}
    dropped = {spec.name for spec in setup.remove_specs}
    if dropped & have.keys() or not want.items() <= have.items():
        history = History(setup.target_prefix)
        history.update()
        history.write_specs(setup.remove_specs, setup.update_specs)


def _installed(prefix: Path) -> list[PackageRecord]:
    # Without interoperability: reading with it deletes records that pip has replaced.
    return list(PrefixData(str(prefix), interoperability=False).reload().iter_records())


def _requested(prefix: Path) -> set[str]:
    return {name for name, _ in requested_specs(prefix)}


def requested_specs(prefix: Path) -> list[tuple[str, str]]:
    """Return what the user has asked conda for in an environment: name, spec.

    conda's own map takes seconds for a large environment, and memory for as long as we
    run: to leave out what is not installed, it reads and keeps all records.
    """
    specs: dict[str, str] = {}
    with quiet():
        for request in History(str(prefix)).get_user_requests():
            for text in request.get("remove_specs", ()):
                specs.pop(MatchSpec(text).name, None)
            for kind in ("update_specs", "neutered_specs"):
                asked = map(MatchSpec, request.get(kind, ()))
                specs |= {spec.name: str(spec) for spec in asked}
    return [(name, specs[name]) for name in sorted(specs.keys() & plain.names(prefix))]


def _is_same(old: PackageRecord, new: PackageRecord) -> bool:
    """Tell whether two records are one archive; their `==` ignores the hashes."""
    for key in ("sha256", "md5"):
        if old.get(key) and new.get(key):
            return bool(old.get(key) == new.get(key))
    keys = ("name", "version", "build", "subdir", "url")
    return all(old.get(key) == new.get(key) for key in keys)


def _brought(package: PackageRecord) -> set[str]:
    """Return the files of a package, with those that rattler has put aside."""
    aside = f"__clobbers__/{package.name}/"
    return {file.removeprefix(aside) for file in package.files}


def _is_noarch_python(package: PackageRecord) -> bool:
    """Tell whether a package lies in the folder of whatever python there is."""
    return bool(package.noarch == NoarchType.python)


def _make_empty(prefix: Path) -> None:
    """Create an environment of no packages; for some releases that is nothing to do."""
    history = prefix / "conda-meta" / "history"
    history.parent.mkdir(parents=True, exist_ok=True)
    history.touch()
    register_env(str(prefix))
