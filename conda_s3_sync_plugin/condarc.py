"""conda's settings, from its files and variables: for where no conda can be asked."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import yaml

from .exceptions import UsageError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

#: Folders of configuration, the weakest first: conda's search path.
_FOLDERS: Final = (
    "C:/ProgramData/conda" if os.name == "nt" else "/etc/conda",
    *(() if os.name == "nt" else ("/var/lib/conda",)),
    "$CONDA_ROOT",
    "$XDG_CONFIG_HOME/conda",
    "~/.config/conda",
    "~/.conda",
)
_FILES: Final = (".condarc", "condarc", "condarc.d")

_TRUE: Final = ("1", "on", "true", "y", "yes")
_FALSE: Final = ("", "0", "false", "n", "no", "none", "null", "off")


class Condarc:
    """What a user has set: variables before files, and strong files before weak ones.

    `files`: what they hold, the strongest first.
    """

    def __init__(self, files: Iterable[Mapping[str, Any]]) -> None:
        self._files = list(files)

    @classmethod
    def load(cls, root: Path) -> Condarc:
        """Read the files of this user, and of the installation at `root`.

        Raise UsageError where one of them cannot be read.
        """
        return cls([_read(path) for path in reversed([*_search(root)])])

    def text(self, name: str, default: str = "") -> str:
        """Return a setting of one value."""
        for value in self._values(name):
            return os.path.expandvars(str(value))
        return default

    def flag(self, name: str, *, default: bool) -> bool:
        """Return a setting that is true or false; raise UsageError."""
        for value in self._values(name):
            return as_flag(name, value)
        return default

    def items(self, name: str, separator: str = ",") -> list[str]:
        """Return a setting of many values, the strongest first, each once."""
        found: list[str] = []
        for value in self._values(name, separator):
            values = value if isinstance(value, list | tuple) else [value]
            found += [os.path.expandvars(str(item)) for item in values if item]
        return list(dict.fromkeys(found))

    def mapping(self, name: str) -> dict[str, Any]:
        """Return a setting of keys and values; of one key, the strongest value."""
        found: dict[str, Any] = {}
        for value in self._values(name):
            if isinstance(value, Mapping):
                found = {**value, **found}
        return found

    def _values(self, name: str, separator: str = "") -> Iterator[Any]:
        variable = os.environ.get(f"CONDA_{name.upper()}")
        if variable:
            yield variable.split(separator) if separator else variable
        for settings in self._files:
            if settings.get(name) is not None:
                yield settings[name]


def as_flag(name: str, value: object) -> bool:
    """Read what stands for true or false; raise UsageError."""
    text = str(value).strip().lower()
    if text not in (*_TRUE, *_FALSE):
        raise UsageError(f"{name} is either true or false, not {value!r}.")
    return text in _TRUE


def _search(root: Path) -> Iterator[Path]:
    """Yield the configuration files there are, the weakest first."""
    known = {**os.environ, "CONDA_ROOT": str(root)}
    for folder in (*_FOLDERS, "~/.condarc", "$CONDA_PREFIX", "$CONDARC"):
        name, _, rest = folder.partition("/")
        if name.startswith("$"):
            if not known.get(name[1:]):
                continue
            folder = f"{known[name[1:]]}/{rest}" if rest else known[name[1:]]
        place = Path(folder).expanduser()
        if place.is_file():
            yield place
            continue
        for path in (place / file for file in _FILES):
            if path.is_dir():
                files = sorted(path.iterdir())
                yield from (file for file in files if file.suffix in (".yml", ".yaml"))
            elif path.is_file():
                yield path


def _read(path: Path) -> Mapping[str, Any]:
    try:
        found = yaml.safe_load(path.read_bytes())
    except (OSError, ValueError, yaml.YAMLError) as error:
        why = " ".join(str(error).split())
        raise UsageError(f"{path} cannot be read: {why}") from None
    if found is not None and not isinstance(found, Mapping):
        raise UsageError(f"{path} is no configuration of conda.")
    return found or {}
