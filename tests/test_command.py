"""The command as people run it: its options, its settings, its messages."""

from __future__ import annotations

import os
import re
from typing import TYPE_CHECKING

import pytest
from acceptance import complaint, put, sync_json

from conda_s3_sync_plugin.settings import SETTINGS
from conda_s3_sync_plugin.state import State

if TYPE_CHECKING:
    from collections.abc import Callable

    from machine import Machine
    from s3server import S3Server

    Build = Callable[..., Machine]

# fmt: off
FLAGS = {
    "--name", "--path-filter", "--include-root-env", "--conda-bin",
    "--push-only", "--pull-only", "--prefer", "--no-prune", "--force",
    "--profile", "--region", "--endpoint-url",
    "--dry-run", "--json", "--quiet", "--verbose", "--yes", "--offline", "--help",
}
# fmt: on


@pytest.fixture
def a(machine: Build) -> Machine:
    """A machine without environments."""
    return machine("a")


def location(machine: Machine, *arguments: str) -> str:
    """Return what a run synchronizes with, bucket and path."""
    return str(sync_json(machine, *arguments, "-d")["location"]).split(" at ")[0]


def test_the_help_shows_every_flag_the_exit_codes_and_an_example(a: Machine) -> None:
    text = a.sync("--help").stdout
    shown = set(re.findall(r"(?<!\S)--[a-z-]+", text))
    assert shown >= FLAGS
    assert "[BUCKET[/PATH]]" in text
    assert f"{a.command} my-bucket/team" in text
    assert "3  stopped by a safety check" in text


def test_a_location_is_taken_from_the_flag_the_environment_or_condarc_in_that_order(
    a: Machine, s3: S3Server
) -> None:
    flag, variable, condarc = (s3.new_bucket() for _ in range(3))
    a.write_condarc(plugins={"s3_sync_location": f"{condarc}/team"})
    assert location(a) == f"s3://{condarc}/team"
    a.environment["CONDA_PLUGINS_S3_SYNC_LOCATION"] = variable
    assert location(a) == f"s3://{variable}"
    assert location(a, f"s3://{flag}//x/") == f"s3://{flag}/x"


def test_settings_that_choose_environments_act_as_the_flags_do(
    a: Machine, s3: S3Server, bucket: str
) -> None:
    for name in ("api", "web"):
        put(s3, bucket, f"{name}.yml", "dependencies: [lib00]")
    a.environment["CONDA_PLUGINS_S3_SYNC_PATH_FILTER"] = "envs/w"
    a.write_condarc(plugins={"s3_sync_direction": "push"})
    (entry,) = sync_json(a, bucket, "-d")["environments"]
    assert (entry["name"], entry["action"]) == ("web", "hold")
    given = sync_json(a, bucket, "-d", "--pull-only", "--path-filter", "api")
    assert [entry["name"] for entry in given["environments"]] == ["api"]
    assert given["environments"][0]["action"] == "pull"


def test_an_s3_server_is_taken_from_the_flag_or_the_setting(
    a: Machine, s3: S3Server, bucket: str
) -> None:
    del a.environment["AWS_ENDPOINT_URL_S3"]
    a.sync(bucket, "--endpoint-url", s3.endpoint)
    a.environment["CONDA_PLUGINS_S3_SYNC_ENDPOINT_URL"] = s3.endpoint
    a.sync(bucket)
    assert s3.counts() == {"LIST": 2}


def test_a_profile_and_a_region_are_those_of_the_request(
    a: Machine, s3: S3Server, bucket: str
) -> None:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_DEFAULT_REGION"):
        del a.environment[name]
    (a.home / ".aws").mkdir()
    (a.home / ".aws" / "credentials").write_text(
        "[work]\naws_access_key_id = WORKKEY\naws_secret_access_key = x\n"
    )
    a.sync(bucket, "--profile", "work", "--region", "eu-north-1")
    (request,) = s3.requests
    assert "Credential=WORKKEY/" in request.headers["authorization"]
    assert "/eu-north-1/s3/" in request.headers["authorization"]


@pytest.mark.conda
def test_conda_config_explains_every_setting(a: Machine) -> None:
    told = a.conda("config", "--describe").stdout
    shown = a.conda("config", "--show").stdout
    for setting in SETTINGS:
        _, found, rest = told.partition(f"# # plugins.{setting.name} (")
        assert found, setting.name
        words = " ".join(rest.split("plugins:")[0].replace("#", " ").split())
        assert setting.description in words
        assert f"  {setting.name}: {setting.default}".rstrip() in [
            line.rstrip() for line in shown.splitlines()
        ]


