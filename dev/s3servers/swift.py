"""OpenStack Swift with its S3 API: real, consistent in the end, without conditions."""

from __future__ import annotations

import base64
import configparser
import getpass
from typing import TYPE_CHECKING

from .processes import HOST, free_ports, install_with_pip, local_server

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from .processes import Processes, Server

VERSION = "2.38.3"

ACCOUNT, USER, SECRET = "tests", "user", "swift-secret"

#: Starts one of its servers with our swift.conf: the place of that is no setting.
START = """
import runpy, sys
from swift.common import utils
utils.SWIFT_CONF_FILE = sys.argv.pop(1)
sys.argv.pop(0)
runpy.run_path(sys.argv[0], run_name="__main__")
"""

#: What a request passes on its way.
PIPELINE = [
    "catch_errors",
    "gatekeeper",
    "listing_formats",
    "s3api",
    "tempauth",
    "bulk",
    "slo",
    "dlo",
    "copy",
    "versioned_writes",
    "symlink",
]

STORES = ("account", "container", "object")


def serve(processes: Processes) -> Server:
    """Start the proxy, and one server of each kind that it asks."""
    programs = install_with_pip("swift", VERSION)
    folder = processes.folder
    (folder / "disk" / "sda").mkdir(parents=True)
    _write(folder, "swift", {"swift-hash": {"swift_hash_path_suffix": "tests"}})
    proxy, *ports = free_ports(1 + len(STORES))
    for store, port in zip(STORES, ports, strict=True):
        _write(folder, store, _store_settings(folder, store, port))
        ring = (str(programs / "swift-ring-builder"), f"{store}.builder")
        # 2**3 parts, one copy of each; and all of them on the one disk.
        processes.run(*ring, "create", "3", "1", "1")
        processes.run(*ring, "add", f"r1z1-{HOST}:{port}/sda", "1")
        processes.run(*ring, "rebalance")
    _write(folder, "proxy", _proxy_settings(folder, proxy))
    for kind, port in (*zip(STORES, ports, strict=True), ("proxy", proxy)):
        start = (str(programs / "python"), "-c", START, str(folder / "swift.conf"))
        program = (str(programs / f"swift-{kind}-server"), str(folder / f"{kind}.conf"))
        processes.serve(kind, port, *start, *program)
    return local_server(VERSION, proxy, f"{ACCOUNT}:{USER}", SECRET)


def _store_settings(folder: Path, store: str, port: int) -> dict[str, dict[str, str]]:
    return {
        "DEFAULT": {
            **_usual(folder, port),
            "devices": str(folder / "disk"),
            "mount_check": "false",
            "recon_cache_path": str(folder),
        },
        "pipeline:main": {"pipeline": f"{store}-server"},
        f"app:{store}-server": {"use": f"egg:swift#{store}"},
    }


def _proxy_settings(folder: Path, port: int) -> dict[str, dict[str, str]]:
    filters = {f"filter:{name}": {"use": f"egg:swift#{name}"} for name in PIPELINE}
    filters["filter:s3api"]["location"] = "us-east-1"
    filters["filter:versioned_writes"]["allow_object_versioning"] = "true"
    # In base 64, without the sign that would end the name of a setting.
    names = (base64.b64encode(name.encode()).decode() for name in (ACCOUNT, USER))
    user = "_".join(name.rstrip("=") for name in ("user64", *names))
    filters["filter:tempauth"][user] = f"{SECRET} .admin"
    return {
        "DEFAULT": _usual(folder, port),
        "pipeline:main": {"pipeline": " ".join([*PIPELINE, "proxy-server"])},
        "app:proxy-server": {"use": "egg:swift#proxy", "account_autocreate": "true"},
        **filters,
    }


def _usual(folder: Path, port: int) -> dict[str, str]:
    return {
        "bind_ip": HOST,
        "bind_port": str(port),
        "workers": "0",
        "swift_dir": str(folder),
        "user": getpass.getuser(),
        # No socket of the machine's log is to be written to.
        "log_address": str(folder / "no-such-socket"),
    }


def _write(folder: Path, name: str, settings: Mapping[str, Mapping[str, str]]) -> None:
    parser = configparser.RawConfigParser(default_section="")
    parser.optionxform = str  # type: ignore[assignment,method-assign]
    parser.read_dict(settings)
    with (folder / f"{name}.conf").open("w") as file:
        parser.write(file)
