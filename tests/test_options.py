from __future__ import annotations

import json
from argparse import ArgumentParser
from typing import TYPE_CHECKING, Any

import pytest

from conda_s3_sync_plugin import cli, exceptions
from conda_s3_sync_plugin.exceptions import S3SyncError, UsageError
from conda_s3_sync_plugin.location import Location
from conda_s3_sync_plugin.models import Policy, Scope
from conda_s3_sync_plugin.options import Options
from conda_s3_sync_plugin.settings import SETTINGS
from conda_s3_sync_plugin.words import Direction, Prefer

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from pathlib import Path

DEFAULTS = {setting.name: setting.default for setting in SETTINGS}


def read(*words: str, **configured: Any) -> Options:
    parser = ArgumentParser()
    cli.add_options(parser)
    settings = {f"s3_sync_{name}": value for name, value in configured.items()}
    assert settings.keys() <= DEFAULTS.keys()
    return Options.read(parser.parse_args(words), {**DEFAULTS, **settings})


def test_without_flags_and_settings_all_is_as_usual() -> None:
    assert read("bucket/team") == Options(
        Location("bucket", "team"),
        Scope(),
        Policy(Prefer.NEWEST, Direction.BOTH, delete=False),
        prune=True,
        force=False,
        conda_bin="",
        secrets=False,
        record_host=True,
        profile="",
        region="",
        endpoint_url="",
    )


CHOICES = [
    ("location", "bucket/set", ["bucket/flag"], "location", "s3://bucket/{}"),
    ("prefer", "local", ["--prefer", "remote"], "policy.prefer", None),
    ("direction", "push", ["--pull-only"], "policy.direction", None),
    ("direction", "pull", ["--push-only"], "policy.direction", None),
    ("profile", "set", ["--profile", "flag"], "profile", None),
    ("region", "set", ["--region", "flag"], "region", None),
    (
        "endpoint_url",
        "http://set",
        ["--endpoint-url", "http://flag"],
        "endpoint_url",
        None,
    ),
    (
        "path_filter",
        "set",
        ["--path-filter", "flag"],
        "scope.path_filter.pattern",
        None,
    ),
    ("include_root_env", False, ["--include-root-env"], "scope.root", None),
    ("prune", True, ["--no-prune"], "prune", None),
    ("delete", False, ["--delete"], "policy.delete", None),
]


def look_up(options: Options, path: str) -> object:
    value: object = options
    for part in path.split("."):
        value = getattr(value, part)
    return value if isinstance(value, bool) else str(value)


@pytest.mark.parametrize(
    ("setting", "value", "flag", "path", "shown"),
    CHOICES,
    ids=[c[2][0] for c in CHOICES],
)
def test_a_flag_goes_before_its_setting(
    setting: str, value: str | bool, flag: list[str], path: str, shown: str | None
) -> None:
    words = ["bucket"] if setting != "location" else []
    configured = look_up(read(*words, **{setting: value}), path)
    flagged = look_up(read(*words, *flag, **{setting: value}), path)
    assert configured == (shown.format("set") if shown else value)
    assert flagged != configured
    # The flag alone says the same.
    assert look_up(read(*words, *flag), path) == flagged


@pytest.mark.parametrize("given", [True, False])
@pytest.mark.parametrize(
    ("setting", "field"),
    [
        ("secret_variables", "secrets"),
        ("record_host", "record_host"),
        ("prune", "prune"),
    ],
)
def test_what_has_no_flag_is_set_for_good(
    setting: str, field: str, given: bool
) -> None:
    assert getattr(read("bucket", **{setting: given}), field) is given


def test_names_add_up_and_force_is_only_a_flag() -> None:
    options = read("bucket", "-n", "a", "--name", "b", "-n", "a", "--force")
    assert options.scope.names == {"a", "b"}
    assert options.force


