"""Machines whose conda is followed by a run of ours, and what that says."""

from __future__ import annotations

from typing import TYPE_CHECKING

from acceptance import bodies

if TYPE_CHECKING:
    import subprocess

    from machine import Machine
    from s3server import S3Server


def set_up(machine: Machine, bucket: str, auto: str = "push", **more: str) -> Machine:
    """Let a machine follow its commands; `more`: other settings of ours."""
    settings = {"location": f"{bucket}/team", "auto": auto, **more}
    for name, text in settings.items():
        machine.environment[f"CONDA_PLUGINS_S3_SYNC_{name.upper()}"] = text
    return machine


def words(done: subprocess.CompletedProcess[str], s3: S3Server) -> str:
    """Return the one line that is about us, without its address."""
    lines = [line for line in done.stderr.splitlines() if line.startswith("s3-sync: ")]
    assert len(lines) == 1, done.stderr
    return lines[0].removeprefix("s3-sync: ").replace(f" at {s3.endpoint}", "")


def is_silent(done: subprocess.CompletedProcess[str]) -> bool:
    """Tell that nothing is said about us."""
    return "s3-sync" not in done.stdout + done.stderr


def in_bucket(s3: S3Server, bucket: str) -> dict[str, list[str]]:
    """Return the packages of each environment in the bucket."""
    return {
        key.removeprefix("team/").removesuffix(".yml"): [
            line.strip(" -").partition("=")[0]
            for line in body.decode().partition("dependencies:\n")[2].splitlines()
            if line.startswith("- ") and "=" in line
        ]
        for key, body in bodies(s3, bucket).items()
        if key.count("/") == 1
    }
