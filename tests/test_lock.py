"""Locks: exact, bound to one version on one platform, and leading nowhere else."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from conda_s3_sync_plugin.exceptions import EnvFileError
from conda_s3_sync_plugin.lockfile import (
    LOCK_FORMAT,
    LONGEST_BEGINNING,
    begins_lock,
    lock_in,
    parse_lock,
    render_lock,
)
from conda_s3_sync_plugin.models import Lock

DIGEST = "0123456789ab" * 5 + "cdef"
PLATFORM = "linux-64"

PACKAGE = {
    "name": "numpy",
    "version": "1.26.0",
    "build": "py311_0",
    "build_number": 0,
    "subdir": PLATFORM,
    "fn": "numpy-1.26.0-py311_0.conda",
    "url": "https://example.org/channel/linux-64/numpy-1.26.0-py311_0.conda",
    "sha256": "ab" * 32,
    "md5": "cd" * 16,
    "size": 1234,
    "depends": ["python >=3.11", "libblas"],
}
LOCK = Lock(
    DIGEST,
    PLATFORM,
    (PACKAGE,),
    requested=("numpy >=1.26",),
    pip=("hello==1.0",),
    variables={"MODE": "fast"},
)


def read(body: bytes) -> Lock:
    return parse_lock(body, digest=DIGEST, platform=PLATFORM)


def written(**changes: Any) -> bytes:
    return json.dumps({**json.loads(render_lock(LOCK)), **changes}).encode()


def with_package(**changes: Any) -> bytes:
    """A lock with one package changed; None: without that part."""
    entry = {k: v for k, v in {**PACKAGE, **changes}.items() if v is not None}
    return written(packages=[PACKAGE, entry])


def test_what_is_written_is_read_again() -> None:
    assert read(render_lock(LOCK)) == LOCK


def test_a_lock_of_nothing_is_read_again() -> None:
    lock = Lock(DIGEST, PLATFORM, ())
    assert read(render_lock(lock)) == lock


def test_the_same_lock_is_the_same_bytes() -> None:
    backwards = dict(reversed(PACKAGE.items()))
    again = Lock(
        DIGEST, PLATFORM, (backwards,), LOCK.requested, LOCK.pip, LOCK.variables
    )
    assert render_lock(again) == render_lock(LOCK)


def test_a_lock_is_known_by_its_beginning() -> None:
    document = json.loads(render_lock(LOCK))
    former = {key: document[key] for key in document if key != "elsewhere"}
    for text in (document, former):
        for indent in (None, 4):
            body = json.dumps(text, indent=indent).encode()
            assert begins_lock(body[:LONGEST_BEGINNING])
    assert not begins_lock(render_lock(LOCK).replace(b'"digest"', b'"other"'))
    assert not begins_lock(b"")


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"null",
        b"[]",
        b'"lock"',
        b"{",
        b"\xff\xfe",
        b"[" * 100_000,
        b'{"format": ' + b"9" * 5000 + b"}",
        b"{}",
        written(format=LOCK_FORMAT + 1),
        written(format=str(LOCK_FORMAT)),
        written(format=None),
    ],
    ids=[
        "nothing",
        "null",
        "list",
        "text",
        "truncated",
        "binary",
        "deep",
        "huge number",
        "empty",
        "newer",
        "format as text",
        "no format",
    ],
)
def test_what_is_no_lock_is_refused(body: bytes) -> None:
    with pytest.raises(EnvFileError, match="lock"):
        read(body)


@pytest.mark.parametrize(
    ("digest", "platform"),
    [("f" * 64, PLATFORM), (DIGEST, "osx-arm64"), (DIGEST[:12], PLATFORM), ("", "")],
)
def test_a_lock_of_something_else_is_refused(digest: str, platform: str) -> None:
    with pytest.raises(EnvFileError, match="another version or platform"):
        parse_lock(render_lock(LOCK), digest=digest, platform=platform)


@pytest.mark.parametrize("changes", [{"digest": None}, {"platform": 1}])
def test_a_lock_of_nothing_that_it_says_is_refused(changes: dict[str, Any]) -> None:
    assert lock_in(written()) == LOCK
    with pytest.raises(EnvFileError, match="which version and platform"):
        lock_in(written(**changes))


@pytest.mark.parametrize(
    "changes",
    [
        {"packages": None},
        {"packages": {}},
        {"packages": ["numpy"]},
        {"packages": [[]]},
        {"packages": [{}]},
        {"requested": "numpy"},
        {"requested": [1]},
        {"requested": ["a\nb"]},
        {"pip": "hello"},
        {"pip": ["-e ."]},
        {"pip": ["./hello"]},
        {"pip": [None]},
        {"variables": []},
        {"variables": {"A": 1}},
        {"variables": {"A": None}},
        {"variables": {"A": "\0"}},
        {"variables": {"A": "\ud800"}},
        {"variables": {"A;B": "x"}},
    ],
    ids=str,
)
def test_parts_of_the_wrong_kind_are_refused(changes: dict[str, Any]) -> None:
    with pytest.raises(EnvFileError):
        read(written(**changes))


def at(fn: object, folder: str = "https://example.org/c/linux-64") -> dict[str, object]:
    return {"fn": fn, "url": f"{folder}/{fn}"}


BAD_PACKAGES: dict[str, dict[str, Any]] = {
    # It would become a folder of the package cache that is replaced, or removed.
    "build: leads out of the cache": {"build": "py311_0/../../../../Documents"},
    "version: leads out of the cache": {"version": "../../1.26.0"},
    "name of another file": {"name": "scipy"},
    "no name": {"name": None},
    "no version": {"version": None},
    "no build": {"build": None},
    "no subdir": {"subdir": None},
    "no file name": {"fn": None},
    "no url": {"url": None},
    "no hash": {"sha256": None, "md5": None},
    "name: number": {"name": 1},
    "name: list": {"name": ["numpy"]},
    "name: empty": {"name": ""},
    "name: path": {"name": "../numpy"},
    "name: dots": {"name": ".."},
    "name: absolute": {"name": "/numpy"},
    "name: backslash": {"name": "..\\numpy"},
    "name: option": {"name": "-numpy"},
    "name: line break": {"name": "numpy\n"},
    "version: number": {"version": 1.26},
    "version: escape sequence": {"version": "1\x1b[2J"},
    "build: surrogate": {"build": "\ud800"},
    "subdir: path": {"subdir": "../linux-64"},
    "subdir: dots": {"subdir": ".."},
    "subdir: two": {"subdir": "linux-64/noarch"},
    "subdir: empty": {"subdir": ""},
    "file name: path": at("../../numpy-1-0.conda"),
    "file name: folder": at("sub/numpy-1-0.conda"),
    "file name: absolute": at("/etc/numpy-1-0.conda"),
    "file name: backslash": at("..\\numpy-1-0.conda"),
    "file name: hidden": at(".numpy-1-0.conda"),
    "file name: option": at("-numpy-1-0.conda"),
    "file name: other ending": at("numpy-1-0.zip"),
    "file name: ending alone": at(".conda"),
    "file name: more after the ending": at("numpy-1-0.conda.sh"),
    "file name: line break": at("numpy-1-0.conda\n"),
    "file name: encoded": at("%2e%2e%2fnumpy.conda"),
    "file name: number": {"fn": 1},
    "file name: not the one in the url": {"fn": "numpy-1-0.conda"},
    "url: other file": {"url": "https://example.org/c/linux-64/evil-1-0.conda"},
    "url: query": {"url": f"{PACKAGE['url']}?x=1"},
    # What is read, and hashed, would be the device.
    "url: a device with a query": at(PACKAGE["fn"], "file:///dev/zero?"),
    "url: a device with a fragment": at(PACKAGE["fn"], "file:///dev/zero#"),
    "url: no scheme": {"url": "example.org/c/numpy-1.26.0-py311_0.conda"},
    "url: path": {"url": "/srv/c/linux-64/numpy-1.26.0-py311_0.conda"},
    "url: other scheme": at(PACKAGE["fn"], "javascript://c"),
    "url: space": at(PACKAGE["fn"], "https://example.org/a b"),
    "sha256: short": {"sha256": "ab" * 31},
    "sha256: capitals": {"sha256": "AB" * 32},
    "sha256: no hex": {"sha256": "xy" * 32},
    "sha256: empty": {"sha256": ""},
    "sha256: number": {"sha256": 1},
    "sha256: line break": {"sha256": "ab" * 32 + "\n"},
    "md5: short": {"md5": "cd" * 15},
    "md5: a sha256": {"md5": "cd" * 32},
    # All noarch packages would go there.
    "site-packages: outside": {"python_site_packages_path": "../../../lib"},
    "site-packages: outside and back": {"python_site_packages_path": "lib/../../x"},
    "site-packages: anywhere": {"python_site_packages_path": "/home/ann/lib"},
    "site-packages: home": {"python_site_packages_path": "~/lib"},
    "site-packages: a drive": {"python_site_packages_path": "C:/lib"},
    "site-packages: backslashes": {"python_site_packages_path": "..\\..\\lib"},
    "site-packages: escape sequence": {"python_site_packages_path": "lib/\x1b[2J"},
    "site-packages: number": {"python_site_packages_path": 5},
    "size: text": {"size": "1234"},
    "size: less than nothing": {"size": -1},
    "size: more than a program can hold": {"size": 2**63},
    "timestamp: no number": {"timestamp": float("nan")},
    "timestamp: without end": {"timestamp": float("inf")},
    "build number: list": {"build_number": [0]},
    "a kind that conda leaves to pip": {"package_type": "virtual_python_wheel"},
}


@pytest.mark.parametrize("changes", BAD_PACKAGES.values(), ids=BAD_PACKAGES)
def test_a_package_that_cannot_be_checked_or_leads_away_is_refused(
    changes: dict[str, Any],
) -> None:
    with pytest.raises(EnvFileError, match="packages in an unknown way"):
        read(with_package(**changes))


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"md5": None},
        {"sha256": None},
        {"build": ""} | at("numpy-1.26.0-.conda"),
        {"name": "_libgcc_mutex"} | at("_libgcc_mutex-1.26.0-py311_0.conda"),
        {"name": "m2-base", "version": "1.0!2+x", "build": "0"}
        | at("m2-base-1.0!2+x-0.tar.bz2"),
        at(PACKAGE["fn"], "file:///srv/channel/linux-64"),
        at(PACKAGE["fn"], "s3://bucket/channel/linux-64"),
        {"python_site_packages_path": "lib/python3.13t/site-packages"},
        {"timestamp": 1735689600000, "legacy_bz2_size": 10**10},
    ],
    ids=[
        *("usual", "sha256", "md5", "no build", "_name", "old", "file", "s3"),
        *("site-packages", "numbers"),
    ],
)
def test_a_package_that_can_be_checked_is_taken(changes: dict[str, Any]) -> None:
    assert len(read(with_package(**changes)).packages) == 2


@pytest.mark.parametrize("key", ["depends", "constrains"])
@pytest.mark.parametrize("specs", ["python", [1], ["a\x1b[2J"], ["a\nb"], ["a" * 4097]])
def test_specs_of_a_package_are_plain_texts(key: str, specs: object) -> None:
    with pytest.raises(EnvFileError, match="One of its|Its specs"):
        read(with_package(**{key: specs}))


def test_what_conda_does_not_know_yet_is_kept() -> None:
    assert read(with_package(new_field={"a": [1]})).packages[1]["new_field"] == {
        "a": [1]
    }


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda tree: (
        st.lists(tree, max_size=3) | st.dictionaries(st.text(), tree, max_size=3)
    ),
    max_leaves=6,
)


@settings(deadline=None)
@given(
    st.dictionaries(
        st.sampled_from(["packages", "requested", "pip", "variables", "format"]), JSON
    ),
    st.dictionaries(st.sampled_from(sorted(PACKAGE)), JSON),
)
def test_no_content_raises_anything_else(
    parts: dict[str, Any], changes: dict[str, Any]
) -> None:
    for body in (written(**parts), with_package(**changes)):
        try:
            lock = read(body)
        except EnvFileError:
            continue
        assert read(render_lock(lock)) == lock


@settings(deadline=None)
@given(st.binary(max_size=100))
def test_no_bytes_raise_anything_else(body: bytes) -> None:
    with pytest.raises(EnvFileError):
        read(body)
