"""Show two machines with one bucket: what `make demo` runs, on any machine.

Everything is real but the size: moto's S3 server on loopback, a channel of small
packages with a python and a pip, and two computers in a temporary folder. There is no
conda on them: py-rattler makes the environments, as it does for pixi.
"""

from __future__ import annotations

import os
import sys
import tempfile
import textwrap
from pathlib import Path

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

os.environ.update(NO_WAY_OUT)

BUCKET = "team-bucket"
LOCATION = f"{BUCKET}/envs"


class Person:
    """Somebody at a machine: what they do is told, what they run is shown."""

    def __init__(self, machine: Machine) -> None:
        self.machine = machine
        self.name = machine.root.name

    def creates(self, name: str, *specs: str) -> None:
        """Create an environment."""
        self._tell(f"create {name}: {' '.join(specs)}")
        self.machine.create(name, *specs)

    def installs(self, name: str, *specs: str) -> None:
        """Install packages into an environment."""
        self._tell(f"install into {name}: {' '.join(specs)}")
        self.machine.install(name, *specs)

    def sets(self, name: str, **variables: str) -> None:
        """Set variables of an environment."""
        pairs = " ".join(f"{key}={value}" for key, value in variables.items())
        self._tell(f"set in {name}: {pairs}")
        self.machine.set_variables(name, **variables)

    def pip(self, name: str, *arguments: str) -> None:
        """Run the pip of an environment."""
        self._tell(f"envs/{name}/bin/pip {' '.join(arguments)}", "$")
        self.machine.pip(name, *arguments)

    def syncs(self) -> None:
        """Run the command, and show what it prints."""
        self._tell(f"conda-s3-sync {LOCATION}", "$")
        done = self.machine.sync(LOCATION)
        print(textwrap.indent(done.stdout + done.stderr, "    "), end="", flush=True)

    def lists(self, name: str) -> None:
        """Show all packages of an environment."""
        conda = {key: what[0] for key, what in self.machine.packages(name).items()}
        for kind, packages in (
            ("conda", conda),
            ("pip", self.machine.pip_packages(name)),
        ):
            for package, version in packages.items():
                print(f"    {package:10} {version:10} {kind}", flush=True)

    def _tell(self, what: str, sign: str = ":") -> None:
        print(f"  {self.name}{sign} {what}", flush=True)


def main() -> int:
    """Tell the story, from an empty bucket to a run with nothing to do."""
    with (
        tempfile.TemporaryDirectory(prefix="s3-sync-demo-") as folder,
        S3Server() as server,
    ):
        tell(Path(folder), server)
    say(
        "That is all. With conda, the command is `conda s3-sync`. README.rst goes on "
        "from here: installing it, credentials and settings, and what happens when "
        "both sides have changed."
    )
    return 0


def tell(folder: Path, server: S3Server) -> None:
    """Send environments to and fro between two machines."""
    channel = make_usual_channel(folder / "channel")
    wheels = make_usual_wheels(folder / "wheels")
    server.client.create_bucket(Bucket=BUCKET)
    given = {"channels": [channel.url], "wheels": wheels, "endpoint": server.endpoint}
    anna, ben = (
        Person(Machine(folder / name, kind="standalone", **given))
        for name in ("anna", "ben")
    )

    say("Two machines, and an empty bucket. Anna makes two environments:")
    anna.creates("ml", "python", "pip", "lib05=1.0")
    anna.pip("ml", "install", "hello==1.0")
    anna.sets("ml", MODE="fast")
    anna.creates("web", "lib01")

    say("She synchronizes:")
    anna.syncs()

    say("In the bucket, each is a plain environment.yml, for people and for conda:")
    body = server.client.get_object(Bucket=BUCKET, Key="envs/web.yml")["Body"].read()
    print(textwrap.indent(f"envs/web.yml\n\n{body.decode()}", "    "), end="")

    say("Ben has none of them. The same command brings both, exactly as they are:")
    ben.syncs()
    ben.lists("ml")
    check_same(anna.machine, ben.machine)

    say("Ben changes one: another version, one package more, and one of pip's less:")
    ben.installs("ml", "lib05=2.0", "acty")
    ben.pip("ml", "uninstall", "--yes", "hello")
    ben.syncs()

    say("Back at Anna's, the changes arrive, and what Ben removed goes here, too:")
    anna.syncs()
    anna.lists("ml")
    check_same(anna.machine, ben.machine)

    say("A third run has nothing to do. It asks S3 once, and reads no environment:")
    server.requests.clear()
    anna.syncs()
    ben.syncs()
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
