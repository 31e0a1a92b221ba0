"""An isolated computer: its own home, conda root, caches and credentials."""

from __future__ import annotations

import contextlib
import copy
import io
import json
import os
import subprocess
import sys
import tempfile
from importlib.metadata import distributions
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from conda_here import HAS_CLASSIC, HAS_CONDA, forget_conda, solver
from real_server import SERVER

from conda_s3_sync_plugin.__main__ import main

if TYPE_CHECKING:
    from collections.abc import Iterable

TIMEOUT = 300

# Nothing listens there: whatever would leave this computer fails at once, and loudly.
CLOSED_DOOR = "http://127.0.0.1:9"
NO_WAY_OUT = {
    **dict.fromkeys(("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"), CLOSED_DOOR),
    **dict.fromkeys(("http_proxy", "https_proxy", "all_proxy"), CLOSED_DOOR),
    **dict.fromkeys(("NO_PROXY", "no_proxy"), f"127.0.0.1,localhost,{SERVER.host}"),
}

CREDENTIALS = {
    "AWS_ACCESS_KEY_ID": "test",
    "AWS_SECRET_ACCESS_KEY": "test",
    "AWS_DEFAULT_REGION": "us-east-1",
    "AWS_EC2_METADATA_DISABLED": "true",
    **SERVER.credentials,
}

# The python of a kind of machine, by its name; without one there are no such machines.
if HAS_CONDA:
    USUAL_KIND, OTHER_PYTHON = "conda", os.environ.get("PYTHON_WITHOUT_CONDA", "")
    PYTHONS = {"conda": sys.executable, "standalone": OTHER_PYTHON}
else:
    USUAL_KIND = "standalone"
    PYTHONS = {"standalone": sys.executable}

RATTLER_USER = Path(__file__).with_name("rattler_user.py")


