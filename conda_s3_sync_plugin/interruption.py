"""Ctrl-C, where python would lose it."""

from __future__ import annotations

import contextlib
import sys
import time
from _thread import interrupt_main, start_new_thread
from concurrent.futures import TimeoutError as NotYet
from queue import Empty
from typing import TYPE_CHECKING, Final, TypeVar

if TYPE_CHECKING:
    from collections.abc import Iterator
    from concurrent.futures import Future
    from queue import SimpleQueue
    from sys import UnraisableHookArgs

T = TypeVar("T")

#: After how many seconds an interruption comes again: what lost it is over by then.
_SOON: Final = 0.01

#: How many seconds one waits at a time. A signal that comes as a wait begins is seen
#: when that ends, and on Windows every signal is.
_PIECE: Final = 0.5


@contextlib.contextmanager
def not_lost() -> Iterator[None]:
    """Let a KeyboardInterrupt that nobody could catch come again, until it is caught.

    What is raised in a finalizer or in a callback of a weak reference, of which an
    import has many, python prints and forgets (`sys.unraisablehook`): the program
    would go on, and might wait for a server that never answers.
    """
    usual = sys.unraisablehook

    def hook(lost: UnraisableHookArgs) -> None:
        if issubclass(lost.exc_type, KeyboardInterrupt):
            # A `threading.Thread` needs locks, which we may have interrupted.
            start_new_thread(_interrupt_again, ())
        else:
            usual(lost)

    sys.unraisablehook = hook
    try:
        yield
    finally:
        sys.unraisablehook = usual


def _interrupt_again() -> None:
    time.sleep(_SOON)
    interrupt_main()


def result_of(future: Future[T]) -> T:
    """Wait for a result, so that one can be interrupted; raise what its work raised."""
    while not future.done():
        with contextlib.suppress(NotYet):
            return future.result(_PIECE)
    return future.result()


def wait_for(bell: SimpleQueue[None], seconds: float) -> None:
    """Wait for a bell, so that one can be interrupted, but for so long at most."""
    end = time.monotonic() + seconds
    while (left := end - time.monotonic()) > 0:
        with contextlib.suppress(Empty):
            return bell.get(timeout=min(left, _PIECE))
