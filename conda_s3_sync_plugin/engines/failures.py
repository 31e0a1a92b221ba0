"""What rattler says of its failures, in one line, and what to do about them."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from ..exceptions import EngineError
from .archive import mismatch
from .choice import GoneError
from .privacy import without_credentials

if TYPE_CHECKING:
    from collections.abc import Mapping

#: What rattler says of the way to an error, and nobody needs to know.
_FRAMES: Final = (
    "the direct url query failed for",
    "failed to interact with the package cache",
)

_STATUS = re.compile(r"HTTP status \w+ error \((\d+)")
_NO_FILE = re.compile(r"\(os error 2\)")
_UNREACHABLE = re.compile(r"Connection refused|dns error|tcp connect error")
_MISMATCH = re.compile(r"hash mismatch .*: expected (\w+), got (\w+)")
#: The file in an address: why a package has failed, many may have in common.
_FILE = re.compile(r"(\(https?:[^\s)]+/)[^\s/)]+(?=\))")

_NOT_FOUND: Final = {"404", "410"}
_REFUSED: Final = {"401", "403"}

_LOGIN: Final = (
    "The login of a private channel goes into `channels:` of .condarc, as "
    "https://USER:PASSWORD@HOST/... or https://HOST/t/TOKEN/..., or into ~/.netrc."
)
REPLACED: Final = (
    "Its channel holds another file of that name now: update the package where "
    "the environment comes from, or ask who keeps the channel."
)


def in_one_line(error: BaseException) -> str:
    """Say what went wrong as rattler says it, without line breaks and secrets."""
    text = str(error).removeprefix("Cannot solve the request because of: ")
    text = re.sub("[└├]─ |│", "", text)
    said: list[str] = []
    for part in text.split("\nCaused by: "):
        words = " ".join(part.split())
        if not words.startswith(_FRAMES) and not (said and said[-1].endswith(words)):
            said.append(words)
    return without_credentials(": ".join(said)) or type(error).__name__


def failed_channel(error: BaseException) -> EngineError:
    """Say why a channel could not be read."""
    why = in_one_line(error)
    # For who is not let in, some are just not there.
    is_closed = _status(why) in _REFUSED | _NOT_FOUND
    return EngineError(why, hint=_LOGIN if is_closed else "")


def failed_packages(failed: Mapping[str, str]) -> EngineError:
    """Say in one error which packages could not be had; `failed`: name -> why.

    A GoneError where they are not to be had where they were, and no worse.
    """
    names: dict[str, list[str]] = {}
    for name, why in sorted(failed.items()):
        if match := _MISMATCH.search(why):
            return mismatch(name, match[1], match[2], hint=REPLACED)
        names.setdefault(_FILE.sub(r"\1", why), []).append(name)
    said = "; ".join(f"{', '.join(names[why])}: {why}" for why in names)
    unreachable = {why for why in names if _UNREACHABLE.search(why)}
    gone = {why for why in names if _status(why) in _NOT_FOUND or _NO_FILE.search(why)}
    if names.keys() == gone | unreachable:
        return GoneError(said, files=failed, may_return=bool(unreachable))
    is_closed = any(_status(why) in _REFUSED for why in names)
    return EngineError(said, hint=_LOGIN if is_closed else "")


def _status(why: str) -> str:
    """Return the HTTP status of an error, if it has one."""
    match = _STATUS.search(why)
    return match[1] if match else ""
