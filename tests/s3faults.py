"""Servers of S3 that do something else now and then, or always."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, Any, TypeAlias

import pytest
from s3server import ASIDE, read_request

from conda_s3_sync_plugin import s3client

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

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


@contextlib.contextmanager
def impatience() -> Iterator[None]:
    """Wait for an answer for a moment only; no setting of AWS says how long."""
    options = s3client._options

    def impatient(*args: Any) -> dict[str, Any]:
        return {**options(*args), "read_timeout": 0.2}

    with pytest.MonkeyPatch.context() as monkeypatch:
        monkeypatch.setattr(s3client, "_options", impatient)
        yield


Headers: TypeAlias = "list[tuple[str, str]]"

#: Changes an answer: request, status, headers and body become status, headers and body.
Change: TypeAlias = (
    "Callable[[Request, str, Headers, bytes], tuple[str, Headers, Iterable[bytes]]]"
)


@contextlib.contextmanager
def answering(s3: S3Server, change: Change) -> Iterator[None]:
    """Let all answers be changed on the way, but for those to the tests themselves."""
    app = s3._app

    def changed(environ: dict[str, Any], start_response: Callable[..., Any]) -> Any:
        if ASIDE in environ["HTTP_USER_AGENT"]:
            return app(environ, start_response)
        request, reply = read_request(environ), []
        body = b"".join(app(environ, lambda *words: reply.extend(words)))
        status, headers, parts = change(request, reply[0], reply[1], body)
        start_response(status, headers)
        return parts

    s3._app = changed  # type: ignore[method-assign]
    try:
        yield
    finally:
        s3._app = app  # type: ignore[method-assign]


def portal(
    request: Request, status: str, headers: Headers, body: bytes
) -> tuple[str, Headers, Iterable[bytes]]:
    """Answer as a network does that wants people to sign in."""
    page = b"" if request.method == "HEAD" else b"<html>Sign in, <br> please</html>"
    sizes = [("Content-Type", "text/html"), ("Content-Length", str(len(page)))]
    return "200 OK", sizes, [page]
