"""The command line, as it is typed."""

from __future__ import annotations

import sys
from argparse import ArgumentParser, Namespace
from io import StringIO
from typing import TYPE_CHECKING

import pytest

from conda_s3_sync_plugin import cli, commands
from conda_s3_sync_plugin.exceptions import StateError
from conda_s3_sync_plugin.models import Outcome, Step
from conda_s3_sync_plugin.options import Surroundings
from conda_s3_sync_plugin.settings import SETTINGS
from conda_s3_sync_plugin.words import Action, Prefer

if TYPE_CHECKING:
    from collections.abc import Callable

    from machine import Machine

    from conda_s3_sync_plugin.protocols import Watcher

SILENT = {
    "location": None,
    "names": None,
    "path_filter": None,
    "include_root_env": None,
    "conda_bin": None,
    "direction": None,
    "prefer": None,
    "prune": None,
    "unchecked": False,
    "deletes": None,
    "detail": None,
    "history_of": None,
    "restores": None,
    "profile": None,
    "region": None,
    "endpoint_url": None,
}

SEED = ["--path-filter", "ml|web", "--conda-bin", "/opt/conda/bin/conda"]
SEED += ["--include-root-env", "bucket/team"]


def own_parser() -> ArgumentParser:
    parser = ArgumentParser("conda s3-sync")
    cli.add_options(parser)
    return parser


def conda_parser() -> ArgumentParser:
    from conda_s3_sync_plugin import plugin

    parser = ArgumentParser("conda s3-sync", add_help=False)
    plugin.configure_parser(parser)
    return parser


PARSERS = [
    pytest.param(own_parser, id="own"),
    pytest.param(conda_parser, id="conda", marks=pytest.mark.conda),
]


@pytest.fixture(params=PARSERS)
def parse(request: pytest.FixtureRequest) -> Callable[..., Namespace]:
    parser: ArgumentParser = request.param()
    return lambda *words: parser.parse_args(words)


def test_what_is_not_said_is_left_to_the_settings(
    parse: Callable[..., Namespace],
) -> None:
    assert {name: getattr(parse(), name) for name in SILENT} == SILENT


def test_the_seed_s_command_line_works_as_it_did(
    parse: Callable[..., Namespace],
) -> None:
    args = parse(*SEED)
    assert args.location == "bucket/team"
    assert args.path_filter == "ml|web"
    assert args.conda_bin == "/opt/conda/bin/conda"
    assert args.include_root_env is True
    flags = {"location", "path_filter", "conda_bin", "include_root_env"}
    others = SILENT.keys() - flags
    assert all(getattr(args, name) == SILENT[name] for name in others)


