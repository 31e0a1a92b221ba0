"""What somebody without conda manages environments with, as a program of its own.

It is called like conda, as micromamba is.  Packages come and go through py-rattler, as
with pixi; what was asked for is noted in the history, and the environment is listed, as
micromamba does both.  Nothing of this project is used: its tests begin with what others
have made.
"""

from __future__ import annotations

import ast
import asyncio
import json
import os
import re
import shutil
import sys
import time
from argparse import ArgumentParser
from pathlib import Path
from typing import TYPE_CHECKING, Any

import rattler

if TYPE_CHECKING:
    from argparse import Namespace
    from collections.abc import Iterable, Mapping, Sequence

#: What a micromamba takes itself for.
VERSION = "3.8.0"


def main() -> None:
    """Do what the command line says."""
    args = parse()
    prefix = args.prefix or prefix_of(args.name)
    channels = args.channel or os.environ["CONDA_CHANNELS"].split(",")
    if args.action == "create":
        create(prefix)
    if args.action == "remove" and args.all:
        delete(prefix)
    elif args.action == "remove":
        change(prefix, channels, removed=args.words)
    elif args.action in ("create", "install"):
        change(prefix, channels, added=args.words)
    elif args.action == "rename":
        rename(prefix, prefix_of(*args.words))
    elif args.words[:3] == ["config", "vars", "set"]:
        change_variables(prefix, dict(word.split("=", 1) for word in args.words[3:]))
    elif args.words[:3] == ["config", "vars", "unset"]:
        change_variables(prefix, dict.fromkeys(args.words[3:]))


def parse() -> Namespace:
    """Read the command line, as far as tests need it."""
    parser = ArgumentParser()
    actions = ("create", "install", "remove", "rename", "env")
    parser.add_argument("action", choices=actions)
    parser.add_argument("-n", dest="name")
    parser.add_argument("-p", dest="prefix", type=Path)
    parser.add_argument("-c", dest="channel", action="append")
    parser.add_argument("--override-channels", action="store_true")
    parser.add_argument("--all", action="store_true")
    parser.add_argument("words", nargs="*")
    return parser.parse_intermixed_args()


def prefix_of(name: str) -> Path:
    """Return the folder of an environment."""
    root = Path(os.environ["CONDA_ROOT_PREFIX"])
    envs = Path(os.environ.get("CONDA_ENVS_DIRS", root / "envs"))
    return root if name == "base" else envs / name


def create(prefix: Path) -> None:
    """Make an environment of nothing, and list it."""
    meta = prefix / "conda-meta"
    meta.mkdir(parents=True)
    (meta / "history").touch()
    list_only([*listed(), prefix])


def delete(prefix: Path) -> None:
    """Remove an environment, and do not list it any more."""
    shutil.rmtree(prefix)
    list_only([path for path in listed() if path != prefix])


def rename(prefix: Path, new: Path) -> None:
    """Move an environment."""
    prefix.rename(new)
    list_only([new if path == prefix else path for path in listed()])


def registry() -> Path:
    """Return where environments are listed."""
    return Path("~/.conda/environments.txt").expanduser()


def listed() -> list[Path]:
    """Return the environments that are listed."""
    path = registry()
    return list(map(Path, path.read_text().splitlines())) if path.exists() else []


def list_only(prefixes: Iterable[Path]) -> None:
    """List these environments, and no others."""
    registry().parent.mkdir(exist_ok=True)
    registry().write_text("".join(f"{prefix}\n" for prefix in prefixes))


def change(
    prefix: Path,
    channels: Iterable[str],
    *,
    added: Sequence[str] = (),
    removed: Sequence[str] = (),
) -> None:
    """Solve for all that was ever asked for, and install what comes of it."""
    wanted = requested(prefix)
    for spec in removed:
        del wanted[name_of(spec)]
    wanted |= {name_of(spec): spec for spec in added}
    before = installed(prefix)
    asyncio.run(transact(prefix, channels, wanted.values(), before))
    note(prefix, before, added, removed)


async def transact(
    prefix: Path,
    channels: Iterable[str],
    specs: Iterable[str],
    before: list[rattler.PrefixRecord],
) -> None:
    """Leave in a prefix what these specs need; what is there stays if it can."""
    platform = getattr(rattler, "Subdir", None) or rattler.Platform  # before 0.27
    platforms: list[Any] = [
        os.environ.get("CONDA_SUBDIR", str(platform.current())),
        "noarch",
    ]
    packages = await rattler.solve(
        list(channels),
        [rattler.MatchSpec(spec) for spec in specs],
        platforms=platforms,
        locked_packages=before,
        virtual_packages=rattler.VirtualPackage.detect(),
    )
    await rattler.install(packages, prefix, show_progress=False)


def installed(prefix: Path) -> list[rattler.PrefixRecord]:
    """Return the packages of an environment."""
    paths = sorted((prefix / "conda-meta").glob("*.json"))
    return [rattler.PrefixRecord.from_path(path) for path in paths]


def note(
    prefix: Path,
    before: list[rattler.PrefixRecord],
    added: Sequence[str],
    removed: Sequence[str],
) -> None:
    """Write a revision of the history, unless nothing has changed."""
    old, new = set(map(dist, before)), set(map(dist, installed(prefix)))
    if old == new:
        return
    lines = [
        time.strftime("==> %Y-%m-%d %H:%M:%S <=="),
        f"# cmd: micromamba {' '.join(sys.argv[1:])}",
        f"# conda version: {VERSION}",
        *(f"-{name}" for name in sorted(old - new)),
        *(f"+{name}" for name in sorted(new - old)),
        *([f"# update specs: {json.dumps(added)}"] if added else []),
        *([f"# remove specs: {json.dumps(removed)}"] if removed else []),
    ]
    with (prefix / "conda-meta" / "history").open("a") as file:
        file.writelines(f"{line}\n" for line in lines)


def dist(record: rattler.PrefixRecord) -> str:
    """Name a package as micromamba's history does."""
    folder = record.url.rpartition("/")[0]
    return f"{folder}::{record.name.normalized}-{record.version}-{record.build}"


def requested(prefix: Path) -> dict[str, str]:
    """Return what was asked for, by package, whoever has written the history."""
    specs: dict[str, str] = {}
    text = (prefix / "conda-meta" / "history").read_text()
    for action, words in re.findall(r"^# (\w+) specs: (\[.*\])$", text, re.MULTILINE):
        for spec in ast.literal_eval(words):
            if action == "remove":
                specs.pop(name_of(spec), None)
            else:
                specs[name_of(spec)] = spec
    return specs


def name_of(spec: str) -> str:
    """Return the name of the package that a spec is about."""
    name = rattler.MatchSpec(spec).name
    return str(getattr(name, "normalized", name))


def change_variables(prefix: Path, changes: Mapping[str, str | None]) -> None:
    """Set variables; None removes one."""
    path = prefix / "conda-meta" / "state"
    state = json.loads(path.read_text()) if path.exists() else {"version": 1}
    new = state.get("env_vars", {}) | changes
    state["env_vars"] = {name: text for name, text in new.items() if text is not None}
    path.write_text(json.dumps(state))


if __name__ == "__main__":
    main()
    # Threads of rattler's may crash an interpreter that ends in the usual way.
    os._exit(0)
