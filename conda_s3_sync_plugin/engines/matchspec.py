"""What is asked of packages, as rattler understands it."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import rattler
from rattler.exceptions import InvalidMatchSpecError

from ..exceptions import EngineError
from .channels import platform_of, without_platform

if TYPE_CHECKING:
    from .channels import Channels


@dataclass(frozen=True)
class RattlerSpec:
    """What is asked of one package, as rattler understands it."""

    #: As it was written: that is what the history shall say.
    text: str
    match_spec: Any = field(compare=False)
    #: The addresses behind the channel that it names, if it does.
    channels: tuple[str, ...] = ()
    #: Where it is one version of that, what was asked for, but for the build.
    asked: RattlerSpec | None = field(default=None, compare=False)

    @classmethod
    def parse(cls, text: str, channels: Channels) -> RattlerSpec:
        """Read a spec; raise EngineError where it is none."""
        channel, _, rest = text.rpartition("::")
        places = tuple(channels.urls([channel])) if channel else ()
        return cls(text, _match_spec(places, rest, text), places)

    def __str__(self) -> str:
        return self.text

    @property
    def name(self) -> str:
        """Return the name of the package."""
        return str(self.match_spec.name.normalized)

    @property
    def has_build(self) -> bool:
        """Tell whether one build is asked for."""
        return self.match_spec.build not in (None, "*")

    @property
    def is_version(self) -> bool:
        """Tell whether it is one version of what was asked for."""
        return self.asked is not None

    @property
    def _platform(self) -> str:
        """The platform that it names, as conda does in what comes from a URL."""
        named = platform_of(self.text.rpartition("::")[0])
        return self.match_spec.subdir or named

    def at(self, version: str) -> RattlerSpec:
        """Return a spec for exactly this version, of the same build and channel."""
        build = f"={self.match_spec.build}" if self.has_build else ""
        asked = self._only(self.match_spec.version or "")
        return replace(
            self._only(f"=={version}{build}"),
            asked=self if asked._is_same(self) else asked,
        )

    def weaker(self) -> RattlerSpec | None:
        """Return it without a build, or then without a version; None: a bare name."""
        without_build = self._only(self.match_spec.version or "")
        rungs = (
            replace(without_build, asked=self.asked),
            self.asked,
            self._only(""),
        )
        return next((rung for rung in rungs if rung and not rung._is_same(self)), None)

    def _is_same(self, other: RattlerSpec) -> bool:
        return (str(self.match_spec), self._platform) == (
            str(other.match_spec),
            other._platform,
        )

    def _only(self, version: str) -> RattlerSpec:
        """Return it with another version, for whatever platform."""
        channel, named, _ = self.text.rpartition("::")
        rest = f"{self.name}{version if version[:1] in '=<>!~' else f'={version}'}"
        text = f"{without_platform(channel)}{named}{rest}"
        return RattlerSpec(text, _match_spec(self.channels, rest, text), self.channels)

    def matches(self, package: rattler.RepoDataRecord) -> bool:
        """Tell whether a package is what is asked for."""
        starts = tuple(f"{channel}/" for channel in self.channels)
        # rattler compares neither the channels nor the platforms.
        is_from_there = not starts or package.url.startswith(starts)
        is_for_that = self._platform in ("", str(package.subdir))
        return is_from_there and is_for_that and bool(self.match_spec.matches(package))


def _match_spec(places: tuple[str, ...], rest: str, text: str) -> Any:  # noqa: ANN401
    """Read what rattler can of a spec; raise EngineError where it is none.

    It can name one channel: of several such as `defaults`, the order decides.
    """
    place = f"{places[0]}::" if len(places) == 1 else ""
    try:
        # Wrapped: plain strings are read more strictly than conda does.
        return rattler.MatchSpec(f"{place}{rest}")
    except InvalidMatchSpecError as error:
        why = " ".join(str(error).split())
        raise EngineError(f"{text!r} cannot be read: {why}") from None
