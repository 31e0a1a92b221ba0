from __future__ import annotations

from datetime import datetime, timezone

import pytest

from conda_s3_sync_plugin.exceptions import LocationError, UsageError
from conda_s3_sync_plugin.location import Location, name_problem

THEN = datetime(2024, 5, 6, 7, 8, 9, 1234, tzinfo=timezone.utc)


@pytest.mark.parametrize(
    ("text", "bucket", "path"),
    [
        ("my-bucket", "my-bucket", ""),
        ("my-bucket/team", "my-bucket", "team"),
        ("my-bucket/a/b/c", "my-bucket", "a/b/c"),
        ("s3://my-bucket", "my-bucket", ""),
        ("s3://my-bucket/team", "my-bucket", "team"),
        ("my-bucket/", "my-bucket", ""),
        ("my-bucket/team/", "my-bucket", "team"),
        ("s3://my-bucket//a///b//", "my-bucket", "a/b"),
        ("  my-bucket/team\n", "my-bucket", "team"),
        ("Old_Bucket.example.org/t", "Old_Bucket.example.org", "t"),
        ("my-bucket/two words", "my-bucket", "two words"),
        ("my-bucket/ünï/环境", "my-bucket", "ünï/环境"),
        ("my-bucket/...", "my-bucket", "..."),
        ("my-bucket/.hidden", "my-bucket", ".hidden"),
    ],
)
def test_a_location_is_a_bucket_and_a_path(text: str, bucket: str, path: str) -> None:
    location = Location.parse(text)
    assert location == Location(bucket, path)
    assert Location.parse(str(location)) == location


@pytest.mark.parametrize(
    "text",
    [
        "",
        " ",
        "/",
        "//team",
        "s3://",
        "s3:///team",
        "s3:/my-bucket",
        "https://my-bucket.s3.amazonaws.com/team",
        "gs://my-bucket",
        "-bucket",
        ".bucket",
        "my bucket",
        "bücket",
        "x",
        "my-bucket:team",
        "arn:aws:s3:::my-bucket",
        "b" * 256,
    ],
)
def test_what_names_no_bucket_is_refused(text: str) -> None:
    with pytest.raises(LocationError, match="names no bucket") as caught:
        Location.parse(text)
    assert isinstance(caught.value, UsageError)
    assert "BUCKET/PATH" in caught.value.hint


@pytest.mark.parametrize("path", [".", "..", "a/../b", "a/./b", "../team", "a/.."])
def test_dots_lead_nowhere(path: str) -> None:
    with pytest.raises(LocationError, match="dots"):
        Location.parse(f"my-bucket/{path}")


@pytest.mark.parametrize("path", [".s3-sync", "team/.s3-sync", "team/.s3-sync/ml/"])
def test_the_history_of_a_location_is_no_location(path: str) -> None:
    with pytest.raises(LocationError, match="history"):
        Location.parse(f"my-bucket/{path}")


@pytest.mark.parametrize(
    ("location", "text", "prefix"),
    [
        (Location("bucket"), "s3://bucket", ""),
        (Location("bucket", "a/b"), "s3://bucket/a/b", "a/b/"),
    ],
    ids=["no path", "path"],
)
def test_all_keys_are_below_the_path(
    location: Location, text: str, prefix: str
) -> None:
    digest = "0123456789abcdef" * 4
    assert str(location) == text
    assert location.prefix == prefix
    assert location.key("ml") == f"{prefix}ml.yml"
    assert location.probe_key == f"{prefix}.s3-sync/.probe"
    assert location.lock_key("ml", digest, "linux-64") == (
        f"{prefix}.s3-sync/ml/0123456789ab.linux-64.json"
    )
    assert location.history_key("ml", THEN, digest) == (
        f"{prefix}.s3-sync/ml/20240506T070809.001234Z-0123456789ab.yml"
    )


def test_history_keys_are_in_the_order_of_time() -> None:
    location, digest = Location("bucket"), "f" * 64
    times = [
        THEN.replace(microsecond=0),
        THEN,
        THEN.replace(hour=23),
        THEN.replace(2025),
    ]
    keys = [location.history_key("ml", time, digest) for time in times]
    assert keys == sorted(keys)


@pytest.mark.parametrize("path", ["", "team", "a/b"])
@pytest.mark.parametrize(
    ("file", "name"),
    [
        ("ml.yml", "ml"),
        ("ml.yaml", "ml"),
        ("a.b.yml", "a.b"),
        ("a.yml.yml", "a.yml"),
        ("环境.yml", "环境"),
        (".yml", ""),
        ("ml.YML", None),
        ("ml.json", None),
        ("mlyml", None),
        ("ml.yml.bak", None),
        ("sub/ml.yml", None),
        (".s3-sync/ml/20240506T070809.001234Z-0123456789ab.yml", None),
        ("", None),
    ],
)
def test_a_key_right_below_the_path_names_an_environment(
    path: str, file: str, name: str | None
) -> None:
    location = Location("bucket", path)
    assert location.name(f"{location.prefix}{file}") == name
    if file.endswith(".yml") and name:
        assert location.key(name) == f"{location.prefix}{file}"


@pytest.mark.parametrize(
    "name",
    [
        "ml",
        "ml-train_2.0",
        "a+b",
        "100%",
        "it's",
        "环境",
        "Root",
        "x" * 128,
        "~",
        "$HOME",
        "a..b",
    ],
)
def test_an_environment_may_have_an_unusual_name(name: str) -> None:
    assert name_problem(name) == ""


@pytest.mark.parametrize(
    ("name", "problem"),
    [
        ("", "empty"),
        (".", "dot"),
        ("..", "dot"),
        (".hidden", "dot"),
        ("-n", "dash"),
        ("--prefix", "dash"),
        ("../ml", "dot"),
        ("a/b", "'/'"),
        ("/etc", "'/'"),
        ("a\\b", r"'\\'"),
        ("C:", "':'"),
        ("a#b", "'#'"),
        ("a b", "' '"),
        ("ml\n", r"'\n'"),
        ("a\u00a0b", "must not contain"),
        ("a\u2028b", "must not contain"),
        ("a\0b", "control"),
        ("a\x1b[2Jb", "control"),
        ("a\u202eb", "control"),
        ("a\ud800b", "control"),
        ("$(id)", "'$('"),
        ("a`id`", "'`'"),
        ("${A@P}", "'${'"),
        ("$[A]", "'$['"),
        ("base", "base environment"),
        ("root", "base environment"),
        ("x" * 129, "longer than 128"),
        ("环" * 43, "longer than 128"),
        ("\udcff" * 129, "longer than 128"),
    ],
    ids=ascii,
)
def test_a_name_that_could_lead_elsewhere_is_refused(name: str, problem: str) -> None:
    assert problem in name_problem(name)
    assert name_problem(name).isprintable()
