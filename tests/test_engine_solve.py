"""Where no lock fits: what solvers find, and how much is given up then."""

from __future__ import annotations

import re
from dataclasses import replace
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

import pytest
from conda_here import SOLVERS, keeps_channels
from lab import WHEN, Lab, environment
from make_channel import Channel, this_subdir
from usual_channel import make_usual_channel

from conda_s3_sync_plugin.exceptions import EngineError

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from http_channel import HttpChannel

HERE = this_subdir()
THERE = "osx-arm64" if HERE != "osx-arm64" else "linux-64"

needs_channels = pytest.mark.skipif(
    not keeps_channels(), reason="needs conda 26.7, or none"
)


@pytest.fixture(scope="module")
def both(tmp_path_factory: pytest.TempPathFactory) -> Channel:
    """The usual channel for two platforms; one has what the other lacks."""
    root = tmp_path_factory.mktemp("both")
    channel = make_usual_channel(root, HERE, THERE, python=False, pip=False)
    channel.add("twin", "1.0", "here_0", subdirs=[HERE])
    channel.add("twin", "1.0", "there_0", subdirs=[THERE])
    channel.add("ahead", "2.0", subdirs=[THERE])
    channel.add("ahead", "1.0", subdirs=[HERE])
    for subdir, last in ((HERE, "1.0"), (THERE, "1.5")):
        for version in (last, "2.0"):
            channel.add("uneven", version, subdirs=[subdir])
    channel.add("helper", subdirs=[THERE])
    for subdir in (HERE, THERE):
        needs = ["helper"] if subdir == THERE else []
        channel.add("app", subdirs=[subdir], depends=needs)
    channel.write_index()
    return channel


#: conda with each solver that it may have, and rattler.
WAYS = [
    *(
        pytest.param(("conda", name), marks=pytest.mark.conda, id=f"conda-{name}")
        for name in (*filter(lambda name: find_spec(SOLVERS[name]), SOLVERS), "classic")
    ),
    pytest.param(("rattler", ""), marks=pytest.mark.rattler, id="rattler"),
]


@pytest.fixture(params=WAYS)
def make_lab(
    request: pytest.FixtureRequest,
    tmp_path: Path,
    both: Channel,
    monkeypatch: pytest.MonkeyPatch,
) -> Callable[..., Lab]:
    """Build labs that solve in one way."""
    kind, solver = request.param

    def build(name: str = "here", **changes: Any) -> Lab:
        usual = {"channels": [both.url]}
        lab = Lab(tmp_path / name, monkeypatch, kind, **usual | changes)
        if solver:
            lab.enter(CONDA_SOLVER=solver)
        return lab

    return build


@pytest.fixture
def lab(make_lab: Callable[..., Lab]) -> Lab:
    return make_lab()


def test_the_lock_of_another_platform_gives_what_was_asked_for_in_its_versions(
    make_lab: Callable[..., Lab],
) -> None:
    there = make_lab("there", subdir=THERE)
    assert there.engine.platform == THERE
    export = there.make("ml", "app", "lib02=1.1", "twin")
    assert export.lock.platform == THERE
    assert {entry["name"] for entry in export.lock.packages} >= {"helper", "lib00"}
    here = make_lab()
    assert here.apply("ml", export.file, export.lock, origin=THERE) == ()
    versions = here.versions("ml")
    assert versions.keys() == {"app", "twin", "lib00", "lib01", "lib02"}
    assert versions["lib02"] == "1.1"
    assert here.requested("ml") == {"app": "app", "lib02": "lib02=1.1", "twin": "twin"}
    assert here.export("ml").lock.platform == HERE
    before = here.snapshot("ml")
    assert here.apply("ml", export.file, export.lock, origin=THERE) == ()
    assert here.snapshot("ml") == before


def test_what_only_another_platform_has_is_passed_on_and_comes_back(
    make_lab: Callable[..., Lab],
) -> None:
    mine, theirs = f"only-{HERE}", f"only-{THERE}"
    made = make_lab("there", subdir=THERE).make("ml", "twin", f"{theirs}>=1")
    here = make_lab()
    prefix = here.prefix("ml")
    options: dict[str, Any] = {"modified": WHEN, "origin": THERE}
    applied = here.engine.apply("ml", prefix, made.file, made.lock, **options)
    (asked,) = (text for text in made.lock.requested if theirs in text)
    assert applied.elsewhere == {asked: "1.0"}
    assert here.versions("ml") == {"twin": "1.0"}
    # By a lock of this platform nothing is solved, and the same is told.
    shared = replace(
        here.export("ml").lock, elsewhere=applied.elsewhere, notes=applied.given_up
    )
    assert here.engine.apply("ml", prefix, made.file, shared, **options) == applied
    # Where it is to be had it comes, in its version, and as it was asked for.
    wish = asked.replace(theirs, mine)
    back = replace(made.lock, requested=("twin",), elsewhere={wish: "1.0"})
    assert here.apply("ml", made.file, back, origin=THERE) == ()
    assert here.versions("ml") == {"twin": "1.0", mine: "1.0"}
    assert ">=1" in here.requested("ml")[mine]


