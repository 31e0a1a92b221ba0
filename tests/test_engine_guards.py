"""What is refused, what comes first, and what is left where something fails."""

from __future__ import annotations

import os
import shutil
from typing import TYPE_CHECKING, Any

import pytest
from hand_made import snapshot
from lab import Lab, environment, lock_of

from conda_s3_sync_plugin.exceptions import EngineError

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from make_channel import Channel


@pytest.fixture
def lab(
    tmp_path: Path, channel: Channel, monkeypatch: pytest.MonkeyPatch, kind: str
) -> Lab:
    return Lab(tmp_path / "here", monkeypatch, kind, channels=[channel.url])


def test_an_environment_is_as_it_was_after_a_link_script_failed(
    lab: Lab, channel: Channel
) -> None:
    lab.make("ml", "lib02=1.1", variables={"MODE": "fast"})
    before, stamp = lab.snapshot("ml"), lab.look("ml").stamp
    lock = lock_of(channel, "badpost", "acty")
    with pytest.raises(
        EngineError, match="ml could not be changed: .*badpost"
    ) as error:
        lab.apply("ml", environment(), lock)
    assert "\n" not in error.value.summary
    assert lab.snapshot("ml") == before
    assert lab.look("ml").stamp == stamp
    lab.apply("ml", environment("lib02=1.0"))
    assert lab.versions("ml")["lib02"] == "1.0"


def test_nothing_is_left_of_a_create_whose_link_script_failed(
    lab: Lab, channel: Channel
) -> None:
    lock = lock_of(channel, "badpost", "acty")
    with pytest.raises(EngineError, match="ml could not be created: .*badpost"):
        lab.apply("ml", environment(), lock)
    assert not os.path.lexists(lab.prefix("ml"))
    assert lab.registered() == []
    assert [name for name, _ in lab.engine.environments()] == ["root"]


def test_nothing_is_changed_unless_it_is_begun(lab: Lab) -> None:
    export = lab.make("ml", "lib02=1.1")
    before = lab.snapshot("ml")

    def make_it_and_refuse() -> None:
        lab.apply("new", environment("acty"))  # somebody else, in the meantime
        raise EngineError("changed meanwhile")

    with pytest.raises(EngineError, match="changed meanwhile"):
        lab.apply("new", export.file, export.lock, begin=make_it_and_refuse)
    assert lab.versions("new") == {"acty": "1.0"}

    def refuse() -> None:
        raise EngineError("changed meanwhile")

    with pytest.raises(EngineError, match="changed meanwhile"):
        lab.apply("ml", environment("lib00"), begin=refuse)
    assert lab.snapshot("ml") == before


def test_an_environment_is_begun_when_all_is_fetched(
    lab: Lab, monkeypatch: pytest.MonkeyPatch
) -> None:
    export = lab.make("ml", "lib02=1.1")
    log: list[str] = []
    for name in ("_download", "_link"):
        real = getattr(lab.engine, name)

        def record(*args: Any, real: Any = real, name: str = name, **more: Any) -> Any:
            log.append(name)
            return real(*args, **more)

        monkeypatch.setattr(lab.engine, name, record)
    for lock in (export.lock, None):
        log.clear()
        lab.apply("new", export.file, lock, begin=lambda: log.append("begin"))
        assert log == ["_download", "begin", "_link"]


def frozen(lab: Lab) -> None:
    (lab.prefix("ml") / "conda-meta" / "frozen").touch()


def no_environment(lab: Lab) -> None:
    shutil.rmtree(lab.prefix("ml") / "conda-meta")


def a_file(lab: Lab) -> None:
    shutil.rmtree(lab.prefix("ml"))
    lab.prefix("ml").write_text("notes")


def a_dangling_link(lab: Lab) -> None:
    shutil.rmtree(lab.prefix("ml"))
    lab.prefix("ml").symlink_to("nowhere")


IN_THE_WAY = {
    "frozen": (frozen, "is frozen"),
    "a folder": (no_environment, "is in the way"),
    "a file": (a_file, "is in the way"),
    "a dangling link": (a_dangling_link, "is in the way"),
}


@pytest.mark.parametrize(("obstacle", "why"), IN_THE_WAY.values(), ids=IN_THE_WAY)
def test_what_must_not_be_changed_is_refused(
    lab: Lab, obstacle: Callable[[Lab], None], why: str
) -> None:
    lab.make("ml", "lib00=1.0")
    obstacle(lab)
    before = snapshot(lab.machine.envs)
    with pytest.raises(EngineError, match=why) as error:
        lab.apply("ml", environment("lib00=2.0"))
    assert error.value.hint
    assert snapshot(lab.machine.envs) == before


def test_a_frozen_environment_is_exported(lab: Lab) -> None:
    export = lab.make("ml", "lib00")
    frozen(lab)
    assert lab.export("ml") == export


def test_a_frozen_environment_is_changed_where_conda_is_set_to(lab: Lab) -> None:
    lab.make("ml", "lib00=1.0")
    frozen(lab)
    lab.enter(CONDA_PROTECT_FROZEN_ENVS="false")
    lab.apply("ml", environment("lib00=2.0"))
    assert lab.versions("ml") == {"lib00": "2.0"}


def test_an_environment_that_cannot_be_written_is_refused(
    lab: Lab, monkeypatch: pytest.MonkeyPatch
) -> None:
    lab.make("ml", "lib00=1.0")
    lab.machine.history("ml").chmod(0o444)
    if os.geteuid() == 0:  # who may write whatever its mode is
        monkeypatch.setattr(os, "access", lambda path, mode: mode != os.W_OK)
    before = lab.snapshot("ml")
    with pytest.raises(EngineError, match="cannot be written") as error:
        lab.apply("ml", environment("lib00=2.0"))
    assert error.value.hint
    assert lab.snapshot("ml") == before
    assert lab.export("ml").file.specs == ("lib00=1.0=h0_0",)
