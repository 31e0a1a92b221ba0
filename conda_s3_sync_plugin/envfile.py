"""Environment files and locks: read, written, hashed, and refused."""

from __future__ import annotations

import hashlib
import json
import re
from typing import TYPE_CHECKING, Any, Final

import yaml

from .exceptions import EnvFileError
from .models import EnvFile, Lock

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

#: Raised with each change of the lock that older releases cannot read.
LOCK_FORMAT: Final = 1

#: libyaml where there is one: ten times as fast.
_BASE_LOADER = getattr(yaml, "CBaseLoader", yaml.BaseLoader)

#: Far more than an environment file needs; libyaml's loader crashes on very deep ones.
_DEEPEST = 16

#: Activation scripts put these names into shell code as they are.
_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")

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
_PIP_URL = re.compile(
    r"\s*([^/\\@;]*@)?\s*([a-z]+\+)?(https?|ssh|git|svn|s?ftp)://\S+(\s*;[^/\\]*)?",
    re.IGNORECASE,
)

#: These become a file in the package cache and a folder in the bucket.
_ARCHIVE = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.!+-]*\.(?:conda|tar\.bz2)")
_PACKAGE = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]*")
_URL = re.compile(r"(?:https?|ftp|s3|file)://[^\s]+")
_HASHES = {"sha256": re.compile(r"[0-9a-f]{64}"), "md5": re.compile(r"[0-9a-f]{32}")}


def render(
    name: str,
    *,
    channels: Iterable[str],
    specs: Iterable[str],
    pip: Iterable[str] = (),
    variables: Mapping[str, str] | None = None,
) -> EnvFile:
    """Write an environment.yml that `conda env create -f` and its relatives take."""
    listed: list[Any] = sorted(specs)
    if pip := sorted(pip):
        listed.append({"pip": pip})
    document: dict[str, Any] = {
        "name": name,
        "channels": list(channels),
        "dependencies": listed,
    }
    if variables:
        document["variables"] = dict(sorted(variables.items()))
    # Where they are not escaped, YAML reads some of the line breaks as spaces.
    is_plain = all(map(str.isprintable, (variables or {}).values()))
    text = yaml.safe_dump(
        document, sort_keys=False, allow_unicode=is_plain, width=10**6
    )
    return parse(text.encode())


def parse(body: bytes) -> EnvFile:
    """Read an environment.yml as anybody may have written it; never run any of it.

    Raise EnvFileError, without quoting the document at length.
    """
    document = _load(body)
    if not isinstance(document, dict) or "dependencies" not in document:
        raise EnvFileError("It is no environment file: it has no dependencies.")
    specs, pip = _split(document["dependencies"])
    channels = _strings(document.get("channels"), "channels")
    variables = _variables(document.get("variables"))
    digest = _digest(channels, specs, pip, variables)
    return EnvFile(body, digest, tuple(channels), tuple(specs), tuple(pip), variables)


class _Loader(_BASE_LOADER):  # type: ignore[misc, valid-type, unused-ignore]
    """Take each scalar as the text it is, or None: no numbers, dates or objects."""

    def construct_scalar(self, node: yaml.ScalarNode) -> str | None:
        text: str = super().construct_scalar(node)
        is_null = text in ("", "~", "null") and not node.style  # it has no quotes
        return None if is_null else text

    def construct_mapping(
        self, node: yaml.MappingNode, deep: bool = False
    ) -> dict[Any, Any]:
        mapping: dict[Any, Any] = super().construct_mapping(node, deep)
        if len(mapping) < len(node.value):
            # One reader would take the first of two, another one the last.
            raise yaml.constructor.ConstructorError(problem_mark=node.start_mark)
        return mapping


def _load(body: bytes) -> object:
    try:
        depth = 0
        for event in yaml.parse(body, _Loader):
            depth += isinstance(event, yaml.CollectionStartEvent)
            depth -= isinstance(event, yaml.CollectionEndEvent)
            if depth > _DEEPEST:
                raise EnvFileError("It is nested too deeply for an environment file.")
            if isinstance(event, yaml.AliasEvent):
                # A few of them say the same thing a billion times.
                raise EnvFileError("It has YAML aliases, which are refused.")
        return yaml.load(body, _Loader)  # noqa: S506 (it makes nothing but text)
    except (yaml.YAMLError, ValueError) as error:
        # ValueError: not text in any encoding.
        mark = getattr(error, "problem_mark", None)
        where = f" (line {mark.line + 1})" if mark else ""
        raise EnvFileError(f"It is not valid YAML{where}.") from None


