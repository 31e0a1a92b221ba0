"""Looking at the versions of an environment, and going back to one of them."""

from __future__ import annotations

import re
import shlex
import socket
from typing import TYPE_CHECKING, Any

import pytest
from acceptance import (
    actions,
    bodies,
    bring_back,
    complaint,
    content,
    contents,
    history,
    put,
    spread,
    sync_json,
    sync_twice,
    tree,
)
from hand_made import snapshot, write_variables
from make_channel import this_subdir

if TYPE_CHECKING:
    from collections.abc import Callable

    from http_channel import HttpChannel
    from machine import Machine
    from s3server import Request, S3Server

    Build = Callable[..., Machine]


@pytest.fixture
def a(original: Machine, machine: Build, bucket: str) -> Machine:
    """A machine that has pushed three versions of `ml`: WHO is one, two, three."""
    a = machine("a")
    spread(original, ["keep", "ml"], a)
    for who in ("one", "two", "three"):
        write_variables(a.prefix("ml"), {"WHO": who})
        a.sync_here(bucket)
    return a


def versions(machine: Machine, bucket: str, name: str) -> list[dict[str, Any]]:
    """Return the history of an environment, the newest version first."""
    document = sync_json(machine, bucket, "--history", name)
    assert (document["success"], document["name"]) == (True, name)
    return document["versions"]


def test_a_version_is_looked_at_and_comes_back_by_its_lock_as_a_new_one(
    machine: Build, http_channel: HttpChannel, s3: S3Server, bucket: str
) -> None:
    a, b = (machine(name, channels=[http_channel.url]) for name in "ab")
    a.create("ml", "lib01=1.0")
    a.sync_here(bucket)
    a.install("ml", "lib01=1.1")
    a.sync_here(bucket)
    b.sync_here(bucket)
    new, old = told = versions(b, bucket, "ml")
    assert new["current"] == ["in the bucket", "here"]
    assert new["difference"] == {
        "conda": [{"name": "lib01", "old": "1.0", "new": "1.1"}],
        "pip": [],
        "variables": [],
        "pins": [],
        "channels": None,
    }
    assert old["current"] == []
    assert [item["old"] for item in old["difference"]["conda"]] == [None, None]
    for version in told:
        assert version["kind"] == "version"
        assert version["pushed_by"] == socket.gethostname()
        assert version["platform"] == this_subdir()
        assert version["modified"].endswith("+00:00")
    lines = b.sync_here(bucket, "--history", "ml").stdout.splitlines()
    who = rf"\d{{4}}-\d\d-\d\d \d\d:\d\d UTC  {socket.gethostname()}  {this_subdir()}"
    what = [r"~lib01 1\.0->1\.1 \(in the bucket, here\)", r"\+lib00 2\.0  \+lib01 1\.0"]
    for line, version, change in zip(lines[:2], told, what, strict=True):
        assert re.fullmatch(rf"{version['version'][:8]}  {who}  {change}", line)
    assert lines[2].endswith(": 2 versions of ml")
    assert lines[3] == f"To go back: {b.command} {bucket} --restore ml@VERSION"

    there, here = bodies(s3, bucket), tree(b.root)
    said = b.sync_here(bucket, "--restore", "ml", "--dry-run").stdout
    assert f"restore  ml  back to {old['version'][:8]}, of " in said
    assert "~ lib01 1.1 -> 1.0\n" in said
    assert said.endswith(": 1 to restore\n")
    assert (bodies(s3, bucket), tree(b.root)) == (there, here)

    http_channel.requests.clear()
    assert actions(sync_json(b, bucket, "--restore", "ml")) == {"ml": "restore"}
    assert [path for path in http_channel.requests if "repodata" in path] == []
    assert b.packages("ml")["lib01"][0] == "1.0"
    # Nothing was rewound: there are three now, and the latest is the first again.
    kept = history(s3, bucket, "ml")
    assert (len(kept), kept[2]) == (3, kept[0])
    latest = versions(b, bucket, "ml")
    assert [item["version"] for item in latest[1:]] == [
        new["version"],
        old["version"],
    ]
    assert latest[0]["version"] == old["version"]
    assert latest[0]["modified"] > latest[1]["modified"]
    assert [item["current"] for item in latest[1:]] == [[], []]
    there = bodies(s3, bucket)
    assert (
        "1 in step" in b.sync_here(bucket, "--restore", f"ml@{old['version']}").stdout
    )
    assert "1 in step" in sync_twice(b, s3, bucket).stdout
    assert bodies(s3, bucket) == there
    assert "pull  ml  changed in the bucket" in sync_twice(a, s3, bucket).stdout
    assert contents(a) == contents(b)


def test_what_was_not_pushed_is_in_the_history_before_it_is_overwritten(
    a: Machine, machine: Build, s3: S3Server, bucket: str
) -> None:
    b = machine("b")
    b.sync_here(bucket)
    one = versions(a, bucket, "ml")[-1]["version"]
    write_variables(b.prefix("ml"), {"WHO": "nobody knows"})
    file = bodies(s3, bucket)["ml.yml"].decode()
    by_hand = file.replace("three", "a person")
    put(s3, bucket, "ml.yml", by_hand)
    b.sync_here(bucket, "--restore", f"ml@{one}")
    assert b.variables("ml") == {"WHO": "one"}
    found = [re.findall("WHO: (.*)", text)[0] for text in history(s3, bucket, "ml")]
    # What a person has put there is of a whole second: it may seem older than others.
    before = ["a person", "nobody knows", "one", "three", "two"]
    assert (sorted(found[:-1]), found[-1]) == (before, "one")
    sync_twice(b, s3, bucket)
    sync_twice(a, s3, bucket)
    assert contents(a) == contents(b)


