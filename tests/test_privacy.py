"""What is nobody else's business is known, and stripped, in any text."""

from __future__ import annotations

import pytest

from conda_s3_sync_plugin.engines.privacy import looks_secret, without_credentials

SECRETS = {
    "token": ("https://h.org/t/tk-1/chan/x", "https://h.org/chan/x"),
    "masked token": ("https://h.org/t/<TOKEN>/chan/x", "https://h.org/chan/x"),
    "token behind a path": ("https://h.org/api/t/tk-1/chan", "https://h.org/api/chan"),
    "password": ("https://joe:pw@h.org/chan/x", "https://h.org/chan/x"),
    "password with an at sign": ("https://joe:p@w@h.org/chan", "https://h.org/chan"),
    "both": ("https://joe:pw@h.org/t/tk-1/chan/x", "https://h.org/chan/x"),
    "in a spec": ("http://h.org/t/tk-1/c::lib[url=//a:b@h/c]",) * 1
    + ("http://h.org/c::lib[url=//h/c]",),
    "token at the end of a channel": ("https://h.org/t/tk-1::a", "https://h.org::a"),
    "token in brackets": ("a[channel='//h.org/t/tk-1']", "a[channel='//h.org']"),
    "a pinned package": (
        "http://joe:pw@h.org/t/tk-1/c::a ==1",
        "http://h.org/c::a ==1",
    ),
    "a parameter": ("http://h.org/x?b=1&X-Sig=pw", "http://h.org/x?b=1&X-Sig="),
    "a file in a folder of that name": ("http://h.org/t/x.whl",) * 2,
    "a folder of that name": ("file:///srv/t/chan/x",) * 2,
    "a path of that name": ("no such file: /srv/t/chan/x",) * 2,
    "the user of ssh": ("git+ssh://git@h.org/x.git",) * 2,
    "the user of ssh with a password": ("ssh://git@pw@h.org/x", "ssh://h.org/x"),
}


@pytest.mark.parametrize(("text", "safe"), SECRETS.values(), ids=SECRETS)
def test_credentials_are_stripped(text: str, safe: str) -> None:
    assert without_credentials(text) == safe


@pytest.mark.parametrize(
    ("value", "is_secret"),
    [
        ("https://h.org/x?X-Amz-Signature=ab", True),
        ("host=db user=joe password=pw", True),
        ("--token=pw", True),
        ("AKIAIOSFODNN7EXAMPLE", True),
        ("ghp_0123456789abcdefghij", True),
        ("eyJhbGciOiJI.eyJzdWIiOiIx.c2ln", True),
        ("-----BEGIN RSA PRIVATE KEY-----", True),
        ("git@h.org:x.git", False),
        ("asia-southeast1", False),
        ("disk-0123456789abcdefghij", False),
        ("--sort=key", False),
    ],
)
def test_a_value_may_look_secret_whatever_its_name(value: str, is_secret: bool) -> None:
    assert looks_secret("X", value) is is_secret