def _digest(
    channels: list[str], specs: list[str], pip: list[str], variables: dict[str, str]
) -> str:
    """Hash the content: no name, no formatting, and only channels have an order."""
    canonical = {
        "channels": channels,
        "dependencies": sorted(map(_squeezed, specs)),
        "pip": sorted(map(_squeezed, pip)),
        "variables": variables,
    }
    text = json.dumps(canonical, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode("ascii")).hexdigest()


def _squeezed(spec: str) -> str:
    return " ".join(spec.split())


def _split(dependencies: object) -> tuple[list[str], list[str]]:
    """Separate conda's specs from pip's."""
    specs, pip = [], []
    if not isinstance(dependencies, list | None):
        raise EnvFileError("Its dependencies are no list.")
    for entry in dependencies or ():
        if isinstance(entry, dict) and entry.keys() == {"pip"}:
            pip += _strings(entry["pip"], "pip packages")
        else:
            specs += _strings([entry], "dependencies")
    for requirement in pip:
        if _PIP_OPTION.search(requirement) or (
            _PIP_LOCAL.search(requirement) and not _PIP_URL.fullmatch(requirement)
        ):
            raise EnvFileError(
                f"It asks pip for {requirement[:60]!r}: options, local files and "
                "folders are refused, because they would run as you."
            )
    return specs, pip


def _strings(entries: object, what: str) -> list[str]:
    if not isinstance(entries, list | None):
        raise EnvFileError(f"Its {what} are no list.")
    for entry in entries or ():
        # A line break could smuggle a second line into whatever reads the entry.
        if not isinstance(entry, str) or not entry.strip() or not entry.isprintable():
            raise EnvFileError(f"One of its {what} is no plain text.")
    return list(entries or ())


def _variables(entries: object) -> dict[str, str]:
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


def render_lock(lock: Lock) -> bytes:
    """Write a lock as JSON: the same bytes for the same lock."""
    document = {
        "format": LOCK_FORMAT,
        "digest": lock.digest,
        "platform": lock.platform,
        "packages": [dict(package) for package in lock.packages],
        "requested": list(lock.requested),
        "pip": list(lock.pip),
        "variables": dict(lock.variables),
    }
    return json.dumps(document, sort_keys=True, indent=1).encode()


def parse_lock(body: bytes, *, digest: str, platform: str) -> Lock:
    """Read the lock of one version for one platform; raise EnvFileError."""
    try:
        document = json.loads(body)
    except (ValueError, RecursionError):
        raise EnvFileError("Its lock is not valid JSON.") from None
    if not isinstance(document, dict) or document.get("format") != LOCK_FORMAT:
        raise EnvFileError("Its lock has a format that this release does not know.")
    if (document.get("digest"), document.get("platform")) != (digest, platform):
        raise EnvFileError("Its lock belongs to another version or platform.")
    packages = document.get("packages")
    if not isinstance(packages, list) or not all(map(_is_record, packages)):
        raise EnvFileError("Its lock names packages in an unknown way.")
    _, pip = _split([{"pip": document.get("pip")}])
    return Lock(
        digest,
        platform,
        tuple(packages),
        tuple(_strings(document.get("requested"), "requested specs")),
        tuple(pip),
        _variables(document.get("variables")),
    )


def _is_record(package: object) -> bool:
    """Tell whether a package can be fetched and checked, and leads nowhere else."""
    if not isinstance(package, dict):
        return False
    texts = [
        package.get(key) for key in ("name", "version", "build", "subdir", "fn", "url")
    ]
    if not all(isinstance(text, str) and text.isprintable() for text in texts):
        return False
    hashes = {key: package[key] for key in _HASHES if key in package}
    return (
        _PACKAGE.fullmatch(package["name"]) is not None
        and _PACKAGE.fullmatch(package["subdir"]) is not None
        and _ARCHIVE.fullmatch(package["fn"]) is not None
        and _URL.fullmatch(package["url"]) is not None
        and package["url"].rsplit("/", 1)[-1] == package["fn"]
        and all(
            isinstance(text, str) and _HASHES[key].fullmatch(text)
            for key, text in hashes.items()
        )
        and bool(hashes)
    )
