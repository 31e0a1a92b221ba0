"""Pins of real prefixes: what conda is told to keep as it is."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from lab import Lab, environment

if TYPE_CHECKING:
    from pathlib import Path

    from make_channel import Channel


@pytest.fixture
def lab(
    tmp_path: Path, channel: Channel, monkeypatch: pytest.MonkeyPatch, kind: str
) -> Lab:
    return Lab(tmp_path / "here", monkeypatch, kind, channels=[channel.url])


def test_a_pin_that_nobody_can_read_is_left_out_and_named(lab: Lab) -> None:
    """Any conda would refuse to change the environment because of it."""
    file = environment("lib00=1.0", pinned=["lib00 1.*", "lib01 >=<1"])
    assert lab.apply("ml", file) == ("pin lib01 >=<1 is left out: no spec",)
    assert lab.machine.pins("ml") == ["lib00 1.*"]


def test_pins_are_changed_only_where_they_say_something_else(lab: Lab) -> None:
    lab.make("ml", "lib00=1.0")
    path = lab.prefix("ml") / "conda-meta" / "pinned"
    written = "# mine\n\nhttps://joe:s3cret@h.org/chan::lib01\n  lib00   1.*\n"
    path.write_text(written)
    export = lab.export("ml")
    assert export.file.pinned == ("https://h.org/chan::lib01", "lib00 1.*")
    assert b"s3cret" not in export.file.body
    lab.apply("ml", export.file, export.lock)
    assert path.read_text() == written
    lab.apply("ml", environment("lib00=1.0", pinned=["acty"]), prune=False)
    assert lab.machine.pins("ml")[0] == "acty"
    assert len(lab.machine.pins("ml")) == 3


def test_pins_of_base_are_its_own(lab: Lab) -> None:
    lab.machine.pin("base", "lib00 1.0")
    engine, file = lab.engine, environment("acty", pinned=["lib01"])
    engine.apply("root", engine.root, file, None, modified=lab.look("base").modified)
    assert lab.machine.pins("base") == ["lib00 1.0"]
    assert "acty" in lab.versions("base")


@pytest.mark.conda
def test_conda_keeps_to_a_pin_that_has_arrived(
    tmp_path: Path, channel: Channel, monkeypatch: pytest.MonkeyPatch
) -> None:
    lab = Lab(tmp_path / "here", monkeypatch, channels=[channel.url])
    lab.apply("ml", environment("lib00=1.0", pinned=["lib00 1.0"]))
    lab.machine.install("ml", "lib01")
    assert lab.versions("ml") == {"lib00": "1.0", "lib01": "2.0"}
    lab.machine.conda("update", "-n", "ml", "--all")
    assert lab.versions("ml")["lib00"] == "1.0"
