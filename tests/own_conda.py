"""A computer whose conda is a package, installed into a root of its own."""

from __future__ import annotations

import shutil
import sys
from typing import TYPE_CHECKING, Any

from installed import add_distributions
from machine import Machine
from make_channel import Channel

if TYPE_CHECKING:
    from pathlib import Path

#: What conda needs to run and to solve, which not every conda's metadata tells.
CONDA_NEEDS = (
    "archspec",
    "boltons",
    "conda-package-handling",
    "conda-package-streaming",
    "distro",
    "frozendict",
    "jsonpatch",
    "menuinst",
    "msgpack",
    "packaging",
    "platformdirs",
    "pluggy",
    "pycosat",
    "requests",
    "ruamel-yaml",
    "tqdm",
    "truststore",
    "zstandard",
)

#: What botocore knows of services other than S3, or nearly: most of what it is.
OTHER_SERVICES = "botocore/data/[!s]*/*"


def make_conda_channel(root: Path) -> Channel:
    """Build a channel of conda, of what our package needs, and of a library."""
    channel = Channel(root)
    channel.add_python()
    add_distributions(
        channel,
        *("pip", "conda", "boto3", "PyYAML"),
        also={"conda": CONDA_NEEDS},
        without=OTHER_SERVICES,
    )
    for version in ("1.0", "2.0"):
        channel.add("lib", version)
    channel.write_index()
    return channel


class OwnConda(Machine):
    """A machine on which `conda` is that of the base environment, as people have it."""

    def _environment(self, *given: Any) -> dict[str, str]:
        """Return the variables: nothing that would lead to the conda of the tests."""
        variables = super()._environment(*given) | {"CONDA_SOLVER": "classic"}
        for name in ("CONDA_ROOT_PREFIX", "CONDA_ENVS_DIRS", "PYTHONDONTWRITEBYTECODE"):
            del variables[name]
        return variables

    @property
    def _python(self) -> str:
        return str(self.base / "bin" / "python")

    def install_conda(self) -> None:
        """Make the base environment, by the conda of the tests."""
        conda = (sys.executable, "-m", "conda", "install", "--prefix", self.base)
        self.run(*conda, "conda", PYTHONDONTWRITEBYTECODE="1")

    def become(self, other: OwnConda) -> None:
        """Take over another machine's base environment.

        `conda` works wherever it is; commands of packages run what they have come from.
        """
        shutil.copytree(other.base, self.base, symlinks=True, dirs_exist_ok=True)
