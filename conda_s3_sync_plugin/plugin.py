"""The hooks that conda calls.

Loaded on every conda command, so that nothing heavy is imported here, nor by what runs
before `conda s3-sync` itself is called.
"""

from __future__ import annotations

import contextlib
import sys
from typing import TYPE_CHECKING

import pluggy

# Early: conda asks for them once more when it has just removed us.
from .settings import SETTINGS

if TYPE_CHECKING:
    from argparse import ArgumentParser, Namespace
    from collections.abc import Iterable

    from conda.plugins.types import (
        CondaEnvironmentExporter,
        CondaEnvironmentSpecifier,
        CondaHealthCheck,
        CondaPostCommand,
        CondaSetting,
        CondaSubcommand,
    )

    from .options import Options
    from .protocols import Engine

#: Commands that may change environments, as conda's hooks know them.
CHANGING = {
    *("create", "install", "update", "remove", "rename"),
    *("env_create", "env_update", "env_remove", "env_vars"),
}

#: What `conda.plugins.hookimpl` is, too; this one can be had without importing conda.
hookimpl = pluggy.HookimplMarker("conda")


@hookimpl
def conda_subcommands() -> Iterable[CondaSubcommand]:
    """Register `conda s3-sync`."""
    from conda.plugins.types import CondaSubcommand

    yield CondaSubcommand(
        name="s3-sync",
        summary="Keep conda environments in step through an S3 bucket.",
        action=execute,
        configure_parser=configure_parser,
    )


@hookimpl
def conda_settings() -> Iterable[CondaSetting]:
    """Register the settings, so that `conda config` knows them."""
    from conda.common.configuration import PrimitiveParameter
    from conda.plugins.types import CondaSetting

    for setting in SETTINGS:
        # Which values make sense is told by `conda s3-sync` itself: a validation here
        # would make `conda config --show` fail, which is where people look it up.
        yield CondaSetting(
            name=setting.name,
            description=setting.description,
            parameter=PrimitiveParameter(
                setting.default, element_type=type(setting.default)
            ),
        )


@hookimpl
def conda_post_commands() -> Iterable[CondaPostCommand]:
    """Register what follows the commands that may have changed environments."""
    from conda.plugins.types import CondaPostCommand

    yield CondaPostCommand(name="s3-sync", action=follow, run_for=CHANGING)


@hookimpl
def conda_health_checks() -> Iterable[CondaHealthCheck]:
    """Register the check that `conda doctor` runs for an environment."""
    from conda.plugins.types import CondaHealthCheck

    check = CondaHealthCheck(name="s3-sync", action=check_health)
    if hasattr(check, "summary"):  # from 26.1 on, and no argument before
        check.summary = "Check that the environment is in step with the S3 bucket"
    yield check


@hookimpl
def conda_environment_specifiers() -> Iterable[CondaEnvironmentSpecifier]:
    """Let conda make environments of locks."""
    from .lockspec import specifier

    yield specifier()


@hookimpl
def conda_environment_exporters() -> Iterable[CondaEnvironmentExporter]:
    """Let conda export environments as locks."""
    from .lockspec import exporter

    yield exporter()


def configure_parser(parser: ArgumentParser) -> None:
    """Add the options of `conda s3-sync`."""
    from conda.cli.conda_argparse import (
        add_output_and_prompt_options,
        add_parser_help,
        add_parser_networking,
    )

    from . import cli

    parser.description = cli.DESCRIPTION
    parser.epilog = cli.EPILOG.format(
        command="conda s3-sync",
        setting="conda config --set plugins.s3_sync_location my-bucket/team",
    )
    cli.add_options(parser)
    add_parser_networking(parser)
    add_output_and_prompt_options(parser)
    add_parser_help(parser)


def execute(args: Namespace) -> int:
    """Run `conda s3-sync`, and return its exit code."""
    from conda.base.context import context
    from conda.common.configuration import ConfigurationError

    from .cli import execute, refuse
    from .exceptions import UsageError
    from .interruption import not_lost
    from .options import conda_surroundings
    from .report import conda_bar

    try:
        surroundings = conda_surroundings()
    except ConfigurationError as error:
        # A setting whose value is not even of its type: nothing can be read then.
        return refuse(
            UsageError(str(error)),
            args.location,
            json=bool(context.json),
            dry_run=bool(context.dry_run),
        )
    show_bar = sys.stdout.isatty() and not (surroundings.json or surroundings.quiet)
    with not_lost():
        return execute(args, surroundings, make_engine, conda_bar if show_bar else None)


def follow(command: str) -> None:
    """Share what a command has changed, if that is set; see `s3_sync_auto`."""
    from conda.base.context import context

    with contextlib.suppress(Exception):  # of a value that is no text, told below
        if context.plugins.s3_sync_auto == "off":
            return
    try:
        from .autosync import follow
    except Exception:  # the command has just removed us, or put another release here
        return
    follow(make_engine)


def check_health(prefix: str, verbose: bool) -> None:
    """Tell how an environment stands, from what is remembered; see `conda doctor`."""
    from .health import check

    check(prefix, verbose=bool(verbose))


def make_engine(options: Options) -> Engine:
    """Return the engine for this conda, or for the one that is asked for."""
    from .engines.conda import CondaEngine, use_installation
    from .logs import keep_private

    keep_private()
    if options.conda_bin:
        use_installation(options.conda_bin)
    return CondaEngine(secrets=options.secrets)
