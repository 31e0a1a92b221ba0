"""How S3 is reached: the client, its limits, and what servers other than AWS need.

boto3 is imported here and nowhere else, and by the first request only: the import takes
a fifth of a second, and whoever just constructs a store must not pay it.
"""

from __future__ import annotations

import logging
import os
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from . import __version__
from .exceptions import StoreError
from .s3errors import Operation, translated

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from botocore.client import BaseClient

_AWS = (".amazonaws.com", ".amazonaws.com.cn", ".amazonaws.eu", ".api.aws")

#: Several environments travel at once.
_CONNECTIONS = 16


@dataclass(frozen=True, slots=True)
class Access:
    """How S3 is reached; what is not given comes from the AWS configuration."""

    profile: str | None = None
    region: str | None = None
    endpoint_url: str | None = None
    #: Give up early: nobody has asked for this run, and the next one does the same.
    quick: bool = False


@dataclass(frozen=True, slots=True)
class Connection:
    """A client, and the server that it talks to."""

    client: BaseClient
    #: Without credentials; empty: AWS.
    endpoint: str


def connect(access: Access, bucket: str) -> Connection:
    """Make a client, which threads may share; no request is made.

    Raise StoreError where the AWS configuration or the access makes no sense.
    """
    import boto3
    import botocore.session
    from botocore.config import Config

    # What it tells of each request has session tokens in it, and an endpoint's login.
    log = logging.getLogger("botocore")
    log.setLevel(max(log.getEffectiveLevel(), logging.INFO))

    operation = Operation("set up the access to S3", bucket, profile=access.profile)
    with translated(operation):
        core = botocore.session.Session(profile=access.profile)
        configured = core.get_scoped_config()
        session = boto3.session.Session(
            botocore_session=core, region_name=access.region
        )

        def client(*, is_aws: bool) -> BaseClient:
            options = _options(access, configured)
            if not is_aws:
                options |= _plain_checksums(configured)
            return session.client(
                "s3", endpoint_url=access.endpoint_url, config=Config(**options)
            )

        try:
            expected = _endpoint(_expected_url(access))
            made = client(is_aws=not expected)
            endpoint = _endpoint(made.meta.endpoint_url)
            if endpoint != expected:
                # Only now is it known: it comes from a file of the configuration.
                made = client(is_aws=not endpoint)
        except ValueError:
            # The endpoint is no URL, or the region no host name: not echoed, because
            # the URL may hold a password.
            raise StoreError(
                f"Cannot {operation.doing}: the endpoint URL or the region is wrong.",
                hint="An endpoint URL is like https://s3.example.com.",
            ) from None
    return Connection(made, endpoint)


def _expected_url(access: Access) -> str:
    """Return where the server is, as far as that can be told without a client.

    To make one takes longer than its request.
    """
    variables = map(os.environ.get, ("AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL"))
    return access.endpoint_url or next(filter(None, variables), "")


def _options(access: Access, configured: Mapping[str, Any]) -> dict[str, Any]:
    options: dict[str, Any] = {
        "connect_timeout": 2 if access.quick else 5,
        "read_timeout": 5 if access.quick else 20,
        "max_pool_connections": _CONNECTIONS,
        "tcp_keepalive": True,
        "user_agent_extra": f"conda-s3-sync-plugin/{__version__}",
    }
    # Versions of botocore differ in what they do by themselves; the user's word counts.
    if not _is_set(("retry_mode", "max_attempts"), configured):
        attempts = 2 if access.quick else 4
        options["retries"] = {"mode": "standard", "total_max_attempts": attempts}
    return options


def _plain_checksums(configured: Mapping[str, Any]) -> dict[str, str]:
    """Return the options that keep newer checksums from servers that do not know them.

    They refuse the trailers, or store them. The signature covers the body all the same.
    """
    options = ("request_checksum_calculation", "response_checksum_validation")
    return {key: "when_required" for key in options if not _is_set([key], configured)}


def _is_set(options: Iterable[str], configured: Mapping[str, Any]) -> bool:
    return any(
        os.environ.get(f"AWS_{key.upper()}") or configured.get(key) for key in options
    )


def _endpoint(url: str) -> str:
    """Return the server's address without user and password; empty: AWS, or none."""
    parts = urlsplit(url)
    host = (parts.hostname or "").lower()
    if not url or host.endswith(_AWS):
        return ""
    if ":" in host:
        host = f"[{host}]"
    port = f":{parts.port}" if parts.port else ""
    return f"{parts.scheme}://{host}{port}{parts.path.rstrip('/')}"
