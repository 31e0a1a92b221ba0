"""One environment, and both engines: what one has made is the other's as well."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import pytest
from lab import Lab, environment
from make_channel import Channel

if TYPE_CHECKING:
    from pathlib import Path

    from conda_s3_sync_plugin.models import Export

pytestmark = [pytest.mark.conda, pytest.mark.rattler]


class Pair(NamedTuple):
    """A machine, and who acts there: first one engine, then the other."""

    lab: Lab
    first: str
    second: str

    def use(self, kind: str) -> Lab:
        """Go on with this engine."""
        self.lab.kind = kind
        self.lab.enter()
        return self.lab


@pytest.fixture(
    params=[("conda", "rattler"), ("rattler", "conda")], ids=lambda kinds: kinds[0]
)
def kinds(request: pytest.FixtureRequest) -> tuple[str, str]:
    """The engine that begins, and the other one."""
    first, second = request.param
    return first, second


@pytest.fixture
def pair(
    tmp_path: Path,
    channel: Channel,
    wheels: Path,
    monkeypatch: pytest.MonkeyPatch,
    kinds: tuple[str, str],
) -> Pair:
    settings = {"channels": [channel.url], "wheels": wheels}
    return Pair(Lab(tmp_path / "here", monkeypatch, kinds[0], **settings), *kinds)


def meaning(specs: tuple[str, ...]) -> set[object]:
    from conda.models.match_spec import MatchSpec

    return set(map(MatchSpec, specs))


def exported_by_both(pair: Pair, name: str) -> Export:
    """Export an environment with either engine, and find no difference."""
    one, other = (pair.use(kind).export(name) for kind in ("conda", "rattler"))
    assert one.file == other.file  # its bytes, its digest, and what they mean
    for part in ("digest", "platform", "packages", "pip", "variables"):
        assert getattr(one.lock, part) == getattr(other.lock, part)
    assert meaning(one.lock.requested) == meaning(other.lock.requested)
    assert one.warnings == other.warnings
    return one


def tree(prefix: Path) -> dict[str, object]:
    """Return what is in the files of an environment, wherever it is."""
    found: dict[str, object] = {}
    for path in sorted(prefix.rglob("*")):
        name = path.relative_to(prefix).as_posix()
        if name.startswith("conda-meta") or "__pycache__" in name:
            continue
        if path.is_file():  # what a link leads to may be linked as well
            found[name] = path.read_bytes().replace(bytes(prefix), b"PREFIX")
        elif not name.startswith("__clobbers__"):  # where rattler puts twins aside
            found[name] = "a folder"
    return found


def test_what_one_has_made_and_the_other_changed_is_one_document(pair: Pair) -> None:
    wanted = environment(
        *("python", "pip", "nopy", "six", "acty", "lib02=1.0"),
        pip=["hello==1.0"],
        variables={"MODE": "fast"},
    )
    pair.use(pair.first).apply("ml", wanted)
    made = exported_by_both(pair, "ml")
    assert made.file.pip == ("hello==1.0",)
    assert made.file.variables == {"MODE": "fast"}
    assert len(made.lock.requested) == 6

    wanted = environment(
        *("python", "pip", "nopy", "clob1", "lib02>=1.1,<2"),
        pip=["greet==1.0"],
        variables={"OTHER": "1"},
    )
    pair.use(pair.second).apply("ml", wanted)
    changed = exported_by_both(pair, "ml")
    assert changed.file.pip == ("greet==1.0", "hello==2.0")
    assert changed.file.variables == {"OTHER": "1"}
    assert len(changed.lock.requested) == 5
    assert any(">=1.1,<2" in spec for spec in changed.lock.requested)

    # Back, by the lock, by who made it, who then has nothing left to do.
    lab = pair.use(pair.first)
    lab.apply("ml", made.file, made.lock)
    assert exported_by_both(pair, "ml").lock.packages == made.lock.packages
    for kind in (pair.first, pair.second):
        before = pair.use(kind).snapshot("ml")
        lab.apply("ml", made.file, made.lock)
        assert lab.snapshot("ml") == before


def test_nothing_is_left_of_what_the_other_has_made(pair: Pair) -> None:
    lab = pair.use(pair.first)
    full = ("python", "pip", "nopy", "six", "acty", "clob1", "clob2", "lib03=1.0")
    lab.make("ml", *full)
    lab = pair.use(pair.second)
    for specs in (("python", "nopy", "clob1", "lib02=2.0"), ()):
        lab.apply("ml", environment(*specs))
        lab.apply("fresh", environment(*specs))
        assert tree(lab.prefix("ml")) == tree(lab.prefix("fresh"))
        assert lab.export("ml").lock == lab.export("fresh").lock


@pytest.mark.parametrize("kept", ["clob1", "clob2"])
def test_a_file_of_two_packages_stays_with_the_one_that_the_other_keeps(
    pair: Pair, kept: str
) -> None:
    pair.use(pair.first).make("ml", "clob1", "clob2")
    lab = pair.use(pair.second)
    lab.make("ml", kept)
    assert (lab.prefix("ml") / "share" / "clob.txt").read_text() == f"{kept}\n"
    assert not list(lab.prefix("ml").rglob("__clobbers__/**/*.txt"))


def test_what_pip_has_replaced_is_put_back_by_the_other(pair: Pair) -> None:
    lab = pair.use(pair.first)
    plain = lab.make("ml", "python", "pip", "six")
    lab.machine.pip("ml", "install", "six==1.16.0")
    replaced = exported_by_both(pair, "ml")
    assert replaced.file.pip == ("six==1.16.0",)
    lab = pair.use(pair.second)
    lab.apply("ml", plain.file, plain.lock)
    assert exported_by_both(pair, "ml").file == plain.file
    code = "import six; print(six.__version__)"
    assert lab.machine.python("ml", "-c", code).stdout == "1.15.0\n"


@pytest.mark.parametrize(("old", "new"), [("3.11", "3.12"), ("3.12", "3.11")])
def test_what_is_noarch_moves_with_a_python_of_the_other(
    pair: Pair, tmp_path: Path, old: str, new: str
) -> None:
    channel = Channel(tmp_path / "pythons")
    for version in ("3.11", "3.12"):
        folder = f"lib/python{version}/site-packages"
        channel.add("python", f"{version}.0", files={f"{folder}/README.txt": b""})
    channel.add_noarch_python("data", "1.0")
    channel.write_index()
    pair.lab.machine.environment["CONDA_CHANNELS"] = channel.url
    pair.use(pair.first).make("ml", f"python={old}", "data")
    lab = pair.use(pair.second)
    lab.make("ml", f"python={new}", "data")
    found = lab.prefix("ml").rglob("data/__init__.py")
    assert [path.parts[-4] for path in found] == [f"python{new}"]
    lab.make("fresh", f"python={new}", "data")
    assert tree(lab.prefix("ml")) == tree(lab.prefix("fresh"))
    assert exported_by_both(pair, "ml").lock.packages


def test_conda_works_on_what_rattler_has_made(
    tmp_path: Path, channel: Channel, monkeypatch: pytest.MonkeyPatch
) -> None:
    lab = Lab(tmp_path / "here", monkeypatch, "rattler", channels=[channel.url])
    pair = Pair(lab, "rattler", "conda")
    lab.make("ml", "lib02>=1.0,<1.1", "clob1", "nopy", "python")
    lab.make("ml", "lib02>=1.0,<1.1", "acty", "nopy", "python")
    conda = lab.machine.conda
    listed = conda("list", "-n", "ml").stdout
    assert {"acty", "lib00", "lib01", "lib02", "nopy", "python"} <= set(listed.split())
    assert "clob1" not in listed
    assert str(lab.prefix("ml")) in conda("env", "list").stdout

    conda("install", "-n", "ml", "six", "lib02=1.1")
    conda("remove", "-n", "ml", "nopy")
    assert not list(lab.prefix("ml").rglob("nopy/__init__.py"))
    asked = {"acty": "acty", "lib02": "lib02=1.1", "python": "python", "six": "six"}
    assert lab.requested("ml") == asked
    after = exported_by_both(pair, "ml")
    assert meaning(after.lock.requested) == meaning(tuple(asked.values()))
    revisions = conda("list", "-n", "ml", "--revisions").stdout
    assert [line for line in revisions.split() if line == "(rev"] == ["(rev"] * 4
    assert "-clob1-1.0" in revisions
    wanted = conda("env", "export", "-n", "ml", "--from-history").stdout
    for spec in asked.values():
        assert f"- {spec}\n" in wanted
    doctor = conda("doctor", "-n", "ml").stdout
    assert "There are no packages with missing files." in doctor
    assert "The environment is consistent." in doctor
    assert "The environment is listed in the environments.txt file." in doctor

    # And rattler goes on.
    lab = pair.use("rattler")
    lab.apply("ml", environment("acty"))
    lab.apply("fresh", environment("acty"))
    assert tree(lab.prefix("ml")) == tree(lab.prefix("fresh"))
    conda("install", "-n", "ml", "--revision", "1")
    names = {"acty", "lib00", "lib01", "lib02", "nopy", "python"}
    assert lab.versions("ml").keys() == names


def test_what_conda_has_asked_for_is_read_and_rewritten_by_rattler(
    tmp_path: Path, channel: Channel, monkeypatch: pytest.MonkeyPatch
) -> None:
    lab = Lab(tmp_path / "here", monkeypatch, "rattler", channels=[channel.url])
    pair = Pair(lab, "conda", "rattler")
    conda = lab.machine.conda
    # Not every release keeps more of a channel in a spec than the end of its address.
    from conda.models.match_spec import MatchSpec

    clob1 = str(MatchSpec(f"{channel.url}::clob1"))
    clob1 = clob1 if channel.url in clob1 else "clob1"
    conda("create", "-n", "ml", "lib03>=1.1", "acty=1.0=0", clob1)
    conda("install", "-n", "ml", "lib00=1.0", "lib03=1.0", "lib01=1.0", "lib02=1.0")
    conda("remove", "-n", "ml", "clob1")
    requested = exported_by_both(pair, "ml").lock.requested
    names = ("acty=1.0=0", "lib00=1.0", "lib01=1.0", "lib02=1.0", "lib03=1.0")
    assert meaning(requested) == meaning(names)
    export = pair.use("rattler").export("ml")
    lab.apply("other", export.file, export.lock)
    assert meaning(tuple(lab.requested("other").values())) == meaning(names)
    assert exported_by_both(pair, "other").lock == pair.use("conda").export("ml").lock


def test_an_environment_that_conda_made_comes_back_exactly(
    tmp_path: Path,
    channel: Channel,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
    kinds: tuple[str, str],
) -> None:
    kind = kinds[0]
    there = Lab(tmp_path / "there", monkeypatch, kind, channels=[channel.url])
    there.machine.create("ml", "lib03=1.1", "acty", "nopy")
    there.machine.set_variables("ml", MODE="fast")
    export = there.export("ml")
    here = Lab(tmp_path / "here", monkeypatch, kind, channels=[channel.url])
    capfd.readouterr()
    assert here.apply("ml", export.file, export.lock) == ()
    assert capfd.readouterr() == ("", "")
    assert here.export("ml") == export
    assert here.machine.packages("ml") == there.machine.packages("ml")
    assert here.requested("ml") == there.requested("ml")
    listing = here.machine.conda("env", "config", "vars", "list", "-n", "ml").stdout
    assert listing.split() == ["MODE", "=", "fast"]