def test_what_is_not_to_be_had_here_is_relaxed_or_left_out_by_name(
    make_lab: Callable[..., Lab],
) -> None:
    there = make_lab("there", subdir=THERE)
    export = there.make("ml", "ahead", f"only-{THERE}", "lib00=1.1")
    here = make_lab()
    notes = here.apply("ml", export.file, export.lock, origin=THERE)
    assert set(notes) == {
        "ahead==2.0 is not to be had here: ahead instead",
        f"only-{THERE}==1.0 is not to be had here: only-{THERE} instead",
        f"only-{THERE} is not to be had here: left out",
    }
    assert here.versions("ml") == {"ahead": "1.0", "lib00": "1.1"}
    # A request for what is not here would stand in the way of every later solve.
    assert here.requested("ml") == {"ahead": "ahead", "lib00": "lib00=1.1"}


def test_of_a_request_of_another_platform_all_is_kept_that_can_be_had_here(
    make_lab: Callable[..., Lab],
) -> None:
    there = make_lab("there", subdir=THERE)
    there.make("ml", "uneven<2", "twin=1.0=there_0", "lib00=1.1=h0_0")
    export = there.export("ml")
    here = make_lab()
    notes = here.apply("ml", export.file, export.lock, origin=THERE)
    assert {note.replace("[version='<2']", "<2") for note in notes} == {
        "uneven==1.5 is not to be had here: uneven<2 instead",
        "twin==1.0=there_0 is not to be had here: twin==1.0 instead",
    }
    assert here.versions("ml") == {"uneven": "1.0", "twin": "1.0", "lib00": "1.1"}
    asked = here.requested("ml")
    assert "<2" in asked["uneven"]
    assert asked["twin"] == "twin==1.0"
    assert asked["lib00"].replace("==", "=") == "lib00=1.1=h0_0"


@needs_channels
def test_a_request_does_not_go_on_naming_the_platform_that_it_came_from(
    make_lab: Callable[..., Lab], both: Channel
) -> None:
    there = make_lab("there", subdir=THERE)
    export = there.make("ml", "app", "lib00=1.1")
    requested = f"{both.url}/{THERE}::app=1.0", f"lib00[subdir={THERE},version=1.1]"
    here = make_lab()
    lock = replace(export.lock, requested=requested)
    assert here.apply("ml", export.file, lock, origin=THERE) == ()
    assert here.versions("ml") == {"app": "1.0", "lib00": "1.1"}
    asked = here.requested("ml")
    assert "::app=1.0" in asked["app"].replace("==", "=")
    assert asked["lib00"].replace("==", "=") == "lib00=1.1"
    assert not [spec for spec in asked.values() if THERE in spec]


def test_the_file_of_another_platform_is_solved_without_its_builds(
    make_lab: Callable[..., Lab],
) -> None:
    there = make_lab("there", subdir=THERE)
    export = there.make("ml", "app", "twin", "lib00=1.1", "ahead")
    here = make_lab()
    notes = here.apply("ml", export.file, origin=THERE)
    assert "twin=1.0=there_0 is not to be had here: twin==1.0 instead" in notes
    assert "helper is not to be had here: left out" in notes
    assert here.versions("ml") == {
        **{"ahead": "1.0", "app": "1.0", "lib00": "1.1", "twin": "1.0"}
    }


def test_of_unknown_origin_only_what_a_program_wrote_is_left_out(lab: Lab) -> None:
    exported = environment("lib00=1.1=other_0", "gone=1.0=other_0")
    assert "gone is not to be had here: left out" in lab.apply(
        "ml", exported, origin=""
    )
    assert lab.versions("ml") == {"lib00": "1.1"}
    written = environment("lib00=1.1", "mispelled")
    with pytest.raises(EngineError, match="mispelled"):
        lab.apply("own", written, origin="")


def test_a_build_that_is_gone_is_replaced_with_a_note(lab: Lab) -> None:
    file = environment("lib00=1.1=gone_0", "lib01=1.1=h1_0")
    assert lab.apply("ml", file) == (
        "lib00=1.1=gone_0 is not to be had here: lib00==1.1 instead",
    )
    assert lab.versions("ml") == {"lib00": "1.1", "lib01": "1.1"}
    requested = lab.requested("ml")
    assert requested["lib00"] == "lib00==1.1"
    assert requested["lib01"].replace("==", "=") == "lib01=1.1=h1_0"


def test_a_version_that_is_gone_is_replaced_with_a_note(lab: Lab) -> None:
    (note,) = lab.apply("ml", environment("lib00>=9"))
    assert note == "lib00>=9 is not to be had here: lib00 instead"
    assert lab.versions("ml") == {"lib00": "2.0"}