def test_what_follows_diff_is_a_name_unless_it_must_be_the_location() -> None:
    for words, location, names in (
        (["buck", "--diff"], "buck", set()),
        (["buck", "--diff", "ml", "-n", "a"], "buck", {"ml", "a"}),
        (["--diff", "buck/team"], "buck/team", set()),
        (["--diff", "buck"], "buck", set()),
    ):
        options = read(*words)
        assert str(options.location) == f"s3://{location}"
        assert options.scope.names == names
        assert options.in_detail
    assert read("--diff", "ml", location="set").scope.names == {"ml"}
    assert str(read("--diff", "buck/b", location="set").location) == "s3://buck/b"
    assert not read("buck").in_detail


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("ml", ("ml", "")),
        ("ml@0123abcd", ("ml", "0123abcd")),
        ("a@b@0123", ("a@b", "0123")),
        ("a@b", ("a@b", "")),
        ("root@0123abcd", ("root", "0123abcd")),
        (f"ml@{64 * 'a'}", ("ml", 64 * "a")),
        (f"ml@{65 * 'a'}", (f"ml@{65 * 'a'}", "")),
    ],
)
def test_a_version_may_follow_the_name_of_what_is_restored(
    text: str, found: tuple[str, str]
) -> None:
    assert read("bucket", "--restore", text).restores == found
    assert read("bucket").restores == ()


LOOKS = [
    *(["--diff"], ["--push-only"], ["--pull-only"], ["--delete"], ["--no-prune"]),
    *(["--prefer", "local"], ["--merge"], ["--force"], ["--restore", "ml"]),
]


@pytest.mark.parametrize("words", LOOKS, ids=" ".join)
def test_what_only_looks_at_versions_takes_no_flag_that_says_how(
    words: list[str],
) -> None:
    with pytest.raises(UsageError) as caught:
        read("bucket", "--history", "ml", *words)
    flag = {"--merge": "--prefer"}.get(words[0], words[0])
    assert str(caught.value) == f"--history and {flag} do not go together."
    assert read("bucket", "--history", "ml", direction="pull", delete=True).history_of


@pytest.mark.parametrize("words", [["--delete"], ["--prefer", "local"], ["--merge"]])
def test_going_back_settles_nothing_and_removes_nothing(words: list[str]) -> None:
    with pytest.raises(UsageError, match="^--restore and .* do not go together"):
        read("bucket", "--restore", "ml", *words)
    usual = ("--diff", "--no-prune", "--force")
    assert read("bucket", "--restore", "ml", *usual, delete=True).restores


@pytest.mark.parametrize("way", ["push", "pull"])
def test_going_back_goes_both_ways_whoever_says_that_it_may_not(way: str) -> None:
    told = []
    for words, configured in (([f"--{way}-only"], {}), ([], {"direction": way})):
        with pytest.raises(UsageError, match="goes both ways") as caught:
            read("bucket", "--restore", "ml", *words, **configured)
        told.append(str(caught.value))
    assert told[0] == told[1]
    assert f"s3_sync_direction: {way}" in told[0]
    assert "CONDA_PLUGINS_S3_SYNC_DIRECTION=both" in told[0]


@pytest.mark.parametrize("flag", ["--history", "--restore"])
def test_impossible_names_are_wrong_usage(flag: str) -> None:
    with pytest.raises(UsageError, match=rf"{flag} '\.\./x': "):
        read("bucket", flag, "../x")


@pytest.mark.parametrize("location", ["", None])
def test_no_location_is_wrong_usage(location: str | None) -> None:
    with pytest.raises(UsageError, match="No location") as caught:
        read(location=location)
    assert "s3_sync_location, below `plugins:`" in caught.value.hint


def test_a_location_that_cannot_be_read_is_wrong_usage() -> None:
    with pytest.raises(UsageError, match="names no bucket"):
        read(location="s3://")


@pytest.mark.parametrize("pattern", ["(", "*", "[a", "(?P<a>x)(?P<a>y)"])
def test_a_broken_pattern_is_wrong_usage(pattern: str) -> None:
    for words, configured in (
        (["--path-filter", pattern], {}),
        ([], {"path_filter": pattern}),
    ):
        with pytest.raises(UsageError, match="is no regular expression"):
            read("bucket", *words, **configured)


@pytest.mark.parametrize("value", ["oldest", "", "NEWEST", None, 1])
@pytest.mark.parametrize("setting", ["prefer", "direction"])
def test_a_setting_with_choices_takes_no_other(setting: str, value: object) -> None:
    with pytest.raises(UsageError, match=f"s3_sync_{setting} is one of .*none|both"):
        read("bucket", **{setting: value})


def test_choices_are_those_of_the_plan() -> None:
    choices = {setting.name: setting.choices for setting in SETTINGS if setting.choices}
    assert choices == {
        "s3_sync_prefer": tuple(map(str, Prefer)),
        "s3_sync_direction": tuple(map(str, Direction)),
        "s3_sync_auto": ("off", "push", "sync"),
    }
    for setting in SETTINGS:
        assert not setting.choices or setting.default in setting.choices


