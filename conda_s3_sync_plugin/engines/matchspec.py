"""What is asked of packages, as rattler understands it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import rattler
from rattler.exceptions import InvalidMatchSpecError

from ..exceptions import EngineError

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

    def at(self, version: str) -> RattlerSpec:
        """Return a spec for exactly this version, from the same channel."""
        return self._only(f"=={version}")

    def weaker(self) -> RattlerSpec | None:
        """Return it without a build, or then without a version; None: a bare name."""
        version = self.match_spec.version or ""
        for weaker in (self._only(version), self._only("")):
            if str(weaker.match_spec) != str(self.match_spec):
                return weaker
        return None

    def _only(self, version: str) -> RattlerSpec:
        channel, named, _ = self.text.rpartition("::")
        rest = f"{self.name}{version if version[:1] in '=<>!~' else f'={version}'}"
        text = f"{channel}{named}{rest}"
        return RattlerSpec(text, _match_spec(self.channels, rest, text), self.channels)

    def matches(self, package: rattler.RepoDataRecord) -> bool:
        """Tell whether a package is what is asked for."""
        starts = tuple(f"{channel}/" for channel in self.channels)
        # rattler does not compare the channels.
        is_from_there = not starts or package.url.startswith(starts)
        return is_from_there and bool(self.match_spec.matches(package))


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
