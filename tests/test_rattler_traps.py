"""What rattler does wrong, or leaves to its callers."""

from __future__ import annotations

import errno
import json
import os
import re
import signal
from typing import TYPE_CHECKING, Any

import pytest
from lab import Lab, environment, lock_of
from make_channel import PYTHON, Channel
from usual_channel import make_scripted_channel, post_link

from conda_s3_sync_plugin.exceptions import EngineError

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from http_channel import HttpChannel

pytestmark = pytest.mark.rattler


@pytest.fixture
def lab(tmp_path: Path, channel: Channel, monkeypatch: pytest.MonkeyPatch) -> Lab:
    return Lab(tmp_path / "here", monkeypatch, "rattler", channels=[channel.url])


@pytest.fixture
def over_http(
    tmp_path: Path, http_channel: HttpChannel, monkeypatch: pytest.MonkeyPatch
) -> Lab:
    url = http_channel.url
    return Lab(tmp_path / "here", monkeypatch, "rattler", channels=[url])


def records(lab: Lab, name: str = "ml") -> list[Path]:
    return sorted((lab.prefix(name) / "conda-meta").glob("*.json"))


def test_the_history_is_what_conda_would_have_written(
    lab: Lab, channel: Channel
) -> None:
    lab.apply("ml", environment("lib01=1.0", "acty"))
    lab.apply("ml", environment("lib01>=1.1,<2"))
    subdir, date = channel.subdirs[0], r"==> \d{4}-\d\d-\d\d \d\d:\d\d:\d\d <=="
    first, second = re.split(date, lab.machine.history("ml").read_text())[1:]
    assert first.splitlines() == [
        "",
        "# cmd: conda-s3-sync",
        f"+{channel.url}/{subdir}::acty-1.0-0",
        f"+{channel.url}/{subdir}::lib00-2.0-h0_0",
        f"+{channel.url}/{subdir}::lib01-1.0-h1_0",
        "# update specs: ['acty', 'lib01=1.0']",
    ]
    assert second.splitlines() == [
        "",
        "# cmd: conda-s3-sync",
        f"-{channel.url}/{subdir}::acty-1.0-0",
        f"-{channel.url}/{subdir}::lib01-1.0-h1_0",
        f"+{channel.url}/{subdir}::lib01-1.1-h1_0",
        "# remove specs: ['acty']",
        "# update specs: ['lib01>=1.1,<2']",
    ]


def test_what_is_asked_for_anew_is_written_down_without_any_change(lab: Lab) -> None:
    export = lab.make("ml", "lib01=1.1", "lib00")
    history = lab.machine.history("ml")
    before = history.read_text()
    lab.apply("ml", export.file, export.lock)
    assert history.read_text() == before
    lab.apply("ml", environment("lib01=1.1"))
    revision = history.read_text().removeprefix(before)
    assert revision.splitlines()[1:] == [
        "# cmd: conda-s3-sync",
        "# remove specs: ['lib00']",
        "# update specs: ['lib01=1.1']",
    ]


@pytest.mark.parametrize(("umask", "mode"), [(0o022, 0o644), (0o077, 0o600)])
def test_whoever_may_read_the_environment_may_read_its_records(
    lab: Lab, umask: int, mode: int
) -> None:
    usual = os.umask(umask)
    try:
        lab.apply("ml", environment("lib00=1.0", "acty"))
        mine = records(lab)[0]
        mine.chmod(0o640)
        lab.apply("ml", environment("lib00=1.1", "acty"))
    finally:
        os.umask(usual)
    assert mine.name.startswith("acty")
    modes = [path.stat().st_mode & 0o777 for path in records(lab)]
    assert modes == [0o640, mode]  # what has not changed is as its owner made it


def test_no_backup_is_told_to_leave_an_environment_out(lab: Lab) -> None:
    lab.make("ml", "lib00=1.0")
    tag = lab.prefix("ml") / "CACHEDIR.TAG"
    assert not tag.exists()
    tag.write_text("the user's own")
    lab.make("ml", "lib00=1.1")
    assert tag.read_text() == "the user's own"


