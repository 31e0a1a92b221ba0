"""Transactions of rattler that are killed, given up, or fail beside other people."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from typing import TYPE_CHECKING

import pytest
from http_channel import HttpChannel
from lab import Lab, environment
from usual_channel import make_scripted_channel, make_usual_channel, post_link

from conda_s3_sync_plugin.exceptions import EngineError, UsageError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

pytestmark = pytest.mark.rattler

PROGRAM = """
import json, os, sys
from pathlib import Path
from conda_s3_sync_plugin.condarc import Condarc
from conda_s3_sync_plugin.engines.installation import find_root
from conda_s3_sync_plugin.engines.rattler import RattlerEngine

lock, pid, name = sys.argv[1:]
Path(pid).write_text(str(os.getpid()))
root = find_root()
engine = RattlerEngine(root, Condarc.load(root))
packages = [engine._package(entry) for entry in json.loads(Path(lock).read_text())]
engine._download(packages)
engine._link(engine.prefix_for(name), packages, ["lib", "odd"], prune=True)
"""


def leftovers(prefix: Path) -> list[str]:
    return [path.name for path in prefix.iterdir() if path.name.startswith(".s3-sync-")]


def is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


@pytest.mark.parametrize("is_new", [True, False], ids=["new", "changed"])
def test_what_was_killed_is_made_whole_the_next_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, is_new: bool
) -> None:
    first, pid, installer = (tmp_path / name for name in ("first", "pid", "installer"))
    command = (
        f"if mkdir {first} 2>&-; then echo $PPID > {installer}; "
        f"kill -KILL $(cat {pid}); else echo ran > $PREFIX/ran.txt; fi"
    )
    channel = make_scripted_channel(tmp_path / "channel", command)
    first.mkdir()
    there = Lab(tmp_path / "there", monkeypatch, "rattler", channels=[channel.url])
    export = there.make("ml", "lib", "odd")
    first.rmdir()
    here = Lab(tmp_path / "here", monkeypatch, "rattler", channels=[channel.url])
    if not is_new:
        here.make("ml", "lib")
    script, lock = tmp_path / "program.py", tmp_path / "lock.json"
    script.write_text(PROGRAM)
    lock.write_text(json.dumps(list(export.lock.packages)))
    done = subprocess.run(
        [sys.executable, script, lock, pid, "ml"],
        env=here.machine.environment,
        stdin=subprocess.DEVNULL,
        timeout=60,
    )
    assert done.returncode == -9
    for _ in range(1000):  # it ends with whom it worked for
        if not is_alive(int(installer.read_text())):
            break
        time.sleep(0.01)
    else:
        pytest.fail("the installer goes on alone")
    prefix = here.prefix("ml")
    assert leftovers(prefix)
    assert here.apply("ml", export.file, export.lock) == ()
    assert (prefix / "ran.txt").read_text() == "ran\n"
    assert leftovers(prefix) == []
    assert not (prefix / "CACHEDIR.TAG").exists()
    modes = {path.stat().st_mode for path in (prefix / "conda-meta").iterdir()}
    assert len(modes) == 1
    assert here.requested("ml") == {"lib": "lib", "odd": "odd"}
    assert here.export("ml").lock == export.lock


def test_whoever_asks_twice_to_end_need_not_wait_for_a_script(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    us = os.getpid()
    command = f"kill -INT {us}; sleep 1; kill -INT {us}; exec sleep 20"
    channel = make_scripted_channel(tmp_path / "channel", command)
    lab = Lab(tmp_path / "here", monkeypatch, "rattler", channels=[channel.url])
    lab.make("ml", "lib")
    before = lab.snapshot("ml")
    with pytest.raises(KeyboardInterrupt):
        lab.apply("ml", environment("odd"))
    assert lab.snapshot("ml") == before


@pytest.fixture
def served(tmp_path: Path) -> Iterator[HttpChannel]:
    """The usual channel and a command, over HTTP: so packages are unpacked before."""
    channel = make_usual_channel(tmp_path / "channel")
    tool = ["tool = nopy:main"]
    channel.add_noarch_python("tooled", "1.0", entry_points=tool)
    talk = 'echo kept > "$PREFIX/work.txt"; exit 3'
    channel.add("talks", files=post_link("talks", talk))
    channel.write_index()
    server = HttpChannel(channel.root)
    yield server
    server.close()


def test_what_others_have_in_an_environment_survives_a_failure(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, served: HttpChannel
) -> None:
    lab = Lab(tmp_path / "here", monkeypatch, "rattler", channels=[served.url])
    lab.make("ml", "python")
    prefix = lab.prefix("ml")
    (prefix / "bin" / "tool").write_text("mine")
    before = lab.snapshot("ml")
    with pytest.raises(EngineError, match="talks"):
        lab.apply("ml", environment("python", "tooled", "talks"))
    assert (prefix / "bin" / "tool").read_text() == "mine"
    # Written while it was under way: nobody knows by whom.
    assert (prefix / "work.txt").read_text() == "kept\n"
    (prefix / "work.txt").unlink()
    assert lab.snapshot("ml").keys() == before.keys()


def test_a_file_that_has_given_way_to_another_survives_a_failure(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, served: HttpChannel
) -> None:
    lab = Lab(tmp_path / "here", monkeypatch, "rattler", channels=[served.url])
    lab.make("ml", "clob1", "clob2")
    before = lab.snapshot("ml")
    for stays in ("clob1", "clob2"):
        with pytest.raises(EngineError, match="badpost"):
            lab.apply("ml", environment(stays, "badpost"))
        assert lab.snapshot("ml") == before


def test_a_cache_that_cannot_be_locked_is_used_all_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, served: HttpChannel
) -> None:
    from conda_s3_sync_plugin.engines import packagecache

    lab = Lab(tmp_path / "here", monkeypatch, "rattler", channels=[served.url])
    lab.make("a", "lib00")

    def refuse(file: object, *, wait: bool) -> None:
        raise PermissionError

    monkeypatch.setattr(packagecache, "lock", refuse)
    lab.make("b", "lib00")
    assert lab.versions("b") == lab.versions("a")


def test_a_platform_that_does_not_exist_is_told_at_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(UsageError, match="subdir: nonsense-99 is no platform"):
        Lab(tmp_path / "here", monkeypatch, "rattler", subdir="nonsense-99")
