"""Serve a channel over HTTP, openly and behind a token, with a record of requests."""

from __future__ import annotations

import threading
from base64 import b64encode
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote

if TYPE_CHECKING:
    from pathlib import Path

TOKEN = "tk-123-abc"


def basic(login: str) -> str:
    """Return the header of a login that is `USER:PASSWORD`, as in an address."""
    return f"Basic {b64encode(unquote(login).encode()).decode()}"


LOGIN = basic("joe:s3cret")


class HttpChannel:
    """A channel at `url`; at `private_url` too, and at `/private` for nobody.

    At `password_url` it is there for one user, and 401 for anybody else; `let_in` makes
    that more of them. `requests` are the paths asked for, `logins` what came as
    Authorization. `broken` maps file names to what is sent for them instead of what is
    there: bytes, or an HTTP status. `moved`: where `/guarded` leads to, for who is let
    in.
    """

    def __init__(self, folder: Path) -> None:
        self.requests: list[str] = []
        self.logins: list[str] = []
        self.broken: dict[str, bytes | int] = {}
        self.moved = ""
        self.tokens, self.users = {TOKEN}, {LOGIN}
        handler = partial(Handler, self, directory=str(folder))
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
        # Told to stop, it looks up every 10 ms.
        serve = partial(self._server.serve_forever, 0.01)
        self._thread = threading.Thread(target=serve, daemon=True)
        self._thread.start()
        self.host = f"127.0.0.1:{self._server.server_port}"
        self.url = f"http://{self.host}/channel"
        self.private_url = f"http://{self.host}/t/{TOKEN}/private"
        self.password_url = f"http://joe:s3cret@{self.host}/guarded"

    def let_in(self, token: str, login: str) -> tuple[str, str]:
        """Accept a token, and a login; return the addresses with them."""
        self.tokens.add(token)
        self.users.add(basic(login))
        return (
            f"http://{self.host}/t/{token}/private",
            f"http://{login}@{self.host}/guarded",
        )

    def close(self) -> None:
        """Stop, and free the port."""
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()


class Handler(SimpleHTTPRequestHandler):
    """Answers the requests of an HttpChannel."""

    protocol_version = "HTTP/1.1"

    def __init__(self, channel: HttpChannel, *args: Any, **kwargs: Any) -> None:
        self.channel = channel
        super().__init__(*args, **kwargs)

    def do_GET(self) -> None:
        """Send a file, or what stands in for it."""
        self.channel.requests.append(self.path)
        login = self.headers["Authorization"]
        if login:
            self.channel.logins.append(login)
        broken = self.channel.broken.get(self.path.rpartition("/")[2])
        if self.path.startswith("/guarded/") and login not in self.channel.users:
            self.send_error(401)
        elif self.channel.moved and self.path.startswith("/guarded/"):
            self.send_response(302)
            place = self.path.removeprefix("/guarded/")
            self.send_header("Location", f"{self.channel.moved}/{place}")
            self.send_header("Content-Length", "0")
            self.end_headers()
        elif isinstance(broken, int):
            self.send_error(broken)
        elif broken is not None:
            self.send_response(200)
            self.send_header("Content-Length", str(len(broken)))
            self.end_headers()
            self.wfile.write(broken)
        else:
            super().do_GET()

    def translate_path(self, path: str) -> str:
        """Return the file behind a path; a channel without its token is not there."""
        private = [f"/t/{token}/private/" for token in self.channel.tokens]
        for start in ("/channel/", "/guarded/", "/guarded2/", *private):
            if path.startswith(start):
                return super().translate_path(path.removeprefix(start.rstrip("/")))
        return super().translate_path("/no-such-channel")

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing: the requests are on record."""
