"""What every engine does: the one in memory, and the others on real prefixes."""

from __future__ import annotations

import os
import shutil
from dataclasses import dataclass, replace
from datetime import datetime, timezone
from typing import TYPE_CHECKING, Any

import pytest
from fake_engine import FakeEngine
from lab import environment

from conda_s3_sync_plugin.envfile import parse
from conda_s3_sync_plugin.exceptions import EngineError
from conda_s3_sync_plugin.models import Applied, LocalEnv

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from lab import Lab

    from conda_s3_sync_plugin.models import Export
    from conda_s3_sync_plugin.protocols import Engine

THEN = datetime(2024, 5, 6, 7, 8, 9, 123456, tzinfo=timezone.utc)


@dataclass(frozen=True)
class World:
    """A machine, and what its user does to it behind the engine's back."""

    engine: Engine
    freeze: Callable[[str], object]
    touch: Callable[[str], object]
    remove: Callable[[str], object]

    def apply(
        self,
        name: str,
        *specs: str,
        variables: Mapping[str, str] | None = None,
        pinned: tuple[str, ...] = (),
        **options: Any,
    ) -> tuple[str, ...]:
        """Make an environment from specs."""
        file = environment(*specs, variables=variables, pinned=pinned)
        options = {"modified": THEN, "origin": self.engine.platform, **options}
        prefix = self.engine.prefix_for(name)
        applied = self.engine.apply(name, prefix, file, None, **options)
        return (*applied.given_up, *applied.notes)

    def look(self, name: str) -> LocalEnv:
        env = self.engine.look(name, self.engine.prefix_for(name))
        assert isinstance(env, LocalEnv), env
        return env

    def export(self, name: str) -> Export:
        return self.engine.export(self.look(name))

    def versions(self, name: str) -> Mapping[str, str]:
        packages = self.export(name).lock.packages
        return {package["name"]: package["version"] for package in packages}


def fake_world() -> World:
    engine = FakeEngine()

    def freeze(name: str) -> None:
        engine.env(name).frozen = True

    return World(engine, freeze, engine.touch, engine.drop)


def real_world(lab: Lab) -> World:
    def history(name: str) -> Path:
        return lab.engine.prefix_for(name) / "conda-meta" / "history"

    return World(
        lab.engine,
        lambda name: history(name).with_name("frozen").touch(),
        lambda name: os.utime(history(name)),
        lambda name: shutil.rmtree(lab.prefix(name)),
    )


@pytest.fixture(
    params=[
        "memory",
        pytest.param("conda", marks=pytest.mark.conda),
        pytest.param("rattler", marks=pytest.mark.rattler),
    ]
)
def world(request: pytest.FixtureRequest, tmp_path: Path) -> World:
    if request.param == "memory":
        return fake_world()
    from lab import Lab

    channel = request.getfixturevalue("channel")
    monkeypatch = request.getfixturevalue("monkeypatch")
    return real_world(
        Lab(tmp_path / "here", monkeypatch, request.param, channels=[channel.url])
    )


def test_a_new_machine_has_its_base_alone(world: World) -> None:
    assert list(world.engine.environments()) == [("root", world.engine.root)]
    assert world.engine.prefix_for("root") == world.engine.root
    assert world.look("root").prefix == world.engine.root
    assert world.engine.look("e", world.engine.prefix_for("e")) is None


def test_what_is_made_is_found_and_what_is_removed_is_not(world: World) -> None:
    prefix = world.engine.prefix_for("e")
    world.apply("e", "lib00=1.0")
    assert ("e", prefix) in list(world.engine.environments())
    assert (world.look("e").name, world.look("e").prefix) == ("e", prefix)
    world.remove("e")
    assert ("e", prefix) not in list(world.engine.environments())
    assert world.engine.look("e", prefix) is None


def test_looking_and_reading_change_nothing(world: World) -> None:
    world.apply("e", "lib00=1.0", variables={"MODE": "fast"})
    env = world.look("e")
    first, second = world.export("e"), world.export("e")
    assert first == second
    assert world.look("e") == env


def test_an_environment_has_the_time_of_its_version(world: World) -> None:
    world.apply("e", "lib00=1.0")
    env = world.look("e")
    assert env.modified == THEN
    assert env.touched > THEN


def test_pins_are_what_the_file_says_unless_it_does_not_say(world: World) -> None:
    world.apply("e", "lib00=1.0", pinned=("lib00 1.*", "acty"))
    before = world.look("e").stamp
    pinned = world.export("e").file
    assert pinned.pinned == ("acty", "lib00 1.*")
    world.apply("e", "lib00=1.0")  # as a person's file
    assert world.export("e").file.digest == pinned.digest
    world.apply("e", "lib00=1.0", pinned=("lib00",))
    assert world.export("e").file.pinned == ("lib00",)
    assert world.look("e").stamp != before
    prefix = world.engine.prefix_for("e")
    nothing = replace(environment("lib00=1.0"), pinned=())
    world.engine.apply("e", prefix, nothing, None, modified=THEN)
    assert world.export("e").file.pinned is None


