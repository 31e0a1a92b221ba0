"""What a solver may count on besides packages: the system, as virtual packages."""

from __future__ import annotations

import os
from typing import Any, Final

import rattler

#: Names in the library that have changed with 0.27.
Platform: Final[Any] = getattr(rattler, "Subdir", None) or rattler.Platform
_Build: Final[Any] = getattr(rattler.package, "BuildString", str)

HERE: Final = str(Platform.current())

#: What is usual on other platforms, where nobody can look; "": only if it is said.
_USUAL: Final = {
    "linux": {"unix": "0", "linux": "0", "glibc": "2.17", "cuda": ""},
    "osx": {"unix": "0", "osx": "11.0"},
    "win": {"win": "0", "cuda": ""},
}


def is_platform(name: str) -> bool:
    """Tell whether there are packages for a platform of that name."""
    try:
        Platform(name)
    except Exception:  # its class has changed, too
        return False
    return True


def virtual_packages(platform: str) -> list[Any]:
    """Return what a solver may count on: what is here, or elsewhere what is usual.

    CONDA_OVERRIDE_NAME says otherwise; empty, it takes the package away.
    """
    if platform == HERE:
        overrides = rattler.VirtualPackageOverrides.from_env()
        return list(rattler.VirtualPackage.detect(overrides))
    usual = _USUAL.get(platform.partition("-")[0], {})
    found = {
        name: os.environ.get(f"CONDA_OVERRIDE_{name.upper()}", version)
        for name, version in usual.items()
    }
    return [
        rattler.GenericVirtualPackage(
            rattler.PackageName(f"__{name}"), rattler.Version(version), _Build("0")
        )
        for name, version in found.items()
        if version
    ]
