"""The command `conda-s3-sync`, as processes on machines without conda."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from acceptance import tree
from machine import PYTHONS
from standalone import command, complaint, document, plant

from conda_s3_sync_plugin import __version__

if TYPE_CHECKING:
    from collections.abc import Callable

    from machine import Machine
    from s3server import S3Server

    Build = Callable[..., Machine]

# fmt: off
FLAGS = {
    "--name", "--path-filter", "--include-root-env", "--conda-bin",
    "--push-only", "--pull-only", "--prefer", "--no-prune", "--force",
    "--profile", "--region", "--endpoint-url",
    "--dry-run", "--json", "--quiet", "--verbose", "--yes", "--offline", "--help",
    "--version",
}
# fmt: on


@pytest.fixture
def a(machine: Build, without_conda: None) -> Machine:
    """A machine without conda and without environments."""
    return machine("a", kind="standalone")


@pytest.mark.parametrize("door", ["module", "script"])
def test_environments_travel_whichever_way_it_is_called(
    door: str, a: Machine, s3: S3Server, bucket: str
) -> None:
    script = Path(PYTHONS["standalone"]).parent / "conda-s3-sync"
    ours = [script] if door == "script" else command(a)
    plant(s3, bucket, a, "ml", "lib00=1.0")
    done = a.run(*ours, bucket)
    assert re.fullmatch(
        r"pull  ml  new in the bucket, changed just now\n"
        rf"s3://{bucket} at {s3.endpoint}: 1 pulled\n",
        done.stdout,
    )
    assert done.stderr == ""
    assert a.packages("ml")["lib00"][0] == "1.0"
    assert a.run(*ours, bucket).stdout.endswith(": 1 in step\n")


def test_the_help_shows_every_flag_the_exit_codes_and_an_example(a: Machine) -> None:
    text = a.sync("--help").stdout
    assert set(re.findall(r"(?<!\S)--[a-z-]+", text)) >= FLAGS
    assert text.startswith("usage: conda-s3-sync ")
    assert "conda-s3-sync my-bucket/team -n ml" in text
    assert "3  stopped by a safety check" in text
    assert a.sync("-h").stdout == text


def test_the_version_is_told(a: Machine) -> None:
    assert a.sync("-V").stdout == f"conda-s3-sync-plugin {__version__}\n"
    assert a.sync("--version").stdout == a.sync("-V").stdout


@pytest.mark.parametrize(
    "arguments",
    [
        ["--prefer", "oldest"],
        ["--push-only", "--pull-only"],
        ["one", "two"],
        ["--nonsense"],
    ],
    ids=lambda arguments: arguments[0],
)
def test_wrong_options_end_with_2(arguments: list[str], a: Machine) -> None:
    done = a.sync(*arguments, check=False)
    assert (done.returncode, done.stdout) == (2, "")
    assert "conda-s3-sync: error: " in done.stderr


def test_a_dry_run_writes_nothing_at_all(a: Machine, s3: S3Server, bucket: str) -> None:
    plant(s3, bucket, a, "new", "lib00")
    before, keys = tree(a.root), s3.keys(bucket)
    done = a.sync(bucket, "-d")
    assert "pull  new  " in done.stdout
    assert done.stdout.endswith("1 to pull\n")
    assert tree(a.root) == before
    assert s3.keys(bucket) == keys


def test_offline_not_one_request_is_made(a: Machine, s3: S3Server, bucket: str) -> None:
    first, hint = complaint(a, bucket, "--offline")
    assert "is to stay offline" in first
    assert "--offline" in hint
    assert s3.requests == []


def test_exit_codes_tell_how_it_went(a: Machine, s3: S3Server, bucket: str) -> None:
    plant(s3, bucket, a, "good", "lib00")
    plant(s3, bucket, a, "bad", "no-such-package")
    done = a.sync(bucket, check=False)
    assert done.returncode == 1
    assert done.stdout.startswith("pull  good  ")
    assert done.stderr.startswith("fail  bad   no-such-package ")
    assert [entry.get("error", {}).get("type") for entry in (
        document(a, bucket, code=1)["environments"]
    )] == ["EngineError", None]  # fmt: skip
    # A bucket that has lost all that was known is a matter for a person.
    plant(s3, bucket, a, "bad", "lib01")
    a.sync(bucket)
    for key in s3.keys(bucket):
        s3.client.delete_object(Bucket=bucket, Key=key)
    (first, *_) = complaint(a, bucket, code=3)
    assert document(a, bucket, code=3)["error"]["message"] in first
    assert a.sync(bucket, "--force").returncode == 0


def test_it_says_as_much_as_it_is_asked_to(
    a: Machine, s3: S3Server, bucket: str
) -> None:
    plant(s3, bucket, a, "ml", "lib00")
    assert a.sync(bucket, "-q").stdout == ""
    assert a.sync(bucket).stdout.count("\n") == 1
    assert a.sync(bucket, "-v").stdout.splitlines()[0].split()[1] == "ml"
    for flags in (["-v"], ["-v", "-v"], ["-vv"]):
        done = a.sync("no-such-bucket", *flags, check=False)
        assert ("Traceback" in done.stderr) == (flags != ["-v"])
        assert done.stderr.splitlines()[-2].startswith("conda-s3-sync: Cannot list")


#: A door behind which something has gone wrong that nobody has thought of.
BROKEN = """
import sys
from conda_s3_sync_plugin import __main__, commands
def broken(*args):
    raise ZeroDivisionError("by a\\ntest")
