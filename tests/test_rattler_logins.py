"""Private channels without conda: where a login comes from, and where it never goes."""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING, Any

import pytest
from http_channel import LOGIN, TOKEN, HttpChannel
from lab import Lab, environment

from conda_s3_sync_plugin.exceptions import EngineError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from pathlib import Path

    from make_channel import Channel

pytestmark = pytest.mark.rattler


@pytest.fixture
def lab(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, http_channel: HttpChannel
) -> Callable[..., Lab]:
    """Build a lab whose .condarc is this; HOST is that of the channel."""

    def build(name: str = "here", **condarc: Any) -> Lab:
        lab = Lab(tmp_path / name, monkeypatch, "rattler")
        lab.machine.environment |= {"CONDA_REMOTE_MAX_RETRIES": "0"}
        del lab.machine.environment["CONDA_CHANNELS"]
        lab.machine.write_condarc(**with_host(condarc, http_channel.host))
        lab.enter()
        return lab

    return build


def with_host(value: Any, host: str) -> Any:
    if isinstance(value, dict):
        return {key: with_host(item, host) for key, item in value.items()}
    if isinstance(value, list):
        return [with_host(item, host) for item in value]
    return value.replace("HOST", host)


def assert_no_secret(lab: Lab) -> None:
    """Look for logins in all that was written below environments, and in an export."""
    texts = [repr(lab.export(name)) for name in lab.machine.environments()]
    texts += [path.read_text() for path in lab.machine.envs.rglob("conda-meta/*")]
    assert texts
    for secret in (TOKEN, "s3cret", "joe", LOGIN.split()[1]):
        assert not any(secret in text for text in texts)


GUARDED = "http://joe:s3cret@HOST/guarded"
PRIVATE = f"http://HOST/t/{TOKEN}/private"

#: .condarc, the channel that is meant, and what a file may call it there.
SETTINGS = {
    "channels": ({"channels": [GUARDED]}, "guarded", ()),
    "a slash at its end": ({"channels": [f"{GUARDED}/"]}, "guarded", ()),
    "an alias": ({"channel_alias": GUARDED[:-8]}, "guarded", ["guarded"]),
    "a custom channel": (
        {"custom_channels": {"guarded": GUARDED[:-8]}},
        "guarded",
        ["guarded"],
    ),
    "a group": ({"custom_multichannels": {"ours": [GUARDED]}}, "guarded", ["ours"]),
    "defaults": ({"default_channels": [GUARDED]}, "guarded", ["defaults"]),
    "a token": ({"channels": [PRIVATE]}, "private", ()),
    "a token of an alias": ({"channel_alias": PRIVATE[:-8]}, "private", ["private"]),
    "a token of a custom channel": (
        {"custom_channels": {"private": PRIVATE[:-8]}},
        "private",
        ["private"],
    ),
    "a token and a user": (
        {"channels": [PRIVATE.replace("//", "//joe:s3cret@")]},
        "private",
        (),
    ),
}


@pytest.mark.parametrize(("condarc", "name", "called"), SETTINGS.values(), ids=SETTINGS)
def test_a_login_is_found_wherever_conda_finds_one_and_goes_nowhere_else(
    lab: Callable[..., Lab],
    http_channel: HttpChannel,
    condarc: dict[str, Any],
    name: str,
    called: Iterable[str],
) -> None:
    here = lab(**condarc)
    url = f"http://{http_channel.host}/{name}"
    solved = environment("lib02=1.1", "acty", channels=[url])
    here.apply("solved", solved)
    export = here.export("solved")
    assert export.file.channels == (url,)
    # With a cache that has nothing, so that packages are fetched by the lock alone.
    here.enter(RATTLER_CACHE_DIR=str(here.machine.root / "empty"))
    assert here.apply("locked", export.file, export.lock) == ()
    assert here.make("called", "acty", channels=called).file.channels == (url,)
    assert_no_secret(here)
    is_private = [f"/t/{TOKEN}/" in path for path in http_channel.requests]
    assert all(is_private) == any(is_private) == (name == "private")
    assert set(http_channel.logins) <= {LOGIN}


def test_a_login_with_odd_characters_is_decoded(
    lab: Callable[..., Lab], http_channel: HttpChannel
) -> None:
    here = lab(channels=["http://joe%40home:a%3Ab%2F@HOST/channel"])
    here.make("ml", "acty")
    expected = base64.b64encode(b"joe@home:a:b/").decode()
    assert set(http_channel.logins) == {f"Basic {expected}"}


