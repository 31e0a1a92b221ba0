"""Packages on their way, as only conda has them: its cache, its offline mode."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest
from lab import WRONG, Lab, environment, with_change

from conda_s3_sync_plugin.exceptions import EngineError

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from http_channel import HttpChannel
    from make_channel import Channel

pytestmark = pytest.mark.conda


@pytest.fixture
def over_http(
    tmp_path: Path, http_channel: HttpChannel, monkeypatch: pytest.MonkeyPatch
) -> Callable[[str], Lab]:
    """Build labs that know the channel over HTTP."""
    return lambda name: Lab(tmp_path / name, monkeypatch, channels=[http_channel.url])


def test_a_package_cached_without_sha256_is_hashed(
    over_http: Callable[[str], Lab],
) -> None:
    here = over_http("here")
    export = here.make("ml", "acty")
    (path,) = here.machine.pkgs.glob("acty-1.0-0/info/repodata_record.json")
    entry = json.loads(path.read_bytes())
    del entry["sha256"]
    path.write_text(json.dumps(entry))
    here.enter()
    here.apply("new", export.file, export.lock)
    lock = with_change(export.lock, "acty", sha256=WRONG)
    with pytest.raises(EngineError, match="is not the package that was locked"):
        here.apply("newer", export.file, lock)


def test_offline_what_is_cached_is_enough(over_http: Callable[[str], Lab]) -> None:
    there = over_http("there")
    cached, other = there.make("a", "lib02=1.1"), there.make("b", "acty")
    here = over_http("here")
    here.make("old", "lib02=1.1")
    here.enter(CONDA_OFFLINE="true")
    here.apply("a", cached.file, cached.lock)
    assert here.export("a").lock == cached.lock
    before = here.snapshot("a")
    with pytest.raises(EngineError, match="a could not be changed: .*[Oo]ffline"):
        here.apply("a", other.file, other.lock)
    assert here.snapshot("a") == before


def test_a_solver_that_exits_is_an_error(
    tmp_path: Path, channel: Channel, monkeypatch: pytest.MonkeyPatch
) -> None:
    from conda.base.context import context

    class Exits:
        def __init__(self, *args: object, **options: object) -> None: ...

        def solve_final_state(self) -> None:
            raise SystemExit(1)

    lab = Lab(tmp_path / "here", monkeypatch, channels=[channel.url])
    monkeypatch.setattr(
        context.plugin_manager, "get_cached_solver_backend", lambda: Exits
    )
    with pytest.raises(EngineError, match="No solution: SystemExit"):
        lab.apply("ml", environment("lib00"))
