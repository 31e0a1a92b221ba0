"""What this machine remembers: one file of baselines, and a lock between processes."""

from __future__ import annotations

import contextlib
import json
import os
import socket
from datetime import datetime, timezone
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from .atomic import replace_file
from .exceptions import StateError
from .locking import lock
from .models import Baseline
from .words import Conditions

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

#: Raised with each change that older releases would misread.
STATE_FORMAT: Final = 1

#: A variable that tells what a run starts that it is part of one.
RUNNING: Final = "S3_SYNC_RUNNING"

#: What reading raises where the file is not what was written: truncated, edited by
#: hand, nested without end, with times at the edge of the calendar.
_BROKEN: Final = (
    AttributeError,
    KeyError,
    OverflowError,
    RecursionError,
    TypeError,
    ValueError,
)

#: Beside what conda itself keeps for a user.
DEFAULT_FOLDER: Final = Path("~/.conda/s3-sync")


def check_home() -> None:
    """Raise StateError where nobody knows the home of this user."""
    try:
        Path.home()
    except RuntimeError:
        raise StateError(
            "This user has no home, where what is synchronized could be remembered.",
            hint="Set HOME to a folder of this user.",
        ) from None


class State:
    """The folder with everything that is remembered from run to run."""

    def __init__(self, folder: Path = DEFAULT_FOLDER) -> None:
        check_home()
        self.folder = folder.expanduser()
        self._file = self.folder / "baselines.json"
        #: What was wrong with the file, in words.
        self.warnings: list[str] = []
        self._unreadable = False

    @contextlib.contextmanager
    def locked(self) -> Iterator[None]:
        """Keep other runs of this user out; raise StateError if one is in.

        The system drops the lock with the process, so that none is ever left behind.
        """
        path = self.folder / "lock"
        try:
            self.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            file = path.open("a+", encoding="utf-8", errors="replace")
        except OSError as error:
            raise _unusable(path, "written", error) from None
        with file:
            try:
                lock(file)
            except (BlockingIOError, PermissionError):  # the latter: on Windows
                file.seek(0)
                holder = file.read().strip() or "an unknown process"
                raise StateError(
                    f"Another synchronization is running: {holder}.",
                    hint="Wait until it has ended, and run the command again.",
                ) from None
            except OSError as error:  # some network file systems have no locks
                raise _unusable(path, "locked", error) from None
            file.truncate(0)
            file.write(_me())
            file.flush()
            os.environ[RUNNING] = "1"
            try:
                yield
            finally:
                del os.environ[RUNNING]

    def memory(self, location: str, root: str) -> Memory:
        """Return what is remembered of one location and one conda installation."""
        document, memories = self._load()
        places = document["locations"].setdefault(location, {})
        known = memories.get(location, {})
        place = _place(root, known)
        entry = places.setdefault(place, {"conditions": None, "environments": {}})
        entry["installation"] = _installation(root)
        return known.get(place) or Memory(self, document, entry)

    def memories(self, root: str) -> dict[str, Memory]:
        """Return all that is remembered of one conda installation, by location."""
        _, memories = self._load()
        found = {
            location: places.get(_place(root, places))
            for location, places in memories.items()
        }
        return {location: memory for location, memory in found.items() if memory}

    def _load(self) -> tuple[dict[str, Any], dict[str, dict[str, Memory]]]:
        """Read the file; a lost or broken one means never synchronized: always safe.

        Return it as it is, and by location and conda installation.
        """
        empty = {"format": STATE_FORMAT, "locations": {}}
        try:
            document = json.loads(self._file.read_bytes())
            if document["format"] == STATE_FORMAT:
                return document, self._decoded(document)
            problem = "was written by another release"
        except FileNotFoundError:
            return empty, {}
        except OSError as error:
            raise _unusable(self._file, "read", error) from None
        except _BROKEN:
            problem = "is broken"
        self._unreadable = True
        self.warnings.append(
            f"{self._file} {problem}: every environment is compared anew, and that "
            "file is kept beside the new one"
        )
        return empty, {}

    def _decoded(self, document: dict[str, Any]) -> dict[str, dict[str, Memory]]:
        return {
            location: {
                place: Memory(self, document, entry) for place, entry in places.items()
            }
            for location, places in document["locations"].items()
        }

    def _save(self, document: dict[str, Any]) -> None:
        try:
            self.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            if self._unreadable:  # another release may know how
                self._file.replace(self._file.with_suffix(".unreadable.json"))
                self._unreadable = False
            # With indents, json would take its slow way, once for each environment.
            text = json.dumps(document, sort_keys=True)
            replace_file(self._file, text.encode("ascii"))
        except OSError as error:
            raise _unusable(self._file, "written", error) from None


