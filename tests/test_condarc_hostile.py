"""Configuration that makes no sense: one line says so, and names where it stands."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from machine import Machine

from conda_s3_sync_plugin.condarc import Condarc
from conda_s3_sync_plugin.exceptions import UsageError

if TYPE_CHECKING:
    from collections.abc import Callable

#: A few lines that are a billion texts, for whoever spells them out.
BOMB = "a: &a [x, x, x, x, x, x, x, x, x, x]\n" + "".join(
    f"{key}: &{key} [{', '.join([f'*{before}'] * 10)}]\n"
    for before, key in zip("abcdefgh", "bcdefghi", strict=True)
)

BROKEN = {
    "half a list": (b"channels: [a, b", "line 1"),
    "two keys in a line": (b"offline: true\nchannels: a: b\n", "line 2"),
    "a tab": (b"plugins:\n\tx: 1\n", "line 2"),
    "an unknown alias": (b"channels: *a\n", "line 1"),
    "a list of itself": (b"channels: &a [*a]\n", "recursive"),
    "a list as a key": (b"? [a, b]\n: c\n", "unhashable key"),
    "two documents": (b"a: 1\n---\nb: 2\n", "line 2"),
    "a list": (b"- a\n- b\n", "no settings"),
    "a text": (b"conda-forge\n", "no settings"),
    "no text": (b"\xff\xfe\xfd", "no text"),
    "zeros": (b"channels: \x00\x00", "no text"),
    "deep": (b"a: " + b"[" * 100_000, "too deeply"),
    "deep, closed": (b"a: " + b"[" * 9_999 + b"]" * 9_999, "too deeply"),
}


@pytest.fixture
def path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The .condarc of a user of a machine, which this process is on."""
    machine = Machine(tmp_path / "here")
    machine.environment["CONDA_CHANNELS"] = ""
    machine.enter(monkeypatch)
    return machine.home / ".condarc"


def load() -> Condarc:
    return Condarc.load(Path(os.environ["CONDA_ROOT_PREFIX"]))


def complaint(action: Callable[[], object]) -> str:
    """Return the one line that comes of wrong settings."""
    with pytest.raises(UsageError) as caught:
        action()
    text = str(caught.value)
    assert "\n" not in text
    assert len(text) < 300
    return text


@pytest.mark.parametrize(("body", "says"), BROKEN.values(), ids=BROKEN)
def test_a_file_that_cannot_be_read_is_named(
    body: bytes, says: str, path: Path
) -> None:
    path.write_bytes(body)
    text = complaint(load)
    assert text.startswith(f"{path} cannot be read")
    assert says in text


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read all files")
def test_a_file_of_somebody_else_is_named(path: Path) -> None:
    path.write_text("offline: true")
    path.chmod(0)
    assert complaint(load) == (
        f"{path} cannot be read as a configuration of conda: Permission denied."
    )


