"""Whatever fails, or dies, at whatever step of a run: nothing is lost, and it ends."""

from __future__ import annotations

import itertools
import signal
from typing import TYPE_CHECKING, Any, NamedTuple

import pytest
from acceptance import NOTHING_TO_DO
from lengths import IS_LONG
from machine import Machine
from s3server import Cut
from station import KIND, NAME, Station, countdown, watch

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from pathlib import Path

    from make_channel import Channel
    from s3server import S3Server

pytestmark = [pytest.mark.long, getattr(pytest.mark, KIND)]

#: How a request fails: ahead of the work, or when it is done and the reply is lost.
FAULTS = {
    "refused": ("before", (500, "InternalError")),
    "reset": ("before", Cut.AT_ONCE),
    "cut": ("after", Cut.HALF_WAY),
    "lost": ("after", Cut.AT_ONCE),
}

WAYS = [*FAULTS, "before", "after", "here"]

DELETE = ("--delete", "--force")


class Scene(NamedTuple):
    """Something to do, and what anybody has ever made."""

    arguments: tuple[str, ...]
    versions: set[str]
    #: How it is done again, when it has failed.
    again: tuple[str, ...]


@pytest.fixture(scope="module")
def originals(tmp_path_factory: pytest.TempPathFactory, channel: Channel) -> list[Path]:
    """Three versions of an environment; only to be copied from."""
    folder = tmp_path_factory.mktemp("originals") / "machine"
    machine = Machine(folder, channels=[channel.url])
    return [
        machine.create(f"v{number}", f"lib01={version}")
        for number, version in enumerate(("1.0", "1.1", "2.0"))
    ]


@pytest.fixture
def station(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    s3: S3Server,
    channel: Channel,
) -> Station:
    return Station(tmp_path / "here", monkeypatch, s3, channels=[channel.url])


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
every_scene = pytest.mark.parametrize("scene", SCENES, ids=lambda scene: scene.__name__)


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


def numbers(scene: object, how: str) -> Iterable[int]:
    """Return which calls of a run are disturbed: all of them, or just one."""
    if IS_LONG:
        return itertools.count(1)
    turn = SCENES.index(scene) + WAYS.index(how)
    return [1 + turn % 4]


@every_scene
def test_a_request_that_fails_loses_nothing(
    scene: Callable[[Station, list[Path]], Scene],
    station: Station,
    originals: list[Path],
    s3: S3Server,
) -> None:
    todo = scene(station, originals)
    before = station.save()
    for how, (moment, fault) in FAULTS.items():
        for number in numbers(scene, how):
            station.load(before)
            s3.requests.clear()
            setattr(s3, moment, countdown(number, lambda fault=fault: fault))
            done = station.run(*todo.arguments)
            s3.before = s3.after = None
            if len(s3.requests) < number:
                break
            assert_told(done, f"{how} {number}: {s3.requests[number - 1]}")
            converges(station, todo)


def assert_told(done: Any, where: str) -> None:
    """See that a failure is told in words, if it is one."""
    assert done.code in (0, 1), where
    assert bool(done.code) == bool(done.err), where
    assert "mistake of conda" not in done.err, where
    assert "Traceback" not in done.err, where


@every_scene
def test_a_step_here_that_fails_loses_nothing(
    scene: Callable[[Station, list[Path]], Scene],
    station: Station,
    originals: list[Path],
) -> None:
    def fail() -> None:
        raise OSError(28, "No space left on device")

    todo = scene(station, originals)
    before = station.save()
    for number in numbers(scene, "here"):
        station.load(before)
        with pytest.MonkeyPatch.context() as monkeypatch:
            engine, strike = type(station.lab.engine), countdown(number, fail)
            watch(engine, strike, monkeypatch.setattr)
            done = station.run(*todo.arguments)
        if done.code == 0:
            assert number > 1
            break
        assert_told(done, f"step {number}")
        assert "No space left" in done.err
        converges(station, todo)


@every_scene
def test_a_run_that_is_killed_loses_nothing(
    scene: Callable[[Station, list[Path]], Scene],
    station: Station,
    originals: list[Path],
) -> None:
    todo = scene(station, originals)
    before = station.save()
    turn, moments = SCENES.index(scene), ("before", "after", "here")
    for moment in moments if IS_LONG else [moments[turn % 3]]:
        for number in numbers(scene, moment):
            station.load(before)
            code = station.run_killed(moment, number, *todo.arguments)
            if code != -signal.SIGKILL:
                assert (code, number > 1) == (0, True)
                break
            converges(station, todo)
