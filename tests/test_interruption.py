"""A run can be interrupted at any moment, also where python loses what is raised."""

from __future__ import annotations

import signal
import sys
import threading
import weakref
from typing import TYPE_CHECKING

import pytest
from fake_machine import errors, is_quiet, make_pair

from conda_s3_sync_plugin.interruption import not_lost

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

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


def lose_an_interruption() -> None:
    """Press Ctrl-C where python loses it, and wait for what will not come."""
    while_something_goes(interrupt)
    threading.Event().wait(_LONG)


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


def test_it_ends_a_run_that_waits(tmp_path: Path) -> None:
    a, _ = make_pair(tmp_path)
    for name in ("one", "two"):
        a.engine.edit(name, {"numpy": "1"})

    def lose(operation: str, _: str) -> None:
        if operation == "save":
            lose_an_interruption()

    with pytest.raises(KeyboardInterrupt):
        a.run(lose)
    assert not errors(a.sync())
    assert is_quiet(a.sync())
