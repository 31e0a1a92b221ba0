"""Two computers, one bucket, and the choices that people have."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

import pytest
from acceptance import (
    actions,
    content,
    history,
    plant,
    requested,
    sync_json,
    sync_twice,
)
from machine import Machine

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from make_channel import Channel
    from s3server import S3Server

    Build = Callable[..., Machine]


@pytest.fixture(scope="module")
def original(tmp_path_factory: pytest.TempPathFactory, channel: Channel) -> Machine:
    """A machine with the environments `api` and `web`; only to be copied from."""
    folder = tmp_path_factory.mktemp("original") / "machine"
    machine = Machine(folder, channels=[channel.url])
    machine.create("api", "lib01=1.0")
    machine.create("web", "acty")
    return machine


@pytest.fixture
def pair(original: Machine, machine: Build, bucket: str) -> tuple[Machine, Machine]:
    """Two machines in step, each with the environments of the original."""
    a, b = machine("a"), machine("b")
    for name in original.environments():
        plant(original, name, a, b)
    a.sync_here(bucket)
    b.sync_here(bucket)
    return a, b


def test_a_removed_environment_comes_back_and_it_is_said_how_to_be_rid_of_it(
    pair: tuple[Machine, Machine], s3: S3Server, bucket: str
) -> None:
    a, b = pair
    a.remove("api")
    assert a.environments() == ["web"]
    said = sync_twice(a, s3, bucket).stdout
    assert "pull  api  missing here\n" in said
    assert "To be rid of it, remove it again, and run this with --delete." in said
    assert content(a, "api") == content(b, "api")
    sync_twice(b, s3, bucket)


def test_what_is_missing_in_the_bucket_is_pushed_again(
    pair: tuple[Machine, Machine], s3: S3Server, bucket: str
) -> None:
    a, b = pair
    s3.client.delete_object(Bucket=bucket, Key="api.yml")
    said = sync_twice(a, s3, bucket).stdout
    assert "push  api  missing in the bucket\n" in said
    assert "conda env remove -n api" in said
    assert "api.yml" in s3.keys(bucket)
    # The same content, under a new ETag or not: nothing to be done about it.
    assert "pull" not in sync_twice(b, s3, bucket).stdout


#: policy -> on which machine the edit was made that both have in the end.
WINNERS = {"newest": "late", "local": "late", "remote": "early"}


@pytest.mark.parametrize("policy", WINNERS)
def test_a_conflict_ends_as_preferred_and_the_history_keeps_both_versions(
    policy: str, pair: tuple[Machine, Machine], s3: S3Server, bucket: str
) -> None:
    early, late = pair
    early.set_variables("api", WHO="early")
    late.set_variables("api", WHO="late")
    early.sync_here(bucket)
    said = sync_twice(late, s3, bucket, "--prefer", policy).stdout
    assert "api  changed on both sides; " in said
    sync_twice(early, s3, bucket)
    for one in pair:
        assert one.variables("api") == {"WHO": WINNERS[policy]}
    kept = "".join(history(s3, bucket, "api"))
    assert "WHO: early" in kept
    assert "WHO: late" in kept


def test_the_newest_wins_even_where_the_other_one_syncs_last(
    pair: tuple[Machine, Machine], s3: S3Server, bucket: str
) -> None:
    early, late = pair
    early.set_variables("api", WHO="early")
    late.set_variables("api", WHO="late")
    late.sync_here(bucket)
    assert "last changed in the bucket" in sync_twice(early, s3, bucket).stdout
    assert early.variables("api") == {"WHO": "late"}
    assert "WHO: early" in "".join(history(s3, bucket, "api"))


def test_who_prefers_none_is_left_with_the_conflict_and_told_how_to_end_it(
    pair: tuple[Machine, Machine], s3: S3Server, bucket: str
) -> None:
    a, b = pair
    a.set_variables("api", WHO="a")
    b.set_variables("api", WHO="b")
    a.sync_here(bucket)
    for _ in range(2):
        done = b.sync_here(bucket, "--prefer", "none", check=False)
        assert done.returncode == 1
        assert "conflict  api  changed on both sides" in done.stderr
        assert "-n api --prefer local" in done.stderr
        assert "1 in conflict, 1 in step" in done.stdout
        assert b.variables("api") == {"WHO": "b"}
    sync_twice(a, s3, bucket)
    assert a.variables("api") == {"WHO": "a"}
    sync_twice(b, s3, bucket, "-n", "api", "--prefer", "local")
    sync_twice(a, s3, bucket)
    assert a.variables("api") == {"WHO": "b"}


def test_without_prune_nothing_is_removed_here_and_both_stay_in_step(
    pair: tuple[Machine, Machine], s3: S3Server, bucket: str
) -> None:
    a, b = pair
    a.install("web", "lib00=1.0")
    a.remove("web", "acty")
    a.sync_here(bucket)
    sync_twice(b, s3, bucket, "--no-prune")
    assert b.packages("web").keys() == {"acty", "lib00"}
    assert requested(b, "web") == ["acty", "lib00=1.0"]
    sync_twice(a, s3, bucket)
    assert a.packages("web").keys() == {"lib00"}


def test_push_only_and_pull_only_hold_back_the_other_way(
    pair: tuple[Machine, Machine], s3: S3Server, bucket: str
) -> None:
    a, b = pair
    a.set_variables("api", WHO="a")
    b.set_variables("web", WHO="b")
    b.sync_here(bucket)
    pushed = sync_json(a, bucket, "--push-only")
    assert actions(pushed) == {"api": "push", "web": "hold"}
    assert a.variables("web") == {}
    assert actions(sync_json(a, bucket, "--push-only"))["api"] == "nothing"
    b.set_variables("web", WHO="b again")
    before = s3.keys(bucket)
    pulled = sync_json(b, bucket, "--pull-only")
    assert actions(pulled) == {"api": "pull", "web": "hold"}
    assert b.variables("api") == {"WHO": "a"}
    assert s3.keys(bucket) == before
    assert actions(sync_json(b, bucket, "--pull-only"))["api"] == "nothing"
    said = b.sync_here(bucket, "--pull-only").stdout
    assert "hold  web  changed here" in said
    assert "(--pull-only)" in said
    sync_twice(b, s3, bucket)
    sync_twice(a, s3, bucket)
    assert a.variables("web") == {"WHO": "b again"}


@pytest.mark.parametrize(
    "choice",
    [("-n", "web"), ("--path-filter", "envs/w.b$")],
    ids=["name", "path-filter"],
)
def test_what_is_not_chosen_is_neither_pushed_nor_pulled_nor_forgotten(
    choice: tuple[str, str],
    original: Machine,
    machine: Build,
    s3: S3Server,
    bucket: str,
) -> None:
    a, b = machine("a"), machine("b")
    plant(original, "api", a)
    plant(original, "web", a)
    a.sync_here(bucket, *choice)
    assert [key for key in s3.keys(bucket) if "api" in key] == []
    a.sync_here(bucket)
    # In the bucket alone, an environment is chosen by where it would be.
    sync_twice(b, s3, bucket, *choice)
    assert b.environments() == ["web"]
    b.sync_here(bucket)
    a.set_variables("api", WHO="a")
    b.set_variables("api", WHO="b")
    a.sync_here(bucket)
    sync_twice(b, s3, bucket, *choice)
    # What both were is still known: a conflict is seen as one.
    assert "changed on both sides" in b.sync_here(bucket, "-d").stdout


def test_several_names_may_be_given_and_unknown_ones_are_told(
    pair: tuple[Machine, Machine], bucket: str
) -> None:
    a, _ = pair
    assert actions(sync_json(a, bucket, "-n", "web", "--name", "api")) == {
        "api": "nothing",
        "web": "nothing",
    }
    document = sync_json(a, bucket, "-n", "web", "-n", "wep", code=1)
    assert actions(document) == {"web": "nothing", "wep": "skip"}
    assert document["environments"][1]["reason"] == "neither here nor in the bucket"


def test_base_takes_part_only_if_asked_as_root_and_is_only_added_to(
    machine: Build, s3: S3Server, bucket: str
) -> None:
    a, b = machine("a"), machine("b")
    a.install("base", "lib01=1.0")
    b.install("base", "lib00=1.0", "acty")
    sync_twice(a, s3, bucket)
    assert s3.keys(bucket) == []
    sync_twice(a, s3, bucket, "--include-root-env")
    assert "root.yml" in s3.keys(bucket)
    sync_twice(b, s3, bucket)
    assert b.packages("base").keys() == {"lib00", "acty"}
    said = sync_json(b, bucket, "--include-root-env", "--prefer", "remote")
    assert actions(said) == {"root": "pull"}
    versions = {name: version for name, (version, *_) in b.packages("base").items()}
    assert versions == {"lib00": "1.0", "lib01": "1.0", "acty": "1.0"}
    sync_twice(b, s3, bucket, "--include-root-env")
    # What b has beyond that is its own, until somebody there changes something.
    sync_twice(a, s3, bucket, "--include-root-env")
    assert a.packages("base").keys() == {"lib00", "lib01"}


def test_the_environments_of_another_conda_are_synchronized_where_it_is_named(
    original: Machine, machine: Build, s3: S3Server, bucket: str, tmp_path: Path
) -> None:
    a, b = machine("a"), machine("b")
    other = tmp_path / "other"
    for one in (a, b):
        # It would tell every conda where its environments are, whichever it is.
        del one.environment["CONDA_ENVS_DIRS"]
    plant(original, "web", a)
    shutil.copytree(original.prefix("api"), other / "envs" / "api")
    (other / "bin").mkdir()
    (other / "bin" / "conda").touch(0o755)
    (other / "conda-meta").mkdir()
    (other / "conda-meta" / "history").touch()
    sync_twice(a, s3, bucket, "--conda-bin", other / "bin" / "conda")
    assert [key for key in s3.keys(bucket) if "/" not in key] == ["api.yml"]
    sync_twice(b, s3, bucket)
    assert content(b, "api") == content(original, "api")
    b.set_variables("api", WHO="b")
    b.sync_here(bucket)
    sync_twice(a, s3, bucket, "--conda-bin", other)
    assert '"WHO": "b"' in (other / "envs/api/conda-meta/state").read_text()
    assert a.environments() == ["web"]
