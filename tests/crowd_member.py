"""One of many who edit and synchronize: called with SEED ROUNDS BUCKET WHIMS NAMES.

Prints, as JSON, all versions that it has made, what was said of runs that failed, and
what others were warned of.
"""

from __future__ import annotations

import contextlib
import io
import json
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path
from random import Random
from typing import TYPE_CHECKING, Any, NamedTuple

from conda_here import HAS_CONDA, forget_conda
from hand_made import write_variables

from conda_s3_sync_plugin.__main__ import main
from conda_s3_sync_plugin.condarc import Condarc
from conda_s3_sync_plugin.engines.installation import find_root
from conda_s3_sync_plugin.models import LocalEnv

if TYPE_CHECKING:
    from conda_s3_sync_plugin.engines.abstract import AbstractEngine

#: The variable that says where the environments are that can be copied from.
ORIGINALS = "CROWD_ORIGINALS"

#: So often a run may lose races, or find another one at work, one after the other.
PATIENCE = 400


class Member(NamedTuple):
    """Somebody with a machine."""

    engine: AbstractEngine[Any, Any]
    bucket: str
    random: Random

    def edit(self, name: str, whim: str, mark: str) -> tuple[str, str] | None:
        """Change an environment; return its name and digest, if it is there then."""
        prefix = self.engine.prefix_for(name)
        if whim in ("copy", "remove"):
            shutil.rmtree(prefix, ignore_errors=True)
        if whim == "remove":
            return None
        if not prefix.exists():
            originals = sorted(Path(os.environ[ORIGINALS]).glob("*/conda-meta"))
            original = self.random.choice(originals).parent
            shutil.copytree(original, prefix, symlinks=True)
            (prefix / "conda-meta" / "history").touch()  # it was made now
        write_variables(prefix, {"MADE": mark})
        if HAS_CONDA:
            forget_conda()
        env = self.engine.look(name, prefix)
        assert isinstance(env, LocalEnv)
        return name, self.engine.export(env).file.digest

    def sync(self) -> list[str]:
        """Run until it succeeds; return what was said on stderr, each time."""
        said: list[str] = []
        for _ in range(PATIENCE):
            prefer = self.random.choice(["newest", "local", "remote"])
            code, err = synchronize(self.bucket, "--prefer", prefer, *self._deletes())
            said.append(err)
            if code == 0:
                return said
            time.sleep(0.05)
        raise TimeoutError(said[-1])

    def _deletes(self) -> list[str]:
        return self.random.choice([[], [], ["--delete", "--force", "--yes"]])


def synchronize(*arguments: str) -> tuple[int, str]:
    """Run our command; return its exit code, and what it says on stderr."""
    if HAS_CONDA:  # which keeps too much in mind for a second run in this process
        command = [sys.executable, "-m", "conda", "s3-sync", *arguments]
        done = subprocess.run(command, capture_output=True, text=True)
        return done.returncode, done.stderr
    err = io.StringIO()
    with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(err):
        return main(arguments), err.getvalue()


def make_engine() -> AbstractEngine[Any, Any]:
    """Return what reads the environments here."""
    if HAS_CONDA:
        from conda_s3_sync_plugin.engines.conda import CondaEngine

        return CondaEngine()
    from conda_s3_sync_plugin.engines.rattler import RattlerEngine

    root = find_root()
    return RattlerEngine(root, Condarc.load(root))


def run() -> None:
    """Edit and synchronize, for some rounds."""
    seed, rounds, bucket, whims, names = sys.argv[1:]
    random = Random(int(seed))  # noqa: S311 (no secret)
    member = Member(make_engine(), bucket, random)
    # At once: how often a run has to be repeated is not to decide what is edited.
    edits = [
        (random.choice(names.split(",")), random.choice(whims.split(",")))
        for _ in range(int(rounds))
    ]
    made, failed, warnings = [], [], ""
    for number, (name, whim) in enumerate(edits):
        made.append(member.edit(name, whim, f"{seed} {number}"))
        *lost, warned = member.sync()
        failed += lost
        warnings += warned
    told = {"made": [*filter(None, made)], "failed": failed, "warnings": warnings}
    sys.stdout.write(json.dumps(told))


if __name__ == "__main__":
    run()
    sys.stdout.flush()
    # Threads of rattler's may crash an interpreter that ends in the usual way.
    os._exit(0)