def test_an_environment_is_registered_once(lab: Lab, tmp_path: Path) -> None:
    for version in ("1.0", "1.1"):
        lab.apply("ml", environment(f"lib00={version}"))
    assert lab.registered() == [str(lab.prefix("ml"))]
    link = tmp_path / "link"
    link.symlink_to(lab.machine.envs)
    lab.enter(CONDA_ENVS_DIRS=str(link))
    when = lab.look("ml").modified
    prefix = lab.engine.prefix_for("ml")
    assert prefix == link / "ml"
    lab.engine.apply("ml", prefix, environment("acty"), None, modified=when)
    assert lab.registered() == [str(lab.prefix("ml"))]


def test_an_environment_is_not_registered_where_that_is_not_wanted(lab: Lab) -> None:
    lab.enter(CONDA_REGISTER_ENVS="false")
    lab.make("ml", "lib00")
    assert lab.registered() == []


def test_a_broken_registry_stands_in_nobody_s_way(lab: Lab) -> None:
    registry = lab.machine.home / ".conda" / "environments.txt"
    registry.parent.mkdir()
    registry.write_bytes(b"/a\xff\n")
    lab.make("ml", "lib00")
    assert lab.versions("ml") == {"lib00": "2.0"}
    assert registry.read_bytes().startswith(b"/a\xff\n")


def a_folder_in_place_of_a_file(lab: Lab) -> None:
    text = lab.prefix("ml") / "share" / "lib00.txt"
    text.unlink()
    text.mkdir()
    (text / "mine").touch()


def a_file_in_place_of_a_folder(lab: Lab) -> None:
    (lab.prefix("ml") / "bin").write_text("mine")


OBSTACLES = {
    "a folder": a_folder_in_place_of_a_file,
    "a file": a_file_in_place_of_a_folder,
}


@pytest.mark.parametrize("has_links", [True, False], ids=["links", "no-links"])
@pytest.mark.parametrize("obstacle", OBSTACLES.values(), ids=OBSTACLES)
def test_what_fails_half_way_is_taken_back(
    lab: Lab,
    monkeypatch: pytest.MonkeyPatch,
    obstacle: Callable[[Lab], None],
    has_links: bool,
) -> None:
    def refuse(*args: object, **options: object) -> None:
        raise OSError(errno.EPERM, "no such thing here")

    lab.make("ml", "lib00=1.0", "acty", "clob1", variables={"MODE": "fast"})
    other = lab.make("other", "lib04=2.0", "postl", "nopy", "python", "clob2")
    obstacle(lab)
    (lab.prefix("ml") / "mine").mkdir()
    before, stamp = lab.snapshot("ml"), lab.look("ml")
    if not has_links:
        monkeypatch.setattr(os, "link", refuse)
    with pytest.raises(EngineError, match="ml could not be changed") as error:
        lab.apply("ml", other.file, other.lock)
    assert "\n" not in error.value.summary
    assert lab.snapshot("ml") == before
    assert lab.look("ml") == stamp


def test_nothing_is_left_of_an_install_that_failed(
    lab: Lab, monkeypatch: pytest.MonkeyPatch
) -> None:
    from conda_s3_sync_plugin.engines import history

    def fail(prefix: Path, *args: object) -> None:
        with (prefix / "conda-meta" / "history").open("a") as file:
            file.write("==> 20")
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    export = lab.make("ml", "lib02=1.0")
    before = lab.snapshot("ml")
    monkeypatch.setattr(history, "record_revision", fail)
    for name, doing in (("ml", "changed"), ("new", "created")):
        with pytest.raises(EngineError, match=f"{name} could not be {doing}: .*space"):
            lab.apply(name, environment("lib01=1.1", "acty"))
    assert lab.snapshot("ml") == before
    assert lab.machine.environments() == ["ml"]
    assert lab.registered() == [str(lab.prefix("ml"))]
    assert lab.export("ml") == export


