"""Build a conda channel out of the standard library, the same bytes each time.

No build tool, no index tool, no network: packages are .tar.bz2 files, and `python` is
what `python -m venv` makes. `installed` has packages of what is installed here.
"""

from __future__ import annotations

import bz2
import hashlib
import io
import json
import os
import platform
import sys
import tarfile
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, NamedTuple, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping


class Link(NamedTuple):
    """A symbolic link in a package, to this path."""

    target: str


#: What a file in a package holds: bytes, a file of this machine, or a link.
Content: TypeAlias = bytes | Path | Link

PYTHON = f"python{sys.version_info.major}.{sys.version_info.minor}"
# Any constant: it only keeps the clock out.
TIMESTAMP = 1_700_000_000_000
# conda's words for the two parts of a subdir.
SYSTEMS = {"linux": "linux", "darwin": "osx"}
ARCHITECTURES = {"x86_64": "64", "arm64": "arm64", "aarch64": "aarch64"}


def this_subdir() -> str:
    """Return conda's name for the platform we run on."""
    return f"{SYSTEMS[sys.platform]}-{ARCHITECTURES[platform.machine()]}"


class Channel:
    """A channel under construction; `write_index` makes it usable."""

    def __init__(self, root: Path, *subdirs: str) -> None:
        self.root = root
        self.subdirs = subdirs or (this_subdir(),)
        self.records: dict[str, dict[str, dict[str, object]]] = {
            subdir: {} for subdir in (*self.subdirs, "noarch")
        }

    @property
    def url(self) -> str:
        """Its address on this machine."""
        return self.root.as_uri()

    def add(
        self,
        name: str,
        version: str = "1.0",
        build: str = "0",
        *,
        depends: Iterable[str] = (),
        files: Mapping[str, Content] | None = None,
        subdirs: Iterable[str] | None = None,
    ) -> None:
        """Add a package to every platform of this channel, or to *subdirs* alone."""
        if files is None:
            files = {f"share/{name}.txt": f"{name} {version}\n".encode()}
        for subdir in self.subdirs if subdirs is None else subdirs:
            index = record(name, version, build, depends, subdir)
            self._pack(index, files, {})

    def add_noarch_python(
        self,
        name: str,
        version: str,
        build: str = "py_0",
        *,
        depends: Iterable[str] = ("python",),
        files: Mapping[str, Content] | None = None,
        entry_points: Iterable[str] = (),
    ) -> None:
        """Add a noarch python package; *files* are paths below site-packages."""
        if files is None:
            files = python_files(name, version)
        index = record(name, version, build, depends, "noarch") | {"noarch": "python"}
        link = {
            "noarch": {"type": "python", "entry_points": list(entry_points)},
            "package_metadata_version": 1,
        }
        placed = {f"site-packages/{path}": what for path, what in files.items()}
        self._pack(index, placed, {"info/link.json": link})

    def add_python(self) -> None:
        """Add the python we run on, as a virtual environment whose home is its folder.

        The standard library stays where it is, and so does the interpreter: builds that
        look for libpython beside themselves run behind a link, a copy would not.
        """
        interpreter = Path(sys.base_prefix, "bin", PYTHON).resolve()
        version = ".".join(map(str, sys.version_info[:3]))
        settings = {
            "home": interpreter.parent,
            "include-system-site-packages": "false",
            "version": version,
        }
        lines = "".join(f"{key} = {value}\n" for key, value in settings.items())
        files = {
            "pyvenv.cfg": lines.encode(),
            f"bin/{PYTHON}": Link(str(interpreter)),
            "bin/python3": Link(PYTHON),
            "bin/python": Link(PYTHON),
            f"lib/{PYTHON}/site-packages/README.txt": b"what conda and pip install\n",
        }
        self.add("python", version, "h0_0_cpython", files=files)

    def write_index(self) -> None:
        """Write the repodata.json files, without which there is no channel."""
        for subdir, packages in self.records.items():
            repodata = {
                "info": {"subdir": subdir},
                "packages": packages,
                "packages.conda": {},
                "repodata_version": 1,
            }
            folder = self.root / subdir
            folder.mkdir(parents=True, exist_ok=True)
            (folder / "repodata.json").write_bytes(as_json(repodata))

    def _pack(
        self,
        index: dict[str, object],
        files: Mapping[str, Content],
        extra: Mapping[str, object],
    ) -> None:
        paths = [describe(path, files) for path in sorted(files)]
        members: dict[str, Content] = {
            "info/index.json": as_json(index),
            "info/paths.json": as_json({"paths": paths, "paths_version": 1}),
            "info/files": "".join(f"{path}\n" for path in sorted(files)).encode(),
            **{path: as_json(what) for path, what in extra.items()},
            **{path: files[path] for path in sorted(files)},
        }
        blob = bz2.compress(tar_of(members), compresslevel=1)
        subdir = str(index["subdir"])
        file_name = "{name}-{version}-{build}.tar.bz2".format_map(index)
        folder = self.root / subdir
        folder.mkdir(parents=True, exist_ok=True)
        (folder / file_name).write_bytes(blob)
        self.records[subdir][file_name] = {
            **index,
            "size": len(blob),
            "md5": hashlib.md5(blob, usedforsecurity=False).hexdigest(),
            "sha256": hashlib.sha256(blob).hexdigest(),
        }


