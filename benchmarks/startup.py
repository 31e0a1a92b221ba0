"""Measure what having the plugin installed costs every other conda command.

    .venvs/with-conda/bin/python benchmarks/startup.py [-k RUNS]

`conda info` in two throw-away virtual environments that see the same conda, and in all
else are empty. Into one of them the plugin is installed as people do it, not editable
and with all its dependencies, because conda looks through everything that is installed.
The runs alternate, so that a busy computer slows down both.
"""

from __future__ import annotations

import argparse
import os
import re
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT / "tests"), str(ROOT / "dev")]

from find_conda import find_conda  # noqa: E402
from machine import Machine  # noqa: E402

INFO = ("-m", "conda", "info")

#: Where garbage is collected is chance: it would count for the module that is imported.
WITHOUT_COLLECTING = (
    "import gc, sys; gc.disable(); sys.argv[0] = 'conda'; "
    "from conda.cli import main; main()"
)
PLUGIN = "conda_s3_sync_plugin.plugin"


def main() -> int:
    """Set up, measure, print."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("-k", type=int, default=15, help="runs of each (default: 15)")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        machine = Machine(Path(folder, "machine"))
        without = make_venv(Path(folder, "without"))
        with_it = make_venv(Path(folder, "with"))
        install(with_it)
        check(machine, without, with_it)
        runs = measure(machine, (without, with_it), options.k)
        imported, modules = import_time(machine, without, with_it)
    print(f"conda info, median of {options.k} runs each, alternating, in ms\n")
    print(f"{'':10}{'without':>10}{'with':>10}{'difference':>12}")
    for name, columns in zip(("wall", "CPU"), zip(*runs, strict=True), strict=True):
        print_row(name, [[run[i] * 1000 for run in columns] for i in (0, 1)])
    print(f"\nits imports: {imported:.1f} ms, {modules} modules, best of 5")
    return 0


def print_row(name: str, columns: list[list[float]]) -> None:
    """Print medians and their difference, and the same of the best runs."""
    for kind, value in (("median", statistics.median), ("best", min)):
        without, with_it = map(value, columns)
        label = f"{name} {kind}"
        print(f"{label:12}{without:8.1f}{with_it:10.1f}{with_it - without:+12.1f}")


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


def check(machine: Machine, without: Path, with_it: Path) -> None:
    """See that just one of them has the plugin: or else two equal things are compared.

    These runs also bring everything into the caches of the system.
    """
    for python, there in ((without, False), (with_it, True)):
        shown = machine.run(python, "-m", "conda", "config", "--show").stdout
        if ("s3_sync_location" in shown) is not there:
            sys.exit(f"{python}: the plugin is {'not ' if there else ''}there")
        machine.run(python, *INFO)


def measure(
    machine: Machine, pythons: tuple[Path, Path], runs: int
) -> list[tuple[list[float], list[float]]]:
    """Return of each run the seconds on the wall and of CPU, without and with."""
    results = []
    for number in range(runs):
        wall, cpu = [0.0, 0.0], [0.0, 0.0]
        # Each is first as often as the other: what was just run is still warm.
        for which in ((0, 1), (1, 0))[number % 2]:
            start, used = time.perf_counter(), cpu_of_children()
            machine.run(pythons[which], *INFO)
            wall[which] = time.perf_counter() - start
            cpu[which] = cpu_of_children() - used
        results.append((wall, cpu))
    return results


def cpu_of_children() -> float:
    """Return the seconds of CPU of all processes that have ended."""
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


def import_time(machine: Machine, without: Path, with_it: Path) -> tuple[float, int]:
    """Return the milliseconds of the imports that only the plugin causes, and how many.

    The best of 5.
    """
    results = []
    for _ in range(5):
        info = ("-c", WITHOUT_COLLECTING, "info")
        usual = imports(machine, without, *info)
        more = imports(machine, with_it, *info)
        # python does not time what is imported by an entry point.
        more |= imports(machine, with_it, "-c", "import conda.cli, pluggy, " + PLUGIN)
        extra = [more[name] for name in more.keys() - usual.keys()]
        results.append((sum(extra) / 1000, len(extra)))
    return min(results)


def imports(machine: Machine, python: Path, *command: str) -> dict[str, int]:
    """Return what a command imports, with the microseconds of each module alone."""
    done = machine.run(python, "-X", "importtime", *command)
    lines = re.findall(r"^import time: +(\d+) \| +\d+ \| +(\S+)$", done.stderr, re.M)
    return {name: int(alone) for alone, name in lines}


if __name__ == "__main__":
    sys.exit(main())