def test_a_package_that_is_damaged_after_its_download_harms_nothing(
    over_http: Lab,
) -> None:
    lab = over_http
    lab.make("ml", "lib00=1.0")
    before = lab.snapshot("ml")

    def damage() -> None:
        (cached,) = (lab.machine.home / ".cache").rglob("lib00-2.0-h0_0/share/*.txt")
        cached.unlink()

    with pytest.raises(EngineError, match="ml could not be changed: .*lib00-2.0"):
        lab.apply("ml", environment("lib00=2.0", "acty"), begin=damage)
    assert lab.snapshot("ml") == before
    lab.apply("ml", environment("lib00=2.0", "acty"))
    text = lab.prefix("ml") / "share" / "lib00.txt"
    assert text.read_text() == "lib00 2.0\n"


def test_what_others_than_its_old_packages_brought_is_put_back_as_well(
    over_http: Lab, channel: Channel, http_channel: HttpChannel
) -> None:
    lab = over_http
    lab.make("ml", "clob2", "python")
    site = lab.prefix("ml") / "lib" / PYTHON / "site-packages"
    script = lab.prefix("ml") / "etc" / "conda" / "activate.d" / "acty.sh"
    for file in (site / "six" / "__init__.py", script):
        file.parent.mkdir(parents=True)
        file.write_text("mine")
    before = lab.snapshot("ml")
    names = ("clob1", "clob2", "python", "six", "acty", "badpost")
    lock = lock_of(channel, *names, url=http_channel.url)
    with pytest.raises(EngineError, match="badpost"):
        lab.apply("ml", environment(), lock)
    assert lab.snapshot("ml") == before


