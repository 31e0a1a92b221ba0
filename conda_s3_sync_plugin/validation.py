"""What documents from a bucket may say: text, names of variables, requirements."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from .engines.privacy import without_credentials
from .exceptions import EnvFileError

if TYPE_CHECKING:
    from collections.abc import Iterable

#: Activation scripts put these names into shell code as they are.
_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,254}")

#: What no environment of a process can hold.
_NO_TEXT = re.compile("[\0\ud800-\udfff]")

#: pip takes an option anywhere in a requirement, and expands `${NAME}`.
_PIP_OPTION = re.compile(r"(^|\s)-|\$\{")

#: What pip would read, and run, from the disk of this machine: a folder has a slash or
#: a dot, an archive its ending.
_PIP_LOCAL = re.compile(
    r"[/\\]|^\s*[.~]|(^|@|\+)\s*file:|"
    r"^[^;@\[]+\.(whl|zip|tar(\.\w+)?|t[bglx]z2?)\s*($|[;\[])",
    re.IGNORECASE,
)
#: What is in front of the `://` of what comes from elsewhere.
_PIP_URL = re.compile(
    r"([^/\\@;]*@)?\s*([a-z]+\+)?(https?|ssh|git|svn|s?ftp)", re.IGNORECASE
)

#: In characters: as long as a path may be. Whoever reads specs and addresses after us
#: has not thought of longer ones.
_LONGEST = 4096


def strings(entries: object, what: str) -> list[str]:
    """Return a list of texts, or none; raise EnvFileError, about `what`."""
    if not isinstance(entries, list | None):
        raise EnvFileError(f"Its {what} are no list.")
    for entry in entries or ():
        # A line break could smuggle a second line into whatever reads the entry.
        if not isinstance(entry, str) or not entry.strip() or not entry.isprintable():
            raise EnvFileError(f"One of its {what} is no plain text.")
        if len(entry) > _LONGEST:
            raise EnvFileError(f"One of its {what} is too long.")
    return list(entries or ())


def variables_of(entries: object) -> dict[str, str]:
    """Return the variables of an environment, by name; raise EnvFileError."""
    if not isinstance(entries, dict | None):
        raise EnvFileError("Its variables are no mapping.")
    variables = {}
    for name, value in (entries or {}).items():
        if not isinstance(name, str) or not _VARIABLE.fullmatch(name):
            raise EnvFileError("One of its variables has an impossible name.")
        if not isinstance(value, str) or _NO_TEXT.search(value):
            raise EnvFileError(f"Its variable {name} is no plain text.")
        variables[name] = value
    return dict(sorted(variables.items()))


def check_pip(requirements: Iterable[str]) -> None:
    """Raise EnvFileError where pip would do more than install from elsewhere."""
    for requirement in filter(_is_risky, requirements):
        shown = without_credentials(requirement)[:60]
        raise EnvFileError(
            f"It asks pip for {shown!r}: options, local files and folders "
            "are refused, because they would run as you.",
            hint="If you trust everybody who can write to the bucket, set "
            "s3_sync_pip_options.",
        )


def _is_risky(requirement: str) -> bool:
    """Tell whether pip would take an option from it, or run what is on this disk."""
    is_local = _PIP_LOCAL.search(requirement) and not _is_url(requirement)
    return has_option(requirement) or bool(is_local)


def _is_url(requirement: str) -> bool:
    """Tell whether it is `[NAME @] URL [; MARKER]`."""
    start, _, rest = requirement.lstrip().partition("://")
    address = re.match(r"\S+", rest)
    if address is None or not _PIP_URL.fullmatch(start):
        return False
    marker = rest[address.end() :].strip()
    is_marker = marker.startswith(";") or address[0].endswith(";")
    return marker == "" or (is_marker and not re.search(r"[/\\]", marker))


def has_option(requirement: str) -> bool:
    """Tell whether only a requirements file can hold it: an option, or a variable."""
    return bool(_PIP_OPTION.search(requirement))
