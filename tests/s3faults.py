"""Servers of S3 that do something else now and then, or always."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

    import pytest
    from s3server import Request, S3Server


class Once:
    """A hook that does something about the first few requests of a kind."""

    def __init__(self, verb: str, act: Callable[[], Any], times: int = 1) -> None:
        self.verb, self.act, self.left = verb, act, times

    def __call__(self, request: Request) -> Any:
        if request.verb != self.verb or not self.left:
            return None
        self.left -= 1
        return self.act()


def refuse_quotes(request: Request) -> tuple[int, str] | None:
    """Do as Ceph did until release 18."""
    if (request.condition or "").startswith('If-Match: "'):
        return 412, "PreconditionFailed"
    return None


def no_conditions(request: Request) -> tuple[int, str] | None:
    """Do as some servers do, and as Swift does about If-Match."""
    return (501, "NotImplemented") if request.condition else None


def ignore_conditions(s3: S3Server, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the server do as one that has never heard of conditions."""
    app = s3._app

    def ignore(environ: dict[str, Any], start_response: Callable[..., Any]) -> Any:
        for header in ("HTTP_IF_MATCH", "HTTP_IF_NONE_MATCH"):
            environ.pop(header, None)
        return app(environ, start_response)

    monkeypatch.setattr(s3, "_app", ignore)
