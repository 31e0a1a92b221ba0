"""The parts that the other tests stand on."""

from __future__ import annotations

import os
import subprocess
import sys
import urllib.error
import urllib.request
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError
from make_wheels import make_usual_wheels
from usual_channel import make_usual_channel

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from typing import Any

    from http_channel import HttpChannel
    from machine import Machine
    from make_channel import Channel
    from s3server import Request, S3Server


def contents(folder: Path) -> dict[str, bytes]:
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file()
    }


@pytest.fixture
def client(s3: S3Server) -> Iterator[Any]:
    """A client as the program under test would make it."""
    client = boto3.session.Session().client(
        "s3", endpoint_url=s3.endpoint, config=Config(retries={"max_attempts": 1})
    )
    yield client
    client.close()


def test_channel_is_the_same_bytes_each_time(tmp_path: Path) -> None:
    for name in ("one", "two"):
        make_usual_channel(tmp_path / name)
    assert contents(tmp_path / "one") == contents(tmp_path / "two")


def test_channel_for_other_platforms(tmp_path: Path) -> None:
    channel = make_usual_channel(tmp_path, "osx-arm64", "linux-64", pip=False)
    macos, linux = (channel.records[subdir] for subdir in channel.subdirs)
    assert set(macos) - set(linux) == {"only-osx-arm64-1.0-0.tar.bz2"}
    assert (tmp_path / "osx-arm64" / "lib05-1.1-h5_0.tar.bz2").exists()
    assert macos["lib05-1.1-h5_0.tar.bz2"]["platform"] == "osx"


def test_wheels_are_the_same_bytes_each_time(tmp_path: Path) -> None:
    one, two = (make_usual_wheels(tmp_path / name) for name in ("one", "two"))
    assert contents(one) == contents(two)


def test_pip_installs_wheels_and_source_archives(tmp_path: Path, wheels: Path) -> None:
    pip = [sys.executable, "-m", "pip", "install", "--quiet", "--no-index"]
    names = ["greet", "hello==1.0", "fromsource"]
    target = ["--find-links", wheels, "--target", tmp_path]
    subprocess.run([*pip, *target, *names], check=True)
    assert {path.name for path in tmp_path.glob("*.dist-info")} == {
        "greet-1.0.dist-info",
        "hello-1.0.dist-info",
        "fromsource-1.0.dist-info",
    }


def test_http_channel_wants_its_token(http_channel: HttpChannel) -> None:
    def fetch(url: str) -> bytes:
        with urllib.request.urlopen(f"{url}/noarch/repodata.json") as reply:  # noqa: S310
            return reply.read()

    assert fetch(http_channel.url) == fetch(http_channel.private_url)
    with pytest.raises(urllib.error.HTTPError, match="404"):
        fetch(f"http://{http_channel.host}/private")
    http_channel.broken["repodata.json"] = 503
    with pytest.raises(urllib.error.HTTPError, match="503"):
        fetch(http_channel.url)
    assert http_channel.requests == [
        "/channel/noarch/repodata.json",
        "/t/tk-123-abc/private/noarch/repodata.json",
        "/private/noarch/repodata.json",
        "/channel/noarch/repodata.json",
    ]


def test_server_records_requests(s3: S3Server, bucket: str, client: Any) -> None:
    client.put_object(
        Bucket=bucket, Key="a b/ü.yml", Body=b"x", IfNoneMatch="*", Metadata={"k": "v"}
    )
    client.list_objects_v2(Bucket=bucket, Prefix="a b/")
    put, listing = s3.requests
    assert (put.verb, put.bucket, put.key) == ("PUT", bucket, "a b/ü.yml")
    assert put.condition == "If-None-Match: *"
    assert put.metadata == {"k": "v"}
    assert (listing.verb, listing.query["prefix"]) == ("LIST", "a b/")
    assert s3.counts() == {"PUT": 1, "LIST": 1}
    assert s3.keys(bucket) == ["a b/ü.yml"]
    assert s3.counts() == {"PUT": 1, "LIST": 1}
    s3.reset()
    assert s3.requests == []


def test_server_honours_conditions(bucket: str, client: Any) -> None:
    tag = client.put_object(Bucket=bucket, Key="k", Body=b"1", IfNoneMatch="*")["ETag"]
    for condition in ({"IfNoneMatch": "*"}, {"IfMatch": '"0"'}):
        with pytest.raises(ClientError, match="PreconditionFailed"):
            client.put_object(Bucket=bucket, Key="k", Body=b"2", **condition)
    client.put_object(Bucket=bucket, Key="k", Body=b"2", IfMatch=tag)


@pytest.mark.parametrize(
    "fault", [(503, "SlowDown"), (409, "ConditionalRequestConflict")], ids=str
)
def test_server_refuses_on_demand(
    s3: S3Server, bucket: str, client: Any, fault: tuple[int, str]
) -> None:
    s3.before = lambda request: fault if request.method == "PUT" else None
    with pytest.raises(ClientError) as caught:
        client.put_object(Bucket=bucket, Key="k", Body=b"x" * 100_000)
    response = caught.value.response
    assert response["ResponseMetadata"]["HTTPStatusCode"] == fault[0]
    assert response["Error"]["Code"] == fault[1]
    assert client.list_objects_v2(Bucket=bucket)["KeyCount"] == 0