def test_a_panic_is_an_error_of_one_line(
    lab: Lab, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import rattler

    text = {"version": 6, "environments": {"default": {"channels": [], "packages": {}}}}
    path = tmp_path / "x.lock"
    path.write_text(json.dumps({**text, "packages": []}))  # JSON is YAML
    lock = rattler.LockFile.from_path(path).environment("default")
    assert lock is not None

    async def panic(*args: Any, **options: Any) -> Any:
        return lock.conda_repodata_records_for_platform(
            rattler.LockPlatform("linux-64")
        )

    lab.make("ml", "lib00=1.0")
    before = lab.snapshot("ml")
    monkeypatch.setattr(rattler, "solve", panic)
    with pytest.raises(EngineError, match="ml could not be changed: .*plat") as error:
        lab.apply("ml", environment("lib00=1.1"))
    assert "\n" not in error.value.summary
    assert type(error.value.__cause__).__name__ == "PanicException"
    assert lab.snapshot("ml") == before


def test_a_crash_is_an_error_and_leaves_all_as_it_was(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    channel = Channel(tmp_path / "channel")
    channel.add("lib")
    channel.add("odd", files=post_link("odd", "kill -KILL $PPID"))
    channel.write_index()
    lab = Lab(tmp_path / "here", monkeypatch, "rattler", channels=[channel.url])
    lab.make("ml", "lib")
    before = lab.snapshot("ml")
    with pytest.raises(EngineError, match="ml could not be changed: .*crash") as error:
        lab.apply("ml", environment("odd"))
    assert "\n" not in error.value.summary
    assert lab.snapshot("ml") == before


def test_nothing_goes_on_once_an_install_has_failed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    channel = Channel(tmp_path / "channel")
    names = [f"lib{number:02d}" for number in range(60)]
    for name in names:
        files = {f"share/{name}/{number}": b"" for number in range(20)}
        channel.add(name, files=files)
    channel.add("odd", files={"bin/odd": b""})
    channel.write_index()
    lab = Lab(tmp_path / "here", monkeypatch, "rattler", channels=[channel.url])
    lab.make("ml", "lib00")
    a_file_in_place_of_a_folder(lab)
    before = lab.snapshot("ml")
    with pytest.raises(EngineError, match="ml could not be changed"):
        lab.apply("ml", environment("odd", *names))
    assert lab.snapshot("ml") == before


@pytest.mark.parametrize("name", ["SIGINT", "SIGTERM"])
def test_a_signal_to_end_is_heeded_once_the_environment_is_whole(
    tmp_path: Path, channel: Channel, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    odd = Channel(tmp_path / "odd")
    # As a terminal does: to all that are at work.
    command = f"kill -{name.removeprefix('SIG')} {os.getpid()} $PPID"
    odd.add("odd", files=post_link("odd", command))
    odd.write_index()
    urls = [channel.url, odd.url]
    lab = Lab(tmp_path / "here", monkeypatch, "rattler", channels=urls)
    lab.make("ml", "lib00=1.0")
    seen: list[int] = []

    def stop(number: int, frame: object) -> None:
        seen.append(number)
        raise KeyboardInterrupt

    usual = signal.signal(getattr(signal, name), stop)
    try:
        for prefix in ("ml", "new"):
            with pytest.raises(KeyboardInterrupt):
                lab.apply(prefix, environment("lib00=1.1", "odd"))
    finally:
        signal.signal(getattr(signal, name), usual)
    assert seen == [getattr(signal, name)] * 2
    for prefix in ("ml", "new"):
        assert lab.versions(prefix) == {"lib00": "1.1", "odd": "1.0"}
        assert lab.requested(prefix).keys() == {"lib00", "odd"}
        assert (lab.prefix(prefix) / "share" / "lib00.txt").read_text() == "lib00 1.1\n"


def test_an_interrupt_before_the_transaction_changes_nothing(lab: Lab) -> None:
    export = lab.make("ml", "lib00=1.0")
    before = lab.snapshot("ml")

    def interrupt() -> None:
        raise KeyboardInterrupt

    for name in ("ml", "new"):
        with pytest.raises(KeyboardInterrupt):
            lab.apply(name, environment("lib00=1.1"), begin=interrupt)
    assert lab.snapshot("ml") == before
    assert lab.export("ml") == export
    assert lab.machine.environments() == ["ml"]


def test_an_interrupt_of_a_failing_transaction_takes_it_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # What Ctrl-C in a terminal does: the script dies of it as well.
    command = f"kill -INT {os.getpid()}; exit 130"
    channel = make_scripted_channel(tmp_path / "channel", command)
    lab = Lab(tmp_path / "here", monkeypatch, "rattler", channels=[channel.url])
    lab.make("ml", "lib")
    before = lab.snapshot("ml")
    with pytest.raises(KeyboardInterrupt):
        lab.apply("ml", environment("odd"))
    assert lab.snapshot("ml") == before
    with pytest.raises(KeyboardInterrupt):
        lab.apply("new", environment("odd"))
    assert not os.path.lexists(lab.prefix("new"))


def test_what_python_has_compiled_goes_with_its_package(lab: Lab) -> None:
    lab.make("ml", "python", "nopy", "six")
    lab.machine.run(
        lab.prefix("ml") / "bin" / "python",
        "-c",
        "import nopy",
        PYTHONDONTWRITEBYTECODE="",
    )
    site = lab.prefix("ml") / "lib" / PYTHON / "site-packages"
    assert (site / "nopy" / "__pycache__").is_dir()
    lab.apply("ml", environment("python", "six"))
    assert not (site / "nopy").exists()


def test_a_post_link_script_that_fails_is_named_among_others(
    lab: Lab, channel: Channel
) -> None:
    lock = lock_of(channel, "postl", "badpost", "acty")
    with pytest.raises(EngineError) as error:
        lab.apply("ml", environment(), lock)
    assert error.value.summary == (
        "ml could not be created: the link script of badpost has failed"
    )
