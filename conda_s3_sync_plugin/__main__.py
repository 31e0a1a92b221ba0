"""The command `conda-s3-sync`: the other door, where no conda could load a plugin.

Where there is a conda, it opens that one's.
"""

from __future__ import annotations

import os
import sys
import traceback
from argparse import ArgumentParser, RawDescriptionHelpFormatter
from typing import TYPE_CHECKING, Any, Final, NoReturn

from . import __version__, cli
from .condarc import Condarc, as_flag
from .exceptions import EngineError, S3SyncError, hint_of, summary_of
from .options import Surroundings
from .settings import SETTINGS

if TYPE_CHECKING:
    from argparse import Namespace
    from collections.abc import Sequence
    from pathlib import Path

    from .options import Options
    from .protocols import Engine

COMMAND: Final = "conda-s3-sync"

#: The first conda that knows all that the plugin asks of it.
_OLDEST_CONDA: Final = (25, 11)

#: What shells say of a program that was interrupted.
_INTERRUPTED: Final = 130


def run() -> NoReturn:
    """Run the command, and end the process.

    Without python's own way out: threads of rattler's may crash it there, after all is
    done, and their exit code would be ours.
    """
    code = main(sys.argv[1:])
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except OSError:  # nobody reads it
            code = code or 1
    os._exit(code)


def main(argv: Sequence[str]) -> int:
    """Run the command and return its exit code."""
    if _has_conda():
        from conda.cli.main import main as conda

        return int(conda("s3-sync", *argv) or 0)
    args = _parser().parse_args(argv)
    try:
        return _execute(args)
    except KeyboardInterrupt:
        sys.stderr.write(f"{COMMAND}: interrupted\n")
        return _INTERRUPTED
    except Exception as error:
        if args.verbosity > 1:
            traceback.print_exc()
        lines = (f"{COMMAND}: {summary_of(error)}", hint_of(error))
        sys.stderr.write("".join(f"{line}\n" for line in lines if line))
        return error.return_code if isinstance(error, S3SyncError) else 1


def _has_conda() -> bool:
    """Tell whether the plugin can be had: there is a conda, and it is not too old."""
    try:
        from conda import __version__ as version
    except ImportError:
        return False
    numbers = [int(part) for part in version.split(".")[:2] if part.isdecimal()]
    return tuple(numbers) >= _OLDEST_CONDA


def _parser() -> ArgumentParser:
    parser = ArgumentParser(
        prog=COMMAND,
        description=cli.DESCRIPTION,
        epilog=cli.EPILOG.format(
            command=COMMAND,
            setting="export CONDA_PLUGINS_S3_SYNC_LOCATION=my-bucket/team",
        ),
        formatter_class=RawDescriptionHelpFormatter,
    )
    cli.add_options(parser)
    how = parser.add_argument_group("output and prompts")
    how.add_argument("--json", action="store_true", help="one JSON document on stdout")
    how.add_argument(
        "-v",
        "--verbose",
        action="count",
        default=0,
        dest="verbosity",
        help="name what is in step, too; twice: say more of errors",
    )
    how.add_argument("-q", "--quiet", action="store_true", help="only what went wrong")
    how.add_argument(
        "-d", "--dry-run", action="store_true", help="only say what would be done"
    )
    how.add_argument(
        "-y", "--yes", action="store_true", help="do not ask; there is no question yet"
    )
    how.add_argument("--offline", action="store_true", help="stay off the network")
    how.add_argument("-V", "--version", action="version", version=__version__)
    return parser


def _execute(args: Namespace) -> int:
    from .engines.installation import find_root

    try:
        root = find_root(args.conda_bin or "")
        condarc = Condarc.load(root)
        surroundings = _surroundings(args, condarc)
    except S3SyncError as error:
        return cli.refuse(error, args.location, json=args.json, dry_run=args.dry_run)

    def make_engine(options: Options) -> Engine:
        return _make_engine(root, condarc, secrets=options.secrets)

    show_bar = sys.stdout.isatty() and not (args.json or args.quiet)
    return cli.execute(args, surroundings, make_engine, Bar if show_bar else None)


def _surroundings(args: Namespace, condarc: Condarc) -> Surroundings:
    """Return what we were told; raise UsageError."""
    in_files = condarc.mapping("plugins")
    configured: dict[str, Any] = {}
    for setting in SETTINGS:
        name, default = setting.name, setting.default
        value = os.environ.get(f"CONDA_PLUGINS_{name.upper()}") or in_files.get(name)
        if value is None:
            value = default
        is_flag = isinstance(default, bool)
        configured[name] = as_flag(name, value) if is_flag else str(value)
    return Surroundings(
        configured,
        json=args.json,
        quiet=args.quiet,
        verbose=args.verbosity > 0,
        dry_run=args.dry_run,
        offline=args.offline or condarc.flag("offline", default=False),
    )


def _make_engine(root: Path, condarc: Condarc, *, secrets: bool) -> Engine:
    """Return the engine for machines without conda; raise EngineError."""
    try:
        from .engines.rattler import RattlerEngine
    except ImportError as error:
        raise EngineError(
            f"There is neither a conda here nor py-rattler ({error}).",
            hint="With conda: conda install -n base conda-s3-sync-plugin. Without: "
            "pip install 'conda-s3-sync-plugin[standalone]'.",
        ) from None
    return RattlerEngine(root, condarc, secrets=secrets)


class Bar:
    """A progress bar on a terminal."""

    _WIDTH: Final = 30

    def __init__(self, description: str) -> None:
        self._description = description

    def update_to(self, fraction: float) -> None:
        """Show how much is done, from 0 to 1."""
        done = round(fraction * self._WIDTH)
        bar = f"{'#' * done}{' ' * (self._WIDTH - done)}"
        sys.stdout.write(f"\r{self._description} |{bar}| {fraction:4.0%}")
        sys.stdout.flush()

    def close(self) -> None:
        """Leave the line empty, for what is said next."""
        sys.stdout.write("\r\033[K")
        sys.stdout.flush()


if __name__ == "__main__":
    run()