@pytest.mark.parametrize(
    ("words", "name", "value"),
    [
        (["s3://bucket/team"], "location", "s3://bucket/team"),
        (["-n", "a"], "names", ["a"]),
        (["-n", "a", "--name", "b", "-nc"], "names", ["a", "b", "c"]),
        (["--push-only"], "direction", "push"),
        (["--pull-only"], "direction", "pull"),
        (["--prefer", "newest"], "prefer", "newest"),
        (["--prefer=none"], "prefer", "none"),
        (["--merge"], "prefer", "merge"),
        (["--delete"], "deletes", True),
        (["--diff"], "detail", ""),
        (["--diff", "ml"], "detail", "ml"),
        (["--history", "ml"], "history_of", "ml"),
        (["--restore", "ml@0123abcd"], "restores", "ml@0123abcd"),
        (["--no-prune"], "prune", False),
        (["--force"], "unchecked", True),
        (["--profile", "p"], "profile", "p"),
        (["--region", "r"], "region", "r"),
        (
            ["--endpoint-url", "http://127.0.0.1:9"],
            "endpoint_url",
            "http://127.0.0.1:9",
        ),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_each_flag_says_one_thing(
    parse: Callable[..., Namespace], words: list[str], name: str, value: object
) -> None:
    args = parse(*words)
    assert {key: getattr(args, key) for key in SILENT} == {**SILENT, name: value}


@pytest.mark.parametrize(
    "words",
    [
        ["bucket/a", "bucket/b"],
        ["--no-such-flag"],
        ["--push-only", "--pull-only"],
        ["--prefer", "oldest"],
        ["--prefer"],
        ["--name"],
        ["--path-filter"],
        ["--conda-bin"],
        ["--force=yes"],
        ["--delete=yes"],
        ["--history"],
        ["--restore"],
    ],
    ids=" ".join,
)
def test_wrong_usage_exits_with_2(
    parse: Callable[..., Namespace],
    words: list[str],
    capsys: pytest.CaptureFixture[str],
) -> None:
    with pytest.raises(SystemExit) as caught:
        parse(*words)
    assert caught.value.code == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert "usage: conda s3-sync" in err


def test_the_choices_are_those_of_the_plan() -> None:
    (prefer,) = (
        action
        for action in own_parser()._actions
        if "--prefer" in action.option_strings
    )
    assert tuple(prefer.choices or ()) == tuple(map(str, Prefer))


def test_help_tells_of_every_flag_and_exit_code(
    parse: Callable[..., Namespace], capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as caught:
        parse("--help")
    assert caught.value.code == 0
    out = capsys.readouterr().out
    flags = [flag for action in own_parser()._actions for flag in action.option_strings]
    for word in ("BUCKET[/PATH]", *flags):
        assert word in out
    assert "None" not in out
    for code in range(4):
        assert f"\n    {code}  " in cli.EPILOG


@pytest.mark.conda
def test_conda_s_own_flags_keep_their_meaning() -> None:
    parser = conda_parser()
    args = parser.parse_args(["-d", "--json", "-q", "-v", "-v", "-y", "--offline"])
    assert (args.dry_run, args.json, args.quiet, args.yes) == (True, True, True, True)
    assert args.verbosity == 2
    assert args.offline is True


@pytest.mark.conda
def test_no_flag_is_one_that_conda_reads_itself() -> None:
    from conda.base.context import context

    ours = {action.dest for action in own_parser()._actions} - {"help"}
    # conda reads any option of a command that is called as one of its settings.
    assert ours.isdisjoint(context.parameter_names_and_aliases)
    assert ours.isdisjoint({"name", "prefix", "cmd", "func", "channel"})


@pytest.mark.conda
def test_conda_itself_passes_the_command_line_on(
    machine: Callable[..., Machine],
) -> None:
    done = machine("a").sync("--prefer", "oldest", check=False)
    assert done.returncode == 2
    assert "invalid choice: 'oldest'" in done.stderr
    assert done.stdout == ""


CONFIGURED = {setting.name: setting.default for setting in SETTINGS}


def test_a_run_that_breaks_off_tells_what_it_has_done(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    out = StringIO()

    class Bar:
        def __init__(self, description: str) -> None:
            out.write("[bar]\n")

        def update_to(self, fraction: float) -> None:
            pass

        def close(self) -> None:
            out.write("[end]\n")

    def break_off(self: object, watcher: Watcher) -> None:
        step = Step("ml", Action.PULL, "new in the bucket", 2)
        watcher.plan([step])
        watcher.start(step)
        watcher.finish(Outcome(step))
        raise StateError("The disk is full.")

    def no_engine(options: object) -> None:
        """Return none: it is not used."""

    monkeypatch.setattr(sys, "stdout", out)
    monkeypatch.setattr(commands.Commands, "synchronize", break_off)
    args = own_parser().parse_args(["bucket"])
    with pytest.raises(StateError, match="disk is full"):
        cli.execute(args, Surroundings(CONFIGURED), no_engine, Bar)  # type: ignore[arg-type]
    assert out.getvalue() == "[bar]\n[end]\npull  ml  new in the bucket\n"
