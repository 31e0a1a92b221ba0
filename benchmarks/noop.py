"""Measure a run that has nothing to do, beside the original doing the same.

    .venvs/with-conda/bin/python benchmarks/noop.py [-n ENVIRONMENTS] [-k RUNS]

One throw-away machine, one S3 server on loopback, and N environments, which are copies
of one that was solved: enough for programs that only read them. Both have pushed all of
them before. Their runs alternate, so that a busy computer slows down both.
"""

from __future__ import annotations

import argparse
import os
import shutil
import statistics
import sys
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "tests"))

from machine import Machine  # noqa: E402
from s3server import S3Server  # noqa: E402
from seed import SEED, Seed, install_seed  # noqa: E402
from usual_channel import make_usual_channel  # noqa: E402

if TYPE_CHECKING:
    from collections.abc import Callable

# The settings of whoever runs this are for another server than the one on loopback.
for _name in [name for name in os.environ if name.startswith("AWS_")]:
    del os.environ[_name]
os.environ["NO_PROXY"] = os.environ["no_proxy"] = "127.0.0.1,localhost"

#: Runs `conda ARGUMENTS`, and says last how many environments were exported.
COUNTING = """
import sys
from conda.cli.main import main_subshell
from conda_s3_sync_plugin.engines.conda import CondaEngine

count, export = 0, CondaEngine.export
def counted(*args):
    global count
    count += 1
    return export(*args)
CondaEngine.export = counted
main_subshell(*sys.argv[1:])
print(count)
"""


@dataclass
class Column:
    """One program and what was measured of it."""

    name: str
    run: Callable[[], object]
    requests: dict[str, int] = field(default_factory=dict)
    conda: int = 0
    exports: int = 0
    seconds: list[float] = field(default_factory=list)


def main() -> int:
    """Set up, measure, print."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("-n", type=int, default=50, help="environments (default: 50)")
    parser.add_argument("-k", type=int, default=5, help="runs of each (default: 5)")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder, S3Server() as server:
        columns, packages = measure(Path(folder), server, options.n, options.k)
    print(f"nothing to do: {options.n} environments of {packages} packages,")
    print(f"S3 on loopback, median of {options.k} runs each, alternating\n")
    print_table(columns)
    return 0


def measure(
    folder: Path, server: S3Server, number: int, runs: int
) -> tuple[list[Column], int]:
    """Return what both programs need, and of how many packages the copies are."""
    executable = install_seed(folder / "seed")  # first: it may be that it cannot be had
    channel = make_usual_channel(folder / "channel")
    machine = Machine(folder / "a", channels=[channel.url], endpoint=server.endpoint)
    machine.create("env-000", "lib19")
    for index in range(1, number):
        shutil.copytree(machine.prefix("env-000"), machine.prefix(f"env-{index:03d}"))
    bucket = server.new_bucket()
    seed = Seed(machine, executable)
    ours = Column("ours", lambda: machine.sync(f"{bucket}/ours"))
    theirs = Column(SEED, lambda: seed.sync(f"{bucket}/theirs"))
    for column in (ours, theirs):
        column.run()
    for _ in range(runs):
        for column in (ours, theirs):
            server.requests.clear()
            start = time.perf_counter()
            column.run()
            column.seconds.append(time.perf_counter() - start)
            column.requests = server.counts()
    theirs.conda = len(seed.calls)
    theirs.exports = sum(call.startswith("env export") for call in seed.calls)
    # In a run of its own: it is not to slow down one that is measured.
    counted = machine.run(
        sys.executable, "-c", COUNTING, "s3-sync", "-q", f"{bucket}/ours"
    )
    ours.conda, ours.exports = 1, int(counted.stdout)
    return [ours, theirs], len(machine.packages("env-000"))


def print_table(columns: list[Column]) -> None:
    """Print one line for each program, and how many times faster ours is."""
    print(f"{'':22}{'requests':>10}{'conda':>8}{'exports':>9}{'seconds':>9}")
    for column in columns:
        print(
            f"{column.name:22}{sum(column.requests.values()):>10}{column.conda:>8}"
            f"{column.exports:>9}{statistics.median(column.seconds):>9.2f}"
            f"   {min(column.seconds):.2f} to {max(column.seconds):.2f}"
            f"   {', '.join(f'{k} {v}' for k, v in sorted(column.requests.items()))}"
        )
    ours, theirs = (statistics.median(column.seconds) for column in columns)
    print(f"\n{theirs / ours:.1f} times faster")


if __name__ == "__main__":
    sys.exit(main())
