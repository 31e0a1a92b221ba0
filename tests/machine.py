"""An isolated computer: its own home, conda root, caches and credentials."""

from __future__ import annotations

import importlib.util
import json
import os
import subprocess
import sys
from importlib.metadata import distributions
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable

    import pytest

TIMEOUT = 300

# Nothing listens there: whatever would leave this computer fails at once, and loudly.
CLOSED_DOOR = "http://127.0.0.1:9"
NO_WAY_OUT = {
    **dict.fromkeys(("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"), CLOSED_DOOR),
    **dict.fromkeys(("http_proxy", "https_proxy", "all_proxy"), CLOSED_DOOR),
    **dict.fromkeys(("NO_PROXY", "no_proxy"), "127.0.0.1,localhost"),
}

CREDENTIALS = {
    "AWS_ACCESS_KEY_ID": "test",
    "AWS_SECRET_ACCESS_KEY": "test",
    "AWS_DEFAULT_REGION": "us-east-1",
    "AWS_EC2_METADATA_DISABLED": "true",
}

# What a conda may solve with: some lack even the one that they take by default.
SOLVERS = {"rattler": "conda_rattler_solver", "libmamba": "conda_libmamba_solver"}


HAS_CONDA = importlib.util.find_spec("conda") is not None
HAS_CLASSIC = importlib.util.find_spec("pycosat") is not None


class Machine:
    """A computer with conda and without environments, all of it below one folder."""

    def __init__(
        self,
        root: Path,
        *,
        channels: Iterable[str] = (),
        wheels: Path | None = None,
        endpoint: str | None = None,
        subdir: str | None = None,
    ) -> None:
        self.root = root
        self.home = root / "home"
        self.base = root / "base"
        self.envs = self.base / "envs"
        self.pkgs = root / "pkgs"
        self.temporary = root / "tmp"
        self.environment = self._environment(channels, wheels, endpoint, subdir)
        meta = self.base / "conda-meta"
        for folder in (self.home, meta, self.envs, self.pkgs, self.temporary):
            folder.mkdir(parents=True)
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
        scripts = str(Path(sys.executable).parent)
        variables = {
            "PATH": os.pathsep.join([scripts, "/usr/local/bin", "/usr/bin", "/bin"]),
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
        **variables: str,
    ) -> subprocess.CompletedProcess[str]:
        """Run a program on this machine, and fail with what it said."""
        done = subprocess.run(
            [str(part) for part in command],
            cwd=self.home,
            env=self.environment | variables,
            stdin=subprocess.DEVNULL,
            capture_output=True,
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
        # What a test begins with is made by the solver that is no library of threads:
        # those may crash a conda that has done its work, while it exits.
        is_ours = "s3-sync" in arguments
        variables = {} if is_ours or not HAS_CLASSIC else {"CONDA_SOLVER": "classic"}
        return self.run(
            sys.executable, "-m", "conda", *arguments, check=check, **variables
        )

    def sync(
        self, *arguments: str | Path, check: bool = True
    ) -> subprocess.CompletedProcess[str]:
        """Run `conda s3-sync ARGUMENTS`."""
        return self.conda("s3-sync", *arguments, check=check)

    def create(self, name: str, *specs: str) -> Path:
        """Create an environment and return its prefix."""
        self.conda("create", "-n", name, *specs)
        return self.prefix(name)

    def install(self, name: str, *specs: str) -> None:
        """Install packages into an environment."""
        self.conda("install", "-n", name, *specs)

    def remove(self, name: str, *specs: str) -> None:
        """Remove packages from an environment; without any, the environment."""
        self.conda("remove", "-n", name, *(specs or ["--all"]))

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
        self.conda("env", "config", "vars", "set", "-n", name, *pairs)

    def write_condarc(self, **settings: Any) -> None:
        """Write the .condarc of the user; variables of the machine go before it."""
        # JSON is YAML.
        (self.home / ".condarc").write_text(json.dumps(settings))

    def prefix(self, name: str) -> Path:
        """Return the folder of an environment."""
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

    def variables(self, name: str) -> dict[str, str]:
        """Return the variables of an environment."""
        state = self.prefix(name) / "conda-meta" / "state"
        if not state.exists():
            return {}
        return json.loads(state.read_bytes()).get("env_vars", {})


def forget_conda() -> None:
    """Make conda read everything anew: it keeps what it has read, per process."""
    from conda.base.context import context, reset_context
    from conda.core.package_cache_data import PackageCacheData
    from conda.core.prefix_data import PrefixData
    from conda.gateways.connection import session

    reset_context()
    PrefixData._cache_.clear()
    PackageCacheData.clear()
    context.plugin_manager.get_cached_solver_backend.cache_clear()
    session.CondaSession.cache_clear()  # it would stay offline, or online
    session.get_session.cache_clear()


def solver() -> str:
    """Return a solver that the conda beside us has."""
    for name, module in SOLVERS.items():
        if importlib.util.find_spec(module):
            return name
    return "classic"
