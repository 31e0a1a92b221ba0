"""An S3 server in a thread: moto, with a record of requests and faults on demand."""

from __future__ import annotations

import io
import itertools
import logging
import threading
from collections import Counter
from dataclasses import dataclass, field
from enum import Enum
from socket import SHUT_RDWR, socket
from typing import TYPE_CHECKING, Any, NoReturn, TypeAlias
from urllib.parse import parse_qsl, unquote

import boto3
from botocore.config import Config
from moto.moto_server.werkzeug_app import create_backend_app
from werkzeug.serving import WSGIRequestHandler, make_server

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from types import TracebackType

# How the server knows the client of the tests, which it neither records nor disturbs.
ASIDE = "aside-from-the-test"


class Cut(Enum):
    """A connection that breaks: instead of the reply, or half way through it.

    Or on which nothing more comes, until the client gives up.
    """

    AT_ONCE = "at once"
    HALF_WAY = "half way"
    SILENT = "silent"


@dataclass(frozen=True)
class Trickle:
    """A reply of which a part, "headers" or "body", comes one byte a second."""

    part: str
    #: From then on, the rest comes at once.
    is_over: threading.Event

    def send(self, connection: socket, reply: bytes) -> None:
        """Send a reply, to a client that may have given up meanwhile."""
        head, end, _ = reply.partition(b"\r\n\r\n")
        sent = len(head + end) if self.part == "body" else 0
        connection.sendall(reply[:sent])
        while sent < len(reply) and not self.is_over.wait(1):
            sent += connection.send(reply[sent : sent + 1])
        connection.sendall(reply[sent:])


# What a hook may answer instead of the server: an HTTP status and an S3 error code, or
# a connection that breaks; `after` the work, a reply that trickles.
Fault: TypeAlias = "tuple[int, str] | Cut | Trickle | None"


@dataclass(frozen=True)
class Request:
    """One request, as it came in."""

    method: str
    path: str
    query: dict[str, str]
    headers: dict[str, str] = field(repr=False)  # names in lower case
    body: bytes = field(repr=False)

    @property
    def bucket(self) -> str:
        """The bucket that it is about."""
        return self.path.lstrip("/").partition("/")[0]

    @property
    def key(self) -> str:
        """The key that it is about; empty for the bucket itself."""
        return self.path.lstrip("/").partition("/")[2]

    @property
    def verb(self) -> str:
        """The method, with GET of a bucket told apart: LIST."""
        return "LIST" if self.method == "GET" and not self.key else self.method

    @property
    def condition(self) -> str | None:
        """The condition of a write, as `If-Match: ...` or `If-None-Match: *`."""
        for name in ("If-Match", "If-None-Match"):
            if value := self.headers.get(name.lower()):
                return f"{name}: {value}"
        return None

    @property
    def metadata(self) -> dict[str, str]:
        """What it says in x-amz-meta headers."""
        start = "x-amz-meta-"
        return {
            name.removeprefix(start): value
            for name, value in self.headers.items()
            if name.startswith(start)
        }


