"""A run can be interrupted at any moment, also where python loses what is raised."""

from __future__ import annotations

import signal
import sys
import threading
import weakref
from concurrent.futures import Future
from concurrent.futures import TimeoutError as NotYet
from queue import SimpleQueue
from typing import TYPE_CHECKING, Any

import pytest

from conda_s3_sync_plugin import __main__, cli, interruption
from conda_s3_sync_plugin.interruption import not_lost, result_of, wait_for

if TYPE_CHECKING:
    from collections.abc import Callable

#: As long as somebody would wait who is not interrupted.
_LONG = 30


class Thing:
    """Something that can go."""


def interrupt() -> None:
    """Press Ctrl-C."""
    signal.raise_signal(signal.SIGINT)


def while_something_goes(happens: Callable[[], None]) -> None:
    """Let this happen where nobody can catch what it raises."""
    thing = Thing()
    reference = weakref.ref(thing, lambda _: happens())
    del thing
    assert reference() is None


def lose_an_interruption(*_: object, **__: object) -> None:
    """Press Ctrl-C where python loses it, and wait for what will not come."""
    while_something_goes(interrupt)
    wait_for(SimpleQueue(), _LONG)


def test_an_interruption_that_python_loses_comes_again(
    capsys: pytest.CaptureFixture[str],
) -> None:
    with pytest.raises(KeyboardInterrupt), not_lost():
        lose_an_interruption()
    assert capsys.readouterr() == ("", "")


def test_what_else_is_lost_is_told_as_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    told: list[object] = []
    monkeypatch.setattr(sys, "unraisablehook", lambda lost: told.append(lost.exc_type))
    with not_lost():
        while_something_goes(lambda: [].remove(1))
        assert told == [ValueError]
    while_something_goes(interrupt)
    assert told == [ValueError, KeyboardInterrupt]


def test_our_own_command_ends_with_it(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(__main__, "_run", lose_an_interruption)
    assert __main__.main([]) == 130
    assert capsys.readouterr() == ("", "conda-s3-sync: interrupted\n")


@pytest.mark.conda
def test_the_command_of_conda_ends_with_it(monkeypatch: pytest.MonkeyPatch) -> None:
    from conda_s3_sync_plugin import plugin

    monkeypatch.setattr(cli, "execute", lose_an_interruption)
    with pytest.raises(KeyboardInterrupt):
        plugin.execute(cli.no_flags())


@pytest.mark.conda
def test_what_follows_a_command_of_conda_ends_with_it(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from conda_s3_sync_plugin import autosync, plugin

    monkeypatch.setattr(autosync, "share", lose_an_interruption)
    autosync.follow(plugin.make_engine)
    told = "what was changed here is shared after the next command"
    assert capsys.readouterr().err == f"s3-sync: interrupted; {told}\n"


class NeverReady(Future[Any]):
    """What is interrupted while one waits for it, in a way that wakes nobody."""

    def result(self, timeout: float | None = None) -> Any:
        assert timeout is not None, "until then, nobody would see it"
        interrupt_in_the_dark()
        return super().result(timeout)


class NeverRung(SimpleQueue[None]):
    """The same, of bells."""

    def get(self, block: bool = True, timeout: float | None = None) -> None:
        assert timeout is not None
        assert timeout < _LONG
        interrupt_in_the_dark()
        return super().get(block, timeout)


def interrupt_in_the_dark() -> None:
    """Press Ctrl-C so that only who looks for it sees it: as a wait begins."""
    threading.Timer(0.1, interruption.interrupt_main).start()


def test_an_interruption_that_wakes_nobody_ends_a_wait() -> None:
    with pytest.raises(KeyboardInterrupt):
        result_of(NeverReady())
    with pytest.raises(KeyboardInterrupt):
        wait_for(NeverRung(), _LONG)


@pytest.fixture
def awaited(monkeypatch: pytest.MonkeyPatch) -> Future[int]:
    """What takes longer than one waits at a time."""
    monkeypatch.setattr(interruption, "_PIECE", 0.01)
    return Future()


def test_a_result_is_waited_for(awaited: Future[int]) -> None:
    threading.Timer(0.1, awaited.set_result, [7]).start()
    assert result_of(awaited) == 7


@pytest.mark.parametrize("error", [NotYet("of the work"), ValueError("x")])
def test_what_the_work_has_raised_is_raised(
    error: Exception, awaited: Future[int]
) -> None:
    threading.Timer(0.1, awaited.set_exception, [error]).start()
    with pytest.raises(type(error), match=str(error)):
        result_of(awaited)


def test_a_bell_ends_a_wait_and_so_does_the_time() -> None:
    bell: SimpleQueue[None] = SimpleQueue()
    wait_for(bell, 0.01)
    bell.put(None)
    wait_for(bell, _LONG)
    assert bell.empty()
