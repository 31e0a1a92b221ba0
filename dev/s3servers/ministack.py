"""MiniStack: an emulator of AWS that checks signatures, and enforces IAM policies."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .processes import HOST, free_ports, install_with_pip, local_server

if TYPE_CHECKING:
    from .processes import Processes, Server

VERSION = "1.5.33"


def serve(processes: Processes) -> Server:
    """Start it."""
    program = install_with_pip("ministack", VERSION) / "ministack"
    (port,) = free_ports(1)
    variables = {
        "AUTH": "true",
        "SERVICES": "s3,iam,sts",
        "BIND_HOST": HOST,
        "MINISTACK_HOST": HOST,
        "GATEWAY_PORT": str(port),
        "S3_DATA_DIR": str(processes.folder / "data"),
        # They would have ports of their own.
        "SFTP_ENABLED": "0",
        "IOT_MTLS_ENABLED": "0",
        "HOME": str(processes.folder),
        "TMPDIR": str(processes.folder),
    }
    processes.serve("ministack", port, str(program), env=variables)
    # The account's own user, whom every policy allows everything.
    return local_server(VERSION, port, "test", "test")