class S3Server:
    """An S3 API on a free port of 127.0.0.1, forgetting nothing it was asked.

    `before` is called with each request, ahead of the server: it may answer with a
    fault, wait, or let another writer win the race. `after` is called when the server
    has done what it was asked: a fault from it is a reply that was lost, and only then
    there is half of one to send. `date` is what
    all answers say about the time, if not what it is. Tests and hooks act through
    `client`, which is neither recorded nor led through the hooks.

    All servers of a process share their buckets: moto keeps one world. Use fresh names.
    """

    def __init__(self) -> None:
        self.requests: list[Request] = []
        self.before: Callable[[Request], Fault] | None = None
        self.after: Callable[[Request], Fault] | None = None
        self.date: str | None = None
        self._numbers = itertools.count(1)
        self._app = create_backend_app("s3")
        for name in ("werkzeug", "moto"):
            logging.getLogger(name).setLevel(logging.CRITICAL)
        handler = type("Handler", (Silent,), {"date": lambda _: self.date})
        self._server = make_server(
            "127.0.0.1", 0, self._answer, threaded=True, request_handler=handler
        )
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)
        self._thread.start()
        self.endpoint = f"http://127.0.0.1:{self._server.server_port}"
        # Any: what boto3 makes has no type of its own.
        self.client: Any = boto3.session.Session().client(
            "s3",
            endpoint_url=self.endpoint,
            region_name="us-east-1",
            aws_access_key_id="test",
            aws_secret_access_key="test",
            config=Config(user_agent_extra=ASIDE, s3={"addressing_style": "path"}),
        )

    def __enter__(self) -> S3Server:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Stop, and free the port."""
        self.client.close()
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

    def new_bucket(self) -> str:
        """Create a bucket and return its name, which nobody had before."""
        name = f"bucket-{next(self._numbers)}-{self._server.server_port}"
        self.client.create_bucket(Bucket=name)
        return name

    def reset(self) -> None:
        """Forget the requests, the hooks and the date; the buckets stay."""
        self.requests.clear()
        self.before = self.after = self.date = None

    def counts(self) -> dict[str, int]:
        """Return how many requests there were of each verb."""
        return dict(Counter(request.verb for request in self.requests))

    def keys(self, bucket: str) -> list[str]:
        """Return all keys in a bucket."""
        pages = self.client.get_paginator("list_objects_v2").paginate(Bucket=bucket)
        return [entry["Key"] for page in pages for entry in page.get("Contents", ())]

    def _answer(
        self, environ: dict[str, Any], start_response: Callable[..., Any]
    ) -> Iterable[bytes]:
        if ASIDE in environ.get("HTTP_USER_AGENT", ""):
            return self._app(environ, start_response)
        request = read_request(environ)
        self.requests.append(request)
        if self.before and (fault := self.before(request)):
            assert not isinstance(fault, Trickle), "there is no reply yet"
            if isinstance(fault, Cut):
                cut(environ, fault)
            return refuse(fault, request, start_response)
        if not self.after:
            return self._app(environ, start_response)
        # The hook is to run after the work, but before the first byte of the reply.
        reply: list[Any] = []
        body = b"".join(self._app(environ, lambda *args: reply.extend(args)))
        if fault := self.after(request):
            if isinstance(fault, Cut):
                cut(environ, fault, raw(*reply, body))
            if isinstance(fault, Trickle):
                fault.send(environ["werkzeug.socket"], raw(*reply, body))
                cut(environ, Cut.AT_ONCE)
            return refuse(fault, request, start_response)
        start_response(*reply)
        return [body]


class Silent(WSGIRequestHandler):
    """Answers requests without a word in the output of the tests."""

    def date(self) -> str | None:
        """Say what time it is, if not what it is."""

    def date_time_string(self, timestamp: float | None = None) -> str:
        """Return what the header tells."""
        told = self.date()
        return super().date_time_string(timestamp) if told is None else told

    def log(self, type: str, message: str, *args: object) -> None:
        """Say nothing."""


def read_request(environ: dict[str, Any]) -> Request:
    """Return the request in *environ*, whose body can then be read once more."""
    stream = environ["wsgi.input"]
    if environ.get("wsgi.input_terminated"):
        body = stream.read()
    else:
        body = stream.read(int(environ.get("CONTENT_LENGTH") or 0))
    # Read in any case: what is left of a body would be taken for the next request.
    environ["wsgi.input"] = io.BytesIO(body)
    headers = {
        name.removeprefix("HTTP_").replace("_", "-").lower(): value
        for name, value in environ.items()
        if name.startswith("HTTP_")
    }
    return Request(
        method=environ["REQUEST_METHOD"],
        # As the client wrote it: WSGI's own PATH_INFO is Latin-1 in disguise.
        path=unquote(environ["REQUEST_URI"].partition("?")[0]),
        query=dict(parse_qsl(environ.get("QUERY_STRING", ""), keep_blank_values=True)),
        headers=headers,
        body=body,
    )


def refuse(
    fault: tuple[int, str], request: Request, start_response: Callable[..., Any]
) -> Iterable[bytes]:
    """Answer with an error as S3 words it; HEAD has no body to word it in."""
    status, code = fault
    text = f"<Error><Code>{code}</Code><Message>by a test</Message></Error>"
    body = b"" if request.method == "HEAD" else text.encode()
    headers = [("Content-Type", "application/xml"), ("Content-Length", str(len(body)))]
    start_response(f"{status} {code}", headers)
    return [body]


def cut(environ: dict[str, Any], how: Cut, reply: bytes = b"") -> NoReturn:
    """Break the connection of a request, before its reply or half way through it."""
    connection = environ["werkzeug.socket"]
    if how is Cut.HALF_WAY:
        head, end, body = reply.partition(b"\r\n\r\n")
        connection.sendall(head + end + body[: len(body) // 2] if body else head)
    if how is Cut.SILENT:
        connection.recv(1)  # nothing: the client has given up
    connection.shutdown(SHUT_RDWR)
    raise ConnectionAbortedError


def raw(status: str, headers: list[tuple[str, str]], body: bytes) -> bytes:
    """Return a reply as it is sent."""
    lines = [f"HTTP/1.1 {status}", *(f"{name}: {text}" for name, text in headers)]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body
