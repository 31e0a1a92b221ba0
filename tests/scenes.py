"""What the pages of the documentation begin with: machines, and who they belong to."""

from __future__ import annotations

from typing import TYPE_CHECKING

from stories import BUCKET, ENDPOINT, blocks

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


def one_person(build: Build) -> Machines:
    """A desk with three environments, and two laptops, one of them just bought."""
    machines = {name: build(name) for name in ("desk", "laptop", "new")}
    machines["desk"].create("ml", "numpy=2.1", "scipy=1.14")
    machines["desk"].create("api", "flask")
    machines["desk"].create("web", "python", "pip")
    return machines


def team(build: Build) -> Machines:
    """Three machines with their site's defaults; one has environments."""
    machines = {name: build(name) for name in ("anna", "ben", "cara")}
    (defaults,) = (block.text for block in blocks("docs/team.rst") if block.language)
    for machine in machines.values():
        machine.environment["CONDA_ROOT"] = str(machine.base)
        (machine.base / "condarc.d").mkdir()
        (machine.base / "condarc.d" / "s3-sync.yml").write_text(defaults)
    machines["anna"].create("team-ml", "numpy=2.1", "scipy=1.14")
    for name in ("team-web", "scratch"):
        machines["anna"].create(name, "numpy")
    return machines


def ci(build: Build) -> Machines:
    """Anna, whose environment is in the bucket; and a runner, who is everybody else."""
    anna, runner = build("anna"), build("runner")
    anna.create("ml", "python")
    anna.create("scratch", "numpy")
    anna.sync_here(f"{BUCKET}/team")
    return {"anna": anna, "": runner}


def read_by_hand(build: Build) -> Machines:
    """A machine whose one environment is in the bucket, with variables and pins."""
    mine = build("mine")
    mine.create("web", "flask", "numpy=2.1")
    mine.set_variables("web", MODE="fast")
    mine.pin("web", "numpy 2.1")
    mine.sync_here(f"{BUCKET}/team")
    return {"": mine}


def security(build: Build) -> Machines:
    """A machine without environments."""
    return {"": build("mine")}


def servers(build: Build) -> Machines:
    """A machine with one environment, and a profile as the page has it."""
    mine = build("mine")
    mine.create("ml", "numpy=2.1")
    endpoint = mine.environment.pop("AWS_ENDPOINT_URL_S3")
    (profile,) = (block.text for block in blocks("docs/servers.rst") if block.language)
    (mine.home / ".aws").mkdir()
    (mine.home / ".aws" / "config").write_text(profile.replace(ENDPOINT, endpoint))
    return {"": mine}


def without_conda(build: Build) -> Machines:
    """A machine with one environment."""
    mine = build("mine")
    mine.create("ml", "numpy")
    return {"": mine}


SCENES: dict[str, Callable[[Build], Machines]] = {
    "README.rst": readme,
    "docs/ci.rst": ci,
    "docs/format.rst": read_by_hand,
    "docs/one-person.rst": one_person,
    "docs/security.rst": security,
    "docs/servers.rst": servers,
    "docs/team.rst": team,
    "docs/without-conda.rst": without_conda,
}
