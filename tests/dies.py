"""Our command, killed at one of its steps here: `dies.py NUMBER ARGUMENTS`."""

from __future__ import annotations

import os
import signal
import sys

from conda_here import HAS_CONDA
from station import countdown, watch

from conda_s3_sync_plugin.__main__ import run


def main() -> None:
    """Kill this process at a step, as a power failure does."""
    number = int(sys.argv.pop(1))
    if HAS_CONDA:
        from conda_s3_sync_plugin.engines.conda import CondaEngine as Engine
    else:
        from conda_s3_sync_plugin.engines.rattler import (  # type: ignore[assignment]
            RattlerEngine as Engine,
        )
    watch(Engine, countdown(number, lambda: os.kill(os.getpid(), signal.SIGKILL)))
    run()


if __name__ == "__main__":
    main()
