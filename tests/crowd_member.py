"""One of many who edit and synchronize: called with SEED ROUNDS BUCKET WHIMS NAMES.

Prints, as JSON, all versions that it has made, and what was said of runs that failed.
"""

from __future__ import annotations

import contextlib
import io
import json
import os
import shutil
import sys
import time
from pathlib import Path
from random import Random
from typing import NamedTuple

from hand_made import write_variables

from conda_s3_sync_plugin.__main__ import main
from conda_s3_sync_plugin.condarc import Condarc
from conda_s3_sync_plugin.engines.installation import find_root
from conda_s3_sync_plugin.engines.rattler import RattlerEngine
from conda_s3_sync_plugin.models import LocalEnv

#: The variable that says where the environments are that can be copied from.
ORIGINALS = "CROWD_ORIGINALS"

#: So often a run may lose races, or find another one at work, one after the other.
PATIENCE = 400


class Member(NamedTuple):
    """Somebody with a machine."""

    engine: RattlerEngine
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
        env = self.engine.look(name, prefix)
        assert isinstance(env, LocalEnv)
        return name, self.engine.export(env).file.digest

    def sync(self) -> list[str]:
        """Run until it succeeds; return what was said each time before."""
        told: list[str] = []
        for _ in range(PATIENCE):
            err = io.StringIO()
            with (
                contextlib.redirect_stdout(io.StringIO()),
                contextlib.redirect_stderr(err),
            ):
                prefer = self.random.choice(["newest", "local", "remote"])
                code = main([self.bucket, "--prefer", prefer, *self._deletes()])
            if code == 0:
                break
            told.append(err.getvalue())
            time.sleep(0.05)
        return told

    def _deletes(self) -> list[str]:
        return self.random.choice([[], [], ["--delete", "--force", "--yes"]])


def run() -> None:
    """Edit and synchronize, for some rounds."""
    seed, rounds, bucket, whims, names = sys.argv[1:]
    root = find_root()
    engine = RattlerEngine(root, Condarc.load(root))
    member = Member(engine, bucket, Random(int(seed)))  # noqa: S311 (no secret)
    made, told = [], []
    for number in range(int(rounds)):
        name = member.random.choice(names.split(","))
        whim = member.random.choice(whims.split(","))
        made.append(member.edit(name, whim, f"{seed} {number}"))
        told += member.sync()
    sys.stdout.write(json.dumps({"made": [*filter(None, made)], "told": told}))


if __name__ == "__main__":
    run()
    sys.stdout.flush()
    # Threads of rattler's may crash an interpreter that ends in the usual way.
    os._exit(0)
