"""Whatever fails, or dies, at whatever step of a run: nothing is lost, and it ends."""

from __future__ import annotations

import contextlib
import itertools
import signal
from typing import TYPE_CHECKING

import pytest
from conda_here import HAS_CONDA
from lengths import IS_LONG
from s3faults import impatience
from s3server import Cut
from station import countdown, watch
from tasks import SCENES, assert_told, converges

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from s3server import S3Server
    from station import Station
    from tasks import Begin

pytestmark = pytest.mark.long

#: How a request fails: ahead of the work, or when it is done and the reply is lost.
FAULTS = {
    "refused": ("before", (500, "InternalError")),
    "reset": ("before", Cut.AT_ONCE),
    "cut": ("after", Cut.HALF_WAY),
    "lost": ("after", Cut.AT_ONCE),
    "hangs": ("before", Cut.SILENT),
    "hangs when done": ("after", Cut.SILENT),
}

WAYS = [*FAULTS, "before", "after", "here"]

#: What an interrupted run ends with, and says: here, and where conda says it.
INTERRUPTED = (
    (1, "\nCondaError: KeyboardInterrupt\n\n")
    if HAS_CONDA
    else (130, "conda-s3-sync: interrupted\n")
)

every_scene = pytest.mark.parametrize("scene", SCENES, ids=lambda scene: scene.__name__)


def numbers(scene: object, how: str) -> Iterable[int]:
    """Return which calls of a run are disturbed: all of them, or just one."""
    if IS_LONG:
        return itertools.count(1)
    turn = SCENES.index(scene) + WAYS.index(how)
    return [1 + turn % 4]


@every_scene
def test_a_request_that_fails_loses_nothing(
    scene: Begin,
    station: Station,
    originals: list[Path],
    s3: S3Server,
) -> None:
    todo = scene(station, originals)
    before = station.save()
    # In a usual run, each scene has a half of them.
    ways = [*FAULTS] if IS_LONG else [*FAULTS][SCENES.index(scene) % 2 :: 2]
    for how in ways:
        moment, fault = FAULTS[how]
        for number in numbers(scene, how):
            station.load(before)
            s3.requests.clear()
            setattr(s3, moment, countdown(number, lambda fault=fault: fault))
            with impatience() if fault is Cut.SILENT else contextlib.nullcontext():
                done = station.run(*todo.arguments)
            s3.before = s3.after = None
            if len(s3.requests) < number:
                break
            assert_told(done, f"{how} {number}: {s3.requests[number - 1]}")
            converges(station, todo)


@every_scene
def test_a_step_here_that_fails_loses_nothing(
    scene: Begin,
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
    scene: Begin,
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


@every_scene
def test_a_run_that_hangs_can_be_interrupted_and_loses_nothing(
    scene: Begin,
    station: Station,
    originals: list[Path],
) -> None:
    todo = scene(station, originals)
    before = station.save()
    turn, moments = SCENES.index(scene), ("before", "after")
    for moment in moments if IS_LONG else [moments[turn % 2]]:
        for number in numbers(scene, moment):
            station.load(before)
            done = station.run_interrupted(moment, number, *todo.arguments)
            if not done.err:
                assert (done.code, number > 1) == (0, True)
                break
            assert (done.code, done.err) == INTERRUPTED
            converges(station, todo)
