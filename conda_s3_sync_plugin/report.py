"""A run as people read it, line by line, and as programs do: one JSON document."""

from __future__ import annotations

import sys
from datetime import datetime, timezone
from typing import TYPE_CHECKING, Any, Final, Protocol, TextIO

from .exceptions import PipError, hint_of, summary_of, visible
from .wording import facts, lines
from .words import Action

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from .models import Outcome, Result, Step

#: Raised with each change of the document that programs could stumble over.
JSON_FORMAT: Final = 1

#: What needs no line unless asked for.
_SILENT = (Action.NOTHING, Action.ADOPT, Action.FORGET)

#: What a bar counts.
_TRANSFERS = (Action.PUSH, Action.PULL, Action.MERGE, Action.RESTORE)

#: What an age is told in: seconds in one, and up to how many of them.
_UNITS = (("minute", 60, 60), ("hour", 3600, 24), ("day", 86400, 31))

#: action -> what the summary says when it is done, and when it would be.
_SUMMARY: Final = {
    Action.PUSH: ("pushed", "to push"),
    Action.PULL: ("pulled", "to pull"),
    Action.MERGE: ("merged", "to merge"),
    Action.RESTORE: ("restored", "to restore"),
    Action.DELETE_LOCAL: ("removed here", "to remove here"),
    Action.DELETE_REMOTE: ("removed from the bucket", "to remove from the bucket"),
    Action.HOLD: ("held back", "held back"),
    Action.CONFLICT: ("in conflict", "in conflict"),
    Action.SKIP: ("skipped", "skipped"),
}


class Bar(Protocol):
    """A progress bar of conda's reporters."""

    def update_to(self, fraction: float) -> None:
        """Show how much is done, from 0 to 1."""
        ...

    def close(self) -> None:
        """Leave the line."""
        ...


class Silence:
    """Watch a run without a word: its document tells it all."""

    def plan(self, steps: Sequence[Step]) -> None:
        """Do nothing."""

    def start(self, step: Step) -> None:
        """Do nothing."""

    def finish(self, outcome: Outcome) -> None:
        """Do nothing."""

    def close(self) -> None:
        """Do nothing."""

    def end(self, result: Result) -> None:
        """Do nothing."""


class Lines:
    """Watch a run, and write one line for each change and one in the end.

    With a `bar`, lines wait until it is gone.
    """

    def __init__(
        self,
        *,
        quiet: bool = False,
        verbose: bool = False,
        bar: Callable[[str], Bar] | None = None,
        out: TextIO | None = None,
        err: TextIO | None = None,
        now: datetime | None = None,
    ) -> None:
        self._quiet, self._verbose = quiet, verbose
        self._out, self._err = out or sys.stdout, err or sys.stderr
        self._now = now or datetime.now(timezone.utc)
        self._new_bar = bar
        self._bar: Bar | None = None
        self._waiting: list[Outcome] = []
        self._verbs = self._names = self._total = self._done = 0

    def plan(self, steps: Sequence[Step]) -> None:
        """Learn how wide the columns are, and how much there is to do."""
        shown = [step for step in steps if self._is_shown(step)]
        self._verbs = max((len(step.action) for step in shown), default=0)
        self._names = max((len(step.name) for step in shown), default=0)
        self._total = sum(step.action in _TRANSFERS for step in steps)

    def start(self, step: Step) -> None:
        """Show the bar before the first step that takes long."""
        is_slow = step.action in _TRANSFERS and step.action is not Action.PUSH
        if is_slow and self._new_bar and not self._bar:
            self._bar = self._new_bar("Synchronizing environments")
            self._bar.update_to(self._done / self._total)

    def finish(self, outcome: Outcome) -> None:
        """Write the line of a finished step, or keep it until the bar is gone."""
        self._done += outcome.step.action in _TRANSFERS
        self._waiting.append(outcome)
        if self._bar:
            self._bar.update_to(min(1.0, self._done / max(1, self._total)))
        else:
            self._flush()

    def close(self) -> None:
        """Take the bar away, and write what has waited for that; also on the way out.

        What was done before a run broke off is told, too.
        """
        if self._bar:
            self._bar.close()
            self._bar = None
        self._flush()

    def end(self, result: Result) -> None:
        """Write what is left: of a dry run all lines, and the summary."""
        self.close()
        if result.dry_run:
            self._waiting = list(result.outcomes)
            self._flush()
        for warning in result.warnings:
            self._write(f"warning: {warning}", self._err)
        if not self._quiet:
            self._write(summary(result), self._out)

    def _flush(self) -> None:
        for outcome in self._waiting:
            if not outcome.is_settled:
                self._write_all(outcome, self._err)
            elif self._is_shown(outcome.step) and not self._quiet:
                self._write_all(outcome, self._out)
        self._waiting = []

    def _is_shown(self, step: Step) -> bool:
        return self._verbose or step.action not in _SILENT

    def _write_all(self, outcome: Outcome, stream: TextIO) -> None:
        step, error = outcome.step, outcome.error
        verb = _verb(outcome)
        text = summary_of(error) if error else reason(step, self._now)
        hint = hint_of(error) if error else step.hint
        self._write_row(verb, step.name, text, stream)
        changes = lines(outcome.difference) if outcome.difference else ()
        for line in filter(None, (*changes, *outcome.notes, hint)):
            self._write_row("", "", line, stream)

    def _write_row(self, verb: str, name: str, text: str, stream: TextIO) -> None:
        row = f"{verb:{self._verbs}}  {name:{self._names}}  {text}"
        self._write(row, stream)

    @staticmethod
    def _write(line: str, stream: TextIO) -> None:
        stream.write(f"{visible(line.rstrip())}\n")
        stream.flush()


