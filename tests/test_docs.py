"""What the documentation tells people to type works, and shows what it says."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from installed import add_distributions
from make_channel import Channel
from make_wheels import write_wheel
from scenes import SCENES
from shell import run
from stories import BUCKET, PAGES, Story, commands

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from machine import Machine
    from s3server import S3Server

    Build = Callable[..., Machine]


@pytest.fixture(scope="session")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Channel:
    """A channel of the packages that the pages name, and wheels beside it."""
    channel = Channel(tmp_path_factory.mktemp("shop"))
    channel.add_python()
    add_distributions(channel, "pip")
    for version in ("2.1", "2.2"):
        channel.add("numpy", version)
    for version in ("1.14", "1.15"):
        channel.add("scipy", version)
    channel.add("pandas", "2.2")
    channel.add("flask", "3.1")
    channel.write_index()
    write_wheel(channel.root, "httpx", "0.28")
    return channel


@pytest.fixture
def build(machine: Build, shop: Channel, s3: S3Server) -> Iterator[Build]:
    """Build machines that use the shop, around a bucket that goes with the test."""
    s3.client.create_bucket(Bucket=BUCKET)

    def made(name: str, **changes: Any) -> Machine:
        return machine(name, channels=[shop.url], wheels=shop.root, **changes)

    yield made
    versions = s3.client.list_object_versions(Bucket=BUCKET)
    for entry in (*versions.get("Versions", ()), *versions.get("DeleteMarkers", ())):
        key, version = entry["Key"], entry["VersionId"]
        s3.client.delete_object(Bucket=BUCKET, Key=key, VersionId=version)
    s3.client.delete_bucket(Bucket=BUCKET)


@pytest.mark.parametrize(
    "text", ["conda frobnicate", "conda env frobnicate", "aws s3 sync a b", "ls"]
)
def test_a_page_cannot_show_a_command_that_no_test_knows(
    text: str, machine: Build, s3: S3Server
) -> None:
    with pytest.raises(AssertionError, match=f"no test knows how to run: {text}"):
        run(machine("mine"), text.split(), s3.client, must_work=True)


@pytest.mark.parametrize("page", PAGES)
def test_each_command_of_a_page_does_what_the_page_says(
    page: str, request: pytest.FixtureRequest
) -> None:
    told = commands(page)
    if not told:
        return
    build, s3 = map(request.getfixturevalue, ("build", "s3"))
    story = Story(SCENES[page](build), s3)
    for command in told:
        story.play(command)
