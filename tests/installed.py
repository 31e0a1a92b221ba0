"""Make packages of distributions that are installed here, for the python we run on."""

from __future__ import annotations

import marshal
from fnmatch import fnmatch
from importlib.metadata import PackageNotFoundError, distribution
from importlib.util import MAGIC_NUMBER, cache_from_source
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

from make_channel import PYTHON
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping
    from importlib.metadata import Distribution

    from make_channel import Channel, Content


def add_distributions(
    channel: Channel,
    *names: str,
    also: Mapping[str, Iterable[str]] | None = None,
    without: str = "",
) -> None:
    """Add distributions, such as pip, and what they require, as far as it is here.

    `also`: what some of them require, and their metadata does not tell. `without`: a
    pattern of files that nobody here needs.
    """
    added: set[str] = set()
    missing = set(map(canonicalize_name, names))
    while missing:
        name = missing.pop()
        found = distribution(name)
        wanted = (*requirements(found), *(also or {}).get(name, ()))
        required = set(filter(is_installed, wanted))
        add_distribution(channel, found, required, without)
        added.add(name)
        missing |= required - added


def add_distribution(
    channel: Channel, found: Distribution, required: Iterable[str], without: str
) -> None:
    """Add one, which depends on other packages; only the names of them are told.

    With its bytecode, which stays valid wherever and whenever it is installed: a pip
    without it takes twice as long, in each environment anew.
    """
    files: dict[str, Content] = {}
    for file in found.files or ():
        if file.parts[0] == ".." or file.suffix == ".pyc":
            continue
        source, path = Path(str(file.locate())), file.as_posix()
        if fnmatch(path, without):
            continue
        files[path] = source
        if file.suffix == ".py":
            files[cache_from_source(path)] = bytecode(source, path)
    info = next(PurePosixPath(path).parent for path in files if is_metadata(path))
    for left_by_pip in ("REQUESTED", "direct_url.json"):
        files.pop(f"{info}/{left_by_pip}", None)
    files[f"{info}/INSTALLER"] = b"conda\n"
    files = {f"lib/{PYTHON}/site-packages/{path}": files[path] for path in files}
    for command, module in console_scripts(found):
        script = f'#!/bin/sh\nexec "${{0%/*}}/python" -m {module} "$@"\n'
        files[f"bin/{command}"] = script.encode()
    minor = PYTHON.removeprefix("python")
    depends = [f"python {minor}.*", *sorted(required)]
    channel.add(
        canonicalize_name(found.name), found.version, depends=depends, files=files
    )


def requirements(found: Distribution) -> Iterator[str]:
    """Yield the names of what a distribution requires with a python like ours."""
    for requirement in map(Requirement, found.requires or ()):
        if not requirement.marker or requirement.marker.evaluate({"extra": ""}):
            yield canonicalize_name(requirement.name)


def is_installed(name: str) -> bool:
    """Tell whether there is a distribution of this name."""
    try:
        distribution(name)
    except PackageNotFoundError:
        return False
    return True


def is_metadata(path: str) -> bool:
    """Tell whether this is the METADATA of an installed distribution."""
    # Deeper down it is the METADATA of something vendored.
    return path.endswith(".dist-info/METADATA") and path.count("/") == 1


def console_scripts(found: Distribution) -> Iterator[tuple[str, str]]:
    """Yield the commands of a distribution, each with what `python -m` makes of it."""
    for entry in found.entry_points:
        if entry.group == "console_scripts":
            yield entry.name, entry.module.partition(".")[0]


def bytecode(source: Path, path: str) -> bytes:
    """Return what python makes of a source that will be at this path."""
    code = compile(source.read_bytes(), path, "exec", dont_inherit=True)
    unchecked = (1).to_bytes(4, "little")
    return MAGIC_NUMBER + unchecked + bytes(8) + marshal.dumps(code)
