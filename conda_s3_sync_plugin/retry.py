"""Trying again, where several write at once."""

from __future__ import annotations

import time
from random import SystemRandom
from typing import Final

from .exceptions import StoreError

#: How often one thing is tried, on top of what botocore itself retries.
TRIES: Final = 6

_random = SystemRandom()


def pause(attempt: int) -> None:
    """Wait for a random time, so that those who met once do not meet again."""
    time.sleep(_random.uniform(0, 0.02 * 2**attempt))


def unsettled(doing: str) -> StoreError:
    """Return the error of a write that was neither done nor refused."""
    return StoreError(
        f"Cannot {doing}: other writes keep getting in the way.",
        hint="Try again in some minutes.",
    )
