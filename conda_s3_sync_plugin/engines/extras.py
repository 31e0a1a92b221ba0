"""What of an environment is neither conda's nor pip's: variables, pins, the time."""

from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING, Any, Final

from ..atomic import replace_file
from .prefix import UNSET, pinned, to_ns, variables
from .privacy import private_variables

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping
    from datetime import datetime
    from pathlib import Path

#: conda itself does not let an environment set these. Nor do we in other letters: to
#: Windows those are the same, and zsh ties its `path` to it.
_RESERVED: Final = ("PATH",)


def mirror_variables(
    prefix: Path, want: Mapping[str, str], *, secrets: bool, prune: bool
) -> list[str]:
    """Set an environment's variables; with `prune`, unset others.

    Those of this machine alone stay; without `secrets`, so do those that look like one.
    Return in words what differs.
    """
    have = variables(prefix)
    private = private_variables(have, secrets=secrets)
    stay = {name: have[name] for name in have if name in private or not prune}
    mine = {name: have[name] for name in private}
    left_out = [name for name in want if name.upper() in _RESERVED]
    values = {**stay, **want, **mine}
    values = {name: values[name] for name in sorted(values) if name not in left_out}
    if values != have:
        _write_variables(prefix / "conda-meta" / "state", values)
    notes = [
        f"variable {name} stays as it is here: {why}"
        for name, why in private.items()
        if want.get(name, have[name]) != have[name]
    ]
    return notes + [
        f"variable {name} is left out: it is where programs are" for name in left_out
    ]


def _write_variables(path: Path, values: Mapping[str, str]) -> None:
    """Write the state file of an environment, with what else conda keeps in it."""
    state: dict[str, Any] = {"version": 1}
    if path.exists():
        state = json.loads(path.read_bytes())
    # These hide variables that packages or outer environments set.
    hidden = {
        name: value
        for name, value in state.get("env_vars", {}).items()
        if value == UNSET
    }
    state["env_vars"] = {**hidden, **values}
    replace_file(path, json.dumps(state, indent=2).encode())


def mirror_pinned(
    prefix: Path, want: Iterable[str], is_spec: Callable[[str], bool], *, prune: bool
) -> list[str]:
    """Pin what an environment shall keep; with `prune`, only that.

    Return in words what differs: conda would refuse to change an environment where it
    cannot read a pin.
    """
    have = pinned(prefix)
    lines = {" ".join(line.split()) for line in want}
    unreadable = {line for line in lines - set(have) if not is_spec(line)}
    new = sorted((lines - unreadable) | set(() if prune else have))
    path = prefix / "conda-meta" / "pinned"
    if new and new != have:
        replace_file(path, "".join(f"{line}\n" for line in new).encode())
    elif not new:
        path.unlink(missing_ok=True)
    return [f"pin {line} is left out: no spec" for line in sorted(unreadable)]


def set_modified(prefix: Path, modified: datetime) -> None:
    """Give an environment the time of the version that it now holds."""
    nanoseconds = to_ns(modified)
    os.utime(prefix / "conda-meta" / "history", ns=(nanoseconds, nanoseconds))