@pytest.mark.parametrize("name", ["root", "base"])
def test_base_is_named_only_where_it_is_included(name: str) -> None:
    with pytest.raises(UsageError, match="only if it is asked for"):
        read("bucket", "-n", name)


def test_base_can_be_the_only_one() -> None:
    scope = read("bucket", "-n", "root", "--include-root-env").scope
    assert (scope.names, scope.root) == (frozenset({"root"}), True)


@pytest.mark.parametrize("name", ["..", "-x", "a/b", "a b"])
def test_a_name_that_no_environment_can_have_is_refused(name: str) -> None:
    with pytest.raises(UsageError, match="a name must not"):
        read("bucket", f"--name={name}")


def test_every_setting_is_explained() -> None:
    assert len({setting.name for setting in SETTINGS}) == len(SETTINGS)
    for setting in SETTINGS:
        assert setting.name.startswith("s3_sync_")
        assert setting.description.endswith(".")


CODES = {"UsageError": 2, "LocationError": 2, "SafetyError": 3}
ERRORS = [
    error
    for error in vars(exceptions).values()
    if isinstance(error, type) and issubclass(error, S3SyncError)
]


@pytest.mark.parametrize("error", ERRORS)
def test_every_class_of_errors_has_its_exit_code(error: type[S3SyncError]) -> None:
    assert error("It failed.").return_code == CODES.get(error.__name__, 1)


@pytest.mark.parametrize("error", ERRORS)
def test_an_error_says_what_happened_and_what_to_do(error: type[S3SyncError]) -> None:
    told = error("100% of {it} failed.", hint="Try %s again.")
    assert (told.summary, told.hint) == ("100% of {it} failed.", "Try %s again.")
    assert str(told) == "100% of {it} failed.\nTry %s again."
    assert str(error("It failed.")) == "It failed."


@pytest.mark.parametrize("error", ERRORS)
def test_the_tree_of_errors_is_drawn_whole(error: type[S3SyncError]) -> None:
    assert error.__name__ in (exceptions.__doc__ or "").split()


@pytest.fixture
def configure(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> Iterator[Callable[..., Mapping[str, Any]]]:
    """Write a .condarc, set variables, and return what conda makes of our settings."""
    from conda.base.context import reset_context

    from conda_s3_sync_plugin.options import conda_surroundings

    condarc = tmp_path / "condarc"
    monkeypatch.setenv("CONDARC", str(condarc))

    def configure(variables: dict[str, str], **settings: Any) -> Mapping[str, Any]:
        for name, value in variables.items():
            monkeypatch.setenv(f"CONDA_PLUGINS_S3_SYNC_{name}", value)
        plugins = {f"s3_sync_{name}": value for name, value in settings.items()}
        condarc.write_text(json.dumps({"plugins": plugins}))
        reset_context([str(condarc)])
        return conda_surroundings().configured

    yield configure
    monkeypatch.undo()
    reset_context()


@pytest.mark.conda
def test_conda_knows_every_setting_with_its_default(
    configure: Callable[..., Mapping[str, Any]],
) -> None:
    assert configure({}) == DEFAULTS


@pytest.mark.conda
def test_a_variable_goes_before_the_condarc(
    configure: Callable[..., Mapping[str, Any]],
) -> None:
    changed = {"location": "bucket/rc", "prefer": "local", "prune": False}
    configured = configure({}, **changed)
    assert configured == DEFAULTS | {
        f"s3_sync_{name}": value for name, value in changed.items()
    }
    configured = configure({"LOCATION": "bucket/env", "PRUNE": "true"}, **changed)
    assert configured["s3_sync_location"] == "bucket/env"
    assert configured["s3_sync_prune"] is True
    assert configured["s3_sync_prefer"] == "local"


@pytest.mark.conda
def test_conda_leaves_it_to_the_command_which_values_make_sense(
    configure: Callable[..., Mapping[str, Any]],
) -> None:
    configured = configure({"PREFER": "oldest"})
    with pytest.raises(UsageError, match="not 'oldest'"):
        read("bucket", prefer=configured["s3_sync_prefer"])


@pytest.mark.conda
def test_errors_are_conda_s_own() -> None:
    from conda import CondaError

    assert issubclass(S3SyncError, CondaError)
