"""Whatever an environment is, it arrives as it left: on real prefixes, at random."""

from __future__ import annotations

import os
from itertools import count
from typing import TYPE_CHECKING

import pytest
from fidelity import FOR_PIP, Drawn, Root, environments, make_channels
from hypothesis import example, given
from lengths import profile

from conda_s3_sync_plugin.words import Action

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from s3server import S3Server

#: Who sends, and who receives and sends back.
WAYS = [
    pytest.param(
        (first, second),
        marks=[getattr(pytest.mark, kind) for kind in (first, second)],
        id=f"{first}-{second}",
    )
    for first in ("conda", "rattler")
    for second in ("conda", "rattler")
]

WITH_PIP = Drawn(
    (*FOR_PIP, "nopy", "lib02", "lib05=1.1=h5_0"),
    pip=("hello==1.0",),
    variables={"MODE": "fast", "A": "it's\n50% \\ “$HOME”"},
)
EDITED = Drawn(
    (*FOR_PIP, "lib02>=1.0,<2", "odd", "acty"),
    channels=("two", "one"),
    pip=("hello==2.0", "greet==1.0"),
    variables={"MODE": "slow"},
    pinned=("lib05 >=1.0", "lib00 <9"),
)


@pytest.fixture(scope="module")
def channels(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    return make_channels(tmp_path_factory.mktemp("channels"))


@pytest.fixture
def make_root(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    channels: dict[str, str],
    wheels: Path,
    s3: S3Server,
    bucket: str,
) -> Callable[[str, str], Root]:
    # Power does not fail here.
    monkeypatch.setattr(os, "fsync", lambda _: None)

    def build(name: str, kind: str) -> Root:
        return Root(
            tmp_path / name,
            monkeypatch,
            kind,
            s3=s3,
            bucket=bucket,
            channels=channels,
            wheels=wheels,
        )

    return build


@pytest.mark.long
@pytest.mark.parametrize("kinds", WAYS)
def test_whatever_an_environment_is_it_arrives_as_it_left(
    kinds: tuple[str, str], make_root: Callable[[str, str], Root]
) -> None:
    here, there = map(make_root, ("here", "there"), kinds)
    names = (f"env{number}" for number in count())

    @profile(usual=10, long=200)
    @given(environments(), environments())
    @example(WITH_PIP, EDITED)
    def check(made: Drawn, edited: Drawn) -> None:
        name = next(names)
        try:
            check_travel(name, here, there, made, edited.after(made))
        finally:
            for root in (here, there):
                root.forget(name)

    check()


def check_travel(
    name: str, here: Root, there: Root, made: Drawn, edited: Drawn
) -> None:
    """Make an environment here, edit it there, and find the same on both sides."""
    here.create(name, made)
    here.check(name, made)
    assert here.sync(name).step.action is Action.PUSH
    assert there.sync(name).step.action is Action.PULL
    left = here.all_of(name)
    assert there.all_of(name) == left
    there.change(name, made, edited)
    there.check(name, edited)
    returned = there.all_of(name)
    # What was asked for is no content: where nothing else has changed, it stays there.
    if returned["digest"] != left["digest"]:
        assert there.sync(name).step.action is Action.PUSH
        assert here.sync(name).step.action is Action.PULL
        assert here.all_of(name) == there.all_of(name) == returned
    for root in (there, here, there):
        root.check_quiet(name)
