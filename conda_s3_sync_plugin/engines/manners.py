"""How conda is called: without a word on stdout, and with errors of one line."""

from __future__ import annotations

import contextlib
import io
from typing import TYPE_CHECKING, Final

from conda import CondaError
from conda.base.context import context

from ..exceptions import EngineError, S3SyncError
from .privacy import without_credentials

if TYPE_CHECKING:
    from collections.abc import Iterator

#: What errors of conda's know of a request and its answer: logins, too.
_PRIVATE: Final = ("response_details", "json")


def leaves(error: BaseException) -> list[BaseException]:
    """Take a CondaMultiError apart; it may hold twins, and what is no error.

    Each says its own words from then on, and no more.
    """
    parts = [
        part for part in getattr(error, "errors", ()) if isinstance(part, BaseException)
    ]
    if parts:
        return [leaf for part in parts for leaf in leaves(part)]
    _disarm(error)
    return [error]


def _disarm(error: BaseException) -> None:
    """Fill in what an error says, but for what is private.

    conda does so whenever it is asked, and a `%(...)` may have come with the address
    of a channel. Where it cannot, it prints all that it has.
    """
    known = getattr(error, "_kwargs", None)
    if not isinstance(error, CondaError) or not known:
        return
    text = str(error.message)
    with contextlib.suppress(KeyError, TypeError, ValueError):
        text %= {key: known[key] for key in known if key not in _PRIVATE}
    error.message = text.replace("%", "%%")


def in_one_line(error: BaseException) -> str:
    """Say what went wrong as conda says it, without line breaks, twins and secrets."""
    return "; ".join(dict.fromkeys(map(_words, leaves(error))))


def _words(error: BaseException) -> str:
    text = without_credentials(" ".join(str(error).split()))
    if text and isinstance(error, CondaError | OSError | ValueError):
        return text
    return f"{type(error).__name__} {text}".rstrip()


@contextlib.contextmanager
def translated(what: str) -> Iterator[None]:
    """Turn whatever conda raises into an EngineError of one line: `what`, why."""
    try:
        yield
    except S3SyncError:
        raise
    except (Exception, SystemExit) as error:
        # conda raises what it likes, and one environment must not stop the others.
        # SystemExit: a broken archive, fetching side by side with another conda.
        raise EngineError(f"{what}: {in_one_line(error)}") from error


@contextlib.contextmanager
def quiet() -> Iterator[None]:
    """Keep conda from asking, from talking on a stdout that is ours, and from pip.

    Where conda is set to see pip's packages, reading an environment deletes the records
    of conda packages that pip has replaced.
    """
    with (
        contextlib.redirect_stdout(io.StringIO()),
        context._override("always_yes", True),
        context._override("prefix_data_interoperability", False),
    ):
        yield