def record(
    name: str, version: str, build: str, depends: Iterable[str], subdir: str
) -> dict[str, object]:
    """Return what index.json and repodata.json both say of a package."""
    number = build.rpartition("_")[2]
    fields = {
        "name": name,
        "version": version,
        "build": build,
        "build_number": int(number) if number.isdecimal() else 0,
        "depends": list(depends),
        "subdir": subdir,
        "timestamp": TIMESTAMP,
    }
    if subdir != "noarch":
        system, _, architecture = subdir.partition("-")
        arch = "x86_64" if architecture == "64" else architecture
        fields |= {"platform": system, "arch": arch}
    return fields


def python_files(name: str, version: str) -> dict[str, Content]:
    """Return a python module of that name, installed by conda, with its metadata."""
    info = f"{name}-{version}.dist-info"
    metadata = f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n"
    recorded = (f"{name}/__init__.py", f"{info}/METADATA", f"{info}/INSTALLER")
    lines = "".join(f"{path},,\n" for path in (*recorded, f"{info}/RECORD"))
    return {
        f"{name}/__init__.py": f'__version__ = "{version}"\n'.encode(),
        f"{info}/METADATA": metadata.encode(),
        f"{info}/INSTALLER": b"conda\n",
        f"{info}/RECORD": lines.encode(),
    }


def describe(path: str, files: Mapping[str, Content]) -> dict[str, object]:
    """Return the entry of one file in paths.json."""
    data = read(path, files)
    return {
        "_path": path,
        "path_type": "softlink" if isinstance(files[path], Link) else "hardlink",
        "sha256": hashlib.sha256(data).hexdigest(),
        "size_in_bytes": len(data),
    }


def read(path: str, files: Mapping[str, Content]) -> bytes:
    """Return what a file holds; for a link, what it leads to: so does conda."""
    what = files[path]
    if isinstance(what, bytes):
        return what
    if isinstance(what, Path):
        return what.read_bytes()
    target = str(PurePosixPath(path).parent / what.target)
    return read(target, files) if target in files else Path(target).read_bytes()


def tar_of(members: Mapping[str, Content]) -> bytes:
    """Return a tar archive that knows neither time nor owner."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as tar:
        for path, what in members.items():
            member = tarfile.TarInfo(path)
            if isinstance(what, Link):
                member.type, member.linkname = tarfile.SYMTYPE, what.target
                tar.addfile(member)
                continue
            data = read(path, members)
            runs = path.startswith("bin/") or (
                isinstance(what, Path) and os.access(what, os.X_OK)
            )
            member.mode, member.size = 0o755 if runs else 0o644, len(data)
            tar.addfile(member, io.BytesIO(data))
    return buffer.getvalue()


def as_json(what: object) -> bytes:
    """Return JSON, always the same for the same."""
    return json.dumps(what, sort_keys=True).encode()
