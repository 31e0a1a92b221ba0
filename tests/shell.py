"""What the documentation tells people to type, run on a machine of a test.

Whatever is not known here is a failure: a page must not show what nobody has tried.
"""

from __future__ import annotations

import re
import shlex
from importlib.metadata import metadata
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml
from aws_cli import run_aws
from packaging.requirements import Requirement

if TYPE_CHECKING:
    from machine import Machine

MAKEFILE = Path(__file__).resolve().parents[1] / "Makefile"
OURS = "conda-s3-sync-plugin"


def run(machine: Machine, words: list[str], s3: Any, *, must_work: bool) -> str | None:
    """Run a command on a machine; return what it says, if it is run and says anything.

    `s3`: the client of boto3 by which the AWS CLI works. `must_work`: it has to exit
    with 0.
    """
    match words:
        case ["conda", "s3-sync", *rest] | ["conda-s3-sync", *rest]:
            return machine.sync_here(*rest, check=must_work, merged=True).stdout
        case ["conda" | "pip", "install", *_, requirement] if OURS in requirement:
            check_requirement(requirement)
        case ["conda", "run", "-n", name, "python", *rest]:
            # Not by conda: that of a test has no installation to activate from.
            return machine.python(name, *rest).stdout
        case ["conda", *rest]:
            return run_conda(machine, rest, must_work=must_work)
        case ["aws", *rest]:
            return run_aws(s3, rest, machine.home)
        case ["make", target]:
            assert re.search(rf"^\.PHONY:.* {target}( |$)", MAKEFILE.read_text(), re.M)
        case ["export", pair]:
            name, _, value = pair.partition("=")
            machine.environment[name] = value.replace("$HOME", str(machine.home))
        case [program, *rest] if program.startswith("~/"):
            return machine.run(machine.home / program[2:], *rest).stdout
        case _:
            raise AssertionError(f"no test knows how to run: {shlex.join(words)}")
    return None


def run_conda(machine: Machine, words: list[str], *, must_work: bool) -> str | None:
    """Run `conda WORDS`, or what does the same where there is none.

    What only a plugin of conda shows, and what conda alone can do, is left out there.
    """
    match words:
        case ["create" | "install" | "remove" | "rename", *_]:
            is_change = True
        case ["env", "config", "vars", "set", *_]:
            is_change = True
        case ["config", "--set", name, value]:
            is_change = False
            if machine.kind != "conda":
                set_for_good(machine, name, value)
        case ["doctor" | "export", *_] | ["env", "create", *_]:
            is_change = False
        case _:
            raise AssertionError(f"no test knows how to run: conda {shlex.join(words)}")
    if machine.kind == "conda":
        done = machine.conda(*words, check=must_work)
        return done.stdout + done.stderr
    if is_change:
        machine.manage(*words)
    return None


def check_requirement(text: str) -> None:
    """See that what is to be installed is us, with an extra that we have."""
    ours, requirement = metadata(OURS), Requirement(text)
    assert requirement.name == ours["Name"]
    assert requirement.extras <= set(ours.get_all("Provides-Extra") or ())


def set_for_good(machine: Machine, name: str, value: str) -> None:
    """Set what is below a group in .condarc, as conda would."""
    path = machine.home / ".condarc"
    settings = yaml.safe_load(path.read_text()) if path.exists() else {}
    group, _, key = name.partition(".")
    machine.write_condarc(**settings | {group: {**settings.get(group, {}), key: value}})
