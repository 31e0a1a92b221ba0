"""Write small wheels and source archives, which pip installs without any network."""

from __future__ import annotations

import gzip
import io
import tarfile
import zipfile
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

# Zip archives know no time before; any constant will do.
LONG_AGO = (1980, 1, 1, 0, 0, 0)

# A build backend that needs nothing: the wheel is in the source archive already.
BACKEND = """\
import shutil
from pathlib import Path

def build_wheel(folder, config_settings=None, metadata_directory=None):
    wheel, = Path(__file__).parent.glob("*.whl")
    return Path(shutil.copy(wheel, folder)).name
"""
WHEEL = b"""\
Wheel-Version: 1.0
Generator: tests
Root-Is-Purelib: true
Tag: py3-none-any
"""
PYPROJECT = """\
[build-system]
requires = []
build-backend = "backend"
backend-path = ["."]
"""


def make_usual_wheels(folder: Path) -> Path:
    """Write what tests install by pip and return *folder*.

    hello 1.0 and 2.0; greet 1.0, which needs hello; six 1.16.0, which replaces conda's
    1.15.0; fromsource 1.0, a source archive.
    """
    folder.mkdir(parents=True, exist_ok=True)
    for version in ("1.0", "2.0"):
        write_wheel(folder, "hello", version)
    write_wheel(folder, "greet", "1.0", requires=["hello"])
    write_wheel(folder, "six", "1.16.0")
    write_sdist(folder, "fromsource", "1.0")
    return folder


def write_wheel(
    folder: Path, name: str, version: str, *, requires: Iterable[str] = ()
) -> Path:
    """Write a wheel with one module, named as the distribution, and return its path."""
    path = folder / f"{name}-{version}-py3-none-any.whl"
    path.write_bytes(wheel(name, version, requires))
    return path


def write_sdist(
    folder: Path, name: str, version: str, *, backend: str = BACKEND
) -> Path:
    """Write a source archive that pip builds by a backend, and return its path."""
    top = f"{name}-{version}"
    files = {
        "PKG-INFO": metadata(name, version, ()),
        "backend.py": backend.encode(),
        "pyproject.toml": PYPROJECT.encode(),
        f"{name}-{version}-py3-none-any.whl": wheel(name, version, ()),
    }
    path = folder / f"{top}.tar.gz"
    # Not compressed by tarfile: gzip would write the time into its header.
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as tar:
        for file, data in files.items():
            member = tarfile.TarInfo(f"{top}/{file}")
            member.size = len(data)
            tar.addfile(member, io.BytesIO(data))
    path.write_bytes(gzip.compress(buffer.getvalue(), mtime=0))
    return path


def wheel(name: str, version: str, requires: Iterable[str]) -> bytes:
    """Return a pure python wheel."""
    info = f"{name}-{version}.dist-info"
    files = {
        f"{name}/__init__.py": f'__version__ = "{version}"\n'.encode(),
        f"{info}/METADATA": metadata(name, version, requires),
        f"{info}/WHEEL": WHEEL,
    }
    # pip reads the names here and takes the hashes for optional.
    recorded = "".join(f"{path},,\n" for path in (*files, f"{info}/RECORD"))
    files[f"{info}/RECORD"] = recorded.encode()
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for path, data in files.items():
            archive.writestr(zipfile.ZipInfo(path, LONG_AGO), data)
    return buffer.getvalue()


def metadata(name: str, version: str, requires: Iterable[str]) -> bytes:
    """Return the METADATA of a distribution."""
    needs = "".join(f"Requires-Dist: {need}\n" for need in requires)
    return f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n{needs}".encode()