def _verb(outcome: Outcome) -> str:
    if isinstance(outcome.error, PipError):
        return "partly"
    return "fail" if outcome.error else str(outcome.step.action)


def reason(step: Step, now: datetime) -> str:
    """Say why a step is taken, and how old the version is that travels."""
    if step.modified is None:
        return step.reason
    joint = "" if "changed" in step.reason.rpartition(";")[2] else ", changed"
    return f"{step.reason}{joint} {age(step.modified, now)}"


def age(moment: datetime, now: datetime) -> str:
    """Say when something was, as people do."""
    seconds = (now - moment).total_seconds()
    if seconds < -60:  # some clock is wrong
        return f"on {moment:%Y-%m-%d %H:%M} UTC"
    if seconds < 60:
        return "just now"
    for unit, length, limit in _UNITS:
        count = int(seconds // length)
        if count < limit:
            return f"{count} {unit}{'s' if count > 1 else ''} ago"
    return f"on {moment:%Y-%m-%d}"


def summary(result: Result) -> str:
    """Count in one line what became of all environments."""
    verbs = [_verb(outcome) for outcome in result.outcomes]
    whole = [outcome.step.action for outcome in result.outcomes if not outcome.error]
    parts = [
        f"{count} {words[result.dry_run]}"
        for action, words in _SUMMARY.items()
        if (count := whole.count(action))
    ]
    for verb, words in (("partly", "pulled in part"), ("fail", "failed")):
        if count := verbs.count(verb):
            parts.append(f"{count} {words}")
    in_step = sum(map(whole.count, (Action.NOTHING, Action.ADOPT)))
    if in_step or not parts:
        parts.append(f"{in_step} in step")
    return f"{result.location}: {', '.join(parts)}"


def document(result: Result) -> dict[str, Any]:
    """Return a run as one JSON document, with the same facts as the lines."""
    return {
        "format": JSON_FORMAT,
        "success": is_success(result),
        "location": result.location,
        "dry_run": result.dry_run,
        "environments": [_entry(outcome) for outcome in result.outcomes],
        "warnings": list(result.warnings),
    }


def failure(
    error: BaseException, location: str, *, dry_run: bool = False
) -> dict[str, Any]:
    """Return a run that has not even begun as the same kind of document."""
    return {
        "format": JSON_FORMAT,
        "success": False,
        "location": location,
        "dry_run": dry_run,
        "environments": [],
        "warnings": [],
        "error": _error(error),
    }


def is_success(result: Result) -> bool:
    """Tell whether nothing has failed, and nothing was left in conflict."""
    return all(outcome.is_settled for outcome in result.outcomes)


def _entry(outcome: Outcome) -> dict[str, Any]:
    step = outcome.step
    entry: dict[str, Any] = {
        "name": step.name,
        "action": str(step.action),
        "reason": step.reason,
        "modified": step.modified.isoformat() if step.modified else None,
    }
    if step.hint:
        entry["hint"] = step.hint
    if outcome.difference is not None:
        entry["difference"] = facts(outcome.difference)
    if outcome.notes:
        entry["notes"] = list(outcome.notes)
    if outcome.error:
        entry["error"] = _error(outcome.error)
    return entry


def _error(error: BaseException) -> dict[str, str]:
    return {
        "type": type(error).__name__,
        "message": summary_of(error),
        "hint": hint_of(error),
    }


def conda_bar(description: str) -> Bar:
    """Return a progress bar of whatever reporter conda is set to."""
    from conda.reporters import get_progress_bar

    bar: Bar = get_progress_bar(description)
    return bar
