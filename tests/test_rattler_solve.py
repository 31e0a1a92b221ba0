"""What rattler solves with: its specs, channels of one package, and other platforms."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from lab import Lab, environment
from make_channel import Channel, this_subdir

from conda_s3_sync_plugin.exceptions import EngineError

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from conda_s3_sync_plugin.engines.channels import Channels
    from conda_s3_sync_plugin.engines.matchspec import RattlerSpec

pytestmark = pytest.mark.rattler

HERE = this_subdir()
PLATFORMS = ("linux-64", "linux-aarch64", "osx-arm64", "win-64")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two channels in one folder: `old`, and `new` with newer versions."""
    root = tmp_path_factory.mktemp("channels")
    for name, version in (("old", "1.0"), ("new", "2.0")):
        channel = Channel(root / name)
        for package in ("lib", "dep"):
            channel.add(package, version)
        channel.write_index()
    return root


@pytest.fixture
def lab(tmp_path: Path, folder: Path, monkeypatch: pytest.MonkeyPatch) -> Lab:
    lab = Lab(tmp_path / "here", monkeypatch, "rattler", channels=["new", "old"])
    lab.machine.write_condarc(
        channel_alias=folder.as_uri(),
        default_channels=[f"{folder.as_uri()}/{name}" for name in ("new", "old")],
    )
    lab.enter()
    return lab


def test_a_package_may_name_its_channel(lab: Lab) -> None:
    lab.apply("ml", environment("lib", "new::dep", channels=["old"]))
    assert lab.versions("ml") == {"lib": "1.0", "dep": "2.0"}
    lab.apply("ml", environment("lib", "old::dep"))
    assert lab.versions("ml") == {"lib": "2.0", "dep": "1.0"}
    # conda calls a channel by another name as soon as it is one of the defaults.
    assert "'old::dep'" in lab.machine.history("ml").read_text()


def test_what_its_channel_does_not_have_is_not_taken_from_another(lab: Lab) -> None:
    (note,) = lab.apply("ml", environment("lib", "old::dep>=2"))
    assert note == "old::dep>=2 is not to be had here: old::dep instead"
    assert lab.versions("ml") == {"lib": "2.0", "dep": "1.0"}
    with pytest.raises(EngineError, match="nope is in none of its channels"):
        lab.apply("other", environment("old::nope", "lib"))
    assert lab.machine.environments() == ["ml"]


def test_a_package_of_the_defaults_comes_from_one_of_them(lab: Lab) -> None:
    lab.apply("ml", environment("defaults::dep", "old::lib", channels=["old"]))
    assert lab.versions("ml") == {"lib": "1.0", "dep": "1.0"}
    lab.apply("own", environment("defaults::dep=2", channels=["old"]))
    assert lab.versions("own") == {"dep": "2.0"}


@pytest.fixture
def channels(lab: Lab) -> Channels:
    from conda_s3_sync_plugin.condarc import Condarc
    from conda_s3_sync_plugin.engines.channels import Channels

    return Channels(Condarc.load(lab.machine.base))


def rungs(spec: RattlerSpec | None) -> list[RattlerSpec]:
    return [spec, *rungs(spec.weaker())] if spec else []


LESS = {
    "lib": [],
    "lib>=9": ["lib"],
    "lib >=1,<2": ["lib"],
    "lib=1.0": ["lib"],
    "lib==1.0": ["lib"],
    "lib=1.0=h0_0": ["lib==1.0", "lib"],
    "lib 1.0 h0_0": ["lib==1.0", "lib"],
    "lib 1.0.* h0_*": ["lib=1.0.*", "lib"],
    "lib 1.0|2.0": ["lib"],
    "lib=*=h0_0": ["lib=*", "lib"],
    "lib[version='>=1',build=h0_0]": ["lib>=1", "lib"],
    "old::lib=1.0=h0_0": ["old::lib==1.0", "old::lib"],
    "defaults::lib=1.0": ["defaults::lib"],
    "https://host/channel/linux-64/lib-1.0-h0_0.tar.bz2": ["lib"],
}