commands.begin = broken
__main__.run()
"""


def run_python(
    machine: Machine, code: str, *arguments: str
) -> subprocess.CompletedProcess[str]:
    python = PYTHONS["standalone"]
    return machine.run(python, "-c", code, *arguments, check=False)


def test_a_mistake_of_ours_is_two_lines(a: Machine) -> None:
    done = run_python(a, BROKEN, "bucket")
    first, hint = done.stderr.splitlines()
    assert (done.returncode, done.stdout) == (1, "")
    assert first == "conda-s3-sync: ZeroDivisionError: by a test"
    assert "-vv shows where" in hint
    done = run_python(a, BROKEN, "bucket", "-vv")
    assert done.stderr.startswith("Traceback")
    done = run_python(a, BROKEN, "bucket", "--json")
    assert (done.returncode, done.stderr) == (1, "")
    assert json.loads(done.stdout)["error"]["type"] == "ZeroDivisionError"


#: Something has gone wrong about one environment that nobody has thought of.
BROKEN_FOR_ONE = """
from conda_s3_sync_plugin import __main__, pull
def broken(*args, **options):
    raise ZeroDivisionError("near https://joe:s3cret@h.org/x")
pull.Puller.pull = broken
__main__.run()
"""


def test_where_a_mistake_about_one_environment_is_can_be_seen(
    a: Machine, s3: S3Server, bucket: str
) -> None:
    plant(s3, bucket, a, "ml", "lib00")
    for flags, is_shown in ((["-v"], False), (["-vv"], True)):
        done = run_python(a, BROKEN_FOR_ONE, bucket, *flags)
        assert done.returncode == 1
        assert ("Traceback" in done.stderr) is is_shown
        assert "fail  ml  ZeroDivisionError" in done.stderr
    assert "s3cret" not in done.stderr.split("fail  ml")[0]


def test_without_conda_and_py_rattler_both_ways_to_get_one_are_named(
    a: Machine, bucket: str
) -> None:
    code = "import sys; sys.modules['rattler'] = None; "
    code += "from conda_s3_sync_plugin.__main__ import run; run()"
    done = run_python(a, code, bucket)
    first, hint = done.stderr.splitlines()
    assert (done.returncode, done.stdout) == (1, "")
    assert "neither a conda (25.11 or newer) here nor py-rattler" in first
    assert "conda install -n base conda-s3-sync-plugin" in hint
    assert "pip install 'conda-s3-sync-plugin[standalone]'" in hint
    assert run_python(a, code, "--help").returncode == 0


@pytest.mark.parametrize(
    ("text", "has_cli"),
    [
        ("__version__ = '4.3.16'", True),
        ("__version__ = '25.9.1'", True),
        ("__version__ = None", True),
        ("", True),
        ("__version__ = '26.9.0'", False),
        ("raise RuntimeError('broken')", True),
    ],
)
def test_a_conda_that_is_too_old_or_broken_is_not_used(
    text: str, has_cli: bool, a: Machine, bucket: str
) -> None:
    folder = a.home / "site" / "conda"
    (folder / "cli").mkdir(parents=True)
    (folder / "__init__.py").write_text(text)
    if has_cli:
        (folder / "cli" / "main.py").write_text("def main(*args):\n    return 99\n")
    paths = (str(folder.parent), a.environment.get("PYTHONPATH", ""))
    done = a.run(*command(a), bucket, PYTHONPATH=os.pathsep.join(filter(None, paths)))
    assert (done.stdout.count("\n"), done.stderr) == (1, "")
    assert done.stdout.endswith(": 0 in step\n")


@pytest.mark.conda
def test_where_there_is_a_conda_it_is_that_one_s_command(
    machine: Build, s3: S3Server, bucket: str
) -> None:
    here = machine("here", kind="conda")
    plant(s3, bucket, here, "ml", "lib00")
    ours = [sys.executable, "-m", "conda_s3_sync_plugin"]
    assert here.run(*ours, bucket).stdout.count("pull  ml  ") == 1
    assert "cmd: conda-s3-sync" not in here.history("ml").read_text()
    for line in f"{bucket}|{bucket} --json|x --offline --json|none||-V|-h|-x".split(
        "|"
    ):
        arguments = line.split()
        one = here.run(*ours, *arguments, check=False)
        other = here.sync(*arguments, check=False)
        assert (one.returncode, one.stdout, one.stderr) == (
            other.returncode,
            other.stdout,
            other.stderr,
        ), arguments


@pytest.mark.parametrize("module", ["cli", "sync", "plan", "report", "engines.places"])
def test_nothing_but_the_doors_knows_conda_or_rattler(module: str) -> None:
    code = f"import sys, conda_s3_sync_plugin.{module}; "
    # Where there is a conda, the tree of errors hangs from its own.
    code += "print({'rattler', 'conda.base', 'conda.cli'} & set(sys.modules))"
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    assert done.stdout == "set()\n"
