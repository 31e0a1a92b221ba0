"""Renamed environments travel as such: nothing is solved, fetched or lost for that."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from acceptance import actions, bodies, contents, spread, sync_json, sync_twice, tree

if TYPE_CHECKING:
    from collections.abc import Callable

    from http_channel import HttpChannel
    from machine import Machine
    from s3server import Request, S3Server

    Build = Callable[..., Machine]
    Pair = tuple[Machine, Machine]


@pytest.fixture
def pair(original: Machine, machine: Build, bucket: str) -> Pair:
    """Two machines in step, each with the environment `web`."""
    a, b = machine("a"), machine("b")
    spread(original, ["web"], a, b)
    a.sync_here(bucket)
    b.sync_here(bucket)
    return a, b


def rename(machine: Machine, old: str, new: str) -> None:
    """Rename an environment in no time, as with conda: the content is the same."""
    machine.prefix(old).rename(machine.prefix(new))


def locks(s3: S3Server, bucket: str, name: str) -> dict[str, bytes]:
    """Return the locks of an environment, by version and platform."""
    found = bodies(s3, bucket)
    keys = [key for key in found if f"/{name}/" in key and key.endswith(".json")]
    return {key.rpartition("/")[2]: found[key] for key in keys}


def reasons(document: dict[str, list[dict[str, str]]]) -> dict[str, str]:
    """Return why things were done, by environment."""
    return {entry["name"]: entry["reason"] for entry in document["environments"]}


def test_a_renamed_environment_is_neither_solved_for_nor_fetched_again(
    machine: Build, http_channel: HttpChannel, s3: S3Server, bucket: str
) -> None:
    a, b = (machine(name, channels=[http_channel.url]) for name in "ab")
    a.create("web", "lib01=1.0")
    a.sync_here(bucket)
    b.sync_here(bucket)
    (own,) = locks(s3, bucket, "web")
    other = own.rsplit(".", 2)[0] + ".win-64.json"
    s3.client.put_object(Bucket=bucket, Key=f".s3-sync/web/{other}", Body=b"{}")
    a.manage("rename", "-n", "web", "www")

    # It is all that this machine knows, and is not taken for lost.
    said = sync_json(a, bucket, "--delete")
    assert actions(said) == {"web": "delete-remote", "www": "push"}
    assert reasons(said) == {"web": "renamed to www", "www": "renamed from web"}
    assert "web.yml" not in s3.keys(bucket)
    assert locks(s3, bucket, "www").keys() == {own, other}
    assert locks(s3, bucket, "www")[other] == b"{}"
    http_channel.requests.clear()
    told = sync_twice(b, s3, bucket, "--delete").stdout
    assert "delete-local  web  renamed to www\n" in told
    assert "pull          www  renamed from web, changed" in told
    assert http_channel.requests == []
    assert b.environments() == ["www"]
    assert contents(a) == contents(b)
    assert a.packages("www").keys() == {"lib00", "lib01"}
    sync_twice(a, s3, bucket, "--delete")


def test_the_old_one_stays_where_the_new_one_cannot_be_made(
    pair: Pair, s3: S3Server, bucket: str
) -> None:
    a, b = pair
    rename(a, "web", "www")
    a.sync_here(bucket, "--delete")
    b.prefix("www").mkdir()
    (b.prefix("www") / "notes.txt").touch()
    before = tree(b.envs)
    for _ in range(2):
        done = b.sync_here(bucket, "--delete", check=False)
        assert done.returncode == 1
        assert "in the way" in done.stderr
        assert "It stays, because www, its new name, could not be" in done.stderr
        assert done.stdout.endswith(": 2 failed\n")
        assert tree(b.envs) == before
    said = sync_json(b, bucket, "--delete", code=1)
    assert actions(said) == {"web": "failed", "www": "failed"}
    (b.prefix("www") / "notes.txt").unlink()
    b.prefix("www").rmdir()
    sync_twice(b, s3, bucket, "--delete")
    assert contents(a) == contents(b)
    assert b.environments() == ["www"]


def test_without_delete_the_old_name_comes_back_and_it_is_said_how_to_be_rid_of_it(
    pair: Pair, s3: S3Server, bucket: str
) -> None:
    a, b = pair
    rename(a, "web", "www")

    def denied(request: Request) -> tuple[int, str] | None:
        """Do as S3 where a policy allows to list the environments, and no more."""
        is_history = request.query.get("prefix", "").startswith(".s3-sync/")
        return (403, "AccessDenied") if is_history else None

    s3.before = denied
    said = sync_twice(a, s3, bucket).stdout
    s3.before = None
    hint = "It is www now. To be rid of the old name, conda env remove -n web, and run "
    assert "push  www  renamed from web, changed" in said
    assert f"pull  web  missing here\n           {hint}this with --delete.\n" in said
    # And so it is.
    a.remove("web")
    said = sync_json(a, bucket, "--delete")
    assert actions(said) == {"web": "delete-remote", "www": "nothing"}
    said = sync_twice(b, s3, bucket).stdout
    assert "pull  www  renamed from web, changed" in said
    assert f"push  web  missing in the bucket\n           {hint}this" in said
    b.remove("web")
    b.sync_here(bucket, "--delete")
    sync_twice(a, s3, bucket)
    assert a.environments() == b.environments() == ["www"]
