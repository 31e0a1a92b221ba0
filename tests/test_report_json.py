"""What programs read of a run: one document, with the same facts as the lines."""

from __future__ import annotations

import json
from datetime import datetime, timezone

from conda_s3_sync_plugin.exceptions import SafetyError, StoreError
from conda_s3_sync_plugin.models import Outcome, Result, Step
from conda_s3_sync_plugin.report import JSON_FORMAT, Silence, document, failure
from conda_s3_sync_plugin.words import Action

NOON = datetime(2026, 5, 4, 12, tzinfo=timezone.utc)
HERE = "s3://bucket/team"


def test_a_run_is_one_document() -> None:
    result = Result(
        HERE,
        (
            Outcome(Step("a", Action.PUSH, "changed here", 6, NOON)),
            Outcome(Step("b", Action.NOTHING, "in step", 5, NOON)),
            Outcome(
                Step("c", Action.PULL, "missing here", 10, hint="Delete it."), ("n",)
            ),
        ),
        ("x.yml is left alone",),
    )
    told = document(result)
    assert told == {
        "format": JSON_FORMAT,
        "success": True,
        "location": HERE,
        "dry_run": False,
        "environments": [
            {
                "name": "a",
                "action": "push",
                "reason": "changed here",
                "modified": "2026-05-04T12:00:00+00:00",
            },
            {
                "name": "b",
                "action": "nothing",
                "reason": "in step",
                "modified": "2026-05-04T12:00:00+00:00",
            },
            {
                "name": "c",
                "action": "pull",
                "reason": "missing here",
                "modified": None,
                "hint": "Delete it.",
                "notes": ["n"],
            },
        ],
        "warnings": ["x.yml is left alone"],
    }
    assert json.loads(json.dumps(told)) == told


def test_what_has_failed_says_how() -> None:
    step = Step("a", Action.PUSH, "changed here", 6)
    errors = [StoreError("S3 refused.", hint="Ask."), OSError("no disk")]
    outcomes = tuple(Outcome(step, error=error) for error in errors)
    told = document(Result(HERE, outcomes))
    assert told["success"] is False
    assert [entry["error"] for entry in told["environments"]] == [
        {"type": "StoreError", "message": "S3 refused.", "hint": "Ask."},
        {
            "type": "OSError",
            "message": "OSError: no disk",
            "hint": "That is a mistake of conda s3-sync; -vv shows where.",
        },
    ]


def test_every_action_has_its_word() -> None:
    for action in Action:
        (entry,) = document(Result(HERE, (Outcome(Step("a", action, "why", 1)),)))[
            "environments"
        ]
        assert json.loads(json.dumps(entry))["action"] == action.value


def test_a_dry_run_says_so() -> None:
    assert document(Result(HERE, (), dry_run=True))["dry_run"] is True


def test_a_run_that_cannot_begin_is_the_same_kind_of_document() -> None:
    told = failure(SafetyError("All are gone.", hint="Use --force."), HERE)
    assert told == {
        "format": JSON_FORMAT,
        "success": False,
        "location": HERE,
        "dry_run": False,
        "environments": [],
        "warnings": [],
        "error": {
            "type": "SafetyError",
            "message": "All are gone.",
            "hint": "Use --force.",
        },
    }
    assert told.keys() - {"error"} == document(Result(HERE, ())).keys()


def test_nothing_but_the_document_is_written(capsys: object) -> None:
    silence, step = Silence(), Step("a", Action.SKIP, "why", 1)
    outcome = Outcome(step, error=StoreError("x"))
    silence.plan([step])
    silence.start(step)
    silence.finish(outcome)
    silence.close()
    silence.end(Result(HERE, (outcome,), ("warning",)))
    assert capsys.readouterr() == ("", "")  # type: ignore[attr-defined]
