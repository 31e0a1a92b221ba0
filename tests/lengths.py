"""How long tests with random examples run: `make test-long` has them run for long."""

from __future__ import annotations

import os
from itertools import product
from typing import TYPE_CHECKING, Any

import pytest
from conda_here import HAS_CONDA
from hypothesis import HealthCheck, Phase, settings

if TYPE_CHECKING:
    from collections.abc import Sequence

#: "long"; "debug" is as long, and shrinks nothing.
_LENGTH = os.environ.get("S3_SYNC_TESTS", "")
IS_LONG = bool(_LENGTH)

#: For what acts on no environment, and takes long: in one lane, that is enough.
IS_LONG_ONCE = IS_LONG and not HAS_CONDA


def profile(*, usual: int, long: int, **more: Any) -> settings:
    """Return the settings of a test: how many examples it tries."""
    common = settings(
        deadline=None,
        print_blob=True,
        suppress_health_check=list(HealthCheck),
        **more,
    )
    if not IS_LONG:
        # The same examples on every computer, and every time.
        return settings(common, max_examples=usual, derandomize=True, database=None)
    phases = [Phase.generate] if _LENGTH == "debug" else list(Phase)
    return settings(common, max_examples=long, phases=phases)


def every(names: str, *axes: Sequence[Any]) -> pytest.MarkDecorator:
    """Let a test have all combinations; in a usual run a few, but each value in one."""
    rows = range(max(map(len, axes)))
    few = [tuple(axis[row % len(axis)] for axis in axes) for row in rows]
    values = list(product(*axes)) if IS_LONG else few
    return pytest.mark.parametrize(names, values, ids=_name)


def _name(value: Any) -> str:
    return getattr(value, "__name__", str(value))
