"""What each operation asks of S3: money and time, on a bucket of many machines."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from acceptance import spread
from following import set_up
from hand_made import write_variables
from request_counts import COSTS, spent

if TYPE_CHECKING:
    from collections.abc import Callable

    from machine import Machine
    from s3server import S3Server

    Build = Callable[..., Machine]
    Costs = Callable[..., None]


@pytest.fixture
def costs(s3: S3Server, bucket: str) -> Costs:
    """Run our command on a machine: `costs(what, machine, flag ..., of=number)`."""

    def check(what: str, machine: Machine, *flags: str, of: int = 1) -> None:
        s3.requests.clear()
        machine.sync_here(bucket, *flags, check=False)
        assert spent(s3) == COSTS[what].of(of), what

    return check


@pytest.fixture
def pair(
    original: Machine, machine: Build, costs: Costs, bucket: str
) -> tuple[Machine, Machine]:
    """Two machines that have the environments `ml` and `web`, in step."""
    a, b = machine("a"), machine("b")
    spread(original, ["ml", "web"], a, b)
    for each in (a, b):
        each.sync_here(bucket)
    return a, b


def change(machine: Machine, number: int) -> None:
    """Change an environment."""
    write_variables(machine.prefix("ml"), {"NUMBER": str(number)})


@pytest.mark.parametrize("number", [1, 4])
def test_what_is_new_costs_a_few_requests_each_and_what_is_known_none(
    number: int, original: Machine, machine: Build, costs: Costs
) -> None:
    names = [f"env{index}" for index in range(number)]
    a, b, c = map(machine, "abc")
    spread(original, names, a, c)
    costs("first push", a, of=number)
    costs("pull", b, of=number)
    costs("the same on both sides", c, of=number)
    for each in (a, b, c):
        costs("nothing to do", each)


def test_a_change_costs_what_it_is_about_alone(
    pair: tuple[Machine, Machine], costs: Costs
) -> None:
    a, b = pair
    change(a, 1)
    costs("push of a change", a)
    for flag in ("--dry-run", "--diff"):
        costs("``--dry-run``, ``--diff``", b, flag)
    costs("pull", b)


def test_a_conflict_costs_more_because_both_sides_are_kept(
    pair: tuple[Machine, Machine], costs: Costs, bucket: str
) -> None:
    a, b = pair
    change(a, 1)
    a.sync_here(bucket)
    change(b, 2)
    costs("conflict, left", b, "--prefer", "none")
    costs("conflict, won here", b, "--prefer", "local")
    change(a, 3)
    costs("conflict, won there", a, "--prefer", "remote")
    for machine in pair:
        costs("nothing to do", machine)


def test_the_history_costs_a_request_for_each_version(
    pair: tuple[Machine, Machine], costs: Costs, bucket: str
) -> None:
    a, _ = pair
    for number in (1, 2):
        change(a, number)
        a.sync_here(bucket)
    costs("``--history``", a, "--history", "ml", of=3)
    costs("``--restore``", a, "--restore", "ml", of=3)
    costs("nothing to do", a)


def test_a_deletion_costs_a_look_at_the_history(
    pair: tuple[Machine, Machine], costs: Costs
) -> None:
    a, b = pair
    a.remove("web")
    costs("``--delete``, removed here", a, "--delete")
    costs("``--delete``, removed there", b, "--delete", "-y")
    for machine in pair:
        costs("nothing to do", machine)


@pytest.mark.conda
def test_what_follows_a_command_costs_as_much_as_a_push(
    machine: Build, s3: S3Server, bucket: str
) -> None:
    a = set_up(machine("a"), bucket)
    a.conda("create", "-n", "ml", "lib00=1.0")
    s3.requests.clear()
    a.conda("install", "-n", "ml", "lib00=1.1")
    assert spent(s3) == COSTS["push of a change"].of(1)
