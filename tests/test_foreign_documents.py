"""What people write into the bucket by hand: read as conda does, never rewritten."""

from __future__ import annotations

import gzip
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import pytest
from acceptance import actions, sync_json, sync_twice
from foreign_cases import FOREIGN

from conda_s3_sync_plugin.envfile import parse

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from foreign_cases import Foreign
    from machine import Machine
    from make_channel import Channel
    from s3server import S3Server

    Build = Callable[..., Machine]


@pytest.mark.conda
@pytest.mark.parametrize("case", FOREIGN.values(), ids=FOREIGN)
def test_conda_reads_the_same(case: Foreign, tmp_path: Path) -> None:
    from conda.base.context import context
    from conda.env.env import from_file
    from conda.models.match_spec import MatchSpec

    path = tmp_path / "environment.yml"
    path.write_bytes(case.body("https://example.org/ours"))
    # It is a file that `conda env create -f` takes.
    assert context.plugin_manager.detect_environment_specifier(str(path))
    theirs, ours = from_file(str(path)), parse(path.read_bytes())
    specs = [str(MatchSpec(spec)) for spec in ours.specs]
    wanted = list(theirs.dependencies.get("conda", []))
    if ours.pip and "pip" not in specs:
        wanted.remove("pip")  # which conda adds
    assert specs == wanted
    assert list(ours.pip) == theirs.dependencies.get("pip", [])
    assert list(ours.channels) == theirs.channels
    assert ours.variables == (theirs.variables or {})


def objects(s3: S3Server, bucket: str) -> dict[str, tuple[Any, ...]]:
    """Return all environments of a bucket, with all that a writer would change."""
    found = {}
    for key in s3.keys(bucket):
        if "/" not in key:
            there = s3.client.get_object(Bucket=bucket, Key=key)
            facts = ("ETag", "LastModified", "Metadata", "ContentType")
            found[key] = (there["Body"].read(), *(there[fact] for fact in facts))
    return found


def kept(s3: S3Server, bucket: str, name: str) -> list[bytes]:
    """Return all versions in the history."""
    return [
        s3.client.get_object(Bucket=bucket, Key=key)["Body"].read()
        for key in s3.keys(bucket)
        if key.startswith(f".s3-sync/{name}/") and key.endswith(".yml")
    ]


def test_what_people_write_is_pulled_as_it_is_meant_and_never_rewritten(
    machine: Build, s3: S3Server, bucket: str, channel: Channel
) -> None:
    a = machine("a")
    endings = {"plain": "yaml", "utf-16": "yaml"}
    keys = {name: f"{name}.{endings.get(name, 'yml')}" for name in FOREIGN}
    for name, case in FOREIGN.items():
        body = case.body(channel.url)
        s3.client.put_object(Bucket=bucket, Key=keys[name], Body=body)
    there = objects(s3, bucket)
    document = sync_json(a, bucket)
    assert actions(document) == dict.fromkeys(FOREIGN, "pull")
    for entry in document["environments"]:
        assert "notes" not in entry, entry
    for name, case in FOREIGN.items():
        packages = {key: what[0] for key, what in a.packages(name).items()}
        assert packages.items() >= case.packages.items(), name
        assert a.pip_packages(name) == case.pip, name
        assert a.variables(name) == case.variables, name
        assert case.body(channel.url) in kept(s3, bucket, name)
    sync_twice(a, s3, bucket)
    sync_twice(a, s3, bucket, "--push-only")
    assert objects(s3, bucket) == there
    # An edit here goes where the file is, and that is in the history.
    for name in ("plain", "utf-16", "prefix"):
        a.set_variables(name, WHO="a")
    pushed = sync_twice(a, s3, bucket).stdout
    assert pushed.count("push  ") == 3
    after = objects(s3, bucket)
    assert after.keys() == there.keys()
    changed = {keys[name] for name in ("plain", "utf-16", "prefix")}
    assert {key for key in after if after[key] != there[key]} == changed
    assert b"WHO: a" in after["utf-16.yaml"][0]
    assert FOREIGN["utf-16"].body(channel.url) in kept(s3, bucket, "utf-16")


USUAL = b"dependencies: [acty]\n"

#: Nine times nine times nine ...
BOMB = "a: &a [x, x, x, x, x, x, x, x, x]\n" + "".join(
    f"{name}: &{name} [{', '.join([f'*{before}'] * 9)}]\n"
    for before, name in pairwise("abcdefghij")
)