def test_another_writer_wins_the_race(s3: S3Server, bucket: str, client: Any) -> None:
    def intrude(request: Request) -> None:
        if request.method == "PUT":
            s3.client.put_object(Bucket=bucket, Key="k", Body=b"theirs")

    s3.before = intrude
    with pytest.raises(ClientError, match="PreconditionFailed"):
        client.put_object(Bucket=bucket, Key="k", Body=b"ours", IfNoneMatch="*")
    assert client.get_object(Bucket=bucket, Key="k")["Body"].read() == b"theirs"


def test_a_reply_is_lost(s3: S3Server, bucket: str, client: Any) -> None:
    s3.after = lambda request: (400, "Lost") if request.method == "PUT" else None
    with pytest.raises(ClientError, match="Lost"):
        client.put_object(Bucket=bucket, Key="k", Body=b"x")
    assert s3.keys(bucket) == ["k"]


def test_machine(machine: Callable[..., Machine], channel: Channel) -> None:
    roots = [Path(sys.prefix)]
    if conda := find_spec("conda"):
        roots.append(Path(conda.origin or "").parents[4])
    before = [snapshot(root) for root in roots]
    a = machine("a")
    a.create("ml", "python", "pip", "lib05=1.0", "nopy")
    packages = a.packages("ml")
    assert a.environments() == ["ml"]
    assert set(packages) >= {"python", "pip", "lib05", "lib00", "nopy"}
    record = channel.records[channel.subdirs[0]]["lib05-1.0-h5_0.tar.bz2"]
    assert packages["lib05"] == ("1.0", "h5_0", record["sha256"])

    a.pip("ml", "install", "hello==1.0")
    assert a.pip_packages("ml") == {"hello": "1.0"}
    done = a.python("ml", "-c", "import hello, nopy; print(hello.__file__)")
    assert done.stdout.startswith(str(a.prefix("ml")))
    a.pip("ml", "uninstall", "--yes", "hello")
    assert a.pip_packages("ml") == {}

    a.set_variables("ml", COLOUR="blue")
    assert a.variables("ml") == {"COLOUR": "blue"}
    a.install("ml", "lib05=1.1")
    assert a.packages("ml")["lib05"][0] == "1.1"
    a.remove("ml", "lib05")
    assert "lib05" not in a.packages("ml")
    a.remove("ml")
    assert a.environments() == []
    assert [snapshot(root) for root in roots] == before


def snapshot(root: Path) -> dict[str, tuple[str, ...]]:
    """Return what a change of environments or packages in a root would change."""
    folders = ("envs", "pkgs", "conda-meta", "bin", "condabin", "etc")
    return {
        folder: tuple(sorted(os.listdir(root / folder)))  # noqa: PTH208
        for folder in folders
        if (root / folder).is_dir()
    }


def test_machine_of_another_platform(
    machine: Callable[..., Machine], tmp_path: Path
) -> None:
    channel = make_usual_channel(tmp_path / "channel", "osx-arm64", pip=False)
    a = machine("a", channels=[channel.url], subdir="osx-arm64")
    a.create("ml", "python", "nopy", "only-osx-arm64")
    assert set(a.packages("ml")) == {"python", "nopy", "only-osx-arm64"}
    assert a.python("ml", "-c", "import nopy").returncode == 0


def test_machine_over_http(
    machine: Callable[..., Machine], http_channel: HttpChannel
) -> None:
    a = machine("a", channels=[http_channel.private_url])
    # conda-rattler-solver drops the token from what it finds.
    a.environment["CONDA_SOLVER"] = "classic"
    a.create("ml", "lib05")
    fetched = [path for path in http_channel.requests if path.endswith(".tar.bz2")]
    assert len(fetched) == len(a.packages("ml")) == 6
    assert all(path.startswith("/t/tk-123-abc/") for path in fetched)
    if a.kind == "conda":
        failed = a.conda("create", "-n", "bad", "badpost", check=False)
        assert failed.returncode != 0
    with pytest.raises(AssertionError, match="doesnotexist"):
        a.create("worse", "needsmissing")


@pytest.mark.conda
def test_this_process_enters_a_machine(
    machine: Callable[..., Machine], monkeypatch: pytest.MonkeyPatch
) -> None:
    from conda.base.context import context
    from conda.core.prefix_data import PrefixData

    a = machine("a")
    a.create("ml", "lib00")
    a.enter(monkeypatch)
    assert context.root_prefix == str(a.base)
    assert context.envs_dirs[0] == str(a.envs)
    assert [record.name for record in PrefixData.from_name("ml").iter_records()] == [
        "lib00"
    ]
