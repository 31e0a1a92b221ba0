"""What one run is asked to do: flags before settings, settings before defaults."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from .exceptions import UsageError
from .location import ROOT, Location, name_problem
from .models import Policy, Scope
from .settings import SETTINGS
from .words import Direction, Prefer

if TYPE_CHECKING:
    from argparse import Namespace
    from collections.abc import Iterable, Mapping


#: Flags that say which environments, and which bucket, are meant.
_PLACES = ("profile", "region", "endpoint_url", "conda_bin", "include_root_env")

#: The beginning of a digest, or all of it.
_VERSION = re.compile(r"[0-9a-f]{4,64}")


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
    pip_options: bool = False
    record_host: bool = True
    keep_versions: int = 50
    profile: str = ""
    region: str = ""
    endpoint_url: str = ""
    #: What of the access was given as a flag, and not as a setting.
    given: frozenset[str] = frozenset()
    #: Seconds that all of it may wait for the bucket; 0: as long as it takes.
    timeout: int = 0
    #: What is to be told by package, and not done.
    in_detail: bool = False
    #: An environment whose versions are to be told; empty: none.
    history_of: str = ""
    #: Name and version to go back to; empty: none.
    restores: tuple[str, str] | tuple[()] = ()

    @classmethod
    def read(cls, args: Namespace, configured: Mapping[str, Any]) -> Options:
        """Take each option from its flag or else from its setting; raise UsageError."""
        for setting in SETTINGS:
            value = configured[setting.name]
            if setting.choices and value not in setting.choices:
                choices = ", ".join(setting.choices)
                raise UsageError(f"{setting.name} is one of {choices}, not {value!r}.")

        given_location = configured["s3_sync_location"]

        def either(name: str, setting: str) -> Any:  # noqa: ANN401
            flag = getattr(args, name)
            return configured[f"s3_sync_{setting}"] if flag is None else flag

        direction = either("direction", "direction")
        _check_commands(args, direction)
        location, detail = args.location, args.detail
        if detail and not location and ("/" in detail or not given_location):
            # `--diff BUCKET/PATH`: what follows a flag is taken for its own.
            location, detail = detail, ""
        location = location or given_location
        if not location:
            raise UsageError(
                "No location is given.",
                hint="Name one, BUCKET[/PATH], or set it for good: s3_sync_location, "
                "below `plugins:` in .condarc.",
            )
        return cls(
            location=Location.parse(location),
            scope=_scope(
                [*(args.names or ()), *filter(None, [detail])],
                either("path_filter", "path_filter"),
                root=bool(either("include_root_env", "include_root_env")),
            ),
            policy=Policy(
                Prefer(either("prefer", "prefer")),
                Direction(direction),
                bool(either("deletes", "delete")),
            ),
            prune=bool(either("prune", "prune")),
            force=bool(args.unchecked),
            conda_bin=args.conda_bin or "",
            secrets=bool(configured["s3_sync_secret_variables"]),
            pip_options=bool(configured["s3_sync_pip_options"]),
            keep_versions=count(configured, "s3_sync_keep_versions"),
            record_host=bool(configured["s3_sync_record_host"]),
            profile=either("profile", "profile"),
            region=either("region", "region"),
            endpoint_url=either("endpoint_url", "endpoint_url"),
            given=frozenset(name for name in _PLACES if getattr(args, name)),
            in_detail=args.detail is not None,
            history_of=_named("--history", args.history_of or ""),
            restores=_restores(args.restores or ""),
        )


def count(configured: Mapping[str, Any], name: str) -> int:
    """Return a setting that is a number from 0 on; raise UsageError."""
    try:
        number = int(configured[name])
    except ValueError:
        number = -1
    if number < 0:
        raise UsageError(f"{name} is a number from 0 on, not {configured[name]!r}.")
    return number


def _scope(names: Iterable[str], path_filter: str, *, root: bool) -> Scope:
    for name in names:
        if name in ("base", ROOT) and not root:
            raise UsageError(
                f"-n {name}: the base environment takes part only if it is asked for.",
                hint=f"Use --include-root-env -n {ROOT}.",
            )
        if name != ROOT and (problem := name_problem(name)):
            raise UsageError(f"-n {name!r}: {problem}.")
    return Scope(frozenset(names), _pattern(path_filter), root)


def _check_commands(args: Namespace, direction: str) -> None:
    """Raise UsageError where things are asked for that do not go together."""
    if args.restores and direction != Direction.BOTH:
        raise UsageError(
            f"--restore goes both ways: not with --{direction}-only, or "
            f"s3_sync_direction: {direction}.",
            hint="Leave that out. Where it is set for good, "
            "CONDA_PLUGINS_S3_SYNC_DIRECTION=both goes before it, this once.",
        )
    command = "--history" if args.history_of else "--restore" if args.restores else ""
    pointless = {"--delete": args.deletes, "--prefer": args.prefer}
    if args.history_of:
        pointless |= {
            "--restore": args.restores,
            "--diff": args.detail is not None,
            "--no-prune": args.prune is not None,
            "--force": args.unchecked,
            f"--{args.direction}-only": args.direction,
        }
    for flag, is_given in pointless.items():
        if command and is_given:
            raise UsageError(f"{command} and {flag} do not go together.")


def _named(flag: str, name: str) -> str:
    """Return the name of an environment; raise UsageError where none can have it."""
    if name and name != ROOT and (problem := name_problem(name)):
        raise UsageError(f"{flag} {name!r}: {problem}.")
    return name


def _restores(text: str) -> tuple[str, str] | tuple[()]:
    """Split NAME[@VERSION], where a name may have an @ as well."""
    name, _, version = text.rpartition("@")
    if not name or not _VERSION.fullmatch(version):
        name, version = text, ""
    return (_named("--restore", name), version) if name else ()


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
    #: Questions are answered with yes.
    yes: bool = False
    #: How people call us.
    command: str = "conda s3-sync"


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
        yes=bool(context.always_yes),
    )