HOSTILE = {
    "nothing": b"",
    "binary": bytes(range(256)),
    "zipped": gzip.compress(USUAL),
    "a-page": b"<!DOCTYPE html>\n<html><body>Sign in</body></html>\n",
    "text": b"acty",
    "a-list": b"[acty]",
    "no-dependencies": b"name: ml\n",
    "dependencies-of-no-list": b"dependencies: acty\n",
    "dependencies-of-lists": b"dependencies: [[acty]]\n",
    "channels-of-no-list": USUAL + b"channels: {a: b}\n",
    "pip-of-no-list": b"dependencies: [{pip: hello}]\n",
    "variables-of-no-mapping": USUAL + b"variables: [A]\n",
    "shell-code": USUAL + b"variables: {'A;touch MARK;B': x}\n",
    "python-code": b"dependencies: [!!python/object/apply:os.mkdir ['MARK']]\n",
    "python-object": b"!!python/object/apply:os.mkdir ['MARK']\n",
    "bomb": BOMB.encode() + b"dependencies: *j\n",
    "deep": b"dependencies: " + b"[" * 100_000,
    "cut-off": b"dependencies: [acty",
    "two": USUAL + b"---\n" + USUAL,
    "twice": USUAL + USUAL,
    "huge": USUAL + b"#" * 10 * 2**20,
}


def test_what_nobody_should_have_written_is_one_line_and_stops_nothing(
    machine: Build, s3: S3Server, bucket: str
) -> None:
    a = machine("a")
    a.create("ours")
    mark = a.root / "it-ran"
    for name, body in {**HOSTILE, "good": USUAL}.items():
        body = body.replace(b"MARK", str(mark).encode())
        s3.client.put_object(Bucket=bucket, Key=f"{name}.yml", Body=body)
    there = objects(s3, bucket)
    for done in (["push  ours", "pull  good"], []):
        run = a.sync_here(bucket, check=False)
        assert run.returncode == 1
        lines = run.stderr.splitlines()
        told = [line.split("  ") for line in lines if not line.startswith(" ")]
        assert len(lines) - len(told) <= 1  # what can be done about one of them
        assert [words[0] for words in told] == ["skip"] * len(HOSTILE)
        assert {words[1] for words in told} == set(HOSTILE)
        assert run.stdout.count("\n") == len(done) + 1
        assert all(line in run.stdout for line in done)
        assert f"{len(HOSTILE)} skipped" in run.stdout
    assert a.environments() == ["good", "ours"]
    assert a.packages("good").keys() == {"acty"}
    assert not mark.exists()
    assert objects(s3, bucket).items() >= there.items()


NO_NAMES = {
    "..": "a dot",
    "-n": "a dash",
    "base": "base environment",
    "a\x1b[2Jb": "control characters",
    "a\tb": "'\\t'",
    "a\u202eb": "control characters",
    "a" * 129: "longer than 128 bytes",
    "ü" * 65: "longer than 128 bytes",
}


def test_keys_that_are_no_names_are_refused_and_named(
    machine: Build, s3: S3Server, bucket: str
) -> None:
    a = machine("a")
    for name in (*NO_NAMES, "good", "Twin", "twin", "a" * 128):
        s3.client.put_object(Bucket=bucket, Key=f"{name}.yml", Body=USUAL)
    there = objects(s3, bucket)
    for action in ("pull", "nothing"):
        document = sync_json(a, bucket, code=1)
        assert actions(document) == {
            "good": action,
            "a" * 128: action,
            "Twin": "skip",
            "twin": "skip",
        }
        twin = document["environments"][0]
        assert "Twin and twin are the same name" in twin["reason"]
        warnings = dict(one.split(" is left alone: ") for one in document["warnings"])
        assert warnings.keys() == {f"{name}.yml" for name in NO_NAMES}
        for name, why in NO_NAMES.items():
            assert why in warnings[f"{name}.yml"]
    # No terminal is told to do anything by a key.
    told = a.sync_here(bucket, check=False).stderr
    assert r"a\x1b[2Jb.yml is left alone" in told
    assert all(sign.isprintable() for sign in told.replace("\n", ""))
    assert a.environments() == ["a" * 128, "good"]
    assert objects(s3, bucket) == there
