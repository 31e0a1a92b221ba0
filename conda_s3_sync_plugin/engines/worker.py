"""The process that rattler's installer runs in, from outside."""

from __future__ import annotations

import contextlib
import json
import subprocess
import sys
import tempfile
from typing import IO, TYPE_CHECKING, Any, cast
from weakref import finalize

if TYPE_CHECKING:
    from .rollback import Patience


class Worker:
    """Runs the installer, one job after the other, and ends with our process.

    A job that fails ends the installer's process as well: rattler says so at once, and
    its threads go on. Whatever it has left may be cleaned up then.
    """

    def __init__(self) -> None:
        self._process: subprocess.Popen[str] | None = None
        self._stderr: IO[bytes]
        self._at_end: finalize[..., Any]

    def run(self, patience: Patience, **job: Any) -> None:  # noqa: ANN401 (JSON)
        """Do one job; raise RuntimeError where it fails.

        Who loses `patience` ends it.
        """
        if self._process and self._process.poll() is not None:  # killed meanwhile
            self._end()
        process = self._process or self._start()
        patience.give_up = process.kill
        stdin, stdout = cast("IO[str]", process.stdin), cast("IO[str]", process.stdout)
        try:
            with contextlib.suppress(BrokenPipeError):
                stdin.write(f"{json.dumps(job)}\n")
                stdin.flush()
            _check(stdout.readline() or self._last_words())
        except BaseException:
            self._end()
            raise
        finally:
            patience.give_up = lambda: None

    def _start(self) -> subprocess.Popen[str]:
        program = (
            f"import sys; sys.path[:] = {[*map(str, sys.path)]!r}; "
            f"from {__package__}.installer import main; main()"
        )
        self._stderr = tempfile.TemporaryFile()  # noqa: SIM115 (closed by `_end`)
        self._process = subprocess.Popen(  # noqa: S603 (no shell)
            [sys.executable, "-I", "-c", program],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._stderr,
            encoding="utf-8",
        )
        self._at_end = finalize(self, _end, self._process, self._stderr)
        return self._process

    def _last_words(self) -> str:
        """Return the answer of a process that has ended without one."""
        process = cast("subprocess.Popen[str]", self._process)
        status = process.wait()
        self._stderr.seek(0)
        words = self._stderr.read().decode(errors="replace").strip().splitlines()
        last = [f"status {status}", *words][-1]
        return json.dumps({"error": f"rattler has crashed: {last}"})

    def _end(self) -> None:
        self._process = None
        self._at_end()


def _end(process: subprocess.Popen[str], stderr: IO[bytes]) -> None:
    """See a process to its end: it ends where nobody can have a job for it any more."""
    with stderr, contextlib.suppress(BrokenPipeError), process:
        pass  # closes its standard input, and waits


def _check(answer: str) -> None:
    said = json.loads(answer)
    if "error" in said:
        raise RuntimeError(said["error"])
    if said["failed"]:
        names = ", ".join(said["failed"])
        raise RuntimeError(f"the link script of {names} has failed")