@pytest.mark.parametrize(("text", "less"), LESS.items(), ids=LESS)
def test_a_spec_knows_what_is_less_than_it(
    channels: Channels, text: str, less: list[str]
) -> None:
    from conda_s3_sync_plugin.engines.matchspec import RattlerSpec

    spec = RattlerSpec.parse(text, channels)
    assert spec.name == "lib"
    assert list(map(str, rungs(spec))) == [text, *less]
    channel = text.rpartition("::")[0]
    wanted = f"{channel}::lib==1.2" if channel else "lib==1.2"
    # Of one version, the request itself comes before the bare name.
    builds = [f"{wanted}={spec.match_spec.build}"] if spec.has_build else []
    asked = less if builds or "://" in text else [text, *less]
    assert list(map(str, rungs(spec.at("1.2")))) == [*builds, wanted, *asked]
    # What is written down can be read again.
    for rung in rungs(spec):
        again = RattlerSpec.parse(str(rung), channels)
        assert str(again.match_spec) == str(rung.match_spec)
        assert again.channels == rung.channels


BUILDS = {
    "lib": False,
    "lib=1.0": False,
    "lib=1.0=*": False,
    "lib=1.0=h0_0": True,
    "lib=1.0=h0_*": True,
}


@pytest.mark.parametrize(("text", "has_build"), BUILDS.items(), ids=BUILDS)
def test_a_spec_knows_whether_it_asks_for_a_build(
    channels: Channels, text: str, has_build: bool
) -> None:
    from conda_s3_sync_plugin.engines.matchspec import RattlerSpec

    assert RattlerSpec.parse(text, channels).has_build == has_build


@pytest.fixture(scope="module")
def everywhere(tmp_path_factory: pytest.TempPathFactory) -> Channel:
    """Packages for many platforms that need what only their systems have."""
    channel = Channel(tmp_path_factory.mktemp("everywhere"), *PLATFORMS)
    for system in ("unix", "linux", "osx", "win", "glibc", "cuda"):
        channel.add(f"needs-{system}", depends=[f"__{system}"])
    channel.add("needs-glibc-2.17", depends=["__glibc >=2.17"])
    channel.add("needs-glibc-9", depends=["__glibc >=9"])
    channel.add("needs-osx-11", depends=["__osx >=11.0"])
    channel.add("needs-osx-99", depends=["__osx >=99"])
    channel.write_index()
    return channel


#: platform, overrides, what can be had there, and what cannot.
SYSTEMS = {
    "linux-64": ({}, "unix linux glibc glibc-2.17", "osx win cuda glibc-9"),
    "linux-aarch64": ({}, "unix linux glibc glibc-2.17", "osx win cuda glibc-9"),
    "osx-arm64": ({}, "unix osx osx-11", "linux win glibc osx-99"),
    "win-64": ({}, "win", "unix linux osx glibc"),
    "linux-64, glibc 9": ({"GLIBC": "9.1"}, "glibc-9", "osx"),
    "linux-aarch64, glibc 9": ({"GLIBC": "9.1"}, "glibc-9", "osx"),
    "linux-aarch64, no glibc": ({"GLIBC": ""}, "linux", "glibc"),
    "linux-aarch64, cuda": ({"CUDA": "12.0"}, "cuda", "osx"),
    "osx-arm64, osx 99": ({"OSX": "99.1"}, "osx-99", "linux"),
}


@pytest.mark.parametrize("case", SYSTEMS)
def test_a_solver_counts_on_what_the_platform_has(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, everywhere: Channel, case: str
) -> None:
    overrides, there, missing = SYSTEMS[case]
    subdir = case.partition(",")[0]
    lab = Lab(
        tmp_path / "here",
        monkeypatch,
        "rattler",
        channels=[everywhere.url],
        subdir=subdir,
    )
    lab.enter(**{f"CONDA_OVERRIDE_{name}": text for name, text in overrides.items()})
    specs = [f"needs-{name}" for name in there.split()]
    export = lab.make("ml", *specs)
    assert export.lock.platform == subdir
    assert {entry["subdir"] for entry in export.lock.packages} == {subdir}
    for name in missing.split():
        with pytest.raises(EngineError, match="__"):
            lab.apply("other", environment(f"needs-{name}"))


def test_an_override_that_is_no_version_is_an_error_of_one_line(
    make_there: Callable[..., Lab],
) -> None:
    lab = make_there(CONDA_OVERRIDE_OSX="?!")
    with pytest.raises(EngineError, match=r"\?!") as error:
        lab.apply("ml", environment("needs-unix"))
    assert "\n" not in error.value.summary


@pytest.fixture
def make_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, everywhere: Channel
) -> Callable[..., Lab]:
    """Build a lab of another platform than this one."""

    def build(**variables: str) -> Lab:
        lab = Lab(
            tmp_path / "there",
            monkeypatch,
            "rattler",
            channels=[everywhere.url],
            subdir="osx-arm64" if HERE != "osx-arm64" else "linux-64",
        )
        lab.enter(**variables)
        return lab

    return build
