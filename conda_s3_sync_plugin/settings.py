"""The settings by name, as `conda config` shows them.

Loaded on every conda command: not even dataclasses are made here, nor imported.
"""

from __future__ import annotations

from typing import Final, NamedTuple


class Setting(NamedTuple):
    """A setting; its flag, if it has one, goes before it."""

    name: str
    default: str | bool | int
    description: str
    #: Empty: any value.
    choices: tuple[str, ...] = ()


#: In `.condarc` below `plugins:`; in the environment as CONDA_PLUGINS_S3_SYNC_...
SETTINGS: Final = (
    Setting(
        "s3_sync_location",
        "",
        "BUCKET[/PATH] that `conda s3-sync` synchronizes with when it is given none.",
    ),
    Setting(
        "s3_sync_path_filter",
        "",
        "Regular expression; only environments in whose path it is found take part.",
    ),
    Setting(
        "s3_sync_include_root_env",
        False,
        "Whether the base environment takes part, under the name `root`. "
        "Packages are only ever added to it.",
    ),
    Setting(
        "s3_sync_direction",
        "both",
        "Which ways environments travel: `both`, `push` (only up) or `pull`.",
        ("both", "push", "pull"),
    ),
    Setting(
        "s3_sync_prefer",
        "newest",
        "Which side wins where both have changed: `newest`, `local`, `remote`, `none` "
        "or `merge`. The other one is kept in the history.",
        ("newest", "local", "remote", "none", "merge"),
    ),
    Setting(
        "s3_sync_delete",
        False,
        "Whether what was removed on one side is removed on the other, too.",
    ),
    Setting(
        "s3_sync_prune",
        True,
        "Whether packages that are not in the bucket's version are removed here.",
    ),
    Setting(
        "s3_sync_secret_variables",
        False,
        "Whether environment variables that look secret are synchronized, too.",
    ),
    Setting(
        "s3_sync_pip_options",
        False,
        "Whether files in the bucket may give options to pip (`--index-url`, `-r`, "
        "`-e`) and name local files and folders. They run as you.",
    ),
    Setting(
        "s3_sync_keep_versions",
        50,
        "How many versions of each environment the history keeps, about; 0: all. "
        "Those that have lost a conflict stay for 30 days.",
    ),
    Setting(
        "s3_sync_record_host",
        True,
        "Whether the name of this machine is written beside what it pushes.",
    ),
    Setting(
        "s3_sync_auto",
        "off",
        "What follows each conda command that changes environments: `push` them, or "
        "`sync`, which also pulls what changed in the bucket alone. Needs "
        "s3_sync_location; decides no conflict, and removes nothing here.",
        ("off", "push", "sync"),
    ),
    Setting(
        "s3_sync_auto_timeout",
        3,
        "How many seconds that may wait for the bucket, altogether; 0: any.",
    ),
    Setting("s3_sync_profile", "", "Profile of the AWS configuration to use."),
    Setting("s3_sync_region", "", "Region of the bucket."),
    Setting("s3_sync_endpoint_url", "", "URL of an S3 server that is not Amazon's."),
)