def _unusable(path: Path, how: str, error: OSError) -> StateError:
    return StateError(
        f"{path} cannot be {how}: {error.strerror}.",
        hint="What is in step is remembered there: make that possible, or set HOME to "
        "another folder.",
    )


class Conflict(NamedTuple):
    """A conflict that was left as it is."""

    #: Of the environment here, as it was then.
    stamp: str
    reason: str


class Memory:
    """The baselines of one location and one conda installation."""

    def __init__(
        self, state: State, document: dict[str, Any], entry: dict[str, Any]
    ) -> None:
        self._state, self._document, self._entry = state, document, entry
        known = entry["conditions"]
        #: How the server takes conditions, if that was found out.
        self.conditions = Conditions(known) if known else None
        self.baselines: dict[str, Baseline] = {
            name: _decode(values) for name, values in entry["environments"].items()
        }
        host, inode = entry.get("installation", ("", 0))
        #: Whose it is: the name of a machine, and the number of a folder there.
        self.installation = _text(host), int(inode)
        #: Those that the last run has left.
        self.conflicts: dict[str, Conflict] = {
            name: Conflict(*map(_text, values))
            for name, values in entry.get("conflicts", {}).items()
        }

    def remember_conditions(self, conditions: Conditions | None) -> None:
        """Save how the server takes conditions; raise StateError."""
        if conditions is not self.conditions:
            self.conditions = conditions
            self._entry["conditions"] = conditions and str(conditions)
            self._state._save(self._document)

    def remember_conflict(self, name: str, conflict: Conflict | None) -> None:
        """Save a conflict that was left, or drop it with None; raise StateError."""
        if self.conflicts.get(name) == conflict:
            return
        if conflict is None:
            del self.conflicts[name]
        else:
            self.conflicts[name] = conflict
        self._entry["conflicts"] = self.conflicts
        self._state._save(self._document)

    def remember(self, name: str, baseline: Baseline | None) -> None:
        """Save one baseline, or with None drop it, at once; raise StateError."""
        if self.baselines.get(name) == baseline:
            return
        if baseline is None:
            del self.baselines[name], self._entry["environments"][name]
        else:
            self.baselines[name] = baseline
            self._entry["environments"][name] = _encode(baseline)
        self._state._save(self._document)


def _place(root: str, known: Mapping[str, Memory]) -> str:
    """Return under what an installation is remembered, or is to be: its path.

    Machines that share a home may each have one of their own there: all but the first
    have their name in it. Names change, and one installation may be shared as well; so
    it is another one only where the folder is, too.
    """
    # A conda and the command without it may each come through another link.
    place = os.path.realpath(root)
    if place not in known:
        return place
    owner, (host, inode) = known[place].installation, _installation(root)
    if owner[0] in ("", host) or owner[1] == inode:
        return place
    return f"{place} on {host}"


def _installation(root: str) -> tuple[str, int]:
    try:
        inode = os.stat(root).st_ino  # noqa: PTH116
    except OSError:  # a mamba need not have a base
        inode = 0
    return socket.gethostname(), inode


def _encode(baseline: Baseline) -> dict[str, Any]:
    rest: dict[str, Any] = {"prefix": baseline.prefix} if baseline.prefix else {}
    if baseline.pushes:
        rest["pushes"] = baseline.pushes
    if baseline.requests:
        rest["requests"] = baseline.requests
    if baseline.elsewhere:
        rest["elsewhere"] = dict(baseline.elsewhere)
    return {
        "local": baseline.local,
        "stamp": baseline.stamp,
        "remote": baseline.remote,
        "etag": baseline.etag,
        "modified": baseline.modified.isoformat(timespec="microseconds"),
        **rest,
    }


def _decode(values: dict[str, Any]) -> Baseline:
    texts = [values[key] for key in ("local", "stamp", "remote", "etag", "modified")]
    elsewhere = dict(values.get("elsewhere", {}))
    pushes = values.get("pushes", 0)
    prefix, requests = values.get("prefix", ""), values.get("requests", "")
    for text in (*texts, *elsewhere.values(), prefix, requests):
        _text(text)
    if not isinstance(pushes, int):
        raise TypeError(pushes)
    local, stamp, remote, etag, when = texts
    modified = datetime.fromisoformat(when)
    if modified.tzinfo is None:
        raise ValueError(modified)
    moment = modified.astimezone(timezone.utc)
    return Baseline(
        local, stamp, remote, etag, moment, elsewhere, pushes, prefix, requests
    )


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise TypeError(value)
    return value


def _me() -> str:
    now = datetime.now(timezone.utc).strftime("%Y-%m-%d %H:%M:%S UTC")
    return f"process {os.getpid()} on {socket.gethostname()}, since {now}"
