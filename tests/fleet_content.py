"""What the machines of a fleet have, whatever it is built for, and what was deleted."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Final

from conda_s3_sync_plugin.envfile import parse

if TYPE_CHECKING:
    from fake_engine import FakeEnv
    from fakes import MemoryBucket

    from conda_s3_sync_plugin.models import RemoteObject

#: Versions of packages, of pip's, and variables.
Content = tuple[dict[str, str], dict[str, str], dict[str, str]]

NOTHING: Final[Content] = ({}, {}, {})
#: In step, here and in the bucket; None: nobody knows.
Sides = tuple["Content | None", Content, Content]

NAMES: Final = ("e", "f")


class Deletions:
    """Which environments are deleted on purpose, and were not brought back since."""

    def __init__(self, bucket: MemoryBucket) -> None:
        self._bucket = bucket
        self._seen: set[str] = set()
        self._last: dict[str, RemoteObject] = {}
        #: The last word on a name is that it was deleted.
        self._stated: dict[str, bool] = {}

    def look(self) -> None:
        """See what has come to the bucket, in its order."""
        for key in [key for key in self._bucket.objects if key not in self._seen]:
            self._seen.add(key)
            for name in NAMES:
                if not key.startswith(f".s3-sync/{name}/"):
                    continue
                if key.endswith(".deleted"):
                    self._stated[name] = True
                elif key.endswith(".yml") and not key.endswith(".aside.yml"):
                    self._stated[name] = False
        for name in NAMES:
            there = self._bucket.objects.get(f"{name}.yml")
            if there and there is not self._last.get(name):
                self._last[name] = there
                # What others write is no word until somebody has seen it.
                self._stated[name] = there.foreign and self._stated.get(name, False)

    def are_stated(self, name: str, digest: str) -> bool:
        """Tell whether an environment was deleted since it was this version."""
        return self._stated.get(name, False) and any(
            key.startswith(f".s3-sync/{name}/")
            and f"-{digest[:12]}." in key
            and not key.endswith(".aside.yml")
            for key in self._bucket.objects
        )


def check_merged(merged: Content, sides: Sides) -> None:
    """See that each thing is what the one has made of it who has changed it.

    Where nobody knows any more who that was, it is at least not made up.
    """
    base, ours, theirs = sides
    for i, part in enumerate(merged):
        for name in {*part, *ours[i], *theirs[i]}:
            here, there, found = (side[i].get(name) for side in (ours, theirs, merged))
            if base is None or here == there:
                assert found in (here, there), name
            else:
                old = base[i].get(name)
                assert old in (here, there), f"{name} was changed on both sides"
                assert found == (there if here == old else here), name


def content_of(env: FakeEnv) -> Content:
    """Return what is in an environment, whatever it is built for."""
    versions = {name: version for name, (version, _) in env.packages.items()}
    return versions, dict(env.pip), dict(env.variables)


@cache
def read_content(body: bytes) -> Content:
    """Return what a file asks for, whatever it is built for."""
    file = parse(body)
    versions = dict(spec.split("=")[:2] for spec in file.specs)
    return versions, dict(text.split("==") for text in file.pip), dict(file.variables)
