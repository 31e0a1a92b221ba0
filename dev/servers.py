"""Run what holds on every S3 server against one: what `make test-s3` runs.

It starts the server that is named, on loopback, or takes the one at a URL, with the
credentials of the environment. Servers are downloaded once, to .venvs/servers.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import sys
import tempfile
import xml.etree.ElementTree as ET
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from lanes import VENVS, run_lane, say, without_conda
from s3servers import ceph, ministack, s3rver, swift
from s3servers.processes import Processes, Server, ServerError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

SERVERS: dict[str, Callable[[Processes], Server]] = {
    "ceph16": partial(ceph.serve, suite="bookworm"),
    "ceph18": partial(ceph.serve, suite="trixie"),
    "ceph20": partial(ceph.serve, suite="sid"),
    "swift": swift.serve,
    "ministack": ministack.serve,
    "s3rver": s3rver.serve,
}

TESTS = ("store_contract", "store_history", "servers")
TESTS_OF = {"ministack": ("policies",)}

#: What an own server may need.
NEEDED = ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY")
OPTIONAL = ("AWS_SESSION_TOKEN", "AWS_DEFAULT_REGION", "AWS_CA_BUNDLE")


@contextmanager
def running(name: str) -> Iterator[Server]:
    """Start the server of a name, and end it afterwards; or take the one at a URL.

    Raise ServerError where there is none.
    """
    if "://" in name:
        yield own(name)
        return
    if name not in SERVERS:
        raise ServerError(f"no such server; there are {', '.join(SERVERS)}, or a URL")
    with (
        tempfile.TemporaryDirectory(prefix="s3-server-") as folder,
        Processes(Path(folder)) as processes,
    ):
        yield SERVERS[name](processes)


def own(url: str) -> Server:
    """Return the server at a URL; buckets are made there, and removed again."""
    missing = [name for name in NEEDED if not os.environ.get(name)]
    if missing:
        raise ServerError(f"for a server of your own, set {' and '.join(missing)}")
    given = {name: os.environ.get(name, "") for name in (*NEEDED, *OPTIONAL)}
    return Server("", url, {name: text for name, text in given.items() if text})


def test(name: str, server: Server, arguments: list[str]) -> bool:
    """Run the tests against a server; say how it went on each kind of bucket."""
    given = {
        "endpoint": server.endpoint,
        "stays": name not in SERVERS,
        "credentials": dict(server.credentials),
    }
    os.environ["S3_SYNC_SERVER"] = json.dumps(given)
    modules = (*TESTS, *TESTS_OF.get(name, ()))
    files = [f"tests/test_{module}.py" for module in modules]
    venv = without_conda()
    outcome = run_lane(venv, [*files, *arguments])
    results = VENVS / f"{venv.name}.xml"
    title = " ".join(filter(None, (name, server.version)))
    say(f"{title}, {outcome.line}")
    if results.exists():
        for line in by_bucket(results):
            say(f"{title}, {line}")
    return outcome.good


def by_bucket(results: Path) -> list[str]:
    """Return what pytest's report says of each kind of bucket."""
    lines = []
    tree = ET.parse(results)  # noqa: S314 - our own file
    for kind in ("plain", "versioned"):
        cases = [case for case in tree.iter("testcase") if kind in case.get("name", "")]
        ends = [{part.tag for part in case} for case in cases]
        failed = sum(bool(end & {"failure", "error"}) for end in ends)
        skipped = sum("skipped" in end for end in ends)
        said = {
            part.get("value")
            for case in cases
            for part in case.iter("property")
            if part.get("name") == "conditional writes"
        }
        lines.append(
            f"{kind} buckets: conditional writes {' '.join(map(str, said)) or '?'}, "
            f"{len(cases) - failed - skipped} passed, {failed} failed"
            if skipped < len(cases)
            else f"{kind} buckets: none there"
        )
    return lines


def main() -> int:
    """Start the server, run the tests, and end it whatever comes of them."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("server", help=f"{', '.join(SERVERS)}, or the URL of another")
    parser.add_argument("arguments", nargs=argparse.REMAINDER, help="for pytest")
    options = parser.parse_args()
    signal.signal(signal.SIGINT, signal.default_int_handler)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    try:
        with running(options.server) as server:
            return 0 if test(options.server, server, options.arguments) else 1
    except ServerError as reason:
        sys.exit(f"{options.server}: {reason}")
    except KeyboardInterrupt:
        return 130


if __name__ == "__main__":
    sys.exit(main())