@pytest.mark.parametrize("change", ["packages", "variables", "pins"])
def test_a_change_is_seen_at_a_look(world: World, change: str) -> None:
    world.apply("e", "lib00=1.0")
    stamp, digest = world.look("e").stamp, world.export("e").file.digest
    changes: dict[str, Any] = {
        "packages": {},
        "variables": {"variables": {"MODE": "fast"}},
        "pins": {"pinned": ("lib00",)},
    }
    version = "1.1" if change == "packages" else "1.0"
    world.apply("e", f"lib00={version}", **changes[change])
    assert world.look("e").stamp != stamp
    assert world.export("e").file.digest != digest


def test_a_touch_is_seen_and_is_no_change(world: World) -> None:
    world.apply("e", "lib00=1.0")
    env, digest = world.look("e"), world.export("e").file.digest
    world.touch("e")
    assert world.look("e").stamp != env.stamp
    assert world.look("e").modified > env.modified
    assert world.export("e").file.digest == digest


def test_what_is_read_is_one_document_and_its_lock(world: World) -> None:
    world.apply("e", "lib00=1.0", "acty=1.0", variables={"MODE": "fast"})
    export = world.export("e")
    assert parse(export.file.body) == export.file
    assert export.lock.digest == export.file.digest
    assert export.lock.platform == world.engine.platform
    assert export.lock.variables == export.file.variables == {"MODE": "fast"}
    assert world.versions("e") == {"lib00": "1.0", "acty": "1.0"}
    assert len(export.lock.requested) == 2


def test_the_name_is_no_part_of_the_content(world: World) -> None:
    for name in ("e", "f"):
        world.apply(name, "lib00=1.0")
    assert world.export("e").file.digest == world.export("f").file.digest


@pytest.mark.parametrize("is_new", [True, False], ids=["new", "changed"])
def test_a_lock_makes_a_mirror(world: World, is_new: bool) -> None:
    world.apply("e", "lib00=1.0", variables={"MODE": "fast"})
    export = world.export("e")
    if not is_new:
        world.apply("f", "lib00=2.0", "acty=1.0", variables={"OTHER": "1"})
    prefix = world.engine.prefix_for("f")
    world.engine.fetch([(prefix, export.lock)])
    done = world.engine.apply("f", prefix, export.file, export.lock, modified=THEN)
    assert done == Applied(builds=export.lock.builds)
    assert world.export("f").file.digest == export.file.digest
    assert world.export("f").lock == export.lock
    assert world.look("f").modified == THEN


def test_the_second_time_nothing_is_to_do(world: World) -> None:
    world.apply("e", "lib00=1.0")
    export, prefix = world.export("e"), world.engine.prefix_for("e")
    world.engine.apply("e", prefix, export.file, export.lock, modified=THEN)
    assert world.export("e") == export


def test_without_pruning_the_rest_stays(world: World) -> None:
    world.apply("e", "lib00=1.0", "acty=1.0", variables={"MINE": "1"})
    world.apply("e", "lib00=1.1", prune=False, variables={"NEW": "1"})
    assert world.versions("e") == {"lib00": "1.1", "acty": "1.0"}
    assert world.export("e").file.variables == {"MINE": "1", "NEW": "1"}


def test_base_is_only_added_to(world: World) -> None:
    world.apply("root", "lib00=1.0")
    world.apply("root", "lib00=2.0", "acty=1.0")
    assert world.versions("root") == {"lib00": "1.0", "acty": "1.0"}


@pytest.mark.parametrize("is_new", [True, False], ids=["new", "changed"])
def test_what_cannot_be_made_leaves_all_as_it_was(world: World, is_new: bool) -> None:
    prefix = world.engine.prefix_for("e")
    if not is_new:
        world.apply("e", "lib00=1.0")
    before = world.engine.look("e", prefix)
    with pytest.raises(EngineError):
        world.apply("e", "lib00=2.0", "only-nowhere=1.0")
    assert world.engine.look("e", prefix) == before
    assert (prefix in dict(map(reversed, world.engine.environments()))) != is_new


def test_what_exists_on_another_platform_alone_is_left_out(world: World) -> None:
    notes = world.apply("e", "lib00=2.0", "only-nowhere=1.0", origin="nowhere")
    assert "only-nowhere" in " ".join(notes)
    assert world.versions("e") == {"lib00": "2.0"}


def test_what_is_frozen_stays_as_it_is(world: World) -> None:
    world.apply("e", "lib00=1.0")
    world.freeze("e")
    before = world.look("e")
    with pytest.raises(EngineError, match="frozen"):
        world.apply("e", "lib00=2.0")
    assert world.look("e") == before
