"""What pip has put into an environment goes with the python that it was for."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import pytest
from hand_made import SITE, add_distribution, add_record, make_prefix

from conda_s3_sync_plugin.engines.leftovers import none_left

if TYPE_CHECKING:
    from pathlib import Path

BEFORE = ".".join(map(str, sys.version_info[:2]))
OTHER = f"{BEFORE}1"

#: What pip has written of `hello`: modules, a script, metadata; and what never arrived.
HELLO = (
    f"{SITE}/hello/__init__.py",
    f"{SITE}/hello/data/words.txt",
    f"{SITE}/__pycache__/alone.cpython-3.pyc",
    f"{SITE}/alone.py",
    "bin/hello",
    "bin/shared",
    "share/man/hello.1",
)


def install(prefix: Path, name: str, *files: str, **details: object) -> Path:
    """Write files, and what pip tells of them."""
    info = add_distribution(prefix, name, "1.0", **details)
    for file in files:
        path = prefix / file
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(name)
    up = "../" * (SITE.count("/") + 1)
    lines = [f"{up}{file},,\n" for file in (*files, "bin/never", "../outside")]
    lines += [f"{info.name}/{file.name},,\n" for file in info.iterdir()]
    (info / "RECORD").write_text("".join([*lines, f"{info.name}/RECORD,,\n"]))
    return info


@pytest.fixture
def prefix(tmp_path: Path) -> Path:
    """An environment with a python, and with `hello` and `here` from pip."""
    prefix = make_prefix(tmp_path / "env")
    add_record(prefix, "python", f"{BEFORE}.0")
    (prefix / SITE).mkdir(parents=True)
    install(prefix, "hello", *HELLO)
    compiled = prefix / SITE / "hello/__pycache__/__init__.cpython-3.pyc"
    compiled.parent.mkdir()
    compiled.touch()  # by python, when it was first used
    direct = {"url": "file:///src/here", "dir_info": {"editable": True}}
    install(prefix, "here", f"{SITE}/here.pth", direct=direct)
    (tmp_path / "outside").write_text("not ours")
    return prefix


def files(prefix: Path) -> set[str]:
    """Return all files and folders but what conda keeps."""
    found = {path.relative_to(prefix).as_posix() for path in prefix.rglob("*")}
    return {path for path in found if not path.startswith("conda-meta")}


def remove_python(prefix: Path) -> None:
    """Take the record away: the python is gone for conda."""
    (prefix / "conda-meta" / f"python-{BEFORE}.0-0.json").unlink()


def test_with_the_python_all_goes_but_what_is_of_here_alone(prefix: Path) -> None:
    with none_left(prefix):
        remove_python(prefix)
    info = f"{SITE}/here-1.0.dist-info"
    assert files(prefix) == {
        *("lib", SITE.rpartition("/")[0], SITE, f"{SITE}/here.pth"),
        *(info, f"{info}/METADATA", f"{info}/RECORD", f"{info}/direct_url.json"),
    }
    assert (prefix.parent / "outside").exists()


def test_with_another_python_all_goes_and_what_is_conda_s_by_now_stays(
    prefix: Path,
) -> None:
    with none_left(prefix):
        remove_python(prefix)
        add_record(prefix, "python", f"{OTHER}.0")
        add_record(prefix, "shared", files=["bin/shared"])
        (prefix / f"lib/python{OTHER}/site-packages").mkdir(parents=True)
    left = files(prefix)
    assert "bin/shared" in left
    assert not {"bin/hello", "share", f"{SITE}/hello", f"{SITE}/alone.py"} & left


def test_while_the_python_stays_so_does_everything(prefix: Path) -> None:
    before = files(prefix)
    with none_left(prefix):
        add_record(prefix, "more")
    assert files(prefix) == before


def test_what_fails_removes_nothing(prefix: Path) -> None:
    before = files(prefix)

    def fail() -> None:
        with none_left(prefix):
            remove_python(prefix)
            raise KeyError

    with pytest.raises(KeyError):
        fail()
    assert files(prefix) == before


def test_what_pip_says_of_its_files_may_be_damaged(prefix: Path) -> None:
    record = prefix / SITE / "hello-1.0.dist-info" / "RECORD"
    record.write_bytes(b"hello.py,sha256=1,many\n\xff")
    with none_left(prefix):
        remove_python(prefix)
    assert "bin/hello" in files(prefix)


def test_where_there_is_nothing_nothing_is_looked_for(tmp_path: Path) -> None:
    with none_left(tmp_path / "new"):
        prefix = make_prefix(tmp_path / "new")
    assert files(prefix) == set()
