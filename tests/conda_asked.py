"""What conda itself says of its settings: asked in a process of its own."""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from machine import Machine

ASK = """
import json
import sys
from conda.base.context import context, reset_context

reset_context()  # what a command does first; until then, no file has been read

def answer(name):
    value = context
    for part in name.split("."):
        as_set = f"_{part}"
        wants_it = sys.argv[1] == "as-set" and hasattr(value, as_set)
        value = getattr(value, as_set if wants_it else part)
    return value

def plain(value):
    if isinstance(value, str | bool | int | None):
        return value
    if hasattr(value, "items"):
        return {str(key): plain(item) for key, item in value.items()}
    return [plain(item) for item in value]

json.dump({name: plain(answer(name)) for name in sys.argv[2:]}, sys.stdout)
"""


def ask_conda(machine: Machine, *names: str, as_set: bool = False) -> dict[str, Any]:
    """Return what conda's `context` has under these names, on a machine.

    `as_set`: just what is set, before conda makes more of it. conda is told which
    installation it is, as it would know by its own place.
    """
    command = [sys.executable, "-c", ASK, "as-set" if as_set else "", *names]
    return json.loads(machine.run(*command, CONDA_ROOT=str(machine.base)).stdout)