def test_no_error_tells_a_login(
    lab: Callable[..., Lab], http_channel: HttpChannel
) -> None:
    for number, url in enumerate(
        (
            f"http://joe:s3cret@HOST/t/{TOKEN}/private",
            f"http://joe:s3cret@HOST/t/{TOKEN}/nowhere",
            "http://joe:s3cret@HOST/guarded",
        )
    ):
        here = lab(str(number), channels=[url])
        http_channel.broken["acty-1.0-0.tar.bz2"] = 403
        with pytest.raises(EngineError, match="40[34]") as error:
            here.apply("ml", environment("acty"))
        for secret in (TOKEN, "s3cret", "joe"):
            assert secret not in str(error.value)


def test_a_wrong_password_is_an_error_with_a_hint(lab: Callable[..., Lab]) -> None:
    here = lab(channels=["http://joe:wrong@HOST/guarded"])
    with pytest.raises(EngineError, match="401") as error:
        here.apply("ml", environment("acty"))
    assert "wrong" not in str(error.value)
    assert ".netrc" in error.value.hint


ELSEWHERE = {
    "its name begins alike": "guarded2",
    "another channel": "channel",
    "another, by way of it": "guarded/../channel",
}


@pytest.mark.parametrize("path", ELSEWHERE.values(), ids=ELSEWHERE)
def test_what_only_looks_like_a_private_channel_gets_no_login(
    lab: Callable[..., Lab], http_channel: HttpChannel, path: str
) -> None:
    here = lab(channels=["http://joe:s3cret@HOST/guarded"])
    url = f"http://{http_channel.host}/{path}"
    export = here.make("ml", "acty", channels=[url])
    here.enter(RATTLER_CACHE_DIR=str(here.machine.root / "empty"))
    here.apply("again", export.file, export.lock)
    assert http_channel.requests
    assert http_channel.logins == []


def test_a_channel_that_only_begins_like_one_with_a_token_gets_none(
    lab: Callable[..., Lab], http_channel: HttpChannel
) -> None:
    here = lab(channels=[f"http://HOST/t/{TOKEN}/guarded"])
    here.make("ml", "acty", channels=[f"http://{http_channel.host}/guarded2"])
    assert not any(TOKEN in path for path in http_channel.requests)


@pytest.fixture
def other(channel: Channel) -> Iterator[HttpChannel]:
    """The same channel, on another port of the same host."""
    server = HttpChannel(channel.root)
    yield server
    server.close()


@pytest.mark.parametrize("login", ["joe:s3cret@HOST/", f"HOST/t/{TOKEN}/"])
def test_another_port_of_the_host_gets_no_login(
    lab: Callable[..., Lab], other: HttpChannel, login: str
) -> None:
    here = lab(channels=[f"http://{login}channel"])
    export = here.make("ml", "acty", channels=[other.url])
    here.enter(RATTLER_CACHE_DIR=str(here.machine.root / "empty"))
    here.apply("again", export.file, export.lock)
    assert len(other.requests) > 2
    assert other.logins == []
    assert not any(TOKEN in path for path in other.requests)


def test_two_ports_of_a_host_at_once_get_no_login_that_is_for_one(
    lab: Callable[..., Lab], http_channel: HttpChannel, other: HttpChannel
) -> None:
    here = lab(channels=["http://joe:s3cret@HOST/guarded"])
    urls = [f"http://{server.host}/guarded" for server in (http_channel, other)]
    with pytest.raises(EngineError, match="401"):
        here.apply("ml", environment("acty", channels=urls))
    assert other.logins == []
    # And after that the one gets its own again.
    here.apply("ml", environment("acty", channels=urls[:1]))
    assert set(http_channel.logins) == {LOGIN}


def test_a_login_of_netrc_is_used_and_that_of_condarc_goes_before_it(
    lab: Callable[..., Lab], http_channel: HttpChannel
) -> None:
    here = lab(channels=["http://HOST/guarded"])
    netrc = here.machine.home / ".netrc"
    netrc.write_text("machine 127.0.0.1 login joe password s3cret\n")
    netrc.chmod(0o600)
    here.enter()
    here.make("ml", "acty")
    assert set(http_channel.logins) == {LOGIN}
    assert_no_secret(here)
    netrc.write_text("machine 127.0.0.1 login joe password wrong\n")
    http_channel.logins.clear()
    strong = lab("strong", channels=["http://joe:s3cret@HOST/guarded"])
    netrc.rename(strong.machine.home / ".netrc")
    strong.make("ml", "acty")
    assert set(http_channel.logins) == {LOGIN}
