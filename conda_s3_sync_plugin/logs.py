"""What is logged: without any login, and nothing to obey, whoever logs it."""

from __future__ import annotations

import logging
import re
import traceback

from .engines.privacy import without_credentials
from .exceptions import visible

#: What lets a request in, where all of its headers are logged.
_HEADER = re.compile(r"^(\W*(?:\w+-)?(?:Authorization|Cookie): ).*", re.I | re.M)


def keep_private() -> None:
    """Strip logins from what is logged: with -vvv, conda tells those of channels."""
    loggers = [logging.root, *logging.root.manager.loggerDict.values()]
    for logger in loggers:
        for handler in getattr(logger, "handlers", ()):  # some are only placeholders
            handler.addFilter(_strip)


def _strip(record: logging.LogRecord) -> bool:
    text = without_credentials(record.getMessage())
    record.msg, record.args = _readable(_HEADER.sub(r"\1...", text)), ()
    if record.exc_info:
        words = "".join(traceback.format_exception(*record.exc_info)).rstrip()
        record.exc_text = _readable(without_credentials(words))
    return True


def _readable(text: str) -> str:
    """Spell out what a terminal would obey, but for what makes lines and columns."""
    return "".join(sign if sign in "\n\t" else visible(sign) for sign in text)


def show() -> None:
    """Let what we log ourselves be seen on stderr, where nobody else has."""
    handler = logging.StreamHandler()
    handler.addFilter(_strip)
    logger = logging.getLogger(__package__)
    logger.addHandler(handler)
    logger.setLevel(logging.INFO)
