"""Locks: what one environment file is on one platform, exactly."""

from __future__ import annotations

import json
import re
from hashlib import sha256
from typing import Final

from .exceptions import EnvFileError
from .models import Lock
from .validation import check_pip, strings, variables_of

#: Raised with each change of the lock that older releases cannot read.
LOCK_FORMAT: Final = 1

#: These become a file in the package cache and a folder in the bucket.
_ARCHIVE = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.!+-]*\.(?:conda|tar\.bz2)")
_PACKAGE = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]*")
#: Nothing behind the path: what ends with the file's name is the file.
_URL = re.compile(r"(?:https?|ftp|s3|file)://[^\s?#]+")
_NUMBERS = ("build_number", "size", "timestamp", "legacy_bz2_size")
_HASHES = {"sha256": re.compile(r"[0-9a-f]{64}"), "md5": re.compile(r"[0-9a-f]{32}")}


#: How a lock begins, also one that somebody has laid out anew, or cut off.
_BEGINNING = re.compile(
    rb'\s*\{\s*"digest"\s*:\s*"[0-9a-f]{64}"\s*,\s*"(?:elsewhere|format)"\s*:'
)
LONGEST_BEGINNING: Final = 200


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
        "elsewhere": dict(lock.elsewhere),
        "notes": list(lock.notes),
    }
    return json.dumps(document, sort_keys=True, indent=1).encode()


def parse_lock(body: bytes, *, digest: str, platform: str) -> Lock:
    """Read the lock of one version for one platform; raise EnvFileError."""
    lock = lock_in(body)
    if (lock.digest, lock.platform) != (digest, platform):
        raise EnvFileError("Its lock belongs to another version or platform.")
    return lock


def begins_lock(beginning: bytes) -> bool:
    """Tell whether the beginning of a document is that of a lock."""
    return _BEGINNING.match(beginning) is not None


def lock_in(body: bytes) -> Lock:
    """Read a lock, of whatever version and platform; raise EnvFileError."""
    try:
        document = json.loads(body)
    except (ValueError, RecursionError):
        raise EnvFileError("Its lock is not valid JSON.") from None
    if not isinstance(document, dict) or document.get("format") != LOCK_FORMAT:
        raise EnvFileError("Its lock has a format that this release does not know.")
    digest, platform = document.get("digest"), document.get("platform")
    if not isinstance(digest, str) or not isinstance(platform, str):
        raise EnvFileError("Its lock does not say which version and platform it is of.")
    packages = document.get("packages")
    if not isinstance(packages, list) or not all(map(_is_record, packages)):
        raise EnvFileError("Its lock names packages in an unknown way.")
    for package in packages:  # for conda to show, who knows when
        for key in ("depends", "constrains"):
            strings(package.get(key), "specs of packages")
    pip = strings(document.get("pip"), "pip packages")
    check_pip(pip)
    return Lock(
        digest,
        platform,
        tuple(packages),
        tuple(strings(document.get("requested"), "requested specs")),
        tuple(pip),
        variables_of(document.get("variables")),
        _elsewhere(document.get("elsewhere")),
        tuple(strings(document.get("notes"), "notes")),
    )


def requests_of(lock: Lock) -> str:
    """Return what stands for the requested specs, in whatever order they are."""
    text = "\n".join(sorted(lock.requested))
    return sha256(text.encode()).hexdigest()[:12]


def _elsewhere(entries: object) -> dict[str, str]:
    if not isinstance(entries, dict | None):
        raise EnvFileError("What its lock has for elsewhere is no mapping.")
    found = dict(entries or {})
    strings([*found, *found.values()], "specs for elsewhere")
    return found


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
        # What caches call the folder of a package is made of these three.
        and package["fn"].removesuffix(".conda").removesuffix(".tar.bz2")
        == "-".join(package[key] for key in ("name", "version", "build"))
        and _URL.fullmatch(package["url"]) is not None
        and package["url"].rsplit("/", 1)[-1] == package["fn"]
        and all(
            isinstance(text, str) and _HASHES[key].fullmatch(text)
            for key, text in hashes.items()
        )
        and bool(hashes)
        and _is_inside(package.get("python_site_packages_path") or "lib")
        and all(_is_number(package.get(key) or 0) for key in _NUMBERS)
        # conda would take it for one of pip's from then on.
        and package.get("package_type") is None
    )


def _is_inside(path: object) -> bool:
    """Tell whether a path leads into a prefix: all noarch packages go there."""
    return isinstance(path, str) and all(map(_PACKAGE.fullmatch, path.split("/")))


def _is_number(value: object) -> bool:
    """Tell whether each program that reads the record later can hold a number."""
    return isinstance(value, int | float) and 0 <= value < 2**63
