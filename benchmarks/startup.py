"""What having the plugin installed costs every other command of conda.

`conda info` in two throw-away virtual environments that see the same conda, and in all
else are empty. Into one of them the plugin is installed as people do it, not editable
and with all its dependencies, because conda looks through everything that is installed.
"""

from __future__ import annotations

import os
import re
import resource
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

from lab import ROOT, rotated  # isort: skip

sys.path.insert(0, str(ROOT / "dev"))

from find_conda import find_conda

if TYPE_CHECKING:
    from lab import Lab
    from machine import Machine

INFO = ("-m", "conda", "info")

#: Where garbage is collected is chance: it would count for the module that is imported.
WITHOUT_COLLECTING = (
    "import gc, sys; gc.disable(); sys.argv[0] = 'conda'; "
    "from conda.cli import main; main()"
)
PLUGIN = "conda_s3_sync_plugin.plugin"


def startup(lab: Lab) -> None:
    """Run `conda info` with the plugin and without it."""
    machine = lab.machine("other", "conda")
    pythons = {name: make_venv(lab.folder / name) for name in ("without", "with")}
    install(pythons["with"])
    check(machine, **{f"{name}_it": python for name, python in pythons.items()})
    for turn in range(3 * lab.runs):
        for name in rotated([*pythons], turn):
            start, used = time.perf_counter(), cpu_of_children()
            machine.run(pythons[name], *INFO)
            lab.note("startup", "seconds", name, time.perf_counter() - start)
            lab.note("startup", "seconds of CPU", name, cpu_of_children() - used)
    for _ in range(lab.runs):
        spent, number = import_time(machine, *pythons.values())
        lab.note("startup", "imports, in ms", "with", spent)
        lab.note("startup", "modules", "with", number)


def make_venv(folder: Path) -> Path:
    """Make a virtual environment that sees the conda that was found; return python."""
    run(sys.executable, "-m", "venv", "--without-pip", folder)
    python = folder / "bin" / "python"
    site = run(python, "-c", "import sysconfig as s; print(s.get_path('purelib'))")
    lines = "".join(f"{entry}\n" for entry in find_conda().folders)
    Path(site, "zz_conda.pth").write_text(lines)
    return python


def install(python: Path) -> None:
    """Install the plugin, with bytecode, as people do."""
    run(sys.executable, "-m", "pip", "--python", python, "install", "-q", ROOT)


def run(*command: str | Path) -> str:
    """Run a command that must succeed; return what it prints."""
    environment = {
        name: text for name, text in os.environ.items() if not name.startswith("PYTHON")
    }
    text = subprocess.check_output(command, env=environment, text=True)  # noqa: S603
    return text.strip()


def check(machine: Machine, without_it: Path, with_it: Path) -> None:
    """See that just one of them has the plugin: or else two equal things are compared.

    These runs also bring everything into the caches of the system.
    """
    for python, there in ((without_it, False), (with_it, True)):
        shown = machine.run(python, "-m", "conda", "config", "--show").stdout
        if ("s3_sync_location" in shown) is not there:
            sys.exit(f"{python}: the plugin is {'not ' if there else ''}there")
        machine.run(python, *INFO)


def cpu_of_children() -> float:
    """Return the seconds of CPU of all processes that have ended."""
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


def import_time(machine: Machine, without: Path, with_it: Path) -> tuple[float, int]:
    """Return the milliseconds of what only the plugin imports, and how much that is."""
    usual = imports(machine, without, "-c", WITHOUT_COLLECTING, "info")
    more = imports(machine, with_it, "-c", WITHOUT_COLLECTING, "info")
    # python does not time what is imported by an entry point.
    more |= imports(machine, with_it, "-c", "import conda.cli, pluggy, " + PLUGIN)
    extra = [more[name] for name in more.keys() - usual.keys()]
    return sum(extra) / 1000, len(extra)


def imports(machine: Machine, python: Path, *command: str) -> dict[str, int]:
    """Return what a command imports, with the microseconds of each module alone."""
    done = machine.run(python, "-X", "importtime", *command)
    lines = re.findall(r"^import time: +(\d+) \| +\d+ \| +(\S+)$", done.stderr, re.M)
    return {name: int(alone) for alone, name in lines}
