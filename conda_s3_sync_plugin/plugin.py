"""The hooks that conda calls.

Loaded on every conda command, so that nothing heavy is imported here, nor by what runs
before `conda s3-sync` itself is called.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import pluggy

if TYPE_CHECKING:
    from argparse import ArgumentParser, Namespace
    from collections.abc import Iterable

    from conda.plugins.types import CondaSetting, CondaSubcommand

    from .protocols import Engine
    from .settings import Options

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

    from .settings import SETTINGS

    for setting in SETTINGS:
        yield CondaSetting(
            name=setting.name,
            description=setting.description,
            parameter=PrimitiveParameter(
                setting.default,
                element_type=type(setting.default),
                validation=lambda value, setting=setting: (
                    setting.problem(value) or True
                ),
            ),
        )


def configure_parser(parser: ArgumentParser) -> None:
    """Add the options of `conda s3-sync`."""
    from conda.cli.conda_argparse import (
        add_output_and_prompt_options,
        add_parser_help,
        add_parser_networking,
    )

    from . import cli

    parser.description = cli.DESCRIPTION
    parser.epilog = cli.EPILOG
    cli.add_options(parser)
    add_parser_networking(parser)
    add_output_and_prompt_options(parser)
    add_parser_help(parser)


def execute(args: Namespace) -> int:
    """Run `conda s3-sync`, and return its exit code."""
    from .cli import execute
    from .report import conda_bar
    from .settings import conda_surroundings

    surroundings = conda_surroundings()
    show_bar = sys.stdout.isatty() and not (surroundings.json or surroundings.quiet)
    return execute(args, surroundings, make_engine, conda_bar if show_bar else None)


def make_engine(options: Options) -> Engine:
    """Return the engine for this conda, or for the one that is asked for."""
    from .engines.conda import CondaEngine, use_installation

    if options.conda_bin:
        use_installation(options.conda_bin)
    return CondaEngine(secrets=options.secrets)
