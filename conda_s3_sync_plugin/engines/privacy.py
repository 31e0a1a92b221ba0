"""What of an environment is nobody else's business: logins, and secret variables."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

_SECRET = re.compile(
    r"KEY|TOKEN|SECRET|PASS|CRED|AUTH|(?:^|_)(?:PW|PWD|PAT|SAS|DSN)(?:_|$)",
    re.IGNORECASE,
)

#: A value with a login or a token in an address, or among its parameters.
_SECRET_VALUE = re.compile(
    r"://(?!git@)\S*@|://\S*/t/|[?&;](?:\w*(?:key|token|secret|sig\w*|p(?:ass)?wo?r?d))=",
    re.IGNORECASE,
)

#: `user:password@`. Not the `git@` of ssh, which is the same for everybody, and needed.
_LOGIN = re.compile(r"//(?!git@[^/@\s]*(?:[/\s]|$))[^/\s]+@")

#: `/t/TOKEN` of a conda channel, or what may as well be folders on a disk.
_TOKEN = re.compile(r"(file:\S*|(?<!\S)/\S*)|/t/[^/\s]+(?=/)")


def without_credentials(text: str) -> str:
    """Strip `user:password@` and `/t/TOKEN` from all URLs in a text."""
    return _TOKEN.sub(lambda match: match[1] or "", _LOGIN.sub("//", text))


def looks_secret(name: str, value: str) -> bool:
    """Tell whether a variable looks secret, by its name or by what its URL tells."""
    return bool(_SECRET.search(name) or _SECRET_VALUE.search(value))


def private_variables(values: Mapping[str, str], *, secrets: bool) -> dict[str, str]:
    """Return which variables are of this machine alone, and why."""
    found = {}
    for name, value in values.items():
        if not (name.isascii() and name.isidentifier()) or "\0" in value:
            found[name] = "no shell could set it"
        elif not secrets and looks_secret(name, value):
            found[name] = "it looks secret"
    return found
