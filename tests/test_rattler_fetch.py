"""What rattler fetches: its cache, what it says of channels, and processes at once."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest
from lab import WRONG, Lab, environment, with_change

from conda_s3_sync_plugin.engines.choice import GoneError
from conda_s3_sync_plugin.exceptions import EngineError

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from http_channel import HttpChannel
    from make_channel import Channel

    from conda_s3_sync_plugin.models import Export

pytestmark = pytest.mark.rattler

ACTY = "acty-1.0-0.tar.bz2"
LIB02 = "lib02-1.1-h2_0.tar.bz2"


@pytest.fixture
def make_lab(
    tmp_path: Path, http_channel: HttpChannel, monkeypatch: pytest.MonkeyPatch
) -> Callable[..., Lab]:
    """Build labs that know the channel over HTTP, and ask it once."""

    def build(name: str, *channels: str) -> Lab:
        urls = channels or [http_channel.url]
        lab = Lab(tmp_path / name, monkeypatch, "rattler", channels=urls)
        lab.enter(CONDA_REMOTE_MAX_RETRIES="0")
        return lab

    return build


@pytest.fixture
def export(make_lab: Callable[..., Lab]) -> Export:
    """An environment that another machine has made."""
    return make_lab("there").make("ml", "lib02=1.1", "acty")


@pytest.fixture
def here(make_lab: Callable[..., Lab], export: Export) -> Lab:
    return make_lab("here")


def cache(lab: Lab) -> Path:
    return lab.machine.home / ".cache" / "rattler" / "cache" / "pkgs"


def names(paths: list[str]) -> list[str]:
    return sorted(path.rpartition("/")[2] for path in paths)


@pytest.mark.parametrize("status", [404, 410])
def test_packages_that_are_gone_are_all_named_and_nothing_worse(
    here: Lab, export: Export, http_channel: HttpChannel, status: int
) -> None:
    http_channel.broken |= {ACTY: status, LIB02: status}
    with pytest.raises(GoneError, match=f"{ACTY}, {LIB02}: .*{status}"):
        here.fetch({"ml": export.lock})
    http_channel.broken[LIB02] = 403
    with pytest.raises(EngineError) as error:
        here.fetch({"ml": export.lock})
    assert not isinstance(error.value, GoneError)
    assert str(status) in error.value.summary
    assert "403" in error.value.summary


@pytest.mark.parametrize("status", [401, 403])
def test_where_nobody_is_let_in_it_is_said_where_a_login_goes(
    here: Lab, export: Export, http_channel: HttpChannel, status: int
) -> None:
    http_channel.broken[ACTY] = status
    with pytest.raises(EngineError, match=str(status)) as error:
        here.apply("ml", export.file, export.lock)
    assert ".condarc" in error.value.hint
    assert ".netrc" in error.value.hint


def test_a_number_in_an_address_is_no_status(
    here: Lab, export: Export, http_channel: HttpChannel
) -> None:
    packages = export.lock.packages
    url = "http://127.0.0.1:9/401-404/linux-64/acty-1.0-0.tar.bz2"
    lock = with_change(export.lock, "acty", url=url)
    assert lock.packages != packages
    with pytest.raises(GoneError, match="Connection refused") as error:
        here.fetch({"ml": lock})
    assert error.value.may_return
    assert error.value.hint == ""


@pytest.mark.parametrize("status", [500, 503])
def test_a_server_in_trouble_is_no_reason_to_solve_anew(
    here: Lab, export: Export, http_channel: HttpChannel, status: int
) -> None:
    here.make("ml", "lib00=1.0")
    before = here.snapshot("ml")
    http_channel.broken[ACTY] = status
    with pytest.raises(EngineError, match=str(status)) as error:
        here.apply("ml", export.file, export.lock)
    assert not isinstance(error.value, GoneError)
    assert here.snapshot("ml") == before


def test_requests_are_repeated_as_often_as_is_set(
    here: Lab, export: Export, http_channel: HttpChannel
) -> None:
    http_channel.broken[ACTY] = 500
    asked = []
    for retries in ("0", "1"):
        here.enter(CONDA_REMOTE_MAX_RETRIES=retries)
        http_channel.requests.clear()
        with pytest.raises(EngineError, match="500"):
            here.fetch({"ml": export.lock})
        asked.append(names(http_channel.requests).count(ACTY))
    assert asked == [1, 2]


def test_an_archive_that_is_cut_short_is_fetched_again(
    here: Lab, export: Export, http_channel: HttpChannel, channel: Channel
) -> None:
    archive = next(channel.root.glob(f"*/{ACTY}")).read_bytes()
    http_channel.broken[ACTY] = archive[:-40]
    for _ in range(2):
        with pytest.raises(EngineError, match=ACTY) as error:
            here.apply("ml", export.file, export.lock)
        assert "\n" not in error.value.summary
    http_channel.broken.clear()
    assert here.apply("ml", export.file, export.lock) == ()


FAILURES = {
    "another content": b"",
    "not found": 404,
    "refused": 403,
    "in trouble": 500,
}


@pytest.mark.parametrize("cached", [True, False], ids=["cached", "not cached"])
@pytest.mark.parametrize("failure", FAILURES.values(), ids=FAILURES)
def test_what_failed_once_is_not_taken_for_right_the_next_time(
    here: Lab,
    export: Export,
    http_channel: HttpChannel,
    failure: bytes | int,
    cached: bool,
) -> None:
    if cached:
        here.fetch({"ml": export.lock})
    lock = with_change(export.lock, "acty", sha256=WRONG)
    for broken in ({ACTY: failure}, {}, {}):
        http_channel.broken = dict(broken)
        here.enter()  # with a new engine
        with pytest.raises(EngineError):
            here.fetch({"ml": lock})
    http_channel.broken.clear()
    here.apply("ml", export.file, export.lock)


def test_what_others_have_cached_without_its_hash_is_fetched_anew(
    here: Lab, export: Export, http_channel: HttpChannel
) -> None:
    here.fetch({"ml": with_change(export.lock, "acty", sha256=None)})
    with pytest.raises(EngineError, match="is not the package that was locked"):
        here.fetch({"ml": with_change(export.lock, "acty", sha256=WRONG)})


def test_what_is_cached_and_has_lost_files_is_fetched_anew(
    here: Lab, export: Export, http_channel: HttpChannel
) -> None:
    here.apply("ml", export.file, export.lock)
    shutil.rmtree(cache(here) / "acty-1.0-0" / "etc")
    http_channel.requests.clear()
    here.apply("new", export.file, export.lock)
    assert names(http_channel.requests) == [ACTY]


def test_the_cache_may_be_elsewhere(here: Lab, export: Export, tmp_path: Path) -> None:
    here.enter(RATTLER_CACHE_DIR=str(tmp_path / "cache"))
    here.apply("ml", export.file, export.lock)
    assert (tmp_path / "cache" / "pkgs" / "acty-1.0-0").is_dir()
    assert not cache(here).exists()
    here.machine.environment.pop("RATTLER_CACHE_DIR")
    here.enter(XDG_CACHE_HOME=str(tmp_path / "xdg"))
    here.fetch({"new": export.lock})
    assert (tmp_path / "xdg" / "rattler" / "cache" / "pkgs" / "acty-1.0-0").is_dir()


PROGRAM = """
import json, os, sys
from conda_s3_sync_plugin.condarc import Condarc
from conda_s3_sync_plugin.engines.installation import find_root
from conda_s3_sync_plugin.engines.rattler import RattlerEngine

