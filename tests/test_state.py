"""What a machine remembers, and that it never remembers half of it."""

from __future__ import annotations

import json
import os
import pwd
import socket
from dataclasses import replace
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any, NoReturn

import pytest

from conda_s3_sync_plugin.exceptions import StateError
from conda_s3_sync_plugin.models import Baseline
from conda_s3_sync_plugin.state import STATE_FORMAT, Conflict, Memory, State
from conda_s3_sync_plugin.words import Conditions

NOON = datetime(2026, 5, 4, 12, 0, 0, 123456, tzinfo=timezone.utc)
IN_STEP = Baseline("local", "stamp", "remote", "etag", NOON)
BEGUN = Baseline("", "", "", "", NOON)
HERE = ("s3://bucket/team", "/opt/conda")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "home" / "s3-sync"


def recall(folder: Path, where: tuple[str, str] = HERE) -> dict[str, Baseline]:
    return State(folder).memory(*where).baselines


def remember(folder: Path, where: tuple[str, str] = HERE, **changes: Baseline) -> None:
    memory = State(folder).memory(*where)
    for name, baseline in changes.items():
        memory.remember(name, baseline)


def test_nothing_is_remembered_of_a_place_never_seen(folder: Path) -> None:
    state = State(folder)
    memory = state.memory(*HERE)
    assert memory.baselines == {}
    assert memory.conditions is None
    assert state.warnings == []
    assert not folder.exists()


def test_only_its_owner_sees_what_is_remembered(folder: Path) -> None:
    remember(folder, a=IN_STEP)
    assert folder.stat().st_mode & 0o777 == 0o700


def test_every_baseline_is_saved_at_once(folder: Path) -> None:
    memory = State(folder).memory(*HERE)
    memory.remember("a", IN_STEP)
    assert recall(folder) == {"a": IN_STEP}
    changed = replace(IN_STEP, etag="other")
    memory.remember("b", BEGUN)
    memory.remember("a", changed)
    assert recall(folder) == {"a": changed, "b": BEGUN}
    memory.remember("b", None)
    assert memory.baselines == recall(folder) == {"a": changed}


def test_forgetting_what_was_never_known_writes_nothing(folder: Path) -> None:
    State(folder).memory(*HERE).remember("a", None)
    assert not folder.exists()


def test_what_is_known_already_is_not_written_again(folder: Path) -> None:
    remember(folder, a=IN_STEP)
    before = (folder / "baselines.json").stat()
    remember(folder, a=IN_STEP)
    after = (folder / "baselines.json").stat()
    assert (before.st_ino, before.st_mtime_ns) == (after.st_ino, after.st_mtime_ns)


def test_an_interrupted_pull_is_known_as_one(folder: Path) -> None:
    remember(folder, a=BEGUN, b=IN_STEP)
    assert {name: each.is_interrupted for name, each in recall(folder).items()} == {
        "a": True,
        "b": False,
    }


def test_a_conflict_is_remembered_until_it_is_settled(folder: Path) -> None:
    memory = State(folder).memory(*HERE)
    conflict = Conflict("stamp", "changed on both sides")
    memory.remember_conflict("a", conflict)
    memory.remember_conflict("b", Conflict("other", "never in step"))
    memory.remember_conflict("b", None)
    assert State(folder).memory(*HERE).conflicts == memory.conflicts == {"a": conflict}
    memory.remember_conflict("a", None)
    memory.remember_conflict("never", None)
    assert State(folder).memory(*HERE).conflicts == {}


def test_all_locations_of_a_root_are_found(folder: Path) -> None:
    state = State(folder)
    assert state.memories(HERE[1]) == {}
    remember(folder, HERE, a=IN_STEP)
    for other in OTHERS.values():
        remember(folder, other, a=BEGUN)
    found = State(folder).memories(HERE[1])
    assert found.keys() == {HERE[0], OTHERS["location"][0], OTHERS["server"][0]}
    assert found[HERE[0]].baselines == {"a": IN_STEP}


def test_times_come_back_in_utc(folder: Path) -> None:
    east = timezone(timedelta(hours=5, minutes=30))
    remember(folder, a=replace(IN_STEP, modified=NOON.astimezone(east)))
    (again,) = recall(folder).values()
    assert again == IN_STEP
    assert again.modified.tzinfo is timezone.utc


