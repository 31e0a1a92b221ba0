"""The original, conda-s3-sync 0.2.0: in a virtual environment of its own, and run."""

from __future__ import annotations

import os
import subprocess
import sys
from typing import TYPE_CHECKING

from machine import CLOSED_DOOR

if TYPE_CHECKING:
    from pathlib import Path

    from machine import Machine

SEED = "conda-s3-sync==0.2.0"

#: Not for the one pip that is to reach PyPI as people do.
NOT_FOR_PIP = ("PIP_", "CONDA", "AWS_", "PYTHON", "VIRTUAL_ENV")


class NoSeed(Exception):
    """The original cannot be installed here."""


def install_seed(folder: Path) -> Path:
    """Install the original into a virtual environment; return its executable.

    Raise NoSeed.
    """
    environment = {
        name: text
        for name, text in os.environ.items()
        if not name.startswith(NOT_FOR_PIP) and text != CLOSED_DOOR
    }
    commands = (
        [sys.executable, "-m", "venv", "--without-pip", str(folder)],
        [sys.executable, "-m", "pip", "--python", str(folder / "bin" / "python")]
        + ["install", "-q", "--retries", "1", SEED],
    )
    for command in commands:
        done = subprocess.run(command, env=environment, capture_output=True, text=True)
        if done.returncode:
            words = done.stderr.strip().splitlines() or ["without a word"]
            raise NoSeed(f"{SEED} cannot be installed from PyPI: {words[-1]}")
    return folder / "bin" / "conda-s3-sync"


class Seed:
    """The original on one machine, with a `conda` that leaves a record of its calls."""

    def __init__(self, machine: Machine, executable: Path) -> None:
        self._machine = machine
        self._executable = executable
        self._log = machine.root / "conda-calls"
        self._conda = machine.root / "conda"
        self._conda.write_text(
            f'#!/bin/sh\necho "$@" >> "{self._log}"\n'
            f'exec "{sys.executable}" -m conda "$@"\n'
        )
        self._conda.chmod(0o755)
        # Other solvers may abort when all is done, which it takes for a failure.
        machine.environment["CONDA_SOLVER"] = "classic"

    def sync(
        self, *arguments: str | Path, check: bool = True
    ) -> subprocess.CompletedProcess[str]:
        """Run `conda-s3-sync ARGUMENTS`."""
        self._log.unlink(missing_ok=True)
        command = (self._executable, "--conda-bin", self._conda, *arguments)
        return self._machine.run(*command, check=check)

    @property
    def calls(self) -> list[str]:
        """What it has asked conda for in its last run."""
        return self._log.read_text().splitlines()