@pytest.mark.parametrize("winner", ["local", "remote"])
def test_who_has_lost_a_conflict_comes_back_by_the_command_that_is_told(
    winner: str, a: Machine, machine: Build, s3: S3Server, bucket: str
) -> None:
    b = machine("b")
    b.sync_here(bucket)
    for one, who in ((a, "early"), (b, "late")):
        write_variables(one.prefix("ml"), {"WHO": who})
    before = {"local": content(a, "ml"), "remote": content(b, "ml")}[winner]
    a.sync_here(bucket)
    said = b.sync_here(bucket, "--prefer", winner).stdout
    a.sync_here(bucket)
    assert content(a, "ml") == content(b, "ml") != before
    (look,) = re.findall(r"; see it: (.*)$", said, re.MULTILINE)
    command = bring_back(b, said)
    told = a.sync_here(*shlex.split(look.removeprefix(a.command))).stdout
    (short,) = re.findall(r"^(\w{8}) .*lost a conflict\)$", told, re.MULTILINE)
    assert command[-1] == f"ml@{short}"
    (loser,) = (item for item in versions(a, bucket, "ml") if item["kind"] == "loser")
    assert loser["version"].startswith(short)
    # On either machine: it was the other one's that has won.
    assert "restore  ml" in a.sync_here(*command).stdout
    sync_twice(a, s3, bucket)
    sync_twice(b, s3, bucket)
    assert content(a, "ml") == content(b, "ml") == before


def test_what_is_nowhere_any_more_comes_back_where_s3_tells_little(
    a: Machine, s3: S3Server, bucket: str
) -> None:
    before = content(a, "ml")
    a.remove("ml")
    a.sync_here(bucket, "--delete")

    def denied(request: Request) -> tuple[int, str] | None:
        """Deny access to what is not there, as S3 does where keys may not be listed."""
        is_read = request.verb in ("GET", "HEAD")
        return (
            (403, "AccessDenied")
            if is_read and request.key not in s3.keys(bucket)
            else None
        )

    s3.before = denied
    kinds = [item["kind"] for item in versions(a, bucket, "ml")]
    assert kinds == ["deleted", "version", "version", "version"]
    lines = a.sync_here(bucket, "--history", "ml").stdout.splitlines()
    assert lines[0].endswith("  deleted")
    assert ["here" in line or "in the bucket" in line for line in lines[:4]] == [
        False
    ] * 4
    a.sync_here(bucket, "--restore", "ml")
    assert content(a, "ml") == before
    sync_twice(a, s3, bucket, "--delete")


def test_a_version_that_cannot_be_told_is_wrong_usage(
    a: Machine, s3: S3Server, bucket: str
) -> None:
    for digest in ("abcd11111111", "abcd11112222"):
        key = f".s3-sync/ml/20200102T030405.000006Z-{digest}.yml"
        put(s3, bucket, key, "dependencies: []\n")
    there, here = bodies(s3, bucket), tree(a.envs)
    cases = {
        "ml@ffff00000000": "There is no version ffff00000000 of ml in the history.",
        "ml@abcd1111": "abcd1111 may be abcd11111111 or abcd11112222.",
        "mi": "There is no version of mi in the history.",
        "keep": "There is no version of keep but the current one in the history.",
        "root": "The base environment takes part only if it is asked for.",
    }
    for version, message in cases.items():
        done = a.sync_here(bucket, "--restore", version, check=False)
        assert (done.returncode, done.stdout) == (2, "")
        first, second = filter(None, done.stderr.splitlines())
        error = {"type": "UsageError", "message": message}
        assert first == complaint(a, error)
        assert second
    document = sync_json(a, bucket, "--restore", "ml@abcd1111", code=2)
    assert document["error"] == {
        "type": "UsageError",
        "message": cases["ml@abcd1111"],
        "hint": "Give more of it.",
    }
    unknown = sync_json(a, bucket, "--history", "mi", code=2)["error"]
    assert unknown["message"] == "There is no environment mi, and never was one."
    assert (bodies(s3, bucket), tree(a.envs)) == (there, here)


def test_what_fails_here_is_told_of_the_environment_and_done_by_a_later_run(
    a: Machine, s3: S3Server, bucket: str
) -> None:
    frozen = a.prefix("ml") / "conda-meta" / "frozen"
    frozen.touch()
    before = snapshot(a.prefix("ml"))
    document = sync_json(a, bucket, "--restore", "ml", code=1)
    (entry,) = document["environments"]
    assert (entry["name"], entry["action"]) == ("ml", "restore")
    assert "is frozen" in entry["error"]["message"]
    assert "error" not in document
    assert snapshot(a.prefix("ml")) == before
    frozen.unlink()
    sync_twice(a, s3, bucket)
    assert a.variables("ml") == {"WHO": "two"}
