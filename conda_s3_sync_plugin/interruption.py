"""Ctrl-C, where python would lose it."""

from __future__ import annotations

import contextlib
import signal
import sys
import time
from _thread import interrupt_main, start_new_thread
from threading import main_thread
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterator
    from sys import UnraisableHookArgs

#: How many seconds later an interruption comes again: by then, what lost it is over.
_SOON: Final = 0.01


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
    if hasattr(signal, "pthread_kill"):
        # Unlike `interrupt_main`, it wakes a thread that waits.
        signal.pthread_kill(main_thread().ident or 0, signal.SIGINT)
    else:
        interrupt_main()
