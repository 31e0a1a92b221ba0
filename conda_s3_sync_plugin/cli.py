"""The command line: its options, and what happens when it is called."""

from __future__ import annotations

import json
import sys
from argparse import ArgumentParser
from typing import TYPE_CHECKING

from . import __version__

if TYPE_CHECKING:
    from argparse import Namespace, _ArgumentGroup
    from collections.abc import Callable

    from .options import Options, Surroundings
    from .protocols import Engine
    from .report import Bar, Lines, Silence

DESCRIPTION = (
    "Keep conda environments in step on all your machines, through an S3 bucket."
)

#: `command`: how we are called; `setting`: how a location is set for good.
EPILOG = """\
examples:

    {command} my-bucket/team                  synchronize everything, both ways
    {command} my-bucket/team -n ml --diff     show what would happen to one
    {command} my-bucket/team --restore ml     go back to the version before
    {setting}
    {command}                                 from now on, that is enough

exit codes:

    0  nothing is left to do, but what --push-only or --pull-only holds back; or
       this was a look, and there is nothing that only a person can settle
    1  something failed, or was left in conflict, or was skipped; the rest is done
    2  wrong usage
    3  stopped by a safety check; nothing was done
"""


def add_options(parser: ArgumentParser) -> None:
    """Add the options that are not conda's own.

    Runs on every conda command: keep it light.
    """
    # Not `name`, `prefix`, `force` and the like: conda itself would read those.
    parser.add_argument(
        "location",
        nargs="?",
        metavar="BUCKET[/PATH]",
        help="what to synchronize with; by default the setting s3_sync_location",
    )
    _add_scope(parser.add_argument_group("environments that take part"))
    _add_policy(parser.add_argument_group("how"))
    _add_looks(parser.add_argument_group("looking, and going back"))
    parser.add_argument(
        "-V",
        "--version",
        action="version",
        version=f"conda-s3-sync-plugin {__version__}",
        help="show the version of this program and exit",
    )
    where = parser.add_argument_group("S3")
    where.add_argument("--profile", help="profile of the AWS configuration")
    where.add_argument("--region", help="region of the bucket")
    where.add_argument("--endpoint-url", metavar="URL", help="an S3 server of your own")


def _add_scope(which: _ArgumentGroup) -> None:
    which.add_argument(
        "-n",
        "--name",
        action="append",
        dest="names",
        metavar="NAME",
        help="only this environment; may be given again",
    )
    which.add_argument(
        "--path-filter",
        metavar="REGEX",
        help="only environments in whose path this regular expression is found",
    )
    which.add_argument(
        "--include-root-env",
        action="store_true",
        default=None,
        help="the base environment, too, as `root`; it is only ever added to",
    )
    which.add_argument(
        "--conda-bin",
        metavar="PATH",
        help="environments of this conda, where it is not the one running",
    )


def _add_policy(how: _ArgumentGroup) -> None:
    ways = how.add_mutually_exclusive_group()
    for way in ("push", "pull"):
        ways.add_argument(
            f"--{way}-only",
            action="store_const",
            const=way,
            dest="direction",
            help=f"only {way}",
        )
    how.add_argument(
        "--prefer",
        choices=("newest", "local", "remote", "none", "merge"),
        help="which side wins where both have changed (default: newest)",
    )
    how.add_argument(
        "--merge",
        action="store_const",
        const="merge",
        dest="prefer",
        help="where both have changed other packages, take the changes of both",
    )
    how.add_argument(
        "--delete",
        action="store_true",
        default=None,
        dest="deletes",
        help="what was removed on one side goes on the other, too",
    )
    how.add_argument(
        "--no-prune",
        action="store_false",
        default=None,
        dest="prune",
        help="do not remove packages here that are not in the bucket's version",
    )
    how.add_argument(
        "--force",
        action="store_true",
        dest="unchecked",
        help="go on where a safety check would stop the run",
    )


def _add_looks(looks: _ArgumentGroup) -> None:
    looks.add_argument(
        "--diff",
        nargs="?",
        const="",
        metavar="NAME",
        dest="detail",
        help="show by package what would change, and change nothing",
    )
    looks.add_argument(
        "--history",
        metavar="NAME",
        dest="history_of",
        help="show all versions of an environment",
    )
    looks.add_argument(
        "--restore",
        metavar="NAME[@VERSION]",
        dest="restores",
        help="make a version the current one again, here and in the bucket; by "
        "default the one before",
    )


def no_flags() -> Namespace:
    """Return what the options are where none is given: the settings decide all."""
    parser = ArgumentParser(add_help=False)
    add_options(parser)
    return parser.parse_args([])


def execute(
    args: Namespace,
    surroundings: Surroundings,
    make_engine: Callable[[Options], Engine],
    make_bar: Callable[[str], Bar] | None = None,
) -> int:
    """Run `conda s3-sync`, and return its exit code.

    Raise S3SyncError where the run cannot begin; with `--json`, that too becomes the
    one document on stdout.
    """
    from .exceptions import S3SyncError
    from .options import Options
    from .report import Lines, Silence

    lines: Lines | Silence
    if surroundings.json:
        lines = Silence()
    else:
        lines = Lines(
            quiet=surroundings.quiet, verbose=surroundings.verbose, bar=make_bar
        )
    try:
        options = Options.read(args, surroundings.configured)
        return _run(options, surroundings, make_engine, lines)
    except S3SyncError as error:
        location = args.location or surroundings.configured["s3_sync_location"]
        return refuse(
            error, location, json=surroundings.json, dry_run=surroundings.dry_run
        )
    finally:
        lines.close()


def _run(
    options: Options,
    surroundings: Surroundings,
    make_engine: Callable[[Options], Engine],
    lines: Lines | Silence,
) -> int:
    """Do what was asked for, tell it, and return the exit code; raise S3SyncError."""
    from . import commands, report

    command = commands.begin(options, surroundings, make_engine)
    if options.history_of:
        told = command.history(options.history_of, quiet=surroundings.quiet)
        if surroundings.json:
            _print_json(told)
        return 0
    if options.restores:
        result = command.restore(*options.restores, lines)
    else:
        result = command.synchronize(lines)
    lines.end(result)
    if surroundings.json:
        _print_json(report.document(result))
    return 0 if report.is_success(result) else 1


def refuse(error: Exception, location: str | None, *, json: bool, dry_run: bool) -> int:
    """End a run that cannot begin: raise its error, or print that as a document."""
    from .engines.privacy import forget_secrets
    from .location import shown
    from .report import failure

    if not json:
        forget_secrets(error)
        raise error
    _print_json(failure(error, shown(location or ""), dry_run=dry_run))
    return int(getattr(error, "return_code", 1))


def _print_json(document: object) -> None:
    sys.stdout.write(f"{json.dumps(document, indent=2)}\n")