class Machine:
    """A computer, all of it below one folder; without environments where that is new.

    `kind`: "conda" has conda, and this plugin in it; "standalone" has py-rattler alone,
    and the command `conda-s3-sync`.
    """

    def __init__(
        self,
        root: Path,
        *,
        kind: str = USUAL_KIND,
        channels: Iterable[str] = (),
        wheels: Path | None = None,
        endpoint: str | None = None,
        subdir: str | None = None,
    ) -> None:
        assert PYTHONS.get(kind), f"there is no python here for a {kind} machine"
        self.root = root
        self.kind = kind
        self.home = root / "home"
        self.base = root / "base"
        self.envs = self.base / "envs"
        self.pkgs = root / "pkgs"
        self.temporary = root / "tmp"
        self.environment = self._environment(channels, wheels, endpoint, subdir)
        meta = self.base / "conda-meta"
        for folder in (self.home, meta, self.envs, self.pkgs, self.temporary):
            folder.mkdir(parents=True, exist_ok=True)
        # This file is what makes a folder an environment, the base included.
        (meta / "history").touch()

    def _environment(
        self,
        channels: Iterable[str],
        wheels: Path | None,
        endpoint: str | None,
        subdir: str | None,
    ) -> dict[str, str]:
        """Return all the variables that programs on this machine see."""
        variables = {
            "PATH": self._search_path(),
            "HOME": str(self.home),
            "TMPDIR": str(self.temporary),
            "LANG": "C.UTF-8",
            "PYTHONNOUSERSITE": "1",
            "PYTHONDONTWRITEBYTECODE": "1",
            **NO_WAY_OUT,
            **CREDENTIALS,
            "AWS_CONFIG_FILE": str(self.home / ".aws" / "config"),
            "AWS_SHARED_CREDENTIALS_FILE": str(self.home / ".aws" / "credentials"),
            "CONDA_ROOT_PREFIX": str(self.base),
            "CONDA_ENVS_DIRS": str(self.envs),
            "CONDA_PKGS_DIRS": str(self.pkgs),
            "CONDA_CHANNELS": ",".join(channels),
            "CONDA_SOLVER": solver(),
            "CONDA_ALWAYS_YES": "true",
            "CONDA_NOTIFY_OUTDATED_CONDA": "false",
            "CONDA_NUMBER_CHANNEL_NOTICES": "0",
            # Not every channel has a pip, and conda would want one with each python.
            "CONDA_ADD_PIP_AS_PYTHON_DEPENDENCY": "false",
            # Said beforehand, so that no process is started to find out.
            "CONDA_OVERRIDE_CUDA": "",
            "PIP_CONFIG_FILE": os.devnull,
            "PIP_DISABLE_PIP_VERSION_CHECK": "1",
            "PIP_NO_INDEX": "1",
        }
        given = {
            "PIP_FIND_LINKS": wheels and str(wheels),
            "AWS_ENDPOINT_URL_S3": endpoint,
            "CONDA_SUBDIR": subdir,
        }
        return variables | {name: text for name, text in given.items() if text}

    def _search_path(self) -> str:
        scripts = str(Path(self._python).parent)
        return os.pathsep.join([scripts, "/usr/local/bin", "/usr/bin", "/bin"])

    @property
    def _python(self) -> str:
        """The python that runs our command, and what users here run beside it."""
        return PYTHONS[self.kind]

    def with_kind(self, kind: str) -> Machine:
        """Return this very machine, the same disk, to be used the other way."""
        other = copy.copy(self)
        other.kind = kind
        other.environment = self.environment | {"PATH": other._search_path()}
        return other

    @property
    def command(self) -> str:
        """What people type here to synchronize."""
        return "conda s3-sync" if self.kind == "conda" else "conda-s3-sync"

    def enter(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """Make this very process one of this machine, until the test ends."""
        for name in set(os.environ) - set(self.environment):
            if not name.startswith("PYTEST"):
                monkeypatch.delenv(name)
        for name, text in self.environment.items():
            monkeypatch.setenv(name, text)
        monkeypatch.chdir(self.home)
        if HAS_CONDA:
            forget_conda()

    def run(
        self,
        *command: str | Path,
        check: bool = True,
        timeout: float = TIMEOUT,
        merged: bool = False,
        **variables: str,
    ) -> subprocess.CompletedProcess[str]:
        """Run a program on this machine, and fail with what it said.

        `merged`: what it says on stderr is in its stdout.
        """
        done = subprocess.run(
            [str(part) for part in command],
            cwd=self.home,
            env=self.environment | variables,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT if merged else subprocess.PIPE,
            text=True,
            timeout=timeout,
        )
        if check and done.returncode:
            raise AssertionError(
                f"{self.root.name}: {' '.join(done.args)}\nexits with "
                f"{done.returncode}\n{done.stdout}\n{done.stderr}"
            )
        return done

    def conda(
        self, *arguments: str | Path, check: bool = True
    ) -> subprocess.CompletedProcess[str]:
        """Run `conda ARGUMENTS`."""
        assert self.kind == "conda", f"{self.root.name} has no conda"
        # What a test begins with is made by the solver that is no library of threads:
        # those may crash a conda that has done its work, while it exits.
        is_ours = "s3-sync" in arguments
        variables = {} if is_ours or not HAS_CLASSIC else {"CONDA_SOLVER": "classic"}
        return self.run(
            self._python, "-m", "conda", *arguments, check=check, **variables
        )

    def manage(self, *arguments: str | Path) -> None:
        """Run what people here manage environments with, as one runs conda."""
        if self.kind == "conda":
            self.conda(*arguments)
        else:
            self.run(self._python, RATTLER_USER, *arguments)

    @property
    def ours(self) -> list[str]:
        """What starts our command here, but for its arguments."""
        if self.kind == "conda":
            return [self._python, "-m", "conda", "s3-sync"]
        return [self._python, "-m", "conda_s3_sync_plugin"]

    def sync(
        self, *arguments: str | Path, check: bool = True
    ) -> subprocess.CompletedProcess[str]:
        """Run our command: `conda s3-sync ARGUMENTS`, or `conda-s3-sync ARGUMENTS`."""
        return self.run(*self.ours, *arguments, check=check)

    def sync_here(
        self, *arguments: str | Path, check: bool = True, merged: bool = False
    ) -> subprocess.CompletedProcess[str]:
        """Run our command in this very process, in a tenth of the time.

        For all tests that are not about processes. With conda it is one all the same:
        that keeps too much in mind. `merged`: all is in stdout, as in a terminal.
        """
        if HAS_CONDA:
            words = (*self.ours, *arguments)
            return self.run(*words, check=check, merged=merged, PYTHONUNBUFFERED="1")
        out, words = io.StringIO(), list(map(str, arguments))
        err = out if merged else io.StringIO()
        with pytest.MonkeyPatch.context() as monkeypatch:
            self.enter(monkeypatch)
            monkeypatch.setattr(tempfile, "tempdir", None)  # kept from run to run
            with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
                code = main(words)
        assert code == 0 or not check, f"{code}\n{out.getvalue()}\n{err.getvalue()}"
        told = "" if merged else err.getvalue()
        return subprocess.CompletedProcess(words, code, out.getvalue(), told)

    def create(self, name: str | Path, *specs: str, channel: str = "") -> Path:
        """Create an environment, of this name or at this path; return its prefix.

        `channel`: instead of those of the machine.
        """
        where = ["-p", name] if isinstance(name, Path) else ["-n", name]
        other = ["--override-channels", "-c", channel] if channel else []
        self.manage("create", *where, *other, *specs)
        return self.prefix(name)

    def install(self, name: str, *specs: str) -> None:
        """Install packages into an environment."""
        self.manage("install", "-n", name, *specs)

    def remove(self, name: str, *specs: str) -> None:
        """Remove packages from an environment; without any, the environment."""
        self.manage("remove", "-n", name, *(specs or ["--all"]))

    def python(
        self, name: str, *arguments: str, check: bool = True
    ) -> subprocess.CompletedProcess[str]:
        """Run the python of an environment."""
        return self.run(self.prefix(name) / "bin" / "python", *arguments, check=check)

    def pip(
        self, name: str, *arguments: str, check: bool = True
    ) -> subprocess.CompletedProcess[str]:
        """Run the pip of an environment."""
        return self.python(name, "-m", "pip", *arguments, check=check)

    def set_variables(self, name: str, **variables: str) -> None:
        """Set variables of an environment."""
        pairs = [f"{variable}={text}" for variable, text in variables.items()]
        self.manage("env", "config", "vars", "set", "-n", name, *pairs)

    def write_condarc(self, **settings: Any) -> None:
        """Write the .condarc of the user; variables of the machine go before it."""
        # JSON is YAML.
        (self.home / ".condarc").write_text(json.dumps(settings))

    def prefix(self, name: str | Path) -> Path:
        """Return the folder of an environment."""
        # A path that is absolute stays what it is.
        return self.base if name == "base" else self.envs / name

    def history(self, name: str) -> Path:
        """Return the history file of an environment."""
        return self.prefix(name) / "conda-meta" / "history"

    def environments(self) -> list[str]:
        """Return the names of all environments but the base."""
        return sorted(path.parts[-3] for path in self.envs.glob("*/conda-meta/history"))

    def packages(self, name: str) -> dict[str, tuple[str, str, str]]:
        """Return version, build and sha256 of the conda packages, by name."""
        records = [
            json.loads(path.read_bytes())
            for path in (self.prefix(name) / "conda-meta").glob("*.json")
        ]
        return {
            record["name"]: (record["version"], record["build"], record["sha256"])
            for record in sorted(records, key=lambda record: record["name"])
        }

    def pip_packages(self, name: str) -> dict[str, str]:
        """Return the versions of what pip installed, by name."""
        sites = map(str, self.prefix(name).glob("lib/python3.*/site-packages"))
        return {
            found.metadata["Name"]: found.version
            for found in distributions(path=list(sites))
            if (found.read_text("INSTALLER") or "").strip() != "conda"
        }

    def pins(self, name: str) -> list[str]:
        """Return what conda reads in conda-meta/pinned."""
        pinned = self.history(name).with_name("pinned")
        lines = pinned.read_text().splitlines() if pinned.exists() else []
        return [" ".join(line.split()) for line in lines if line and line[0] != "#"]

    def pin(self, name: str, *specs: str) -> None:
        """Pin packages of an environment, and no others, as people do."""
        pinned = self.history(name).with_name("pinned")
        pinned.write_text("".join(f"{spec}\n" for spec in specs))

    def variables(self, name: str) -> dict[str, str]:
        """Return the variables of an environment."""
        state = self.prefix(name) / "conda-meta" / "state"
        if not state.exists():
            return {}
        return json.loads(state.read_bytes()).get("env_vars", {})
