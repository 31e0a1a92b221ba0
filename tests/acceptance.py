"""What end-to-end tests do again and again: sync twice, compare machines, plant."""

from __future__ import annotations

import json
import re
import shlex
import shutil
from ast import literal_eval
from typing import TYPE_CHECKING, Any

from conda_here import HAS_CONDA
from hand_made import write_variables

if TYPE_CHECKING:
    import subprocess
    from collections.abc import Container, Iterable
    from pathlib import Path

    from machine import Machine
    from s3server import S3Server

#: POSIX spelling: without a time zone database, a name would silently mean UTC.
ZONES = {"Sao_Paulo": "<-03>3", "Tokyo": "JST-9", "UTC": "UTC0"}

#: What was asked for, in a history, whoever has written that.
REQUESTS = re.compile(r"^# (\w+) specs: (\[.*\])$", re.MULTILINE)

#: All that a run may ask of S3 when nothing has changed.
NOTHING_TO_DO = {"LIST": 1}


def sync_twice(
    machine: Machine, s3: S3Server, *arguments: str | Path
) -> subprocess.CompletedProcess[str]:
    """Run our command, see that a second run has nothing to do; return the first.

    Nothing: one request, and one line.
    """
    first = machine.sync_here(*arguments)
    sync_nothing(machine, s3, *arguments)
    return first


def sync_nothing(machine: Machine, s3: S3Server, *arguments: str | Path) -> None:
    """Run our command, and see that it has nothing to do."""
    before = stamps(machine)
    s3.requests.clear()
    said = machine.sync_here(*arguments)
    assert s3.counts() == NOTHING_TO_DO, said.stdout
    assert " in step" in said.stdout
    assert said.stdout.count("\n") == 1, said.stdout
    assert said.stderr == ""
    assert stamps(machine) == before


def sync_json(machine: Machine, *arguments: str | Path, code: int = 0) -> Any:
    """Run our command with --json; return the one document that is on stdout."""
    done = machine.sync_here(*arguments, "--json", check=False)
    assert done.returncode == code, done.stdout + done.stderr
    return json.loads(done.stdout)


def actions(document: Any) -> dict[str, str]:
    """Return what was done about each environment, from the document of a run."""
    return {
        entry["name"]: "failed" if "error" in entry else entry["action"]
        for entry in document["environments"]
    }


def content(machine: Machine, name: str) -> dict[str, Any]:
    """Return all that an environment is, to whoever uses it."""
    variables = machine.variables(name).items()
    return {
        "packages": machine.packages(name),
        "requested": requested(machine, name),
        "pip": machine.pip_packages(name),
        # What conda leaves of a variable that was unset is no variable.
        "variables": {key: text for key, text in variables if text != "***unset***"},
        "pinned": machine.pins(name),
    }


def contents(machine: Machine) -> dict[str, dict[str, Any]]:
    """Return all that a machine has; base is not asked."""
    return {name: content(machine, name) for name in machine.environments()}


def requested(machine: Machine, name: str) -> list[str]:
    """Return the specs that were asked for: as conda reads them, where there is one."""
    if not HAS_CONDA:
        return _requested_in(machine.history(name), machine.packages(name))
    from conda.core.prefix_data import PrefixData
    from conda.history import History

    PrefixData._cache_.clear()  # other processes have changed the environment
    specs = History(str(machine.prefix(name))).get_requested_specs_map()
    return sorted(map(str, specs.values()))


def _requested_in(history: Path, packages: Container[str]) -> list[str]:
    """Return the specs that a history tells of, of packages that are there."""
    specs: dict[str, str] = {}
    for action, words in REQUESTS.findall(history.read_text()):
        for spec in literal_eval(words):
            specs[spec_name(spec)] = "" if action == "remove" else spec
    return sorted(spec for name, spec in specs.items() if spec and name in packages)


def spec_name(spec: str) -> str:
    """Return the package of a spec, as far as those of our tests go."""
    return re.split(r"[\s=<>!~\[]", spec.rpartition("::")[2], maxsplit=1)[0]


def complaint(machine: Machine, error: Any) -> str:
    """Return the first line of an error as people see it, from that of a document."""
    who = error["type"] if machine.kind == "conda" else machine.command
    return f"{who}: {error['message']}"


def stamps(machine: Machine) -> dict[str, int]:
    """Return when the history of each environment was written, in nanoseconds."""
    names = machine.environments()
    return {name: machine.history(name).stat().st_mtime_ns for name in names}


def plant(original: Machine, name: str, *machines: Machine) -> None:
    """Copy an environment to other machines, which makes it theirs, fast.

    Their conda would have made the same: nothing in it tells where it is.
    """
    for machine in machines:
        shutil.copytree(original.prefix(name), machine.prefix(name), symlinks=True)


def spread(original: Machine, names: Iterable[str], *machines: Machine) -> None:
    """Give machines environments of these names: what is in `libs`, and a variable.

    No two of them have the same content.
    """
    for name in names:
        for machine in machines:
            shutil.copytree(original.prefix("libs"), machine.prefix(name))
            write_variables(machine.prefix(name), {"NAME": name})


def bring_back(machine: Machine, said: str) -> list[str]:
    """Return the arguments of the one command that brings a version back."""
    (command,) = re.findall(r"to bring it back: (.*)$", said, re.MULTILINE)
    assert command.startswith(f"{machine.command} ")
    return shlex.split(command.removeprefix(machine.command))


def bodies(s3: S3Server, bucket: str) -> dict[str, bytes]:
    """Return all objects of a bucket."""
    return {
        key: s3.client.get_object(Bucket=bucket, Key=key)["Body"].read()
        for key in s3.keys(bucket)
    }


def history(s3: S3Server, bucket: str, name: str) -> list[str]:
    """Return all versions of an environment in the history, the oldest first."""
    folder = f".s3-sync/{name}/"
    return [
        body.decode()
        for key, body in sorted(bodies(s3, bucket).items())
        if folder in key and key.endswith(".yml")
    ]


def put(s3: S3Server, bucket: str, key: str, text: str, **metadata: str) -> None:
    """Write an object as a person would, or another program."""
    s3.client.put_object(Bucket=bucket, Key=key, Body=text.encode(), Metadata=metadata)


def tree(folder: Path) -> dict[str, tuple[int, int]]:
    """Return all that is below a folder, with size and time: who writes changes it."""
    return {
        path.relative_to(folder).as_posix(): (stat.st_size, stat.st_mtime_ns)
        for path in folder.rglob("*")
        if (stat := path.lstat())
    }
