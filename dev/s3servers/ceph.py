"""Ceph's gateway to S3, as Debian's releases have it: a cluster of one, in memory."""

from __future__ import annotations

import configparser
import subprocess
import time
from functools import partial
from typing import TYPE_CHECKING
from uuid import uuid4

from . import debian
from .processes import HOST, ServerError, free_ports, local_server

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from .processes import Processes, Server

PACKAGES = ("radosgw", "ceph-mon", "ceph-osd", "ceph-common")

KEY, SECRET = "ceph-key", "ceph-secret"

#: What may be refused while other parts of the cluster are still beginning.
TRIES = 20


def serve(processes: Processes, suite: str) -> Server:
    """Start a monitor, a disk in memory and the gateway, of the Ceph of a release."""
    cluster = Cluster(debian.release(suite, PACKAGES), processes)
    cluster.start_monitor()
    cluster.start_disk()
    # Before the gateway: whichever comes first makes the zone, and both at once fail.
    cluster.add_user(KEY, SECRET)
    cluster.start_gateway()
    return local_server(cluster.version(), cluster.gateway, KEY, SECRET)


class Cluster:
    """The parts of one cluster, which are to be started in this order."""

    def __init__(self, root: Path, processes: Processes) -> None:
        self._root, self._processes = root, processes
        self._folder = processes.folder
        self._id = str(uuid4())
        self._monitor, self.gateway = free_ports(2)
        conf = self._folder / "ceph.conf"
        self._variables = {"CEPH_CONF": str(conf)}
        parser = configparser.ConfigParser(interpolation=None)
        parser.read_dict(self._settings())
        with conf.open("w") as file:
            parser.write(file)

    def version(self) -> str:
        """Return which Ceph it is."""
        words = self._program("radosgw", "--version")
        return subprocess.check_output(words, text=True).split()[2]

    def start_monitor(self) -> None:
        """Make and start what knows the state of the cluster."""
        address = f"v1:{HOST}:{self._monitor}"
        map_ = str(self._folder / "monmap")
        name = ("--addv", "a", address, "--fsid", self._id)
        self._run("monmaptool", "--create", *name, map_)
        self._run("ceph-mon", "-i", "a", "--mkfs", "--monmap", map_)
        program = self._program("ceph-mon", "-f", "-i", "a")
        self._processes.serve("monitor", self._monitor, *program, env=self._variables)

    def start_disk(self) -> None:
        """Make and start what holds the objects."""
        (self._folder / "osd").mkdir()
        disk = str(uuid4())
        _again(partial(self._administer, "osd", "new", disk, "0"))
        self._run("ceph-osd", "-i", "0", "--mkfs", "--osd-uuid", disk)
        log = self._folder / "osd.0.log"

        def is_active() -> bool:
            return log.exists() and "booting -> active" in log.read_text()

        def start() -> None:
            program = self._program("ceph-osd", "-f", "-i", "0")
            process = self._processes.start("disk", *program, env=self._variables)
            self._processes.wait("disk", process, is_active)

        _again(start)  # it ends if the monitor does not know of it yet

    def add_user(self, key: str, secret: str) -> None:
        """Add a user of S3."""
        keys = (f"--access-key={key}", f"--secret-key={secret}")
        user = ("user", "create", "--uid=tests", "--display-name=tests", *keys)
        _again(partial(self._run, "radosgw-admin", *user))

    def start_gateway(self) -> None:
        """Start what speaks S3."""
        program = self._program("radosgw", "-f", "-n", "client.rgw.a")
        self._processes.serve("gateway", self.gateway, *program, env=self._variables)

    def _program(self, name: str, *arguments: str) -> tuple[str, ...]:
        return debian.command(self._root, f"usr/bin/{name}", *arguments)

    def _run(self, name: str, *arguments: str) -> None:
        self._processes.run(*self._program(name, *arguments), env=self._variables)

    def _administer(self, *words: str) -> None:
        """Run Ceph's own command, which is a script of the release's python."""
        python = {
            "PYTHONHOME": str(self._root / "usr"),
            "PYTHONPATH": str(self._root / "usr/lib/python3/dist-packages"),
        }
        script = str(self._root / "usr/bin/ceph")
        command = self._program("python3", script, "--connect-timeout", "30", *words)
        self._processes.run(*command, env={**self._variables, **python})

    def _settings(self) -> dict[str, dict[str, str]]:
        """Return what a cluster of one needs to be said, most of it about limits."""
        folder = str(self._folder)
        library = debian.one(self._root, "usr/lib/*/ceph").parent
        return {
            "global": {
                "fsid": self._id,
                "mon_host": f"v1:{HOST}:{self._monitor}",
                "public_addr": HOST,
                "cluster_addr": HOST,
                "ms_bind_msgr2": "false",
                "auth_cluster_required": "none",
                "auth_service_required": "none",
                "auth_client_required": "none",
                "run_dir": folder,
                "admin_socket": f"{folder}/$name.sock",
                "log_file": f"{folder}/$name.log",
                "crash_dir": folder,
                "plugin_dir": str(library / "ceph"),
                "erasure_code_dir": str(library / "ceph/erasure-code"),
                "osd_class_dir": str(library / "rados-classes"),
                "osd_crush_chooseleaf_type": "0",
                "osd_pool_default_size": "1",
                "osd_pool_default_min_size": "1",
                "osd_pool_default_pg_num": "1",
                "osd_pool_default_pgp_num": "1",
                "osd_pool_default_pg_autoscale_mode": "off",
                "mon_allow_pool_size_one": "true",
                "mon_max_pg_per_osd": "1000",
                "mon_data_avail_crit": "1",
                # Each pool is a decision of the monitor's, and waits that long for it.
                "paxos_propose_interval": "0.05",
            },
            "mon.a": {"mon_data": f"{folder}/mon"},
            "osd.0": {
                "osd_data": f"{folder}/osd",
                "osd_objectstore": "memstore",
                "memstore_device_bytes": str(2**30),
            },
            "client.rgw.a": {
                "rgw_frontends": f"beast endpoint={HOST}:{self.gateway} tcp_nodelay=1",
                "rgw_mime_types_file": str(self._root / "etc/mime.types"),
            },
        }


def _again(action: Callable[[], None]) -> None:
    """Do what the cluster may not be ready for yet."""
    for _ in range(TRIES):
        try:
            return action()
        except ServerError:
            time.sleep(0.3)
    return action()