@pytest.mark.parametrize("name", ["环境", "a.b", "\udcff", "it's", "x" * 200])
def test_any_name_can_be_remembered(folder: Path, name: str) -> None:
    remember(folder, **{name: IN_STEP})
    assert recall(folder) == {name: IN_STEP}


OTHERS = {
    "location": ("s3://bucket/other", "/opt/conda"),
    "server": ("s3://bucket/team at http://127.0.0.1:9", "/opt/conda"),
    "root": ("s3://bucket/team", "/home/joe/miniforge3"),
}


@pytest.mark.parametrize("other", OTHERS.values(), ids=OTHERS)
def test_locations_and_roots_are_apart(folder: Path, other: tuple[str, str]) -> None:
    remember(folder, HERE, a=IN_STEP)
    assert recall(folder, other) == {}
    remember(folder, other, a=BEGUN, b=BEGUN)
    State(folder).memory(*other).remember_conditions(Conditions.NONE)
    assert recall(folder, HERE) == {"a": IN_STEP}
    assert State(folder).memory(*HERE).conditions is None
    assert recall(folder, other) == {"a": BEGUN, "b": BEGUN}


def test_machines_that_share_a_home_have_their_own_unless_they_share_conda_too(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    root, aside = tmp_path / "conda", tmp_path / "aside"
    where = ("s3://bucket", str(root))

    def is_at(host: str) -> None:
        monkeypatch.setattr(socket, "gethostname", lambda: host)

    root.mkdir()
    is_at("a")
    remember(folder, where, ml=IN_STEP)
    is_at("b")
    assert recall(folder, where) == {"ml": IN_STEP}
    root.rename(aside)
    root.mkdir()
    assert recall(folder, where) == {}
    other = replace(IN_STEP, etag="other")
    remember(folder, where, ml=other)
    for host in ("b", "c"):
        is_at(host)
        mine = {"ml": other} if host == "b" else {}
        assert recall(folder, where) == mine
        found = State(folder).memories(str(root))
        assert [memory.baselines for memory in found.values()] == [mine] * bool(mine)
    root.rmdir()
    aside.rename(root)
    for host in ("a", "d"):
        is_at(host)
        assert recall(folder, where) == {"ml": IN_STEP}


@pytest.mark.parametrize("conditions", Conditions)
def test_how_a_server_takes_conditions_is_remembered(
    folder: Path, conditions: Conditions
) -> None:
    State(folder).memory(*HERE).remember_conditions(conditions)
    memory = State(folder).memory(*HERE)
    assert memory.conditions is conditions
    memory.remember_conditions(None)
    assert State(folder).memory(*HERE).conditions is None


def document(**values: Any) -> str:
    entry = {
        "local": "l",
        "stamp": "s",
        "remote": "r",
        "etag": "e",
        "modified": "2026-05-04T12:00:00.000000+00:00",
        **values,
    }
    place = {"conditions": None, "environments": {"a": entry}}
    locations = {HERE[0]: {HERE[1]: place}}
    return json.dumps({"format": STATE_FORMAT, "locations": locations})


def with_place(place: object) -> str:
    locations = {HERE[0]: {HERE[1]: place}}
    return json.dumps({"format": STATE_FORMAT, "locations": locations})


BROKEN = {
    "empty": "",
    "truncated": document()[:-20],
    "binary": "\x00\x01",
    "deep": "[" * 100_000,
    "null": "null",
    "list": "[]",
    "no format": '{"locations": {}}',
    "no locations": json.dumps({"format": STATE_FORMAT}),
    "locations: list": json.dumps({"format": STATE_FORMAT, "locations": []}),
    "location: list": json.dumps({"format": STATE_FORMAT, "locations": {"x": []}}),
    "place: text": with_place("x"),
    "place: empty": with_place({}),
    "environments: list": with_place({"conditions": None, "environments": []}),
    "environment: text": with_place({"conditions": None, "environments": {"a": "x"}}),
    "conditions: unknown": with_place({"conditions": "x", "environments": {}}),
    "conditions: list": with_place({"conditions": ["bare"], "environments": {}}),
    "digest: number": document(local=1),
    "stamp: null": document(stamp=None),
    "etag: list": document(etag=["e"]),
    "time: number": document(modified=1),
    "time: no date": document(modified="yesterday"),
    "time: no zone": document(modified="2026-05-04T12:00:00"),
    "time: before all times": document(modified="0001-01-01T00:00:00+05:00"),
}
NEWER = {
    "newer": json.dumps({"format": STATE_FORMAT + 1, "locations": {"a": [1]}}),
    "much newer": json.dumps({"format": "2.0", "places": []}),
}


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        *((text, "is broken") for text in BROKEN.values()),
        *((text, "another release") for text in NEWER.values()),
    ],
    ids=[*BROKEN, *NEWER],
)
def test_what_cannot_be_read_counts_for_nothing_and_is_kept(
    folder: Path, text: str, problem: str
) -> None:
    folder.mkdir(parents=True)
    file, aside = folder / "baselines.json", folder / "baselines.unreadable.json"
    file.write_text(text)
    state = State(folder)
    memory = state.memory(*HERE)
    assert memory.baselines == {}
    (warning,) = state.warnings
    assert problem in warning
    assert str(file) in warning
    # Looking alone changes nothing.
    assert file.read_text() == text
    assert not aside.exists()
    memory.remember("a", IN_STEP)
    memory.remember("b", IN_STEP)
    assert aside.read_text() == text
    again = State(folder)
    assert again.memory(*HERE).baselines == {"a": IN_STEP, "b": IN_STEP}
    assert again.warnings == []