@pytest.mark.parametrize("name", ["ml", "old"])
def test_a_package_that_is_missing_where_the_file_was_made_is_an_error(
    lab: Lab, name: str
) -> None:
    lab.make("old", "lib00=1.0")
    before = lab.snapshot("old")
    with pytest.raises(EngineError, match="gone is in none of its channels") as error:
        lab.apply(name, environment("gone=1.0=0", "lib00"))
    assert "\n" not in error.value.summary
    assert lab.snapshot("old") == before
    assert lab.machine.environments() == ["old"]


def test_all_packages_that_are_missing_are_named_at_once(lab: Lab) -> None:
    file = environment("typo1", "lib00>=9", "typo2>=3", "lib01=1.1=gone_0", "typo3=1=0")
    with pytest.raises(EngineError, match="are in none of its channels") as error:
        lab.apply("ml", file)
    named = error.value.summary.replace(",", "").split()
    assert set(named[:3]) == {"typo1", "typo2", "typo3"}
    assert named[3] == "are"
    assert lab.machine.environments() == []


HOPELESS = {
    "a conflict": (("conflict", "lib01=2.0"), "conflict"),
    "a conflict of builds": (("conflict=1.0=0", "lib01=2.0=h1_0"), "conflict"),
    "a dependency that is missing": (("needsmissing",), "doesnotexist"),
}


@pytest.mark.parametrize(("specs", "culprit"), HOPELESS.values(), ids=HOPELESS)
def test_what_cannot_be_is_an_error_of_one_line(
    lab: Lab, specs: tuple[str, ...], culprit: str
) -> None:
    lab.make("old", "lib00=1.0")
    before = lab.snapshot("old")
    for name in ("ml", "old"):
        with pytest.raises(EngineError) as error:
            lab.apply(name, environment(*specs), origin=THERE)
        assert "No solution" in error.value.summary
        assert culprit in error.value.summary
        assert "\n" not in error.value.summary
    assert lab.snapshot("old") == before
    assert lab.machine.environments() == ["old"]


def test_two_lines_about_one_package_both_count(lab: Lab) -> None:
    lab.apply("ml", environment("lib00>=1.1", "lib00<2"))
    assert lab.versions("ml") == {"lib00": "1.1"}


@pytest.mark.parametrize("spec", ["lib00 >=", "=1.0", "lib00=1.*.2|"])
def test_a_spec_that_cannot_be_read_is_an_error_of_one_line(
    make_lab: Callable[..., Lab], spec: str
) -> None:
    lab = make_lab()
    with pytest.raises(EngineError, match=re.escape(repr(spec))) as error:
        lab.apply("ml", environment(spec))
    assert "\n" not in error.value.summary
    assert lab.machine.environments() == []


@needs_channels
def test_a_channel_of_one_package_is_asked_for_it(
    lab: Lab, tmp_path: Path, both: Channel
) -> None:
    extra = Channel(tmp_path / "extra")
    extra.add("lib00", "1.1", "extra_0")
    extra.write_index()
    spec = f"{extra.url}::lib00=1.1=gone_0"
    (note,) = lab.apply("ml", environment(spec, "lib01", channels=[both.url]))
    assert note.endswith(f"{extra.url}::lib00==1.1 instead")
    assert lab.machine.packages("ml")["lib00"][:2] == ("1.1", "extra_0")
    assert lab.export("ml").file.channels == (both.url, extra.url)


@pytest.mark.parametrize("channels", [(), ("nodefaults",)])
def test_a_file_without_channels_is_solved_from_those_of_this_machine(
    lab: Lab, channels: tuple[str, ...]
) -> None:
    lab.apply("ml", environment("lib00", channels=channels))
    assert lab.versions("ml") == {"lib00": "2.0"}


def test_the_channels_of_a_file_are_its_own(lab: Lab, tmp_path: Path) -> None:
    extra = Channel(tmp_path / "extra")
    extra.add("lib00", "1.1", "extra_0")
    extra.write_index()
    lab.apply("ml", environment("lib00", channels=[extra.url, "nodefaults"]))
    assert lab.versions("ml") == {"lib00": "1.1"}


def test_a_channel_that_is_not_there_gives_nothing_up(
    lab: Lab, http_channel: HttpChannel
) -> None:
    url = f"http://{http_channel.host}/nowhere"
    with pytest.raises(EngineError, match="nowhere") as error:
        lab.apply("ml", environment("lib00=1.1=h0_0", channels=[url]))
    assert "\n" not in error.value.summary
    asked = http_channel.requests
    assert len(asked) == len(set(asked)), "it was asked again, with less wanted"


def test_solving_says_nothing(lab: Lab, capfd: pytest.CaptureFixture[str]) -> None:
    capfd.readouterr()
    lab.apply("ml", environment("lib00=1.0=gone_0", "acty"))
    assert capfd.readouterr().out == ""
