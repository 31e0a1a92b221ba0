"""Show two machines with one bucket: what `make demo` runs, beside a conda.

Everything is real but the size: moto's S3 server on loopback, a channel of small
packages, and two throw-away conda installations in a temporary folder.
"""

from __future__ import annotations

import os
import sys
import tempfile
import textwrap
from pathlib import Path
from typing import TYPE_CHECKING

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests"))

# The settings of whoever runs this are for their own bucket, and their own conda.
for _name in [name for name in os.environ if name.startswith(("AWS_", "CONDA"))]:
    del os.environ[_name]
os.environ["AWS_CONFIG_FILE"] = os.environ["AWS_SHARED_CREDENTIALS_FILE"] = os.devnull

from machine import (  # type: ignore[import-not-found] # noqa: E402
    NO_WAY_OUT,
    Machine,
)
from make_wheels import make_usual_wheels  # type: ignore[import-not-found] # noqa: E402
from s3server import S3Server  # type: ignore[import-not-found] # noqa: E402
from usual_channel import (  # type: ignore[import-not-found] # noqa: E402
    make_usual_channel,
)

if TYPE_CHECKING:
    from subprocess import CompletedProcess

os.environ.update(NO_WAY_OUT)

BUCKET = "team-bucket"
LOCATION = f"{BUCKET}/envs"


class Terminal:
    """A terminal on one machine: commands are shown as they are typed, and run."""

    def __init__(self, machine: Machine) -> None:
        self.machine = machine

    def do(self, line: str) -> None:
        """Run a command; what conda and pip print of their own matters little here."""
        self._run(line)

    def show(self, line: str) -> None:
        """Run a command, and show what it prints."""
        done = self._run(line)
        print(textwrap.indent(done.stdout + done.stderr, "    "), end="", flush=True)

    def _run(self, line: str) -> CompletedProcess[str]:
        print(f"  {self.machine.root.name}$ {line}", flush=True)
        program, *arguments = line.split()
        if program == "conda":
            done: CompletedProcess[str] = self.machine.conda(*arguments)
        else:
            done = self.machine.pip("ml", *arguments)
        return done


def main() -> int:
    """Tell the story, from an empty bucket to a run with nothing to do."""
    with (
        tempfile.TemporaryDirectory(prefix="s3-sync-demo-") as folder,
        S3Server() as server,
    ):
        tell(Path(folder), server)
    say(
        "That is all. README.rst goes on from here: installing it for a conda of your "
        "own, credentials and settings, and what happens when both sides have changed."
    )
    return 0


def tell(folder: Path, server: S3Server) -> None:
    """Send environments to and fro between two machines."""
    channel = make_usual_channel(folder / "channel")
    wheels = make_usual_wheels(folder / "wheels")
    server.client.create_bucket(Bucket=BUCKET)
    given = {"channels": [channel.url], "wheels": wheels, "endpoint": server.endpoint}
    a, b = (Terminal(Machine(folder / name, **given)) for name in ("anna", "ben"))

    say("Two machines, and an empty bucket. Anna makes two environments:")
    a.do("conda create -n ml python pip lib05=1.0")
    a.do("pip install hello==1.0")
    a.do("conda env config vars set -n ml MODE=fast")
    a.do("conda create -n web lib01")

    say("She synchronizes:")
    a.show(f"conda s3-sync {LOCATION}")

    say("In the bucket, each is a plain environment.yml, for people and for conda:")
    body = server.client.get_object(Bucket=BUCKET, Key="envs/web.yml")["Body"].read()
    print(textwrap.indent(f"envs/web.yml\n\n{body.decode()}", "    "), end="")

    say("Ben has none of them. The same command brings both, exactly as they are:")
    b.show(f"conda s3-sync {LOCATION}")
    b.show("conda list -n ml")
    check_same(a.machine, b.machine)

    say("Ben changes one: another version, one package more, and one of pip's less:")
    b.do("conda install -n ml lib05=2.0 acty")
    b.do("pip uninstall --yes hello")
    b.show(f"conda s3-sync {LOCATION}")

    say("Back at Anna's, the changes arrive, and what Ben removed goes here, too:")
    a.show(f"conda s3-sync {LOCATION}")
    a.show("conda list -n ml")
    check_same(a.machine, b.machine)

    say("A third run has nothing to do. It asks S3 once, and reads no environment:")
    server.requests.clear()
    a.show(f"conda s3-sync {LOCATION}")
    b.show(f"conda s3-sync {LOCATION}")
    check(server.counts() == {"LIST": 2}, f"S3 was asked for {server.counts()}")


def check_same(one: Machine, other: Machine) -> None:
    """Fail where two machines differ in anything that was to travel."""
    for name in ("ml", "web"):
        for what in ("packages", "pip_packages", "variables"):
            values = [getattr(machine, what)(name) for machine in (one, other)]
            check(values[0] == values[1], f"{what} of {name} differ: {values}")


def check(condition: bool, otherwise: str) -> None:
    """Fail loudly: a demo that shows something else than it says is no demo."""
    if not condition:
        sys.exit(f"\nthe demo FAILED: {otherwise}")


def say(text: str) -> None:
    """Print what happens next."""
    print(f"\n{textwrap.fill(text, 79)}\n", flush=True)


if __name__ == "__main__":
    sys.exit(main())
