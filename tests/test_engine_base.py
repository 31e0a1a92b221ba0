"""The base environment: what a pull adds to it, and what it never does."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from lab import WHEN, Lab, environment
from make_channel import PYTHON, Channel

from conda_s3_sync_plugin.engines.prefix import to_ns
from conda_s3_sync_plugin.exceptions import EngineError

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def lab(
    tmp_path: Path, channel: Channel, monkeypatch: pytest.MonkeyPatch, kind: str
) -> Lab:
    """A machine with something in its base."""
    lab = Lab(tmp_path / "here", monkeypatch, kind, channels=[channel.url])
    variables = {"MODE": "slow"}
    lab.engine.apply(
        "base",
        lab.machine.base,
        environment("lib01=1.1", variables=variables),
        None,
        modified=WHEN,
    )
    return lab


def pull(lab: Lab, *specs: str, **content: Any) -> tuple[str, ...]:
    file = environment(*specs, **content)
    applied = lab.engine.apply("root", lab.machine.base, file, None, modified=WHEN)
    return (*applied.given_up, *applied.notes)


def test_what_base_lacks_is_added_and_nothing_else_changes(lab: Lab) -> None:
    before = lab.machine.packages("base")
    content = {"variables": {"MODE": "fast", "NEW": "1"}}
    stays = ("lib00, lib01 stay as they are: base is only added to",)
    notes = pull(lab, "lib01=2.0", "lib00=2.0=gone_0", "acty=1.0=0", **content)
    assert notes == stays
    after = lab.machine.packages("base")
    assert after.keys() == {*before, "acty"}
    assert after.items() >= before.items()
    requested = lab.requested("base")
    assert requested.keys() == {"acty", "lib01"}
    assert requested["acty"].replace("==", "=") == "acty=1.0=0"  # conda's two ways
    assert requested["lib01"] == "lib01=1.1"
    assert lab.machine.variables("base") == {"MODE": "slow", "NEW": "1"}
    assert lab.machine.history("base").stat().st_mtime_ns == to_ns(WHEN)
    records = lab.snapshot("base")
    again = pull(lab, "lib01=2.0", "lib00=2.0=gone_0", "acty=1.0=0", **content)
    assert again == stays
    assert lab.snapshot("base") == records


def test_nothing_is_removed_from_base(lab: Lab) -> None:
    before = lab.machine.packages("base")
    pull(lab)
    assert lab.machine.packages("base") == before
    assert lab.machine.variables("base") == {"MODE": "slow"}


def test_a_lock_does_not_make_base_a_mirror(lab: Lab) -> None:
    export = lab.make("other", "acty")
    before = lab.machine.packages("base")
    lab.engine.apply("root", lab.machine.base, export.file, export.lock, modified=WHEN)
    assert lab.machine.packages("base").keys() == {*before, "acty"}


SOLVERS = [
    pytest.param("conda", "rattler", marks=pytest.mark.conda),
    pytest.param("conda", "classic", marks=pytest.mark.conda),
    pytest.param("rattler", "", marks=pytest.mark.rattler),
]


@pytest.mark.parametrize(("kind", "solver"), SOLVERS)
def test_what_would_change_base_is_an_error_and_changes_nothing(
    lab: Lab, solver: str
) -> None:
    solve_with(solver, lab)
    before = lab.snapshot("base")
    with pytest.raises(EngineError, match="lib01") as error:
        pull(lab, "conflict")
    assert "\n" not in error.value.summary
    assert changed_since(before, lab) == set()


def solve_with(solver: str, lab: Lab) -> None:
    """Let conda use one of its solvers; rattler is one of its own."""
    if (lab.kind, solver) == ("conda", "rattler"):
        pytest.importorskip("conda_rattler_solver")
    lab.enter(CONDA_SOLVER=solver)


def changed_since(before: dict[str, tuple[object, ...]], lab: Lab) -> set[str]:
    """Return which files of base are not what they were."""
    changed = before.items() ^ lab.snapshot("base").items()
    return {path for path, _ in changed if "cache" not in path}


@pytest.mark.parametrize(("kind", "solver"), SOLVERS)
def test_what_conda_would_update_along_with_anything_stays_as_it_is(
    lab: Lab, solver: str, tmp_path: Path
) -> None:
    other = Channel(tmp_path / "other")
    for name in ("conda", "openssl"):
        for version in ("1.0", "2.0"):
            other.add(name, version)
    other.add("new")
    other.write_index()
    solve_with(solver, lab)
    channels = [other.url]
    pull(lab, "conda=1.0", "openssl=1.0", channels=channels)
    before = lab.machine.packages("base")
    assert pull(lab, "new", "conda", "openssl", channels=channels) == ()
    after = lab.machine.packages("base")
    assert after.items() >= before.items()
    assert after.keys() == {*before, "new"}


@pytest.mark.parametrize(("kind", "solver"), SOLVERS)
def test_what_is_pinned_in_base_is_not_added_in_another_version(
    lab: Lab, solver: str
) -> None:
    pinned = lab.machine.base / "conda-meta" / "pinned"
    pinned.write_text("# ours\n\nlib02 <2\n")
    solve_with(solver, lab)
    before = lab.snapshot("base")
    with pytest.raises(EngineError, match="lib02"):
        pull(lab, "lib02=2.0")
    assert changed_since(before, lab) == set()
    assert pull(lab, "lib02") == ()
    assert lab.machine.packages("base")["lib02"][0] == "1.1"
    assert before["conda-meta/pinned"] == lab.snapshot("base")["conda-meta/pinned"]


def test_pins_that_cannot_be_read_are_an_error_of_one_line(lab: Lab) -> None:
    (lab.machine.base / "conda-meta" / "pinned").write_text("lib02 ==\n")
    before = lab.snapshot("base")
    with pytest.raises(EngineError) as error:
        pull(lab, "lib02")
    assert "\n" not in error.value.summary
    assert changed_since(before, lab) == set()


def test_what_cannot_be_had_for_base_is_left_out_with_a_note(lab: Lab) -> None:
    notes = pull(lab, "gone=1.0", "acty")
    assert notes[-1] == "gone is not to be had here: left out"
    assert "acty" in lab.machine.packages("base")


def test_pip_only_adds_to_base(
    tmp_path: Path,
    channel: Channel,
    wheels: Path,
    monkeypatch: pytest.MonkeyPatch,
    kind: str,
) -> None:
    lab = Lab(
        tmp_path / "here", monkeypatch, kind, channels=[channel.url], wheels=wheels
    )
    content = environment("python", "pip", "six", pip=["hello==1.0"])
    lab.engine.apply("base", lab.machine.base, content, None, modified=WHEN)
    # hello and six are there, in another version; greet needs hello.
    pull(lab, pip=["greet==1.0", "hello==2.0", "six==1.16.0"])
    assert lab.machine.pip_packages("base") == {"greet": "1.0", "hello": "1.0"}
    site = lab.machine.base / "lib" / PYTHON / "site-packages"
    assert "1.15.0" in (site / "six" / "__init__.py").read_text()
    before = lab.snapshot("base")
    pull(lab, pip=["greet==1.0"])
    assert lab.snapshot("base") == before


def test_pip_that_would_change_base_is_an_error(
    tmp_path: Path,
    channel: Channel,
    wheels: Path,
    monkeypatch: pytest.MonkeyPatch,
    kind: str,
) -> None:
    from make_wheels import make_usual_wheels, write_wheel

    folder = make_usual_wheels(tmp_path / "wheels")
    write_wheel(folder, "needy", "1.0", requires=["hello>=2"])
    lab = Lab(
        tmp_path / "here", monkeypatch, kind, channels=[channel.url], wheels=folder
    )
    content = environment("python", "pip", pip=["hello==1.0"])
    lab.engine.apply("base", lab.machine.base, content, None, modified=WHEN)
    with pytest.raises(EngineError, match="pip install failed"):
        pull(lab, pip=["needy"])
    assert lab.machine.pip_packages("base") == {"hello": "1.0"}
