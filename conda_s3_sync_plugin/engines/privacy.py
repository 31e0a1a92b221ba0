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

# Texts are from a bucket, too, and may be long: each of these goes through one once,
# however it is made.

#: What parameters are called that let somebody in.
_PARAMETER_NAME = r"[\w-]*(?:key|token|secret|sig\w{0,20}|p(?:ass)?wo?r?d)"

_SECRET_PARAMETER = re.compile(rf"[?&;]{_PARAMETER_NAME}=", re.IGNORECASE)

#: What a token looks like, by those who hand them out; a password on a command line,
#: or among the words for a database.
_KNOWN_SECRET = re.compile(
    r"\b(?:AKIA|ASIA)[A-Z0-9]{16}\b|"
    r"\b(?:gh[a-z]_|github_pat_|glpat-|pypi-|sk-|xox[a-z]-)[\w-]{16}|"
    r"[\w-]\.eyJ|-----BEGIN [A-Z ]*PRIVATE KEY|"
    r"(?:^|[\s-])(?:password|passwd|pwd|token|secret)=\S"
)

#: `user:password@`. Not the `git@` of ssh, which is the same for everybody, and needed.
_LOGIN = re.compile(r"//(?!git@[^/@\s]*(?:[/\s]|$))[^/\s]+@")

#: `/t/TOKEN` of a conda channel, or what may as well be folders on a disk. It may end
#: the name of a channel in a spec.
_TOKEN = re.compile(r"""(file:\S*|(?<!\S)/\S*)|/t/[^/\s]+?(?=/|::|['"\],])""")

#: A parameter that lets somebody in, up to its value.
_PARAMETER = re.compile(rf"([?&;]{_PARAMETER_NAME}=)[^\s&;#'\")>\]]+", re.IGNORECASE)


def without_credentials(text: str) -> str:
    """Strip `user:password@`, `/t/TOKEN` and secret parameters from all URLs."""
    text = _TOKEN.sub(lambda match: match[1] or "", _LOGIN.sub("//", text))
    return _PARAMETER.sub(r"\1", text)


def forget_secrets(error: BaseException) -> None:
    """Cut off what an error came from where nobody should see that: -vv shows all.

    It tells a login, or has what a terminal would obey.
    """
    while cause := error.__cause__ or error.__context__:
        text = str(cause)
        is_plain = all(map(str.isprintable, text.split("\n")))
        if without_credentials(text) != text or not is_plain:
            error.__cause__ = None  # and so its context is not shown, either
            return
        error = cause


def looks_secret(name: str, value: str) -> bool:
    """Tell whether a variable looks secret, by its name or by its value."""
    known = (_SECRET_PARAMETER, _KNOWN_SECRET)
    return (
        _SECRET.search(name) is not None
        or any(pattern.search(value) for pattern in known)
        or any(map(_has_login, value.lower().split()))
    )


def _has_login(word: str) -> bool:
    """Tell whether there is an address with a login or a token in a word."""
    address = word.partition("://")[2]
    # What ssh is told is no login: see above.
    rest = word.replace("://git@", "git@").partition("://")[2]
    return "/t/" in address or "@" in rest


def presentable(name: str, value: str | None) -> str | None:
    """Return the value of a variable as anybody may see it; None: there is none."""
    if value is None:
        return None
    return "***" if looks_secret(name, value) else without_credentials(value)


def private_variables(values: Mapping[str, str], *, secrets: bool) -> dict[str, str]:
    """Return which variables are of this machine alone, and why."""
    found = {}
    for name, value in values.items():
        if not (name.isascii() and name.isidentifier()) or "\0" in value:
            found[name] = "no shell could set it"
        elif not secrets and looks_secret(name, value):
            found[name] = "it looks secret"
    return found
