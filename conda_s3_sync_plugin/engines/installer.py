"""rattler's installer, in a process of its own: with that, all of its threads end.

Where a package cannot be linked, rattler says so at once, and goes on to link others.
"""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
import tempfile
import threading
from pathlib import Path
from queue import Queue
from typing import TYPE_CHECKING, Any

import rattler

from .rollback import ENDING
from .virtual import Platform

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping


def package_from(entry: Mapping[str, Any]) -> rattler.PrefixRecord:
    """Turn an entry of a lock into what rattler works with."""
    channel = entry["url"].rsplit("/", 2)[0]
    rest = {"files": [], "paths_data": {"paths": [], "paths_version": 1}}
    # Its own class knows fewer fields, and what repodata has corrected must stay.
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "record.json")
        path.write_text(json.dumps({**entry, "channel": channel, **rest}))
        return rattler.PrefixRecord.from_path(path)


def installed(prefix: Path) -> list[rattler.PrefixRecord]:
    """Return the packages of a prefix as rattler reads them."""
    paths = sorted((prefix / "conda-meta").glob("*.json"))
    return [rattler.PrefixRecord.from_path(path) for path in paths]


async def install(
    prefix: str,
    platform: str,
    cache: str,
    packages: Iterable[Mapping[str, Any]],
    again: Iterable[str],
) -> list[str]:
    """Leave exactly these packages in a prefix; return whose link script has failed."""
    scripts = _Scripts()
    await rattler.install(
        [package_from(entry) for entry in packages],
        prefix,
        cache_dir=Path(cache),
        platform=Platform(platform),
        installed_packages=list(installed(Path(prefix))),
        reinstall_packages=set(again),
        execute_link_scripts=True,  # as conda does
        show_progress=False,
        reporter=scripts,  # type: ignore[arg-type, unused-ignore]
    )
    return scripts.failed


class _Scripts:
    """Watch an installation for link scripts that fail: rattler goes on after them."""

    def __init__(self) -> None:
        self.failed: list[str] = []
        self._names: list[str] = []

    def on_post_link_start(self, package_name: str, script_path: str) -> int:
        """Note the package, and return what names it; called from several threads."""
        self._names.append(package_name)
        return self._names.index(package_name)

    def on_post_link_complete(self, index: int, success: bool) -> None:
        """See whether its script has succeeded."""
        if not success:
            self.failed.append(self._names[index])

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401
        if name.startswith("on_"):
            return lambda *args: 0  # rattler asks for all there are
        raise AttributeError(name)


def _read(jobs: Queue[str]) -> None:
    """Take jobs; end when nobody holds the other end of standard input any more."""
    for line in sys.stdin:
        jobs.put(line)
    os._exit(1)  # whatever threads still do


def main() -> None:
    """Install what each line of standard input says; tell in a line how it went."""
    for ending in ENDING:
        # Whoever has started this gets them as well, and decides.
        signal.signal(ending, lambda *_: None)
    jobs: Queue[str] = Queue()
    threading.Thread(target=_read, args=(jobs,), daemon=True).start()
    answers = os.dup(sys.stdout.fileno())
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())  # where link scripts talk
    said: dict[str, object]
    while True:
        try:
            said = {"failed": asyncio.run(install(**json.loads(jobs.get())))}
        except BaseException as error:
            said = {"error": str(error)}
        os.write(answers, f"{json.dumps(said)}\n".encode())
