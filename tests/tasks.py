"""What a station has to do, one thing at a time; and how that ends in any case."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple, TypeAlias

from acceptance import NOTHING_TO_DO
from station import NAME, Station

if TYPE_CHECKING:
    from station import Done

DELETE = ("--delete", "--force")


class Scene(NamedTuple):
    """Something to do, and what anybody has ever made."""

    arguments: tuple[str, ...]
    versions: set[str]
    #: How it is done again, when it has failed.
    again: tuple[str, ...]


#: What brings a station there; three versions of an environment are at hand.
Begin: TypeAlias = Callable[[Station, list[Path]], Scene]


def begin(here: Station, originals: list[Path]) -> Scene:
    version = here.put(originals[0])
    return Scene((), {version}, ())


def push(here: Station, originals: list[Path]) -> Scene:
    old = here.put(originals[0])
    here.run()
    new = here.put(originals[1])
    return Scene((), {old, new}, ())


def create(here: Station, originals: list[Path]) -> Scene:
    empty = here.save()
    version = here.put(originals[0])
    here.run()
    here.load_machine(empty)
    return Scene((), {version}, ())


def update(here: Station, originals: list[Path]) -> Scene:
    old = here.put(originals[0])
    here.run()
    before = here.save()
    new = here.put(originals[1])
    here.run()
    here.load_machine(before)
    return Scene((), {old, new}, ())


def conflict(here: Station, originals: list[Path], preferred: str) -> Scene:
    scene = update(here, originals)
    ours = here.put(originals[2])
    prefer = ("--prefer", preferred)
    return Scene(prefer, {*scene.versions, ours}, prefer)


def ours(here: Station, originals: list[Path]) -> Scene:
    return conflict(here, originals, "local")


def theirs(here: Station, originals: list[Path]) -> Scene:
    return conflict(here, originals, "remote")


def restore(here: Station, originals: list[Path]) -> Scene:
    scene = push(here, originals)
    here.run()
    old = next(iter(scene.versions - {str(here.there())}))
    return Scene(("--restore", f"{NAME}@{old[:8]}"), scene.versions, ())


def delete_there(here: Station, originals: list[Path]) -> Scene:
    version = here.put(originals[0])
    here.run()
    here.remove()
    return Scene(DELETE, {version}, DELETE)


def delete_here(here: Station, originals: list[Path]) -> Scene:
    scene = delete_there(here, originals)
    here.put(originals[0])
    here.run()
    before = here.save()
    here.remove()
    here.run(*DELETE)
    here.load_machine(before)
    return scene


SCENES = (begin, push, create, update, ours, theirs, restore, delete_there, delete_here)


def converges(here: Station, scene: Scene) -> None:
    """See that nothing is lost, that the next run ends it, and the one after rests."""
    lost = scene.versions - here.kept() - {here.here()}
    assert lost == set()
    done = here.run(*scene.again)
    assert (done.code, done.err) == (0, ""), done.err
    assert here.here() == here.there()
    assert scene.versions - here.kept() == set()
    here.s3.requests.clear()
    assert here.run(*scene.again).code == 0
    assert here.s3.counts() == NOTHING_TO_DO
    assert here.here() == here.there()


def assert_told(done: Done, where: str) -> None:
    """See that a failure is told in words, if it is one."""
    assert done.code in (0, 1), where
    assert bool(done.code) == bool(done.err), where
    assert "mistake of conda" not in done.err, where
    assert "Traceback" not in done.err, where
    assert len(done.err.splitlines()) <= 3, where
