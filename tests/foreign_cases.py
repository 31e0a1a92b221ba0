"""environment.yml files as people and other programs write them, for the usual channel.

CHANNEL stands for its address, and SUBDIR for the platform.
"""

from __future__ import annotations

from typing import NamedTuple

from make_channel import this_subdir

#: More than 50 KB of it.
LONG = "".join(
    f"  # lib{number % 20:02d} is needed for step {number} of what we do here.\n"
    f"  - lib{number % 20:02d}>=1.0\n"
    for number in range(800)
)


class Foreign(NamedTuple):
    """A file, and what an environment has that was made from it."""

    text: str
    #: Of packages that matter, the versions.
    packages: dict[str, str]
    pip: dict[str, str] = {}
    variables: dict[str, str] = {}
    encoding: str = "utf-8"

    def body(self, channel: str) -> bytes:
        """Return its bytes."""
        text = self.text.replace("CHANNEL", channel).replace("SUBDIR", this_subdir())
        return text.encode(self.encoding)


PLAIN = """\
name: ml
channels:
  - CHANNEL
dependencies:
  - lib01
variables:
  MODE: schön
"""


def plain(text: str, encoding: str = "utf-8") -> Foreign:
    """Return the plain file in another spelling: it stays the same environment."""
    return Foreign(text, {"lib01": "2.0"}, {}, {"MODE": "schön"}, encoding)


FOREIGN = {
    "plain": plain(PLAIN),
    "versions": Foreign(
        """\
channels: [CHANNEL]
dependencies:
  - lib00 >=1.0,<2
  - lib01=1.0
  - lib02 ==1.1
  - lib03=1.0=h3_0
  - lib04[version='<2']
""",
        {
            "lib00": "1.1",
            "lib01": "1.0",
            "lib02": "1.1",
            "lib03": "1.0",
            "lib04": "1.1",
        },
    ),
    "spellings": Foreign(
        """\
channels: [CHANNEL]
dependencies:
  - LIB00 = 1.0
  - lib01=1.*
  - lib02=*=h2_*
  - lib03 >= 1 , <2
  - lib04 1.* h4_0
  - lib05== 1.1
  - "CHANNEL/SUBDIR::lib06=1.0"
""",
        {
            "lib00": "1.0",
            "lib01": "1.1",
            "lib03": "1.1",
            "lib04": "1.1",
            "lib05": "1.1",
            "lib06": "1.0",
        },
    ),
    "channel-of-a-package": Foreign(
        "channels: [CHANNEL]\ndependencies: ['CHANNEL::lib01=1.1']\n", {"lib01": "1.1"}
    ),
    "no-defaults": Foreign(
        "channels: [CHANNEL, nodefaults]\ndependencies: [acty]\n", {"acty": "1.0"}
    ),
    "no-channels": Foreign("dependencies:\n- acty\n", {"acty": "1.0"}),
    "twice": Foreign(
        "channels: [CHANNEL]\ndependencies: [lib00, lib00<2]\n", {"lib00": "1.1"}
    ),
    "nothing": Foreign("channels: [CHANNEL]\ndependencies: []\n", {}),
    "pip": Foreign(
        """\
channels: [CHANNEL]
dependencies:
  - python
  - pip
  - lib00
  - pip:
      - hello  # whichever
      - Greet[more] >=1.0 ; python_version >= "3"
      - six==1.15.0; sys_platform == 'win32'
""",
        {"lib00": "2.0"},
        {"greet": "1.0", "hello": "2.0"},
    ),
    "pip-alone": Foreign(
        "channels: [CHANNEL]\ndependencies:\n- pip:\n  - hello<2\n",
        {},
        {"hello": "1.0"},
    ),
    "comments": plain(
        """\
# Made by hand; see https://example.org/wiki
---
name: ml # not the name of the file
channels:

  - "CHANNEL"   # ours
dependencies:
      # the only one
      - 'lib01'
variables:
  MODE: "schön"
...
"""
    ),
    "json": plain(
        '{"channels": ["CHANNEL"], "dependencies": ["lib01"], '
        '"variables": {"MODE": "sch\\u00f6n"}}'
    ),
    "keys": plain(
        PLAIN
        + "category: main\nplatforms: [linux-64, osx-arm64, win-64]\n"
        + "about: {license: [MIT], size: 1.5, date: 2026-01-01, draft: yes, why: ~}\n"
    ),
    "prefix": plain(f"{PLAIN}prefix: /home/joe/miniconda3/envs/ml\n"),
    "prefix-of-windows": plain(
        f"{PLAIN}prefix: C:\\Users\\joe\\miniconda3\\envs\\ml\n"
    ),
    "another-name": plain(PLAIN.replace("ml", "something-else")),
    "utf-16": plain(PLAIN, "utf-16"),
    "utf-16-of-others": plain(f"\ufeff{PLAIN}", "utf-16-be"),
    "utf-8-with-mark": plain(PLAIN, "utf-8-sig"),
    "crlf": plain(PLAIN.replace("\n", "\r\n")),
    "long": plain(PLAIN.replace("  - lib01\n", LONG)),
}
