"""Every choice a user has: the settings by name, and the options of one run."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from .exceptions import UsageError
from .location import Location
from .models import Direction, Policy, Prefer, Scope

if TYPE_CHECKING:
    from argparse import Namespace
    from collections.abc import Mapping


@dataclass(frozen=True, slots=True)
class Setting:
    """A setting as `conda config` shows it; its flag, if it has one, goes before it."""

    name: str
    default: str | bool
    description: str
    choices: tuple[str, ...] = ()

    def problem(self, value: object) -> str:
        """Say why it cannot have this value; empty: it can."""
        if self.choices and str(value) not in self.choices:
            return f"{self.name} is one of {', '.join(self.choices)}, not {value!r}"
        return ""


#: In `.condarc` below `plugins:`; in the environment as CONDA_PLUGINS_S3_SYNC_...
SETTINGS: Final = (
    Setting(
        "s3_sync_location",
        "",
        "BUCKET[/PATH] that `conda s3-sync` synchronizes with when it is given none.",
    ),
    Setting(
        "s3_sync_path_filter",
        "",
        "Regular expression; only environments in whose path it is found take part.",
    ),
    Setting(
        "s3_sync_include_root_env",
        False,
        "Whether the base environment takes part, under the name `root`. "
        "Packages are only ever added to it.",
    ),
    Setting(
        "s3_sync_direction",
        str(Direction.BOTH),
        "Which ways environments travel: `both`, `push` (only up) or `pull`.",
        tuple(map(str, Direction)),
    ),
    Setting(
        "s3_sync_prefer",
        str(Prefer.NEWEST),
        "Which side wins where both have changed: `newest`, `local`, `remote` or "
        "`none`. The other one is kept in the history.",
        tuple(map(str, Prefer)),
    ),
    Setting(
        "s3_sync_prune",
        True,
        "Whether packages that are not in the bucket's version are removed here.",
    ),
    Setting(
        "s3_sync_secret_variables",
        False,
        "Whether environment variables that look secret are synchronized, too.",
    ),
    Setting(
        "s3_sync_record_host",
        True,
        "Whether the name of this machine is written beside what it pushes.",
    ),
    Setting("s3_sync_profile", "", "Profile of the AWS configuration to use."),
    Setting("s3_sync_region", "", "Region of the bucket."),
    Setting("s3_sync_endpoint_url", "", "URL of an S3 server that is not Amazon's."),
)


@dataclass(frozen=True, slots=True)
class Options:
    """What one run is asked to do."""

    location: Location
    scope: Scope = Scope()
    policy: Policy = Policy()
    prune: bool = True
    force: bool = False
    conda_bin: str = ""
    secrets: bool = False
    record_host: bool = True
    profile: str = ""
    region: str = ""
    endpoint_url: str = ""

    @classmethod
    def read(cls, args: Namespace, configured: Mapping[str, Any]) -> Options:
        """Take each option from its flag or else from its setting; raise UsageError."""
        for setting in SETTINGS:
            if problem := setting.problem(configured[setting.name]):
                raise UsageError(problem)

        def either(name: str, setting: str) -> Any:  # noqa: ANN401
            flag = getattr(args, name)
            return configured[f"s3_sync_{setting}"] if flag is None else flag

        location = either("location", "location")
        if not location:
            raise UsageError(
                "No location is given.",
                hint="Name one, conda s3-sync BUCKET[/PATH], or set it for good: "
                "conda config --set plugins.s3_sync_location BUCKET[/PATH]",
            )
        return cls(
            location=Location.parse(location),
            scope=Scope(
                frozenset(args.names or ()),
                _pattern(either("path_filter", "path_filter")),
                bool(either("include_root_env", "include_root_env")),
            ),
            policy=Policy(
                Prefer(either("prefer", "prefer")),
                Direction(either("direction", "direction")),
            ),
            prune=bool(either("prune", "prune")),
            force=bool(args.force),
            conda_bin=args.conda_bin or "",
            secrets=bool(configured["s3_sync_secret_variables"]),
            record_host=bool(configured["s3_sync_record_host"]),
            profile=either("profile", "profile"),
            region=either("region", "region"),
            endpoint_url=either("endpoint_url", "endpoint_url"),
        )


def _pattern(text: str) -> re.Pattern[str] | None:
    try:
        return re.compile(text) if text else None
    except re.error as error:
        raise UsageError(f"{text!r} is no regular expression: {error}.") from None


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What the program that we are part of was told: conda, or our own command."""

    #: Setting -> value, from the environment, from configuration files, or its default.
    configured: Mapping[str, Any]
    json: bool = False
    quiet: bool = False
    verbose: bool = False
    dry_run: bool = False
    offline: bool = False


def conda_surroundings() -> Surroundings:
    """Return what the running conda was told."""
    from conda.base.context import context

    return Surroundings(
        {setting.name: getattr(context.plugins, setting.name) for setting in SETTINGS},
        json=bool(context.json),
        quiet=bool(context.quiet),
        verbose=context.verbosity > 0,
        dry_run=bool(context.dry_run),
        offline=bool(context.offline),
    )