root = find_root()
engine = RattlerEngine(root, Condarc.load(root))
packages = [engine._package(entry) for entry in json.load(open(sys.argv[1]))]
engine._download(packages)
engine._link(engine.prefix_for(sys.argv[2]), packages, [], prune=True)
sys.stdout.flush()
os._exit(0)  # as the command ends
"""


def test_processes_that_fetch_the_same_at_once_all_succeed(
    here: Lab, export: Export, http_channel: HttpChannel, tmp_path: Path
) -> None:
    lock = tmp_path / "lock.json"
    lock.write_text(json.dumps(list(export.lock.packages)))
    script = tmp_path / "fetch.py"
    script.write_text(PROGRAM)
    processes = [
        subprocess.Popen(
            [sys.executable, script, lock, f"env{number}"],
            env=here.machine.environment,
            stderr=subprocess.PIPE,
            text=True,
        )
        for number in range(3)
    ]
    for process in processes:
        _, said = process.communicate(timeout=60)
        assert process.returncode == 0, said
    for number in range(3):
        assert here.versions(f"env{number}") == {
            entry["name"]: entry["version"] for entry in export.lock.packages
        }
    asked = names(http_channel.requests)
    assert asked.count(ACTY) >= 2  # there, and here


def test_without_any_channel_it_is_said_where_to_name_one(
    make_lab: Callable[..., Lab],
) -> None:
    lab = make_lab("lost", "")
    with pytest.raises(EngineError, match="No channel is named") as error:
        lab.apply("ml", environment("lib00"))
    assert "~/.condarc" in error.value.hint
