"""The channels of files and of .condarc: their addresses, and this machine's logins."""

from __future__ import annotations

import base64
import os
import re
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import unquote, urlsplit

from .privacy import without_credentials

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from ..condarc import Condarc

#: Where a channel is that is just a name, and what `defaults` are, if nothing is set.
_ALIAS: Final = "https://conda.anaconda.org"
_DEFAULTS: Final = tuple(
    f"https://repo.anaconda.com/pkgs/{name}"
    for name in ("main", "r", *(["msys2"] if os.name == "nt" else []))
)
_CUSTOM: Final = {"pkgs": "https://repo.anaconda.com"}

_PLATFORM = re.compile(r"/(noarch|(?:linux|osx|win|emscripten|wasi|freebsd)-\w+)/?$")


def platform_of(channel: str) -> str:
    """Return the platform that the name of a channel ends with; "" if with none."""
    match = _PLATFORM.search(channel)
    return match[1] if match else ""


def without_platform(channel: str) -> str:
    """Return the name of the whole channel."""
    return _PLATFORM.sub("", channel.rstrip("/"))


class Channels:
    """What channels are called, where they are, and how to get in."""

    def __init__(self, condarc: Condarc) -> None:
        self._alias = condarc.text("channel_alias", _ALIAS).rstrip("/")
        self._defaults = condarc.items("default_channels") or list(_DEFAULTS)
        self._groups = condarc.mapping("custom_multichannels")
        self._custom = {**_CUSTOM, **condarc.mapping("custom_channels")}
        self._configured = condarc.items("channels")

    def urls(self, names: Iterable[str]) -> list[str]:
        """Return the addresses of channels, without any login.

        A file's own; where it names none, those that are configured here.
        """
        named = [name for name in names if name != "nodefaults"] or self._configured
        found = [
            url for name in named if name != "nodefaults" for url in self._expand(name)
        ]
        return list(dict.fromkeys(map(without_credentials, found)))

    def _expand(self, name: str) -> Iterator[str]:
        """Yield the addresses behind a name, with logins as far as they are set."""
        if name == "defaults" and name not in self._groups:
            members: Any = self._defaults
        else:
            members = self._groups.get(name)
        if members is None:
            yield self._locate(without_platform(name))
            return
        for member in members:
            yield self._locate(str(member))

    def _locate(self, name: str) -> str:
        if "://" in name:
            return name
        if name.startswith((".", "/", "~")) or Path(name).is_absolute():
            return Path(name).expanduser().resolve().as_uri()
        parts = name.split("/")
        for length in range(len(parts), 0, -1):
            base = self._custom.get("/".join(parts[:length]))
            if base and "://" in str(base):
                return f"{str(base).rstrip('/')}/{name}"
        return f"{self._alias}/{name}"

    @cached_property
    def _logins(self) -> dict[str, str]:
        """Return what needs a login: the address without it -> with it."""
        names = [*self._configured, *self._defaults, *self._groups, *self._custom]
        known = [self._alias, *(url for name in names for url in self._expand(name))]
        # With a slash: that is what ends a token.
        found = {without_credentials(f"{url}/").rstrip("/"): url for url in known}
        return {plain: url for plain, url in found.items() if plain != url}

    def mirrors(self) -> dict[str, list[str]]:
        """Return for each address whose login is a token where it is to be had."""
        return {
            f"{plain}/": [f"{_without_user(url)}/"]
            for plain, url in self._logins.items()
            if _without_user(url) != plain
        }

    def headers(self, host: str, path: str, asked: Iterable[str]) -> dict[str, str]:
        """Return what lets a request in whose login is a user and a password.

        `asked`: the channels that requests are made to. The library tells host and path
        of a request alone, and another port or scheme must not see the login.
        """
        path = urlsplit(without_credentials(f"x://{host}{path}")).path
        places = [
            url
            for url in asked
            if urlsplit(url).hostname == host.strip("[]")
            and path.startswith(f"{urlsplit(url).path}/")
        ]
        for plain, url in self._logins.items():
            login = urlsplit(url)
            inside = [f"{place}/".startswith(f"{plain}/") for place in places]
            if login.username and inside and all(inside):
                pair = f"{unquote(login.username)}:{unquote(login.password or '')}"
                word = base64.b64encode(pair.encode()).decode()
                return {"Authorization": f"Basic {word}"}
        return {}


def _without_user(url: str) -> str:
    parts = urlsplit(url)
    return parts._replace(netloc=parts.netloc.rpartition("@")[2]).geturl()
