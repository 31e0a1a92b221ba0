"""What people read of a run, line by line."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta, timezone
from io import StringIO
from typing import TYPE_CHECKING

import pytest

from conda_s3_sync_plugin.exceptions import EngineError, StoreError
from conda_s3_sync_plugin.models import Outcome, Result, Step
from conda_s3_sync_plugin.report import Lines, age, is_success, summary
from conda_s3_sync_plugin.words import Action

if TYPE_CHECKING:
    from collections.abc import Sequence

NOW = datetime(2026, 5, 4, 12, tzinfo=timezone.utc)
AGO = NOW - timedelta(hours=2)
HERE = "s3://bucket/team"


def step(action: Action, reason: str = "why", name: str = "ml", **more: object) -> Step:
    return Step(name, action, reason, 1, **more)  # type: ignore[arg-type]


class Bar:
    """A progress bar that writes what it is told."""

    def __init__(self, out: StringIO, description: str) -> None:
        self.out = out
        self.out.write(f"[{description}]\n")

    def update_to(self, fraction: float) -> None:
        self.out.write(f"[{fraction:.2f}]\n")

    def close(self) -> None:
        self.out.write("[end]\n")


def tell(
    *outcomes: Outcome,
    planned: Sequence[Step] = (),
    warnings: tuple[str, ...] = (),
    dry_run: bool = False,
    quiet: bool = False,
    verbose: bool = False,
    bar: bool = False,
) -> tuple[str, str]:
    """Return what a run writes to stdout and to stderr."""
    out, err = StringIO(), StringIO()
    lines = Lines(
        quiet=quiet,
        verbose=verbose,
        bar=(lambda description: Bar(out, description)) if bar else None,
        out=out,
        err=err,
        now=NOW,
    )
    lines.plan(planned or [outcome.step for outcome in outcomes])
    for outcome in () if dry_run else outcomes:
        lines.start(outcome.step)
        lines.finish(outcome)
    lines.end(Result(HERE, outcomes, warnings, dry_run))
    return out.getvalue(), err.getvalue()


LINES = {
    Action.PUSH: ("push  ml  new here, changed 2 hours ago\n", "1 pushed"),
    Action.PULL: ("pull  ml  new here, changed 2 hours ago\n", "1 pulled"),
    Action.HOLD: ("hold  ml  new here, changed 2 hours ago\n", "1 held back"),
    Action.ADOPT: ("", "1 in step"),
    Action.NOTHING: ("", "1 in step"),
    Action.FORGET: ("", "0 in step"),
    Action.DELETE_LOCAL: (
        "delete-local  ml  new here, changed 2 hours ago\n",
        "1 removed here",
    ),
    Action.DELETE_REMOTE: (
        "delete-remote  ml  new here, changed 2 hours ago\n",
        "1 removed from the bucket",
    ),
}


@pytest.mark.parametrize("action", LINES)
def test_a_change_is_one_line_and_a_run_one_more(action: Action) -> None:
    line, count = LINES[action]
    outcome = Outcome(step(action, "new here", modified=AGO))
    assert tell(outcome) == (f"{line}{HERE}: {count}\n", "")


@pytest.mark.parametrize("action", [Action.CONFLICT, Action.SKIP])
def test_what_somebody_should_look_at_goes_to_stderr(action: Action) -> None:
    outcome = Outcome(step(action, "changed on both sides", hint="Choose."))
    out, err = tell(outcome)
    below = " " * len(f"{action}  ml  ")
    assert err == f"{action}  ml  changed on both sides\n{below}Choose.\n"
    count = {"conflict": "1 in conflict", "skip": "1 skipped"}[action]
    assert out == f"{HERE}: {count}\n"


def test_what_has_failed_goes_to_stderr_with_its_hint() -> None:
    error = StoreError("S3 refused.", hint="Ask for s3:PutObject.")
    outcome = Outcome(
        step(Action.PUSH, modified=AGO, hint="of the plan"), ("half",), error
    )
    assert tell(outcome) == (
        f"{HERE}: 1 failed\n",
        "fail  ml  S3 refused.\n          half\n          Ask for s3:PutObject.\n",
    )


def test_what_nobody_expected_to_fail_is_told_too() -> None:
    outcome = Outcome(step(Action.NOTHING), error=OSError("no disk"))
    assert tell(outcome) == (
        f"{HERE}: 1 failed\n",
        "fail  ml  OSError: no disk\n"
        "    That is a mistake of conda s3-sync; -vv shows where.\n",
    )


def test_notes_and_hints_stand_below_their_line() -> None:
    outcome = Outcome(
        step(Action.PULL, hint="Delete it there."), ("a is left out", "b is older")
    )
    assert tell(outcome)[0] == (
        "pull  ml  why\n"
        "          a is left out\n"
        "          b is older\n"
        "          Delete it there.\n"
        f"{HERE}: 1 pulled\n"
    )


def test_columns_are_as_wide_as_what_is_shown() -> None:
    outcomes = [
        Outcome(step(Action.NOTHING, name="x" * 40)),
        Outcome(step(Action.PUSH, "new here", name="a")),
        Outcome(step(Action.SKIP, "locked", name="abcd")),
    ]
    out, err = tell(*outcomes)
    assert out == f"push  a     new here\n{HERE}: 1 pushed, 1 skipped, 1 in step\n"
    assert err == "skip  abcd  locked\n"


def test_with_verbose_every_environment_has_a_line() -> None:
    outcomes = [
        Outcome(step(Action.NOTHING, "in step", "a", modified=AGO)),
        Outcome(step(Action.ADOPT, "the same on both sides", "b")),
        Outcome(step(Action.FORGET, "removed on both sides", "c")),
    ]
    assert tell(*outcomes, verbose=True)[0] == (
        "nothing  a  in step, changed 2 hours ago\n"
        "adopt    b  the same on both sides\n"
        "forget   c  removed on both sides\n"
        f"{HERE}: 2 in step\n"
    )


def test_with_quiet_only_trouble_is_told() -> None:
    outcomes = [
        Outcome(step(Action.PUSH, name="a")),
        Outcome(step(Action.PULL, name="b"), error=EngineError("No solution.")),
        Outcome(step(Action.CONFLICT, name="c")),
    ]
    out, err = tell(*outcomes, quiet=True, warnings=("x.yml is left alone",))
    assert out == ""
    assert err == (
        "fail      b  No solution.\nconflict  c  why\nwarning: x.yml is left alone\n"
    )


def test_a_dry_run_tells_what_would_be_done() -> None:
    outcomes = [
        Outcome(step(Action.PUSH, "new here", "a", modified=AGO)),
        Outcome(step(Action.PULL, "new in the bucket", "b", modified=AGO)),
        Outcome(step(Action.DELETE_LOCAL, name="c")),
        Outcome(step(Action.DELETE_REMOTE, name="d")),
        Outcome(step(Action.NOTHING, name="e")),
    ]
    out, err = tell(*outcomes, dry_run=True)
    assert out.splitlines() == [
        "push           a  new here, changed 2 hours ago",
        "pull           b  new in the bucket, changed 2 hours ago",
        "delete-local   c  why",
        "delete-remote  d  why",
        f"{HERE}: 1 to push, 1 to pull, 1 to remove here, "
        "1 to remove from the bucket, 1 in step",
    ]
    assert err == ""


def test_all_kinds_of_outcomes_are_counted_in_one_line() -> None:
    outcomes = [Outcome(step(action)) for action in Action for _ in range(2)]
    outcomes.append(Outcome(step(Action.PUSH), error=EngineError("x")))
    assert summary(Result(HERE, tuple(outcomes))) == (
        f"{HERE}: 2 pushed, 2 pulled, 2 merged, 2 restored, 2 removed here, "
        "2 removed from the bucket, "
        "2 held back, 2 in conflict, 2 skipped, 1 failed, 4 in step"
    )


def test_where_nothing_takes_part_that_is_told() -> None:
    assert tell() == (f"{HERE}: 0 in step\n", "")


@pytest.mark.parametrize(
    ("reason", "told"),
    [
        ("new here", "new here, changed 2 hours ago"),
        ("changed here", "changed here 2 hours ago"),
        (
            "never in step; last changed here",
            "never in step; last changed here 2 hours ago",
        ),
        (
            "changed on both sides; this side is preferred",
            "changed on both sides; this side is preferred, changed 2 hours ago",
        ),
    ],
)
def test_an_age_follows_what_it_is_of(reason: str, told: str) -> None:
    out, _ = tell(Outcome(step(Action.PUSH, reason, modified=AGO)))
    assert out.startswith(f"push  ml  {told}\n")


@pytest.mark.parametrize(
    ("seconds", "told"),
    [
        (0, "just now"),
        (59.9, "just now"),
        (60, "1 minute ago"),
        (119, "1 minute ago"),
        (120, "2 minutes ago"),
        (3599, "59 minutes ago"),
        (3600, "1 hour ago"),
        (7200, "2 hours ago"),
        (86399, "23 hours ago"),
        (86400, "1 day ago"),
        (2 * 86400, "2 days ago"),
        (31 * 86400 - 1, "30 days ago"),
        (31 * 86400, "on 2026-04-03"),
        (-60, "just now"),
        (-61, "on 2026-05-04 12:01 UTC"),
        (-86400, "on 2026-05-05 12:00 UTC"),
    ],
)
def test_an_age_is_told_as_people_do(seconds: float, told: str) -> None:
    assert age(NOW - timedelta(seconds=seconds), NOW) == told


def test_a_terminal_obeys_nothing_that_came_from_a_bucket() -> None:
    warning = "a\x1b[2J\nb\u202e\udcff.yml is left alone"
    _, err = tell(warnings=(warning,))
    assert err == "warning: a\\x1b[2J\\nb\\u202e\\udcff.yml is left alone\n"


PUSH, PULL = step(Action.PUSH, name="a"), step(Action.PULL, name="b")


def test_a_bar_is_shown_while_pulling_and_lines_wait_for_its_end() -> None:
    again = replace(PULL, name="c")
    outcomes = [
        Outcome(PUSH),
        Outcome(PULL, error=EngineError("No solution.")),
        Outcome(again),
    ]
    out, err = tell(*outcomes, bar=True)
    assert out.splitlines() == [
        "push  a  why",
        "[Synchronizing environments]",
        "[0.33]",
        "[0.67]",
        "[1.00]",
        "[end]",
        "pull  c  why",
        f"{HERE}: 1 pushed, 1 pulled, 1 failed",
    ]
    assert err == "fail  b  No solution.\n"


def test_no_bar_is_shown_for_what_is_done_at_once() -> None:
    skip = Outcome(step(Action.SKIP))
    out, _ = tell(Outcome(PUSH), skip, Outcome(step(Action.NOTHING)), bar=True)
    assert "[" not in out
    out, _ = tell(Outcome(PULL), dry_run=True, bar=True)
    assert "[" not in out


def test_a_step_that_has_become_another_one_fills_no_bar_over() -> None:
    became = Outcome(replace(PULL, name="c"))
    out, _ = tell(Outcome(PULL), became, planned=[PULL], bar=True)
    assert "[1.00]\n[1.00]\n[end]\n" in out


def test_what_was_done_before_a_run_broke_off_is_told() -> None:
    out, err = StringIO(), StringIO()
    lines = Lines(bar=lambda text: Bar(out, text), out=out, err=err, now=NOW)
    lines.plan([PULL, PULL])
    lines.start(PULL)
    lines.finish(Outcome(PULL))
    lines.start(PULL)
    lines.close()
    lines.close()
    assert out.getvalue().endswith("[0.50]\n[end]\npull  b  why\n")


@pytest.mark.parametrize("action", Action)
def test_a_run_succeeds_unless_somebody_should_look(action: Action) -> None:
    is_fine = action not in (Action.CONFLICT, Action.SKIP)
    fine = Outcome(step(Action.NOTHING))
    assert is_success(Result(HERE, (fine, Outcome(step(action))))) is is_fine
    failed = Outcome(step(action), error=StoreError("x"))
    assert not is_success(Result(HERE, (fine, failed)))
