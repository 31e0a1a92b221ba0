"""What is asked of packages, as rattler understands it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import rattler
from rattler.exceptions import InvalidMatchSpecError

from ..exceptions import EngineError
from .prefix import channel_name

if TYPE_CHECKING:
    from .channels import Channels


@dataclass(frozen=True)
class RattlerSpec:
    """What is asked of one package, as rattler understands it."""

    #: As it was written: that is what the history shall say.
    text: str
    match_spec: Any = field(compare=False)
    #: The address of its channel, if it names one.
    channel: str = ""

    @classmethod
    def parse(cls, text: str, channels: Channels) -> RattlerSpec:
        """Read a spec; raise EngineError where it is none."""
        channel, _, rest = text.rpartition("::")
        # `defaults` are several channels, and a spec can name but one.
        urls = channels.urls([channel]) if channel else []
        place = urls[0] if len(urls) == 1 else ""
        try:
            # Wrapped: plain strings are read more strictly than conda does.
            spec = rattler.MatchSpec(f"{place}::{rest}" if place else rest)
        except InvalidMatchSpecError as error:
            raise EngineError(f"{text!r} cannot be read: {error}") from None
        return cls(text, spec, place)

    def __str__(self) -> str:
        return self.text

    @property
    def name(self) -> str:
        """Return the name of the package."""
        return str(self.match_spec.name.normalized)

    @property
    def has_build(self) -> bool:
        """Tell whether one build is asked for."""
        return self.match_spec.build is not None

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
        place = f"{self.channel}::" if self.channel else ""
        shown = f"{channel_name(self.channel)}::" if self.channel else ""
        rest = f"{self.name}{version if version[:1] in '=<>!~' else f'={version}'}"
        spec = rattler.MatchSpec(f"{place}{rest}")
        return RattlerSpec(f"{shown}{rest}", spec, self.channel)

    def matches(self, package: rattler.RepoDataRecord) -> bool:
        """Tell whether a package is what is asked for."""
        return bool(self.match_spec.matches(package))
