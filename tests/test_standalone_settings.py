"""What `conda-s3-sync` is told: by flags, by variables, by the files of conda."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from standalone import command, complaint, document, plant

if TYPE_CHECKING:
    from collections.abc import Callable

    from machine import Machine
    from s3server import S3Server

    Build = Callable[..., Machine]


@pytest.fixture
def a(machine: Build, without_conda: None) -> Machine:
    """A machine without conda and without environments."""
    return machine("a", kind="standalone")


def location(machine: Machine, *arguments: str) -> str:
    """Return what a run would synchronize with."""
    return document(machine, *arguments, "--dry-run")["location"].split(" at ")[0]


def test_a_location_is_taken_from_the_flag_the_variable_or_condarc_in_that_order(
    a: Machine, s3: S3Server
) -> None:
    flag, variable, user, base = (s3.new_bucket() for _ in range(4))
    (a.base / ".condarc").write_text(f"plugins: {{s3_sync_location: {base}}}")
    assert location(a) == f"s3://{base}"
    a.write_condarc(plugins={"s3_sync_location": f"{user}/team"})
    assert location(a) == f"s3://{user}/team"
    a.environment["CONDA_PLUGINS_S3_SYNC_LOCATION"] = variable
    assert location(a) == f"s3://{variable}"
    assert location(a, flag) == f"s3://{flag}"
    a.environment["CONDA_PLUGINS_S3_SYNC_LOCATION"] = ""
    assert "No location" in document(a, code=2)["error"]["message"]


@pytest.mark.parametrize(
    ("setting", "value", "flags", "action"),
    [
        ("s3_sync_direction", "push", ["--pull-only"], ["hold", "pull"]),
        ("s3_sync_path_filter", "envs/x", ["--path-filter", "envs/m"], ["", "pull"]),
        ("dry_run", "yes", ["--dry-run"], ["pull", "pull"]),
    ],
)
def test_a_flag_goes_before_its_setting(
    setting: str,
    value: str,
    flags: list[str],
    action: list[str],
    a: Machine,
    s3: S3Server,
    bucket: str,
) -> None:
    plant(s3, bucket, a, "ml", "lib00")
    prefix = "CONDA_PLUGINS_" if setting.startswith("s3") else "CONDA_"
    a.environment[f"{prefix}{setting.upper()}"] = value
    found = [
        "".join(
            entry["action"] for entry in document(a, bucket, *words)["environments"]
        )
        for words in ([], ["--dry-run", *flags])
    ]
    assert found == action
    assert a.environments() == []


@pytest.mark.parametrize("name", ["json", "quiet", "offline"])
def test_what_conda_has_a_setting_for_needs_no_flag(
    name: str, a: Machine, bucket: str
) -> None:
    by_flag = a.sync(bucket, f"--{name}", check=False)
    by_variable = a.run(
        *command(a), bucket, check=False, **{f"CONDA_{name.upper()}": "1"}
    )
    a.write_condarc(**{name: True})
    by_file = a.sync(bucket, check=False)
    for done in (by_variable, by_file):
        assert (done.returncode, done.stdout, done.stderr) == (
            by_flag.returncode,
            by_flag.stdout,
            by_flag.stderr,
        )


@pytest.mark.parametrize("value", ["On", "1", "no", ""])
def test_a_setting_that_is_true_or_false_is_read_as_conda_reads_it(
    value: str, a: Machine, s3: S3Server, bucket: str
) -> None:
    a.environment["CONDA_PLUGINS_S3_SYNC_INCLUDE_ROOT_ENV"] = value
    entries = document(a, bucket, "--dry-run")["environments"]
    is_true = value.lower() in ("yes", "on", "1", "true")
    assert [entry["name"] for entry in entries] == (["root"] if is_true else [])


@pytest.mark.parametrize(
    ("name", "value", "says"),
    [
        ("s3_sync_prefer", "oldest", "newest, local, remote, none"),
        ("s3_sync_direction", "sideways", "both, push, pull"),
        ("s3_sync_prune", "perhaps", "must be true or false, not 'perhaps'"),
        ("s3_sync_record_host", [True], "must be text"),
        ("s3_sync_path_filter", "(", "no regular expression"),
        ("s3_sync_location", "?", "names no bucket"),
    ],
)
def test_a_wrong_setting_is_wrong_usage(
    name: str, value: object, says: str, a: Machine, s3: S3Server
) -> None:
    a.write_condarc(plugins={name: value})
    arguments = [] if name == "s3_sync_location" else ["bucket"]
    (first, *_) = complaint(a, *arguments, code=2)
    assert says in first
    error = document(a, *arguments, code=2)["error"]
    assert first == f"conda-s3-sync: {error['message']}"
    assert s3.requests == []


def test_a_broken_condarc_is_named(a: Machine) -> None:
    path = a.home / ".condarc"
    path.write_text("channels: [a\n")
    (line,) = complaint(a, "bucket", code=2)
    assert line.startswith(f"conda-s3-sync: {path} cannot be read")
    entry = document(a, "bucket", "-d", code=2)
    assert (entry["dry_run"], entry["error"]["type"]) == (True, "UsageError")


def test_without_a_location_it_is_said_how_to_give_one(a: Machine) -> None:
    first, hint = complaint(a, code=2)
    assert first == "conda-s3-sync: No location is given."
    assert "s3_sync_location" in hint
    error = document(a, code=2)["error"]
    assert (error["message"], error["hint"]) == ("No location is given.", hint)


def test_the_installation_that_is_named_brings_its_environments_and_its_condarc(
    a: Machine, machine: Build, s3: S3Server, bucket: str
) -> None:
    other = machine("other", kind="standalone")
    plant(s3, bucket, a, "ml", "lib00")
    other.sync(bucket)
    empty = s3.new_bucket()
    (other.base / ".condarc").write_text(f"plugins: {{s3_sync_location: {empty}}}")
    (other.base / "bin").mkdir()
    (other.base / "bin" / "conda").touch(0o755)
    del a.environment["CONDA_ENVS_DIRS"]
    for given in (other.base, other.base / "bin" / "conda"):
        (entry,) = document(a, "--conda-bin", str(given), "-d")["environments"]
        assert (entry["name"], entry["action"]) == ("ml", "push")
    first, _ = complaint(a, bucket, "--conda-bin", str(a.home), code=2)
    assert "is no conda installation" in first


def test_a_micromamba_has_environments_and_no_base(
    a: Machine, s3: S3Server, bucket: str
) -> None:
    for name in ("CONDA_ROOT_PREFIX", "CONDA_ENVS_DIRS"):
        del a.environment[name]
    root = a.home / "mm"
    (root / "pkgs").mkdir(parents=True)
    a.environment["MAMBA_ROOT_PREFIX"] = str(root)
    plant(s3, bucket, a, "ml", "lib00")
    a.sync(bucket)
    assert (root / "envs" / "ml" / "conda-meta" / "history").exists()
    assert "1 in step" in a.sync(bucket).stdout
    assert "1 in step" in a.sync(bucket, "--include-root-env").stdout
    del a.environment["MAMBA_ROOT_PREFIX"]
    assert "1 in step" in a.sync(bucket, "--conda-bin", str(root)).stdout
