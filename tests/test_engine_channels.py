"""Which channels a file means, and which of them goes first: conda decides that."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from lab import Lab, environment
from make_channel import Channel

from conda_s3_sync_plugin.exceptions import EngineError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two channels in one folder: `old` has less, and `new` has all in newer versions.

    `app` is in the old one alone, and needs what only the new one has.
    """
    root = tmp_path_factory.mktemp("channels")
    for name, version in (("old", "1.0"), ("new", "2.0")):
        channel = Channel(root / name)
        for package in ("lib", "dep"):
            channel.add(package, version)
        if name == "old":
            channel.add("app", depends=["dep >=2"])
        channel.write_index()
    return root


@pytest.fixture
def lab(
    tmp_path: Path, kind: str, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> Callable[..., Lab]:
    """Build a lab with this .condarc, in which FOLDER is that of the channels."""

    def build(**condarc: Any) -> Lab:
        lab = Lab(tmp_path / "here", monkeypatch, kind)
        del lab.machine.environment["CONDA_CHANNELS"]
        lab.machine.write_condarc(**placed(condarc, folder))
        lab.enter()
        return lab

    return build


def placed(value: Any, folder: Path) -> Any:
    if isinstance(value, dict):
        return {key: placed(item, folder) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [placed(item, folder) for item in value]
    return value.replace("FOLDER", folder.as_uri()).replace("PATH", str(folder))


PRIORITIES = {
    "strict": ("strict", ["lib"], {"lib": "1.0"}),
    "flexible": ("flexible", ["lib"], {"lib": "1.0"}),
    "flexible, and only one of them fits": (
        "flexible",
        ["lib", "app"],
        {"lib": "1.0", "app": "1.0", "dep": "2.0"},
    ),
    "not set": ("", ["lib", "app"], {"lib": "1.0", "app": "1.0", "dep": "2.0"}),
    "disabled": ("disabled", ["lib"], {"lib": "2.0"}),
    "as it was once set": ("false", ["lib"], {"lib": "2.0"}),
}


@pytest.mark.parametrize(
    ("priority", "specs", "versions"), PRIORITIES.values(), ids=PRIORITIES
)
def test_the_first_channel_goes_first_as_far_as_is_set(
    lab: Callable[..., Lab],
    priority: str,
    specs: Sequence[str],
    versions: dict[str, str],
) -> None:
    settings = {"channel_priority": priority} if priority else {}
    here = lab(channels=["FOLDER/old", "FOLDER/new"], **settings)
    here.apply("ml", environment(*specs))
    assert here.versions("ml") == versions


def test_with_strict_priority_the_other_channels_do_not_help(
    lab: Callable[..., Lab],
) -> None:
    here = lab(channels=["FOLDER/old", "FOLDER/new"], channel_priority="strict")
    with pytest.raises(EngineError) as error:
        here.apply("ml", environment("app"))
    assert "dep" in error.value.summary
    assert "\n" not in error.value.summary


#: .condarc, the channels of the file, and which version of lib that means.
MEANT = {
    "an address": ({}, ["FOLDER/old"], "1.0"),
    "a path": ({}, ["PATH/new"], "2.0"),
    "an address, slash and platform": ({}, ["FOLDER/old/noarch/"], "1.0"),
    "their order": ({}, ["FOLDER/new", "FOLDER/old"], "2.0"),
    "defaults": (
        {"default_channels": ["FOLDER/old", "FOLDER/new"]},
        ["defaults"],
        "1.0",
    ),
    "an alias": ({"channel_alias": "FOLDER"}, ["old"], "1.0"),
    "a custom channel": ({"custom_channels": {"new": "FOLDER"}}, ["new"], "2.0"),
    "a group": (
        {"custom_multichannels": {"ours": ["FOLDER/new", "FOLDER/old"]}},
        ["ours"],
        "2.0",
    ),
    "its own, and no other": ({"channels": ["FOLDER/new"]}, ["FOLDER/old"], "1.0"),
    "no others, in so many words": (
        {"channels": ["FOLDER/new"]},
        ["FOLDER/old", "nodefaults"],
        "1.0",
    ),
    "none": ({"channels": ["FOLDER/new", "FOLDER/old"]}, [], "2.0"),
    "none of them": ({"channels": ["FOLDER/old"]}, ["nodefaults"], "1.0"),
    "the defaults of this machine": (
        {"channels": ["defaults"], "default_channels": ["FOLDER/old"]},
        [],
        "1.0",
    ),
}


@pytest.mark.parametrize(("condarc", "channels", "lib"), MEANT.values(), ids=MEANT)
def test_channels_are_those_that_conda_would_take(
    lab: Callable[..., Lab],
    folder: Path,
    condarc: dict[str, Any],
    channels: list[str],
    lib: str,
) -> None:
    here = lab(**condarc)
    export = here.make("ml", "lib", channels=placed(channels, folder))
    assert here.versions("ml") == {"lib": lib}
    name = "old" if lib == "1.0" else "new"
    assert export.file.channels == (f"{folder.as_uri()}/{name}",)


def test_a_channel_that_is_not_there_is_an_error_that_names_it(
    lab: Callable[..., Lab], folder: Path
) -> None:
    here = lab()
    with pytest.raises(EngineError, match="nowhere") as error:
        here.apply("ml", environment("lib", channels=[f"{folder.as_uri()}/nowhere"]))
    assert "\n" not in error.value.summary
