"""conda's settings, from its files and variables: for where no conda can be asked.

Found, and put together, as conda does it. Two things differ: a file that cannot be read
ends the run, where conda goes on without it, and the marks in comments that let a weak
file win (`#!final` and its like) are not known.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Mapping
from pathlib import Path
from string import Template
from typing import TYPE_CHECKING, Any, Final

import yaml

from .exceptions import UsageError

if TYPE_CHECKING:
    from collections.abc import Iterator

_NAMES: Final = (".condarc", "condarc")
_ENDINGS: Final = (".yml", ".yaml")
_SYSTEM: Final = (
    ("C:/ProgramData/conda",) if os.name == "nt" else ("/etc/conda", "/var/lib/conda")
)
_USER: Final = ("$CONDA_ROOT", "$XDG_CONFIG_HOME/conda", "~/.config/conda", "~/.conda")
_BELOW: Final = (*_NAMES, "condarc.d")
#: Where conda looks for files, or for folders of them; the weakest first.
_SEARCH: Final = (
    *(f"{folder}/{name}" for folder in (*_SYSTEM, *_USER) for name in _BELOW),
    "~/.condarc",
    *(f"$CONDA_PREFIX/{name}" for name in _BELOW),
    "$CONDARC",
)

#: The other names that conda knows for a setting.
_ALIASES: Final = {"channels": "channel", "envs_dirs": "envs_path"}

_TRUE: Final = ("1", "on", "true", "y", "yes")
_FALSE: Final = ("", "0", "false", "n", "no", "none", "off")


class Condarc:
    """What a user has set: variables before files, and strong files before weak ones.

    `files`: what each of them holds, by its path, the strongest first. A setting of a
    plugin is asked for as `plugins.NAME`. Whatever makes no sense is a UsageError that
    names its source.
    """

    def __init__(self, files: Mapping[str, Mapping[str, Any]]) -> None:
        self._files = files

    @classmethod
    def load(cls, root: Path) -> Condarc:
        """Read the files of this user, and of the installation at `root`."""
        paths = dict.fromkeys(_search(root))
        return cls({str(path): _read(path) for path in reversed(paths)})

    def text(self, name: str, default: str = "") -> str:
        """Return a setting of one value; an empty one is as good as none."""
        for source, value in self._values(name):
            found = _text(source, name, value)
            # conda leaves settings of plugins as they are: a `$` may mean itself there.
            return (found if "." in name else os.path.expandvars(found)) or default
        return default

    def flag(self, name: str, *, default: bool) -> bool:
        """Return a setting that is true or false."""
        for source, value in self._values(name):
            text = _text(source, name, value).strip().lower()
            if text not in (*_TRUE, *_FALSE):
                raise _wrong(source, name, f"true or false, not {text[:40]!r}")
            return text in _TRUE
        return default

    def items(self, name: str, separator: str = ",") -> list[str]:
        """Return a setting of many values, the strongest first, each once.

        `separator`: what is between them in a variable.
        """
        found = [
            part.strip()
            for _, value in self._in_variables(name)
            for part in value.split(separator)
        ]
        for source, value in self._in_files(name):
            found += _texts(source, name, value)
        return [os.path.expandvars(text) for text in dict.fromkeys(found) if text]

    def mapping(self, name: str) -> dict[str, Any]:
        """Return a setting of keys and values, which are texts or lists of texts.

        Of one key, the strongest text, or all lists in one.
        """
        found: dict[str, Any] = {}
        for source, value in self._in_files(name):
            if not isinstance(value, Mapping):
                raise _wrong(source, name, "a mapping of keys to values")
            for key, item in value.items():
                if isinstance(item, list):
                    texts = map(os.path.expandvars, _texts(source, name, item))
                    if isinstance(before := found.setdefault(str(key), []), list):
                        before += texts
                elif item is not None:
                    text = _text(source, name, item)
                    found.setdefault(str(key), os.path.expandvars(text))
        return found

    def _values(self, name: str) -> Iterator[tuple[str, Any]]:
        yield from self._in_variables(name)
        yield from self._in_files(name)

    def _in_variables(self, name: str) -> Iterator[tuple[str, str]]:
        for known in filter(None, (name, _ALIASES.get(name))):
            variable = f"CONDA_{known.replace('.', '_').upper()}"
            if variable in os.environ:
                yield variable, os.environ[variable]

    def _in_files(self, name: str) -> Iterator[tuple[str, Any]]:
        *group, _ = name.split(".")
        for source, settings in self._files.items():
            for part in group:
                settings = settings.get(part) or {}
                if not isinstance(settings, Mapping):
                    raise _wrong(source, part, "a mapping of keys to values")
            for known in filter(None, (name, _ALIASES.get(name))):
                value = settings.get(known.rpartition(".")[2])
                if value is not None:
                    yield source, value


def _texts(source: str, name: str, value: object) -> list[str]:
    if not isinstance(value, list):
        raise _wrong(source, name, "a list, even of one value")
    return [_text(source, name, item) for item in value if item is not None]


def _text(source: str, name: str, value: object) -> str:
    # Not quoted: with aliases, a few lines may be a list of a billion texts.
    if isinstance(value, list | Mapping):
        raise _wrong(source, name, "text, neither a list nor a mapping")
    return str(value)


def _wrong(source: str, name: str, what: str) -> UsageError:
    return UsageError(f"{source}: {name} must be {what}.")


def _search(root: Path) -> Iterator[Path]:
    """Yield the configuration files there are, the weakest first."""
    known = {name: text for name, text in os.environ.items() if text}
    known["CONDA_ROOT"] = str(root)
    for place in _SEARCH:
        # No such variable, or a folder of others: there is nothing.
        with contextlib.suppress(KeyError, OSError):
            path = Path(Template(place).substitute(known)).expanduser()
            if path.is_dir():
                files = (file for file in sorted(path.iterdir()) if file.is_file())
                yield from (file for file in files if file.suffix in _ENDINGS)
            elif path.is_file() and (path.name in _NAMES or path.suffix in _ENDINGS):
                yield path


class _Loader(yaml.BaseLoader):
    """Take each scalar as the text it is, or None: `010` is no eight.

    The python one: libyaml's crashes on what is nested very deeply.
    """

    def construct_scalar(self, node: yaml.ScalarNode) -> Any:  # noqa: ANN401
        text: str = super().construct_scalar(node)
        is_null = text in ("", "~", "null") and not node.style  # it has no quotes
        return None if is_null else text


def _read(path: Path) -> Mapping[str, Any]:
    try:
        found = yaml.load(path.read_bytes(), _Loader)  # noqa: S506 (texts, nothing else)
    except OSError as error:
        why = error.strerror or str(error)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark
        why = f"{error.problem}{f' (line {mark.line + 1})' if mark else ''}"
    except yaml.YAMLError:
        why = "it is no text"
    except RecursionError:
        why = "it is nested too deeply"
    else:
        if found is None or isinstance(found, Mapping):
            return found or {}
        why = "there are no settings in it"
    raise UsageError(f"{path} cannot be read as a configuration of conda: {why}.")
