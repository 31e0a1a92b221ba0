"""Count how often the standalone command ends with another exit code than 0.

    .venvs/without-conda/bin/python benchmarks/exits.py [-n RUNS]

Libraries of threads may crash a python that ends, after all the work is done. N runs
have nothing to do, and N have a package to add or to remove, in turn; after each one,
its exit code, its output and the environment are looked at.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "tests"))

from machine import Machine  # noqa: E402
from s3server import S3Server  # noqa: E402
from usual_channel import make_usual_channel  # noqa: E402

if TYPE_CHECKING:
    from collections.abc import Callable

# The settings of whoever runs this are for another server than the one on loopback.
for _name in [name for name in os.environ if name.startswith("AWS_")]:
    del os.environ[_name]
os.environ["NO_PROXY"] = os.environ["no_proxy"] = "127.0.0.1,localhost"

COMMAND = (sys.executable, "-m", "conda_s3_sync_plugin")

#: The summary of a run, and what the environment has after it.
NOTHING = (": 1 in step", ["acty"])
UPDATES = ((": 1 pulled", ["acty", "lib00"]), (": 1 pulled", ["acty"]))


def main() -> int:
    """Set up, run, count, print."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("-n", type=int, default=200, help="runs of each (default: 200)")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder, S3Server() as server:
        channel = make_usual_channel(Path(folder, "channel"))
        machine = Machine(
            Path(folder, "machine"), channels=[channel.url], endpoint=server.endpoint
        )
        bucket = server.new_bucket()

        def put(*specs: str) -> None:
            body = f"channels: [{channel.url}]\ndependencies: [{', '.join(specs)}]\n"
            server.client.put_object(Bucket=bucket, Key="e.yml", Body=body.encode())

        put("acty")
        machine.run(*COMMAND, bucket)
        count("nothing to do", options.n, lambda turn: check(machine, bucket, NOTHING))

        def update(turn: int) -> str:
            put("acty", *([] if turn % 2 else ["lib00"]))
            return check(machine, bucket, UPDATES[turn % 2])

        count("a small update", options.n, update)
    return 0


def count(what: str, runs: int, run: Callable[[int], str]) -> None:
    """Run something again and again, and print what came of it."""
    start = time.perf_counter()
    found = Counter(map(run, range(runs)))
    seconds = (time.perf_counter() - start) / runs
    outcomes = ", ".join(f"{number} {outcome}" for outcome, number in found.items())
    print(f"{what:16}{runs:>5} runs of {seconds:.2f} s: {outcomes}", flush=True)


def check(machine: Machine, bucket: str, expected: tuple[str, list[str]]) -> str:
    """Run the command once, and say in words what became of it."""
    summary, packages = expected
    done = machine.run(*COMMAND, bucket, check=False)
    if done.returncode:
        return f"with exit code {done.returncode}"
    if not done.stdout.endswith(f"{summary}\n") or done.stderr:
        return "with other output"
    return "well" if [*machine.packages("e")] == packages else "with other packages"


if __name__ == "__main__":
    sys.exit(main())