def test_a_file_that_fails_while_it_is_read_is_named(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # The one file that a process may open, whoever runs it, and cannot read.
    Path(path.parent, "memory.yml").symlink_to("/proc/self/mem")
    if not Path("/proc/self/mem").is_file():
        pytest.skip("no /proc here")
    monkeypatch.setenv("CONDARC", str(path.parent / "memory.yml"))
    text = complaint(load)
    assert text.startswith(f"{path.parent / 'memory.yml'} cannot be read")
    assert "Input/output error" in text


def test_what_is_no_file_is_passed_over(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    os.mkfifo(path)  # whoever opens it waits for ever
    (path.parent / "dangling.yml").symlink_to("nowhere")
    monkeypatch.setenv("CONDARC", str(path.parent / "dangling.yml"))
    assert load().items("channels") == []
    for empty in ("XDG_CONFIG_HOME", "CONDA_PREFIX", "CONDARC"):
        monkeypatch.setenv(empty, "")
    Path("condarc").write_text("channels: [from-the-working-directory]")
    assert load().items("channels") == []


WRONG = {
    "a text for a list": ("channels: conda-forge", "channels", "a list"),
    "a mapping for a list": ("channels: {a: b}", "channels", "a list"),
    "a list in a list": ("channels: [[a]]", "channels", "text"),
    "a mapping in a list": ("channels: [{a: b}]", "channels", "text"),
    "a list for a text": ("channel_alias: [a]", "channel_alias", "text"),
    "a mapping for a text": ("channel_alias: {a: b}", "channel_alias", "text"),
    "a word for a flag": ("offline: perhaps", "offline", "true or false"),
    "a list for a flag": ("offline: [true]", "offline", "text"),
    "a list for a mapping": ("custom_channels: [a]", "custom_channels", "a mapping"),
    "a text for a mapping": ("custom_channels: a", "custom_channels", "a mapping"),
    "a mapping too deep": ("custom_channels: {a: {b: c}}", "custom_channels", "text"),
    "plugins as a list": ("plugins: [a]", "plugins", "a mapping"),
    "plugins as a text": ("plugins: a", "plugins", "a mapping"),
    "a plugin's list": (
        "plugins: {s3_sync_location: [a]}",
        "plugins.s3_sync_location",
        "text",
    ),
    "a plugin's word": (
        "plugins: {s3_sync_prune: maybe}",
        "plugins.s3_sync_prune",
        "true or false",
    ),
    "a bomb as a list": (f"{BOMB}channels: *i", "channels", "text"),
    "a bomb as a text": (f"{BOMB}channel_alias: *i", "channel_alias", "text"),
    "a bomb as a flag": (f"{BOMB}offline: *i", "offline", "text"),
    "a bomb as a mapping": (f"{BOMB}custom_channels: *i", "custom_channels", "mapping"),
}


def read_all(condarc: Condarc) -> None:
    condarc.items("channels")
    condarc.text("channel_alias")
    condarc.flag("offline", default=False)
    condarc.mapping("custom_channels")
    condarc.text("plugins.s3_sync_location")
    condarc.flag("plugins.s3_sync_prune", default=True)


@pytest.mark.parametrize(("text", "name", "says"), WRONG.values(), ids=WRONG)
def test_a_setting_of_the_wrong_type_is_named_with_its_file(
    text: str, name: str, says: str, path: Path
) -> None:
    path.write_text(text)
    condarc = load()
    complained = complaint(lambda: read_all(condarc))
    assert complained.startswith(f"{path}: {name} must be ")
    assert says in complained


def test_a_variable_that_makes_no_sense_is_named(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CONDA_OFFLINE", "perhaps" * 1000)
    text = complaint(lambda: load().flag("offline", default=False))
    assert text.startswith("CONDA_OFFLINE: offline must be true or false, not 'perhaps")


def test_only_what_is_asked_for_has_to_make_sense(path: Path) -> None:
    path.write_text("channels: a\nplugins: {other: {deep: [1]}}\nsubdir: x\n")
    condarc = load()
    assert condarc.text("subdir") == "x"
    assert condarc.text("plugins.s3_sync_location") == ""


def test_aliases_that_make_sense_are_followed(path: Path) -> None:
    path.write_text("mine: &mine [a, b]\nchannels: *mine\ndefault_channels: *mine\n")
    condarc = load()
    assert condarc.items("channels") == condarc.items("default_channels") == ["a", "b"]


def test_merging_many_times_over_costs_nothing(path: Path) -> None:
    lines = ["a0: &a0 {x: y}"]
    for n in range(1, 30):
        merged = ", ".join([f"*a{n - 1}"] * 10)
        lines.append(f"a{n}: &a{n} {{<<: [{merged}]}}")
    path.write_text("\n".join([*lines, "custom_channels: *a29", "subdir: x"]))
    condarc = load()
    assert condarc.text("subdir") == "x"


def test_a_long_file_is_only_long(path: Path) -> None:
    names = [f"channel-{n}" for n in range(5000)]
    path.write_text("channels:\n" + "".join(f"- {name}\n" for name in names))
    assert load().items("channels") == names


def test_values_stay_as_they_are_written_and_make_nothing(path: Path) -> None:
    path.write_text(
        "subdir: 0123\nchannels: [1.10, 2024-01-01, yes, '~']\n"
        "channel_alias: !!python/object/apply:pathlib.Path ['x']\n"
        "default_channels: [!!python/object/apply:os.mkdir 'x']\n"
    )
    condarc = load()
    assert condarc.text("subdir") == "0123"
    assert condarc.items("channels") == ["1.10", "2024-01-01", "yes", "~"]
    assert condarc.items("default_channels") == ["x"]
    assert not Path("x").exists()
