"""Channels that need a login: it stays here, and is added to what arrives."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from http_channel import LOGIN, TOKEN, HttpChannel
from lab import Lab, environment

from conda_s3_sync_plugin.exceptions import EngineError

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from make_channel import Channel

    from conda_s3_sync_plugin.models import Export


@pytest.fixture
def private(
    tmp_path: Path, kind: str, monkeypatch: pytest.MonkeyPatch
) -> Callable[[str, str], Lab]:
    """Build labs that know a private channel, by one of its addresses."""
    return lambda name, url: Lab(tmp_path / name, monkeypatch, kind, channels=[url])


def make_in_two_ways(there: Lab) -> Export:
    """Make an environment as conda does, where there is one."""
    if there.kind == "rattler":
        return there.make("ml", "lib02=1.1", "acty")
    there.enter(CONDA_SOLVER="classic")  # conda-rattler-solver loses tokens
    there.machine.create("ml", "lib02=1.1", "acty")
    there.enter()
    return there.export("ml")


@pytest.mark.parametrize("how", ["private_url", "password_url"])
def test_credentials_never_leave_and_are_added_on_arrival(
    private: Callable[[str, str], Lab], http_channel: HttpChannel, how: str
) -> None:
    url = getattr(http_channel, how)
    folder = "private" if how == "private_url" else "guarded"
    export = make_in_two_ways(private("there", url))
    assert_no_secret(repr(export))
    assert export.file.channels == (f"http://{http_channel.host}/{folder}",)
    here = private("here", url)
    assert here.apply("ml", export.file, export.lock) == ()
    assert here.export("ml") == export
    # The same without a lock: the solver, too, needs the login.
    here.apply("solved", export.file)
    assert here.export("solved").file.digest == export.file.digest
    assert_no_secret(repr(here.export("solved")))
    for path in here.machine.envs.rglob("conda-meta/*"):
        text = path.read_text()  # where conda says that there was a <TOKEN>
        assert TOKEN not in text
        assert "s3cret" not in text


def test_without_credentials_a_private_channel_is_an_error_without_them(
    private: Callable[[str, str], Lab], http_channel: HttpChannel
) -> None:
    export: Export = private("there", http_channel.private_url).make("ml", "acty")
    here = private("here", http_channel.url)
    with pytest.raises(EngineError) as error:
        here.apply("ml", export.file, export.lock)
    assert "404" in str(error.value)
    assert_no_secret(str(error.value))
    here = private("later", http_channel.private_url)
    http_channel.broken["acty-1.0-0.tar.bz2"] = 403
    with pytest.raises(EngineError, match="403") as error:
        here.apply("ml", export.file, export.lock)
    assert_no_secret(str(error.value))


def test_where_a_channel_has_moved_to_nobody_is_told_its_login(
    private: Callable[[str, str], Lab], http_channel: HttpChannel, channel: Channel
) -> None:
    here = private("here", http_channel.password_url)
    elsewhere = HttpChannel(channel.root)
    http_channel.moved = elsewhere.url
    try:
        file = environment("acty", channels=[f"http://{http_channel.host}/guarded"])
        assert here.apply("ml", file) == ()
    finally:
        elsewhere.close()
    assert set(http_channel.logins) == {LOGIN}
    assert elsewhere.requests
    assert elsewhere.logins == []


@pytest.mark.parametrize("name", ["$API_KEY", "${API_KEY}", "$(env)", "`env`"])
def test_no_channel_is_told_a_variable_because_of_its_name(
    private: Callable[[str, str], Lab], http_channel: HttpChannel, name: str
) -> None:
    here = private("here", http_channel.url)
    here.enter(API_KEY="s3cret")
    place = f"http://{http_channel.host}/{name}"
    for file in (
        environment("acty", channels=[place]),
        environment(f"{place}::acty", channels=[http_channel.url]),
    ):
        http_channel.requests.clear()
        with pytest.raises(EngineError) as error:
            here.apply("ml", file)
        assert_no_secret(str(error.value) + str(http_channel.requests))
        assert http_channel.requests


@pytest.mark.parametrize("name", ["%(response_details)s", "100%", "%(x)s", "50%25"])
def test_no_error_tells_a_login_because_of_the_name_of_a_channel(
    private: Callable[[str, str], Lab],
    http_channel: HttpChannel,
    name: str,
    capfd: pytest.CaptureFixture[str],
) -> None:
    here = private("here", http_channel.url)
    netrc = here.machine.home / ".netrc"
    netrc.write_text("machine 127.0.0.1 login joe password s3cret\n")
    netrc.chmod(0o600)
    here.enter()
    file = environment("acty", channels=[f"http://{http_channel.host}/{name}"])
    with pytest.raises(EngineError, match="404") as error:
        here.apply("ml", file)
    assert LOGIN in http_channel.logins
    said = "".join((str(error.value), str(error.value.__cause__), *capfd.readouterr()))
    assert LOGIN.split()[1] not in said
    assert_no_secret(said)


def assert_no_secret(text: str) -> None:
    for secret in (TOKEN, "<TOKEN>", "s3cret", "joe"):
        assert secret not in text
