"""How much memory a command needs."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from machine import PYTHONS

if TYPE_CHECKING:
    from machine import Machine

#: Runs a program, and says how much memory it had.
PEAK = """
import resource, subprocess, sys
subprocess.run(sys.argv[1:], check=True, stdout=subprocess.DEVNULL)
print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)
"""


def peak(machine: Machine, *command: str) -> float:
    """Run a module of python, and return how many MiB it had in memory at most."""
    python = PYTHONS[machine.kind]
    # By a small program: a process has had what its parent has, as the system sees it.
    words = (python, "-c", PEAK, python, "-m", *command)
    unit = 1 if sys.platform == "darwin" else 1024  # bytes there, else KiB
    return int(machine.run(*words).stdout) * unit / 2**20
