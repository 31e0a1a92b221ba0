"""pip's part of an environment, changed by its own pip."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from hand_made import (
    SITE,
    add_conda_distribution,
    add_distribution,
    add_record,
    make_prefix,
    make_python_prefix,
    snapshot,
)
from make_wheels import write_sdist, write_wheel

from conda_s3_sync_plugin.engines import pip
from conda_s3_sync_plugin.engines.distributions import pip_packages
from conda_s3_sync_plugin.engines.pip import lost_to_pip
from conda_s3_sync_plugin.engines.prefix import records
from conda_s3_sync_plugin.exceptions import EngineError, PipError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from pathlib import Path


@pytest.fixture
def prefix(tmp_path: Path, wheels: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An environment with a pip that installs from the usual wheels."""
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(wheels))
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    return make_python_prefix(tmp_path / "ml")


def mirror(
    prefix: Path, *requirements: str, exact: bool = True, prune: bool = True
) -> list[str]:
    return pip.mirror_pip(
        prefix, records(prefix), requirements, exact=exact, prune=prune
    )


def installed(prefix: Path) -> list[str]:
    return sorted(pip_packages(prefix, records(prefix))[0].values())


@pytest.fixture
def commands(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What pip is told to do, from now on."""
    seen: list[str] = []
    real = pip._pip

    def record(prefix: Path, *args: str) -> str:
        seen.append(" ".join(args))
        return real(prefix, *args)

    monkeypatch.setattr(pip, "_pip", record)
    return seen


def test_pips_packages_become_exactly_those_of_the_lock(
    prefix: Path, commands: list[str]
) -> None:
    mirror(prefix, "hello==1.0", "fromsource==1.0")
    assert installed(prefix) == ["fromsource==1.0", "hello==1.0"]
    mirror(prefix, "hello==2.0", "greet==1.0")
    assert installed(prefix) == ["greet==1.0", "hello==2.0"]
    commands.clear()
    assert mirror(prefix, "hello==2.0", "greet==1.0") == []
    assert commands == []
    mirror(prefix, "hello==2.0")
    assert installed(prefix) == ["hello==2.0"]
    assert commands == ["uninstall --yes greet"]


def test_a_complete_list_brings_no_dependencies(prefix: Path) -> None:
    mirror(prefix, "greet==1.0")
    assert installed(prefix) == ["greet==1.0"]


def test_a_list_that_a_person_wrote_brings_dependencies_and_keeps_them(
    prefix: Path,
) -> None:
    mirror(prefix, "greet==1.0", exact=False)
    assert installed(prefix) == ["greet==1.0", "hello==2.0"]
    # The dependency is in no list, and must not be taken away for that.
    mirror(prefix, "greet==1.0", "six==1.16.0", exact=False)
    assert installed(prefix) == ["greet==1.0", "hello==2.0", "six==1.16.0"]
    mirror(prefix, "six==1.16.0", exact=False)
    assert installed(prefix) == ["six==1.16.0"]


def test_urls_without_a_name_are_each_installed(
    prefix: Path, wheels: Path, commands: list[str]
) -> None:
    files = [
        wheels / f"{name}-py3-none-any.whl" for name in ("hello-1.0", "six-1.16.0")
    ]
    mirror(prefix, *(file.as_uri() for file in files), exact=False)
    assert commands == [f"install -- {' '.join(file.as_uri() for file in files)}"]


def test_without_pruning_what_is_there_stays(prefix: Path) -> None:
    mirror(prefix, "hello==1.0")
    mirror(prefix, "six==1.16.0", prune=False)
    assert installed(prefix) == ["hello==1.0", "six==1.16.0"]


def test_what_pip_cannot_install_is_named_with_its_words_and_the_rest_is_there(
    prefix: Path,
) -> None:
    write_sdist(prefix, "broken", "1.0", backend="raise SystemExit('no compiler')\n")
    broken = f"broken @ {(prefix / 'broken-1.0.tar.gz').as_uri()}"
    with pytest.raises(PipError) as error:
        mirror(prefix, "hello==1.0", "nosuch==1.0", broken, "six==1.16.0")
    assert error.value.summary.startswith(
        f"pip could not install nosuch==1.0, {broken}: "
        "No matching distribution found for nosuch==1.0; "
    )
    assert "broken" in error.value.why.rpartition(";")[2]
    assert "next run" in error.value.hint
    assert installed(prefix) == ["hello==1.0", "six==1.16.0"]


@pytest.mark.parametrize(
    ("wanted", "why"),
    [
        pytest.param(["greet", "nosuch"], "No matching .* for nosuch", id="missing"),
        pytest.param(["hello==1.0", "hello2"], "Cannot install .*hello", id="conflict"),
    ],
)
def test_of_a_list_that_a_person_wrote_the_reason_names_the_package(
    prefix: Path, wheels: Path, wanted: list[str], why: str
) -> None:
    write_wheel(prefix, "hello2", "1.0", requires=["hello==2.0"])
    wanted = [f"--find-links={prefix}", *wanted]
    with pytest.raises(PipError, match=f"pip install failed: {why}"):
        mirror(prefix, *wanted, exact=False)


def test_credentials_are_not_in_the_error() -> None:
    text = "ERROR: no access to https://joe:s3cret@h.org/simple/x"
    assert pip._why(text) == "no access to https://h.org/simple/x"


def test_where_pip_looks_counts_for_exact_versions_too(
    prefix: Path, tmp_path: Path
) -> None:
    """As a lock is restored: the options are the file's, the versions the lock's."""
    written = (
        f"--find-links {tmp_path}",
        "--no-binary=nothing",
        "-r elsewhere.txt",
        "own",
        "hello --global-option=x",
    )
    write_wheel(tmp_path, "own", "1.0", requires=["hello"])
    options = pip.lookups(written)
    assert options == [*written[:2]]
    mirror(prefix, *options, "own==1.0")
    assert installed(prefix) == ["own==1.0"]


def test_options_and_local_files_of_a_list_are_passed_on(
    prefix: Path, tmp_path: Path, commands: list[str]
) -> None:
    write_wheel(tmp_path, "own", "1.0", requires=["hello"])
    (tmp_path / "more.txt").write_text("greet\n")
    listed = (
        f"-r {tmp_path}/more.txt",
        f"{tmp_path}/own-1.0-py3-none-any.whl",
        "hello <2 --config-settings=x=y",
    )
    mirror(prefix, *listed, exact=False)
    found, local = pip_packages(prefix, records(prefix))
    assert found == {"greet": "greet==1.0", "hello": "hello==1.0"}
    assert local.keys() == {"own"}


def test_an_environment_without_python_is_an_error(tmp_path: Path) -> None:
    prefix = make_prefix(tmp_path / "bare")
    assert mirror(prefix) == []
    with pytest.raises(EngineError, match=r"python.* cannot be run: No such file"):
        mirror(prefix, "hello==1.0")


@pytest.mark.parametrize("requirement", ["", "@x", "(hello)"])
def test_what_has_no_name_is_an_error(tmp_path: Path, requirement: str) -> None:
    with pytest.raises(EngineError, match="is no package that pip could install"):
        mirror(make_prefix(tmp_path / "bare"), requirement)


def test_editable_installs_stay_and_win(prefix: Path, commands: list[str]) -> None:
    direct = {"url": "file:///home/joe/hello", "dir_info": {"editable": True}}
    add_distribution(prefix, "hello", "0.1", direct=direct)
    mirror(prefix)
    assert mirror(prefix, "hello==1.0") == [
        "pip package hello stays as it is here: installed from file:///home/joe/hello"
    ]
    assert commands == []


HIJACKS: dict[str, Callable[[Path], str]] = {
    "PIP_REQUIRE_VIRTUALENV": lambda folder: "1",
    "PIP_USER": lambda folder: "1",
    "PIP_TARGET": lambda folder: str(folder),
    "PIP_PREFIX": lambda folder: str(folder),
    "PIP_ROOT": lambda folder: str(folder),
    "PIP_DRY_RUN": lambda folder: "1",
    "PYTHONPATH": lambda folder: str(folder),
    "PYTHONHOME": lambda folder: str(folder),
}


def test_the_users_settings_of_pip_and_python_lead_nowhere_else(
    prefix: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    elsewhere = tmp_path / "elsewhere"
    (elsewhere / "pip").mkdir(parents=True)
    (elsewhere / "pip" / "__main__.py").write_text("raise SystemExit('not this')\n")
    for name, value in HIJACKS.items():
        monkeypatch.setenv(name, value(elsewhere))
    before = snapshot(elsewhere)
    mirror(prefix, "hello==1.0")
    assert installed(prefix) == ["hello==1.0"]
    assert snapshot(elsewhere) == before
    assert not (tmp_path / "home" / ".local").exists()
    mirror(prefix)
    assert installed(prefix) == []


def test_builds_find_the_programs_of_the_environment_first(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    prefix = make_prefix(tmp_path / "bare")
    (prefix / "bin").mkdir()
    python = prefix / "bin" / "python"
    python.write_text('#!/bin/sh\necho "$PATH"\n')
    python.chmod(0o755)
    monkeypatch.setenv("PATH", "/usr/bin:/bin")
    assert pip._pip(prefix, "list") == f"{prefix}/bin:/usr/bin:/bin\n"


@pytest.fixture
def with_six(prefix: Path) -> Path:
    """An environment with six 1.15.0 by conda."""
    add_conda_distribution(prefix, "six", "1.15.0")
    return prefix


def test_pip_replaces_what_conda_installed(with_six: Path) -> None:
    mirror(with_six, "six==1.16.0")
    assert installed(with_six) == ["six==1.16.0"]
    assert lost_to_pip(with_six, records(with_six)) == []
    assert not (with_six / SITE / "six-1.15.0.dist-info").exists()


def test_what_pip_gives_back_is_lost_until_conda_links_it_again(
    with_six: Path,
) -> None:
    assert lost_to_pip(with_six, records(with_six)) == []
    mirror(with_six, "six==1.16.0")
    mirror(with_six)
    assert installed(with_six) == []
    assert lost_to_pip(with_six, records(with_six)) == ["six"]


@pytest.mark.parametrize("wanted", [(), ("six==1.16.0",)], ids=["conda's", "pip's"])
def test_a_package_of_both_becomes_that_of_one(
    with_six: Path, wanted: tuple[str, ...]
) -> None:
    mirror(with_six, "six==1.16.0")
    # conda updates it, and knows nothing of what pip has left.
    (with_six / "conda-meta" / "six-1.15.0-0.json").unlink()
    add_conda_distribution(with_six, "six", "1.17.0")
    mirror(with_six, *wanted)
    assert installed(with_six) == list(wanted)
    found = [path.name for path in (with_six / SITE).glob("six-*")]
    assert found == [f"six-{text[5:]}.dist-info" for text in wanted]
    assert lost_to_pip(with_six, records(with_six)) == ([] if wanted else ["six"])


def add(prefix: Path, requirements: Iterable[str]) -> list[str]:
    pip.add_pip(prefix, requirements)
    return installed(prefix)


def test_adding_changes_nothing_that_is_there(
    with_six: Path, commands: list[str]
) -> None:
    assert add(with_six, ["hello==1.0"]) == ["hello==1.0"]
    assert add(with_six, ["greet==1.0"]) == ["greet==1.0", "hello==1.0"]
    commands.clear()
    add(with_six, ["hello==2.0", "six==1.16.0", "greet"])
    assert commands == []


def test_metadata_deeper_down_is_not_asked_for(tmp_path: Path) -> None:
    bare = make_prefix(tmp_path / "bare")
    add_record(bare, "lib", files=["share/x-info", f"{SITE}/a/b-1.dist-info/METADATA"])
    assert lost_to_pip(bare, records(bare)) == []
