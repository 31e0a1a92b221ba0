"""Environment files: read, written, hashed, and refused."""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING, Any

import yaml

from .exceptions import EnvFileError
from .models import EnvFile
from .validation import check_pip, strings, variables_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

#: libyaml where there is one: ten times as fast.
_BASE_LOADER = getattr(yaml, "CBaseLoader", yaml.BaseLoader)

#: Far more than an environment file needs; libyaml's loader crashes on very deep ones.
_DEEPEST = 16

#: How much a file may say, counting what it repeats by aliases: some of these say the
#: same thing a billion times.
_LARGEST = 100_000


def render(
    name: str,
    *,
    channels: Iterable[str],
    specs: Iterable[str],
    pip: Iterable[str] = (),
    variables: Mapping[str, str] | None = None,
    pinned: Iterable[str] = (),
) -> EnvFile:
    """Write an environment.yml that `conda env create -f` and its relatives take.

    Where there are pins, conda says that it ignores that section.
    """
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
    if pinned := list(pinned):
        document["pinned"] = pinned
    # Where they are not escaped, YAML reads some of the line breaks as spaces.
    is_plain = all(map(str.isprintable, (variables or {}).values()))
    text = yaml.safe_dump(
        document, sort_keys=False, allow_unicode=is_plain, width=10**6
    )
    return parse(text.encode())


def parse(body: bytes, *, pip_options: bool = False) -> EnvFile:
    """Read an environment.yml as anybody may have written it; never run any of it.

    `pip_options`: it may ask pip for options and local files, too. Raise EnvFileError,
    without quoting the document at length.
    """
    document = _load(body)
    if not isinstance(document, dict) or "dependencies" not in document:
        raise EnvFileError("It is no environment file: it has no dependencies.")
    specs, pip = _split(document["dependencies"])
    if not pip_options:
        check_pip(pip)
    channels = strings(document.get("channels"), "channels")
    variables = variables_of(document.get("variables"))
    pinned = _pinned(document)
    digest = _digest(channels, specs, pip, variables, pinned)
    return EnvFile(
        body, digest, tuple(channels), tuple(specs), tuple(pip), variables, pinned
    )


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
        _check_extent(yaml.parse(body, _Loader))
        return yaml.load(body, _Loader)  # noqa: S506 (it makes nothing but text)
    except (yaml.YAMLError, ValueError) as error:
        # ValueError: not text in any encoding.
        mark = getattr(error, "problem_mark", None)
        where = f" (line {mark.line + 1})" if mark else ""
        raise EnvFileError(f"It is not valid YAML{where}.") from None


def _check_extent(events: Iterable[yaml.Event]) -> None:
    """Raise EnvFileError where a document is too deep, or says too much."""
    known: dict[str | None, tuple[int, int]] = {}  # anchor -> size, height
    around: list[tuple[str | None, int, int]] = [(None, 0, 0)]
    for event in events:
        if isinstance(event, yaml.CollectionStartEvent):
            around.append((event.anchor, 1, 0))
            anchor, size, height = None, 0, 0
        elif isinstance(event, yaml.CollectionEndEvent):
            anchor, size, height = around.pop()
        elif isinstance(event, yaml.ScalarEvent):
            anchor, size, height = event.anchor, 1, 0
        elif isinstance(event, yaml.AliasEvent):
            if event.anchor not in known:  # it holds itself, or is no anchor
                raise EnvFileError("It is not valid YAML: an alias leads nowhere.")
            anchor, (size, height) = None, known[event.anchor]
        else:
            continue
        known[anchor] = size, height
        outer, total, highest = around.pop()
        around.append((outer, total + size, max(highest, height + 1)))
        if len(around) + height > _DEEPEST:
            raise EnvFileError("It is nested too deeply for an environment file.")
        if total + size > _LARGEST:
            raise EnvFileError("It says more than any environment file.")


def _digest(
    channels: list[str],
    specs: list[str],
    pip: list[str],
    variables: dict[str, str],
    pinned: tuple[str, ...] | None,
) -> str:
    """Hash the content: no name, no formatting, and only channels have an order."""
    canonical: dict[str, object] = {
        "channels": channels,
        "dependencies": sorted(map(_squeezed, specs)),
        "pip": sorted(map(_squeezed, pip)),
        "variables": variables,
    }
    if pinned:
        canonical["pinned"] = sorted(map(_squeezed, pinned))
    text = json.dumps(canonical, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode("ascii")).hexdigest()


def _squeezed(spec: str) -> str:
    return " ".join(spec.split())


def _pinned(document: Mapping[str, object]) -> tuple[str, ...] | None:
    """Return what is to stay as it is; None: that is left to the machine."""
    if document.get("pinned") is None:
        return None
    pins = strings(document["pinned"], "pins")
    if any(pin.lstrip().startswith("#") for pin in pins):
        raise EnvFileError("One of its pins is a comment.")
    return tuple(pins)


def _split(dependencies: object) -> tuple[list[str], list[str]]:
    """Separate conda's specs from pip's."""
    specs, pip = [], []
    if not isinstance(dependencies, list | None):
        raise EnvFileError("Its dependencies are no list.")
    for entry in dependencies or ():
        if isinstance(entry, dict) and entry.keys() == {"pip"}:
            pip += strings(entry["pip"], "pip packages")
        else:
            specs += strings([entry], "dependencies")
    return specs, pip
