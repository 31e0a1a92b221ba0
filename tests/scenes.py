"""What the pages of the documentation begin with: machines, and who they belong to."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    from machine import Machine

    Build = Callable[..., Machine]
    Machines = dict[str, Machine]  # by the name in the prompt


def readme(build: Build) -> Machines:
    """Anna's machine with three environments, and Ben's with none."""
    anna, ben = build("anna"), build("ben")
    anna.create("ml", "numpy=2.1", "scipy=1.14")
    for name in ("api", "web"):
        anna.create(name, "numpy")
    return {"anna": anna, "ben": ben}


SCENES: dict[str, Callable[[Build], Machines]] = {"README.rst": readme}
