"""The command `conda-s3-sync`: the other door, for where no conda can load a plugin."""

from __future__ import annotations

import contextlib
import gc
import os
import sys
from argparse import ArgumentParser, RawDescriptionHelpFormatter
from importlib.util import find_spec
from io import TextIOWrapper
from pathlib import Path
from typing import TYPE_CHECKING, Final, NoReturn, cast

from . import cli
from .condarc import Condarc
from .exceptions import EngineError, S3SyncError, hint_of, summary_of
from .interruption import not_lost
from .options import Surroundings
from .settings import SETTINGS

if TYPE_CHECKING:
    from argparse import Namespace
    from collections.abc import Callable, Sequence

    from .options import Options
    from .protocols import Engine

COMMAND: Final = "conda-s3-sync"

#: What is imported and read in a run is no garbage: to look for some again and again
#: takes a tenth of a run that has nothing to do.
_ALLOCATIONS: Final = 500_000

#: The first conda that knows all that the plugin asks of it.
_OLDEST_CONDA: Final = (25, 11)


def run() -> NoReturn:
    """Run the command, and end the process.

    Without python's own way out: threads of rattler's may crash it there, after all is
    done, and their exit code would be ours.
    """
    gc.set_threshold(_ALLOCATIONS)
    for name in ("stdout", "stderr"):
        if getattr(sys, name) is None:  # closed by who has started us
            setattr(sys, name, Path(os.devnull).open("w"))  # noqa: SIM115
    if isinstance(sys.stdout, TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")  # as stderr is already
    os._exit(main(sys.argv[1:]))


def main(argv: Sequence[str]) -> int:
    """Run the command and return its exit code; raise nothing, and lose no output."""
    try:
        with not_lost():
            code = _run(argv)
        sys.stdout.flush()
        return code
    except KeyboardInterrupt:
        _complain("interrupted")
        return 130  # as shells say it
    except BrokenPipeError:  # nobody reads what we say
        return 1
    except OSError as error:  # a full disk, where the output goes
        _complain(str(error))
        return 1


def _run(argv: Sequence[str]) -> int:
    """Go through the door of the conda beside us; where there is none, through ours."""
    try:
        if conda := _find_conda():
            return int(conda("s3-sync", *argv) or 0)
        args = _parser().parse_args(argv)
    except SystemExit as end:  # after --help, or wrong options
        return end.code if isinstance(end.code, int) else bool(end.code)
    if args.verbosity > 1:
        from . import logs

        logs.show()
    try:
        return _execute(args)
    except BrokenPipeError:
        raise
    except Exception as error:
        if args.verbosity > 1:
            import traceback

            traceback.print_exc()
        if args.json:
            return cli.refuse(error, args.location, json=True, dry_run=args.dry_run)
        _complain(summary_of(error), hint_of(error))
        return error.return_code if isinstance(error, S3SyncError) else 1


def _complain(text: str, hint: str = "") -> None:
    with contextlib.suppress(OSError):  # that, too, may be read by nobody
        sys.stderr.write(f"{COMMAND}: {text}\n{hint}".rstrip() + "\n")
        sys.stderr.flush()


def _find_conda() -> Callable[..., int | None] | None:
    """Return what runs the conda beside us: one that can load the plugin."""
    try:
        from conda import __version__ as version

        if tuple(map(int, version.split(".")[:2])) < _OLDEST_CONDA:
            return None
        from conda.cli.main import main as conda
    except Exception:  # there is none, or half of one
        return None
    return cast("Callable[..., int | None]", conda)


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
    how.add_argument("-d", "--dry-run", action="store_true", help="only tell the plan")
    how.add_argument("-y", "--yes", action="store_true", help="answer no question")
    how.add_argument("--offline", action="store_true", help="stay off the network")
    return parser


def _execute(args: Namespace) -> int:
    from .engines.installation import find_root
    from .state import check_home

    try:
        check_home()
        root = find_root(args.conda_bin or "")
        condarc = Condarc.load(root)
        surroundings = _surroundings(args, condarc)
    except S3SyncError as error:
        return cli.refuse(error, args.location, json=args.json, dry_run=args.dry_run)

    def make_engine(options: Options) -> Engine:
        return _make_engine(root, condarc, options)

    show_bar = sys.stdout.isatty() and not (surroundings.json or surroundings.quiet)
    return cli.execute(args, surroundings, make_engine, Bar if show_bar else None)


def _surroundings(args: Namespace, condarc: Condarc) -> Surroundings:
    """Return what we were told, as flags or for good; raise UsageError."""
    configured: dict[str, str | bool | int] = {}
    for name, default, *_ in SETTINGS:
        if isinstance(default, bool):
            configured[name] = condarc.flag(f"plugins.{name}", default=default)
        else:
            configured[name] = condarc.text(f"plugins.{name}", str(default))
    given = {
        name: getattr(args, name) or condarc.flag(name, default=False)
        for name in ("json", "quiet", "dry_run", "offline")
    }
    given["yes"] = args.yes or condarc.flag("always_yes", default=False)
    return Surroundings(
        configured, verbose=args.verbosity > 0, command=COMMAND, **given
    )


def _make_engine(root: Path, condarc: Condarc, options: Options) -> Engine:
    """Return the engine for machines without conda; raise EngineError."""
    from .engines.rattler import RattlerEngine

    if find_spec("rattler") is None:
        raise EngineError(
            "There is neither a conda (25.11 or newer) here nor py-rattler.",
            hint="With conda: conda install -n base conda-s3-sync-plugin. Without: "
            "pip install 'conda-s3-sync-plugin[standalone]'.",
        )
    return RattlerEngine(root, condarc, secrets=options.secrets)


class Bar:
    """A progress bar on a terminal."""

    _WIDTH: Final = 30

    def __init__(self, description: str) -> None:
        self._description = description

    def update_to(self, fraction: float) -> None:
        """Show how much is done, from 0 to 1."""
        bar = "#" * round(fraction * self._WIDTH)
        sys.stdout.write(f"\r{self._description} |{bar:{self._WIDTH}}| {fraction:4.0%}")
        sys.stdout.flush()

    def close(self) -> None:
        """Leave the line empty, for what is said next."""
        sys.stdout.write("\r\033[K")
        sys.stdout.flush()


if __name__ == "__main__":
    run()
