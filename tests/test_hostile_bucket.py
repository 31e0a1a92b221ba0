"""What somebody who may write to the bucket does to other machines, and cannot do."""

from __future__ import annotations

import json
import logging
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest
from acceptance import put
from machine import TIMEOUT

from conda_s3_sync_plugin import logs
from conda_s3_sync_plugin.roster import collisions

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from machine import Machine
    from s3server import S3Server

    Build = Callable[..., Machine]

#: Not long for what reads it once; too long for what begins anew at each character.
LONG = 2**20

TEXTS = {
    "addresses": ("'://'", ""),
    "addresses with a user": ("'://git@'", ""),
    "a parameter": ("'sig'", "?"),
    "beginnings of tokens": ("'eyJ-'", ""),
    "spaces": ("' '", ""),
    "markers": ("';'", "http://"),
}

READ = """
from conda_s3_sync_plugin.engines.privacy import looks_secret, without_credentials
from conda_s3_sync_plugin.exceptions import EnvFileError
from conda_s3_sync_plugin.validation import check_pip

text = {start!r} + {part} * {count} + "; /"
looks_secret("A", text)
without_credentials(text)
try:
    check_pip([text])
except EnvFileError:
    pass
"""


@pytest.mark.parametrize(("part", "start"), TEXTS.values(), ids=TEXTS)
def test_no_text_is_so_made_that_reading_it_takes_for_ever(
    part: str, start: str
) -> None:
    program = READ.format(part=part, start=start, count=LONG // len(part))
    subprocess.run([sys.executable, "-c", program], timeout=TIMEOUT, check=True)


#: A number in capitals and small letters.
SPELLING = str.maketrans("01 ", "aAa")


def test_of_thousands_of_names_that_are_one_few_are_told() -> None:
    names = [f"{number:b}".rjust(12).translate(SPELLING) for number in range(2**12)]
    found = collisions([*names, "other"])
    assert found.keys() == set(names)
    assert {len(side.reason) < 200 for side in found.values()} == {True}
    assert "4092 more are the same name" in found[names[0]].reason


@pytest.mark.parametrize(
    "same", [("ml", "ml.", "Ml.."), ("\u00e9", "e\u0301", "\u00c9")]
)
def test_names_that_are_one_for_some_file_system_are_known(
    same: tuple[str, ...],
) -> None:
    assert collisions([*same, "a.b", "e"]).keys() == set(same)


def test_of_many_keys_that_are_no_names_some_are_told(
    machine: Build, s3: S3Server, bucket: str
) -> None:
    for number in range(30):
        put(s3, bucket, f"no name {number:02}.yml", "dependencies: []")
    lines = machine("a").sync_here(bucket).stderr.splitlines()
    assert [line.endswith("must not contain ' '") for line in lines[:-1]] == [True] * 20
    assert lines[-1] == "warning: 10 more keys are left alone"


@pytest.mark.parametrize("flag", ["-v", "-vv", "--json"])
def test_no_terminal_obeys_what_a_server_says(
    flag: str, machine: Build, s3: S3Server, bucket: str
) -> None:
    s3.before = lambda request: (400, "Odd\x9b31m")
    done = machine("a").sync_here(bucket, flag, check=False)
    said = done.stdout + done.stderr
    assert done.returncode == 1
    assert "x9b31m" in said
    assert ("Traceback" in said) == (flag == "-vv")
    assert said.replace("\n", "").isprintable()


def test_a_server_says_no_more_than_some_lines(
    machine: Build, s3: S3Server, bucket: str
) -> None:
    s3.before = lambda request: (400, "X" * 5000)
    assert len(machine("a").sync_here(bucket, check=False).stderr) < 1000


def test_no_terminal_obeys_what_is_logged() -> None:
    try:
        raise ValueError("b\x9b31m\nc")
    except ValueError:
        about = sys.exc_info()
    record = logging.LogRecord("x", logging.INFO, "", 0, "%s\tit", ("a\x1b[2J",), about)
    logs._strip(record)
    said = logging.Formatter().format(record)
    assert said.startswith("a\\x1b[2J\tit\nTraceback")
    assert said.endswith("ValueError: b\\x9b31m\nc")


def test_no_terminal_obeys_what_a_machine_is_called(
    machine: Build, s3: S3Server, bucket: str
) -> None:
    a = machine("a")
    a.create("libs")
    a.sync_here(bucket)
    (key,) = (key for key in s3.keys(bucket) if key.startswith(".s3-sync/libs/2"))
    there = s3.client.get_object(Bucket=bucket, Key=key)
    forged = "%1B[2Ja%0Apush  libs  nothing%E2%80%AE"
    metadata = {**there["Metadata"], "conda-env-pushed-by": forged}
    body = there["Body"].read()
    s3.client.put_object(Bucket=bucket, Key=key, Body=body, Metadata=metadata)
    said = a.sync_here(bucket, "--history", "libs").stdout
    assert r"\x1b[2Ja\npush  libs  nothing\u202e" in said
    assert len(said.splitlines()) == 3
    assert said.replace("\n", "").isprintable()


def test_what_is_no_platform_is_part_of_no_key(
    machine: Build, s3: S3Server, bucket: str
) -> None:
    told = {"conda-env-platform": "../../../x"}
    put(s3, bucket, "libs.yml", "dependencies: []", **told)
    a = machine("a")
    a.sync_here(bucket)
    assert a.environments() == ["libs"]
    assert not [request.path for request in s3.requests if ".." in request.path]


def out(package: dict[str, Any]) -> dict[str, Any]:
    """Let the python of a lock keep its packages outside the prefix."""
    return {**package, "python_site_packages_path": "../../../../elsewhere"}


def anywhere(package: dict[str, Any]) -> dict[str, Any]:
    """Let a package be what has no end."""
    return {**package, "url": f"file:///dev/zero?/{package['fn']}"}


@pytest.mark.parametrize("change", [out, anywhere])
def test_a_lock_that_leads_out_of_the_prefix_is_done_without(
    change: Callable[[dict[str, Any]], dict[str, Any]],
    machine: Build,
    s3: S3Server,
    bucket: str,
    tmp_path: Path,
) -> None:
    a, b = machine("a"), machine("b")
    a.create("py", "python", "six")
    a.sync_here(bucket)
    (key,) = (key for key in s3.keys(bucket) if key.endswith(".json"))
    lock = json.loads(s3.client.get_object(Bucket=bucket, Key=key)["Body"].read())
    lock["packages"] = [
        change(package) if package["name"] == "python" else package
        for package in lock["packages"]
    ]
    put(s3, bucket, key, json.dumps(lock))
    done = b.sync_here(bucket)
    assert "Its lock names packages in an unknown way. It was solved for anew." in (
        done.stdout
    )
    assert b.packages("py") == a.packages("py")
    assert list(tmp_path.rglob("elsewhere")) == []
