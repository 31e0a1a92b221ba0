"""What is going to be installed, and that it is not to be had any more."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Generic

from ..exceptions import EngineError
from .ladder import P

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence


class GoneError(EngineError):
    """Packages are not to be had where they were, and nothing worse.

    `files`: which ones. `may_return`: nobody answers there, which need not last.
    """

    def __init__(
        self,
        message: str,
        *,
        hint: str = "",
        files: Iterable[str] = (),
        may_return: bool = False,
    ) -> None:
        super().__init__(message, hint=hint)
        self.files = sorted(files)
        self.may_return = may_return


@dataclass(frozen=True)
class Choice(Generic[P]):
    """What is going to be installed."""

    packages: Sequence[P]
    #: What the history shall say was asked for.
    requested: list[str]
    pip: tuple[str, ...]
    #: By a lock: nothing else is needed.
    exact: bool
    #: In words, what was given up.
    notes: list[str]
    #: What was asked for, and is not to be had on this platform: spec -> version.
    elsewhere: Mapping[str, str] = field(default_factory=dict)