@pytest.mark.parametrize(
    ("name", "value", "says"),
    [
        ("s3_sync_prefer", "oldest", "newest, local, remote, none"),
        ("s3_sync_direction", "sideways", "both, push, pull"),
        ("s3_sync_prune", "perhaps", "perhaps"),
        ("s3_sync_path_filter", "(", "no regular expression"),
        ("s3_sync_location", "?", "names no bucket"),
    ],
    ids=["prefer", "direction", "prune", "path-filter", "location"],
)
def test_a_wrong_setting_is_wrong_usage_and_disturbs_no_other_command(
    name: str, value: str, says: str, a: Machine, bucket: str
) -> None:
    a.write_condarc(plugins={name: value})
    arguments = [] if name == "s3_sync_location" else [bucket]
    error = sync_json(a, *arguments, code=2)["error"]
    assert says in error["message"]
    done = a.sync(*arguments, check=False)
    assert (done.returncode, done.stdout) == (2, "")
    assert error["message"] in done.stderr
    if a.kind == "conda":
        a.conda("info")


@pytest.mark.conda
def test_a_wrong_choice_does_not_keep_conda_from_showing_it(a: Machine) -> None:
    a.write_condarc(plugins={"s3_sync_prefer": "oldest"})
    assert "s3_sync_prefer: oldest" in a.conda("config", "--show").stdout


@pytest.mark.parametrize(
    "arguments",
    [
        ["--prefer", "oldest"],
        ["--push-only", "--pull-only"],
        ["one", "two"],
        ["--no-such-option"],
    ],
    ids=lambda arguments: arguments[0],
)
def test_wrong_options_end_with_2(arguments: list[str], a: Machine) -> None:
    done = a.sync(*arguments, check=False)
    assert (done.returncode, done.stdout) == (2, "")
    assert "error: " in done.stderr


def test_without_a_location_it_is_said_how_to_give_one(a: Machine) -> None:
    done = a.sync(check=False)
    assert (done.returncode, done.stdout) == (2, "")
    assert "No location is given" in done.stderr
    assert "s3_sync_location" in done.stderr


def without_credentials(machine: Machine) -> None:
    """Take the keys away."""
    del machine.environment["AWS_ACCESS_KEY_ID"]
    del machine.environment["AWS_SECRET_ACCESS_KEY"]


def behind_a_closed_port(machine: Machine) -> None:
    """Let the server be gone."""
    machine.environment["AWS_ENDPOINT_URL_S3"] = "http://127.0.0.1:9"
    machine.environment["AWS_MAX_ATTEMPTS"] = "1"


@pytest.mark.parametrize(
    ("change", "says"),
    [
        pytest.param(without_credentials, "no complete AWS credentials", id="keys"),
        pytest.param(behind_a_closed_port, "127.0.0.1:9 cannot be reached", id="port"),
        pytest.param(lambda machine: None, "there is no bucket", id="bucket"),
    ],
)
def test_where_the_bucket_cannot_be_had_two_clear_lines_say_why(
    change: Callable[[Machine], None], says: str, a: Machine
) -> None:
    change(a)
    done = a.sync("no-such-bucket", check=False)
    lines = [line for line in done.stderr.splitlines() if line]
    assert (done.returncode, done.stdout, len(lines)) == (1, "", 2)
    error = sync_json(a, "no-such-bucket", code=1)["error"]
    assert error["message"].startswith("Cannot list the environments in s3://no-such-")
    assert says in error["message"]
    assert lines == [complaint(a, error), error["hint"]]


def test_a_second_run_is_told_who_holds_the_lock_and_a_dry_run_needs_none(
    a: Machine, s3: S3Server, bucket: str
) -> None:
    with State(a.home / ".conda" / "s3-sync").locked():
        done = a.sync(bucket, check=False)
        assert sync_json(a, bucket, code=1)["error"]["type"] == "StateError"
        assert s3.requests == []
        a.sync(bucket, "-d")
    assert (done.returncode, done.stdout) == (1, "")
    assert f"process {os.getpid()} on " in done.stderr
    a.sync(bucket)


@pytest.mark.conda
def test_conda_info_works_and_lists_no_trouble(a: Machine) -> None:
    done = a.conda("info")
    assert done.stderr == ""
    assert str(a.base) in done.stdout


def test_off_a_terminal_there_is_no_progress_bar(
    a: Machine, s3: S3Server, bucket: str
) -> None:
    body = f"channels: ['{a.environment['CONDA_CHANNELS']}']\ndependencies: [lib00]"
    put(s3, bucket, "ml.yml", body)
    done = a.sync(bucket)
    assert a.environments() == ["ml"]
    assert "\r" not in done.stdout + done.stderr
    assert done.stdout.count("\n") == 2