def test_a_document_as_it_should_be_is_read(folder: Path) -> None:
    folder.mkdir(parents=True)
    (folder / "baselines.json").write_text(document())
    assert list(recall(folder)) == ["a"]


def crash(*args: object) -> None:
    raise KeyboardInterrupt


@pytest.mark.parametrize(("owner", "step"), [(os, "fsync"), (Path, "replace")])
def test_a_crash_leaves_the_old_file(
    folder: Path, owner: object, step: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    remember(folder, a=IN_STEP)
    memory = State(folder).memory(*HERE)
    monkeypatch.setattr(owner, step, crash)
    with pytest.raises(KeyboardInterrupt):
        memory.remember("b", IN_STEP)
    state = State(folder)
    assert state.memory(*HERE).baselines == {"a": IN_STEP}
    assert state.warnings == []


def test_what_is_replaced_is_on_the_disk_before(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    done: list[str] = []
    fsync, move = os.fsync, Path.replace
    monkeypatch.setattr(os, "fsync", lambda fd: (done.append("sync"), fsync(fd)))
    monkeypatch.setattr(
        Path, "replace", lambda old, new: (done.append("move"), move(old, new))
    )
    remember(folder, a=IN_STEP)
    assert done == ["sync", "move"]
    assert [path.name for path in folder.iterdir()] == ["baselines.json"]


def test_a_disk_that_is_full_is_told(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(fd: int) -> None:
        raise OSError(28, "No space left on device")

    remember(folder, a=IN_STEP)
    memory = State(folder).memory(*HERE)
    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(StateError, match="cannot be written: No space left"):
        memory.remember("b", IN_STEP)
    assert recall(folder) == {"a": IN_STEP}
    assert [path.name for path in folder.iterdir()] == ["baselines.json"]


def test_a_folder_that_cannot_be_one_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    state = State(tmp_path / "file" / "s3-sync")
    with pytest.raises(StateError, match="cannot be read: Not a directory"):
        state.memory(*HERE)
    (tmp_path / "s3-sync" / "baselines.json").mkdir(parents=True)
    with pytest.raises(StateError, match="cannot be read: Is a directory"):
        State(tmp_path / "s3-sync").memory(*HERE)


def test_only_its_owner_may_look_into_the_folder(folder: Path) -> None:
    remember(folder, a=IN_STEP)
    assert folder.stat().st_mode & 0o077 == 0


def test_nobody_s_home_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    def nobody(uid: int) -> NoReturn:
        raise KeyError(uid)  # as in many a container

    monkeypatch.delenv("HOME")
    monkeypatch.setattr(pwd, "getpwuid", nobody)
    with pytest.raises(StateError, match="Set HOME"):
        State()


def test_it_is_kept_in_the_home_of_the_user(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    memory: Memory = State().memory(*HERE)
    memory.remember("a", IN_STEP)
    assert list(recall(tmp_path / ".conda" / "s3-sync")) == ["a"]
