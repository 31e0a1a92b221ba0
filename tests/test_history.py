"""conda's history of an environment: what was asked for, read and written."""

from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING

import pytest
from hand_made import add_record, make_prefix
from history_cases import INSTALLED, READ, READ_ALONE
from machine import Machine

from conda_s3_sync_plugin.condarc import Condarc
from conda_s3_sync_plugin.engines import history
from conda_s3_sync_plugin.engines import prefix as plain

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.rattler

HEAD = "==> 2026-01-02 03:04:05 <==\n# cmd: conda install\n"


@pytest.fixture
def prefix(tmp_path: Path) -> Path:
    """An environment with some packages, and nothing in its history."""
    prefix = make_prefix(tmp_path / "e")
    for name in INSTALLED:
        add_record(prefix, name)
    return prefix


def requested(prefix: Path) -> dict[str, str]:
    from conda_s3_sync_plugin.engines.channels import Channels
    from conda_s3_sync_plugin.engines.matchspec import RattlerSpec

    channels = Channels(Condarc({}))
    return history.requested(
        prefix, lambda text: RattlerSpec.parse(text, channels).name
    )


def conda_requested(prefix: Path) -> dict[str, str]:
    from conda.core.prefix_data import PrefixData
    from conda.history import History

    PrefixData._cache_.clear()
    specs = History(str(prefix)).get_requested_specs_map()
    return {name: str(spec) for name, spec in specs.items()}


def as_conda_writes_it(specs: dict[str, str]) -> dict[str, str]:
    from conda.models.match_spec import MatchSpec

    return {name: str(MatchSpec(text)) for name, text in specs.items()}


def path_of(prefix: Path) -> Path:
    return prefix / "conda-meta" / "history"


@pytest.mark.parametrize("ends", ["\n", "\r\n"], ids=["LF", "CRLF"])
@pytest.mark.parametrize(("text", "specs"), READ.values(), ids=READ)
def test_what_was_asked_for_is_read(
    text: str, specs: dict[str, str], ends: str, prefix: Path
) -> None:
    path_of(prefix).write_bytes(text.replace("\n", ends).encode())
    assert requested(prefix) == specs
    assert list(requested(prefix)) == sorted(specs)


@pytest.mark.conda
@pytest.mark.parametrize(("text", "specs"), READ.values(), ids=READ)
def test_conda_reads_the_same(text: str, specs: dict[str, str], prefix: Path) -> None:
    path_of(prefix).write_text(text)
    assert conda_requested(prefix) == as_conda_writes_it(specs)


@pytest.mark.parametrize(("text", "specs"), READ_ALONE.values(), ids=READ_ALONE)
def test_what_makes_no_sense_is_passed_over(
    text: str, specs: dict[str, str], prefix: Path
) -> None:
    path_of(prefix).write_bytes(f"{HEAD}{text}".encode(errors="surrogateescape"))
    assert requested(prefix) == specs


def test_without_a_history_nothing_was_asked_for(prefix: Path) -> None:
    path_of(prefix).unlink()
    assert requested(prefix) == {}


def change(prefix: Path, now: dict[str, str]) -> None:
    """Update numpy, remove zlib, add six; and ask for something else than before."""
    before, asked = plain.records(prefix), requested(prefix)
    for name in ("numpy", "zlib"):
        (prefix / "conda-meta" / f"{name}-1.0-0.json").unlink()
    add_record(prefix, "numpy", "2.0")
    add_record(prefix, "six", subdir="noarch")
    history.record_revision(prefix, before, asked, now)


OLD = READ["conda today"][0]
NOW = {"numpy": "numpy=2.0", "six": "defaults::six"}


def test_a_revision_is_added_and_read_back(prefix: Path) -> None:
    path_of(prefix).write_text(OLD)
    change(prefix, NOW)
    text = path_of(prefix).read_text()
    assert text.startswith(OLD)
    head, *lines = text.removeprefix(OLD).splitlines()
    assert head.startswith("==> 20")
    assert lines == [
        "# cmd: conda-s3-sync",
        "-conda-forge/linux-64::numpy-1.0-0",
        "-conda-forge/linux-64::zlib-1.0-0",
        "+conda-forge/linux-64::numpy-2.0-0",
        "+conda-forge/noarch::six-1.0-0",
        "# remove specs: ['pip', 'python']",
        "# update specs: ['numpy=2.0', 'defaults::six']",
    ]
    assert requested(prefix) == NOW


@pytest.mark.conda
def test_conda_reads_back_what_was_written(prefix: Path, tmp_path: Path) -> None:
    path_of(prefix).write_text(OLD)
    change(prefix, NOW)
    assert conda_requested(prefix) == as_conda_writes_it(NOW)
    machine = Machine(tmp_path / "here")
    done = machine.conda("list", "--revisions", "--json", "-p", prefix)
    *_, last = json.loads(done.stdout)
    assert last["install"] == ["six-1.0-0-conda-forge/noarch"]
    assert last["remove"] == ["zlib-1.0-0-conda-forge/linux-64"]
    assert [pair["new"] for pair in last["upgrade"]] == [
        "numpy-2.0-0-conda-forge/linux-64"
    ]
    shown = machine.conda("list", "--revisions", "-p", prefix).stdout
    assert "numpy  {1.0 (conda-forge/linux-64) -> 2.0 (conda-forge/linux-64)}" in shown


def test_a_new_environment_gets_a_first_revision(prefix: Path) -> None:
    history.record_revision(prefix, [], {}, {"pip": "pip"})
    lines = path_of(prefix).read_text().splitlines()
    assert [line for line in lines if line[0] == "+"] == [
        f"+conda-forge/linux-64::{name}-1.0-0" for name in INSTALLED
    ]
    assert requested(prefix) == {"pip": "pip"}


def test_an_empty_environment_has_a_revision_all_the_same(tmp_path: Path) -> None:
    """conda says of a file without one that there is no environment."""
    prefix = make_prefix(tmp_path / "e")
    history.record_revision(prefix, [], {}, {})
    assert path_of(prefix).read_text().count("\n") == 2


def test_where_nothing_has_changed_nothing_is_written(prefix: Path) -> None:
    path_of(prefix).write_text(OLD)
    os.utime(path_of(prefix), (1, 1))
    asked = requested(prefix)
    history.record_revision(prefix, plain.records(prefix), asked, dict(asked))
    assert path_of(prefix).read_text() == OLD
    assert path_of(prefix).stat().st_mtime == 1


def test_what_is_asked_for_may_change_alone(prefix: Path) -> None:
    path_of(prefix).write_text(OLD)
    records = plain.records(prefix)
    history.record_revision(prefix, records, requested(prefix), {"pip": "pip"})
    added = path_of(prefix).read_text().removeprefix(OLD).splitlines()[2:]
    assert added == [
        "# remove specs: ['numpy', 'python']",
        "# update specs: ['pip']",
    ]
    assert requested(prefix) == {"pip": "pip"}
    history.record_revision(prefix, records, {"pip": "pip"}, {})
    assert requested(prefix) == {}


@pytest.mark.parametrize("text", ["it's", 'a"b', "back\\slash", "späte Größe"])
def test_any_text_is_read_as_it_was_written(text: str, prefix: Path) -> None:
    wish = f"pip[md5={text!r}]"
    history.record_revision(prefix, [], {}, {"pip": wish})
    names = history.requested(prefix, lambda spec: spec[:3])
    assert names == {"pip": wish}
