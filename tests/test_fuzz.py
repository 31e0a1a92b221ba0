"""Whatever stands in a file, a key or a header: it is read, or refused in words."""

from __future__ import annotations

import json
import os
from datetime import datetime, timedelta, timezone
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from lengths import profile
from machine import Machine

from conda_s3_sync_plugin.archive import kept_at
from conda_s3_sync_plugin.bucket import Stored
from conda_s3_sync_plugin.condarc import Condarc
from conda_s3_sync_plugin.engines import history
from conda_s3_sync_plugin.exceptions import (
    EngineError,
    LocationError,
    S3SyncError,
    UsageError,
    summary_of,
)
from conda_s3_sync_plugin.location import Location
from conda_s3_sync_plugin.models import Baseline
from conda_s3_sync_plugin.state import STATE_FORMAT, State
from conda_s3_sync_plugin.store import _modified

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.long

NOW = datetime(2026, 5, 4, 12, tzinfo=timezone.utc)

examples = profile(usual=100, long=5_000)

#: Texts that come close to what is expected, and others.
WORDS = st.sampled_from(
    [
        *("bucket", "s3://", "/", "//", ".", "..", ".s3-sync", "@", ":", "#", " "),
        *("-", "~", "$HOME", "\x1b[2J", "\n", "\r", "\u202e", "\0", "\udcff", "é"),
    ]
)
TEXTS = st.lists(WORDS | st.text(max_size=3), max_size=6).map("".join)

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | TEXTS,
    lambda tree: st.lists(tree, max_size=3) | st.dictionaries(TEXTS, tree, max_size=3),
    max_leaves=6,
)


def assert_plain(error: S3SyncError) -> None:
    """See that a terminal shows an error, in two lines at most, and obeys nothing."""
    assert error.summary
    assert error.summary.isprintable()
    assert error.hint.isprintable()
    assert str(error).count("\n") == bool(error.hint)


@examples
@given(message=TEXTS, hint=TEXTS)
def test_an_error_is_shown_as_it_is_and_never_obeyed(message: str, hint: str) -> None:
    assert_plain(S3SyncError(f"Cannot {message}", hint=hint))
    assert summary_of(ValueError(message)).isprintable()


@examples
@given(TEXTS)
@example("s3://bucket/a/b/")
@example("key:secret@bucket")
def test_a_location_is_read_or_refused(text: str) -> None:
    try:
        location = Location.parse(text)
    except LocationError as error:
        assert_plain(error)
    else:
        assert Location.parse(str(location)) == location
        assert location.key("e").startswith(location.prefix)


@examples
@given(name=TEXTS, key=TEXTS)
@example("e", ".s3-sync/e/99999999T999999.999999Z-0123456789ab.yml")
@example("e", ".s3-sync/e/00010101T000000.000000Z-0123456789ab.yml")
@example("e", ".s3-sync/e/99991231T235959.999999Z-0123456789ab.deleted")
def test_a_key_is_of_the_history_or_none_of_ours(name: str, key: str) -> None:
    location = Location("bucket")
    for start in ("", location.history_prefix(name)):
        kept = kept_at(location, name, start + key, NOW)
        assert kept is None or kept.modified <= NOW + timedelta(days=1)


@examples
@given(st.text(max_size=12) | st.datetimes().map(str) | st.integers().map(str))
@example("0001-01-01T00:00:00+14:00")
@example("9999-12-31T23:59:59-14:00")
@example("２０２６-05-04")
def test_a_time_in_metadata_is_believed_or_not(text: str) -> None:
    stored = Stored("e", b"", {"conda-env-last-modified": text}, NOW)
    assert _modified(stored) <= NOW + timedelta(days=1)


def baseline(**changes: Any) -> dict[str, Any]:
    texts = dict.fromkeys(("local", "stamp", "remote", "etag"), "x")
    return {**texts, "modified": "2026-05-04T12:00:00+00:00", **changes}


def remembered(entry: Any) -> bytes:
    places = {"here": {"/root": {"conditions": None, "environments": {"e": entry}}}}
    return json.dumps({"format": STATE_FORMAT, "locations": places}).encode()


FIELDS = st.sampled_from(
    [*baseline(), "elsewhere", "pushes", "prefix", "requests", "more"]
)
STATES = (
    st.binary(max_size=50)
    | JSON.map(lambda tree: json.dumps(tree).encode())
    | JSON.map(remembered)
    | st.dictionaries(FIELDS, JSON, max_size=2).map(
        lambda changes: remembered(baseline(**changes))
    )
)


@examples
@given(STATES)
def test_what_is_remembered_is_read_or_put_aside(
    tmp_path_factory: pytest.TempPathFactory, body: bytes
) -> None:
    folder = tmp_path_factory.getbasetemp() / "state"
    folder.mkdir(exist_ok=True)
    (folder / "baselines.json").write_bytes(body)
    state = State(folder)
    memory = state.memory("here", "/root")
    assert all(isinstance(each, Baseline) for each in memory.baselines.values())
    assert all(map(str.isprintable, state.warnings))
    memory.remember("new", Baseline("a", "b", "c", "d", NOW))
    again = State(folder)
    assert again.memory("here", "/root").baselines == memory.baselines
    assert again.warnings == []


SETTINGS = ("channels", "envs_dirs", "plugins.s3_sync_location", "offline", "plugins")
CONDARCS = (
    st.binary(max_size=50)
    | TEXTS.map(lambda text: text.encode(errors="surrogatepass"))
    | st.dictionaries(st.sampled_from([*SETTINGS, "x"]), JSON, max_size=3).map(
        lambda tree: json.dumps(tree).encode()
    )
)


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The base of a machine."""
    return Machine(tmp_path_factory.mktemp("fuzz") / "here").base


@examples
@given(CONDARCS)
def test_a_condarc_is_read_or_refused(root: Path, body: bytes) -> None:
    path = root / ".condarc"
    path.write_bytes(body)
    with pytest.MonkeyPatch.context() as monkeypatch:
        for name in [name for name in os.environ if name.startswith("CONDA")]:
            monkeypatch.delenv(name)
        monkeypatch.setenv("HOME", str(root))
        try:
            condarc = Condarc.load(root)
        except UsageError as error:
            assert_plain(error)
            return
        for name in SETTINGS:
            for ask in (condarc.text, condarc.items, condarc.mapping):
                try:
                    ask(name)
                except UsageError as error:
                    assert_plain(error)
            try:
                condarc.flag(name, default=False)
            except UsageError as error:
                assert_plain(error)


LINES = st.sampled_from(
    [
        *("==> 2026-05-04 12:00:00 <==", "# cmd: conda install x", "+x-1-0", "==>"),
        *("# update specs: ['x=1', 'y']", "# remove specs: x,y >=1,<2", "# specs: ["),
        *("# update specs: [1, {}]", "# update specs: ['''", "# neutered specs: [x]"),
        *("# update specs: " + "[" * 999, "# update specs: ['\\0']"),
    ]
)
HISTORIES = st.lists(LINES | TEXTS, max_size=8).map(
    lambda lines: "\n".join(lines).encode(errors="surrogatepass")
)


@examples
@given(HISTORIES | st.binary(max_size=80))
def test_a_history_tells_requests_or_none(root: Path, body: bytes) -> None:
    def name_of(spec: str) -> str:
        if not spec.isidentifier():
            raise EngineError(f"{spec} is no spec")
        return spec

    (root / "conda-meta" / "history").write_bytes(body)
    assert history.requested(root, name_of) == {}
