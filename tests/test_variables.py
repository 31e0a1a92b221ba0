"""The variables of an environment, changed."""

from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING

import pytest
from hand_made import make_prefix, snapshot, write_variables

from conda_s3_sync_plugin.engines import extras

if TYPE_CHECKING:
    from pathlib import Path


def variables(prefix: Path) -> dict[str, str]:
    state = json.loads((prefix / "conda-meta" / "state").read_bytes())
    return dict(state["env_vars"])


def set_variables(
    prefix: Path, *, secrets: bool = False, prune: bool = True, **want: str
) -> list[str]:
    return extras.mirror_variables(prefix, want, secrets=secrets, prune=prune)


@pytest.fixture
def bare(tmp_path: Path) -> Path:
    """An environment of nothing."""
    return make_prefix(tmp_path / "bare")


def test_variables_are_set_changed_and_unset(bare: Path) -> None:
    assert set_variables(bare) == []
    assert not (bare / "conda-meta" / "state").exists()
    set_variables(bare, A="1", B="2")
    set_variables(bare, B="3", C="ü \"'\n$HOME")
    assert variables(bare) == {"B": "3", "C": "ü \"'\n$HOME"}
    before = snapshot(bare)
    set_variables(bare, B="3", C="ü \"'\n$HOME")
    assert snapshot(bare) == before
    set_variables(bare, D="4", prune=False)
    assert variables(bare).keys() == {"B", "C", "D"}
    set_variables(bare)
    assert variables(bare) == {}


def test_what_else_is_in_the_state_stays(bare: Path) -> None:
    path = write_variables(
        bare, {"A": "1", "HIDDEN": "***unset***", "B": "***unset***"}
    )
    document = {**json.loads(path.read_text()), "more": [1]}
    path.write_text(json.dumps(document))
    path.chmod(0o600)
    set_variables(bare, B="2")
    assert json.loads(path.read_text()) == {
        **{"version": 1, "more": [1]},
        "env_vars": {"B": "2", "HIDDEN": "***unset***"},
    }
    assert path.stat().st_mode & 0o777 == 0o600
    assert [file.name for file in path.parent.iterdir() if "state" in file.name] == [
        "state"
    ]


def test_secrets_of_this_machine_stay_as_they_are(bare: Path) -> None:
    write_variables(bare, {"API_KEY": "mine", "OLD": "1", "MY-VAR": "1"})
    notes = set_variables(bare, API_KEY="theirs", PASSWORD="new", MODE="fast")
    assert variables(bare) == {
        **{"API_KEY": "mine", "MY-VAR": "1"},
        **{"MODE": "fast", "PASSWORD": "new"},
    }
    assert notes == ["variable API_KEY stays as it is here: it looks secret"]


def test_secrets_travel_where_that_is_set(bare: Path) -> None:
    write_variables(bare, {"API_KEY": "mine", "TOKEN": "1"})
    assert set_variables(bare, secrets=True, API_KEY="theirs") == []
    assert variables(bare) == {"API_KEY": "theirs"}


@pytest.mark.parametrize("name", ["PATH", "Path", "path"])
def test_where_programs_are_is_left_out(name: str, bare: Path) -> None:
    assert set_variables(bare, **{name: "/evil"}, PATHS="1") == [
        f"variable {name} is left out: it is where programs are"
    ]
    assert variables(bare) == {"PATHS": "1"}


def test_a_crash_while_writing_leaves_the_old_file(
    bare: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_variables(bare, {"A": "1"})
    before = snapshot(bare)

    def fail(number: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", fail)
    with pytest.raises(OSError, match="No space left"):
        set_variables(bare, A="2")
    assert snapshot(bare) == before
