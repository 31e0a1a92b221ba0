"""A machine that this process is one of, with our command, and a disk to go back to."""

from __future__ import annotations

import contextlib
import io
import itertools
import shutil
import signal
import subprocess
from argparse import ArgumentParser
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import pytest
from conda_here import HAS_CONDA
from lab import Lab
from machine import TIMEOUT
from s3server import Cut

from conda_s3_sync_plugin import cli, state
from conda_s3_sync_plugin.engines import extras
from conda_s3_sync_plugin.envfile import parse
from conda_s3_sync_plugin.exceptions import S3SyncError
from conda_s3_sync_plugin.models import LocalEnv
from conda_s3_sync_plugin.options import Surroundings
from conda_s3_sync_plugin.settings import SETTINGS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from s3server import S3Server

#: The one environment that there is.
NAME = "ml"

#: What acts on environments here: of two engines, the one of the plugin.
KIND = "conda" if HAS_CONDA else "rattler"

#: Longer than any run takes here, and shorter than what a server is waited for.
SOON = 18

DIES = Path(__file__).with_name("dies.py")


class Done(NamedTuple):
    """What a run has ended with."""

    code: int
    out: str
    err: str


class Snapshot(NamedTuple):
    """What is on a machine, and in a bucket, at one moment."""

    folder: Path
    objects: list[dict[str, Any]]


class Station:
    """A machine, and a bucket: our command runs in this process."""

    def __init__(
        self,
        root: Path,
        monkeypatch: pytest.MonkeyPatch,
        s3: S3Server,
        **settings: Any,
    ) -> None:
        self.s3, self.bucket = s3, s3.new_bucket()
        self.lab = Lab(root, monkeypatch, KIND, endpoint=s3.endpoint, **settings)
        # Nothing is tried again behind our back.
        self.lab.enter(AWS_MAX_ATTEMPTS="1")
        self._snapshots = root.with_name(f"{root.name}-snapshots")

    def run(self, *arguments: str) -> Done:
        """Run our command, as a process of its own would."""
        parser = ArgumentParser()
        cli.add_options(parser)
        configured = {name: default for name, default, *_ in SETTINGS}
        surroundings = Surroundings(configured, yes=True)
        engine = self.lab.enter()
        out, err = io.StringIO(), io.StringIO()
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
            try:
                args = parser.parse_args([self.bucket, *arguments])
                code = cli.execute(args, surroundings, lambda options: engine)
            except S3SyncError as error:
                err.write(f"{error}\n")
                code = error.return_code
        return Done(code, out.getvalue(), err.getvalue())

    def run_killed(self, moment: str, number: int, *arguments: str) -> int:
        """Start our command, and kill it at a call of ours; return its exit code.

        `moment`: "before" or "after" the work of a request, or at a step "here".
        """
        program = self.lab.machine.ours
        if moment == "here":
            program = [program[0], str(DIES), str(number)]
        process = self._start(program, arguments)
        if moment != "here":
            setattr(self.s3, moment, countdown(number, process.kill))
        process.communicate(timeout=TIMEOUT)
        self.s3.before = self.s3.after = None
        return process.returncode

    def run_interrupted(self, moment: str, number: int, *arguments: str) -> Done:
        """Start our command, and interrupt it while a request gets no answer.

        `moment`: "before" or "after" its work.
        """
        process = self._start(self.lab.machine.ours, arguments)

        def fall_silent() -> Cut:
            process.send_signal(signal.SIGINT)
            return Cut.SILENT

        setattr(self.s3, moment, countdown(number, fall_silent))
        try:
            out, err = process.communicate(timeout=SOON)
        except subprocess.TimeoutExpired:
            process.send_signal(signal.SIGABRT)  # it tells where it waits
            pytest.fail("".join(process.communicate()))
        finally:
            process.kill()
            self.s3.before = self.s3.after = None
        return Done(process.returncode, out, err)

    def _start(
        self, program: list[str], arguments: Iterable[str]
    ) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [*program, self.bucket, *arguments, "--yes"],
            cwd=self.lab.machine.home,
            env={**self.lab.machine.environment, "PYTHONFAULTHANDLER": "1"},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def put(self, original: Path) -> str:
        """Let the environment be a copy of this one; return its digest."""
        self.remove()
        shutil.copytree(original, self.lab.prefix(NAME), symlinks=True)
        return str(self.here())

    def remove(self) -> None:
        """Remove the environment, as a user does."""
        shutil.rmtree(self.lab.prefix(NAME), ignore_errors=True)

    def here(self) -> str | None:
        """Return the digest of what is here."""
        env = self.lab.engine.look(NAME, self.lab.prefix(NAME))
        if not isinstance(env, LocalEnv):
            return None
        return self.lab.engine.export(env).file.digest

    def there(self) -> str | None:
        """Return the digest of what is in the bucket now."""
        return self._digests().get(f"{NAME}.yml")

    def kept(self) -> set[str]:
        """Return the digests of all versions that the bucket has, old and new."""
        return set(self._digests().values())

    def _digests(self) -> dict[str, str]:
        return {
            key: parse(self.s3.client.get_object(**self._at(key))["Body"].read()).digest
            for key in self.s3.keys(self.bucket)
            if key.endswith(".yml")
        }

    def _at(self, key: str) -> dict[str, str]:
        return {"Bucket": self.bucket, "Key": key}

    def save(self) -> Snapshot:
        """Remember all that is on the machine, and in the bucket."""
        folder = self._snapshots / str(len(list(self._snapshots.glob("*"))))
        for part in self._parts:
            copy = folder / part.name
            shutil.copytree(part, copy, symlinks=True)
        objects = []
        for key in self.s3.keys(self.bucket):
            there = self.s3.client.get_object(**self._at(key))
            objects.append(
                {
                    **self._at(key),
                    "Body": there["Body"].read(),
                    "Metadata": there["Metadata"],
                }
            )
        return Snapshot(folder, objects)

    def load(self, snapshot: Snapshot) -> None:
        """Go back to what was on the machine, and in the bucket."""
        self.load_machine(snapshot)
        for key in self.s3.keys(self.bucket):
            self.s3.client.delete_object(**self._at(key))
        for there in snapshot.objects:
            self.s3.client.put_object(**there)

    def load_machine(self, snapshot: Snapshot) -> None:
        """Go back to what was on the machine."""
        for part in self._parts:
            shutil.rmtree(part)
            shutil.copytree(snapshot.folder / part.name, part, symlinks=True)

    @property
    def _parts(self) -> tuple[Path, Path]:
        return self.lab.machine.envs, self.lab.machine.home


def countdown(number: int, act: Callable[[], Any]) -> Callable[[object], Any]:
    """Return what acts at the call of this number: the first is 1."""
    numbers = itertools.count(1)
    return lambda call: act() if next(numbers) == number else None


def watch(
    engine: type, call: Callable[[str], object], put: Callable[..., object] = setattr
) -> None:
    """Have something called ahead of, and after, each of our steps on a machine.

    What it raises is what the disk, or a library, would raise there.
    """
    steps = [(state, "replace_file"), (extras, "set_modified")]
    steps += [(engine, name) for name in ("_download", "_link", "_remove")]
    for owner, name in steps:
        put(owner, name, _watched(getattr(owner, name), name, call))


def _watched(
    step: Callable[..., Any], name: str, call: Callable[[str], object]
) -> Callable[..., Any]:
    def watched(*args: Any, **options: Any) -> Any:
        call(f"before {name}")
        done = step(*args, **options)
        call(f"after {name}")
        return done

    return watched
