"""Build the conda package: what `make package` runs, on any machine.

Neither another channel is needed nor a conda: python, pip and hatchling, which the
build takes, are made into packages out of what is installed beside us.
"""

from __future__ import annotations

import argparse
import os
import shutil
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from rattler_build import PlatformConfig, RattlerBuildError, RenderConfig, Stage0Recipe

if TYPE_CHECKING:
    from rattler_build.progress import LogEvent

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "tests"))

from installed import (  # type: ignore[import-not-found] # noqa: E402
    add_distributions,
)
from make_channel import Channel  # type: ignore[import-not-found] # noqa: E402

RECIPE = ROOT / "recipe" / "recipe.yaml"


class Log:
    """What the build says, which is much: for those who have to look for a reason."""

    def __init__(self) -> None:
        self.lines: list[str] = []

    def on_log(self, event: LogEvent) -> None:
        """Keep a line."""
        self.lines.append(event.message)


def build(channel: Path, folder: Path, log: Log) -> None:
    """Build the package into a channel of nothing else, by way of an empty folder."""
    # Of no use to later builds: what is in it was made for this one.
    os.environ["RATTLER_CACHE_DIR"] = str(folder / "cache")
    tools = Channel(folder / "tools")
    tools.add_python()
    add_distributions(tools, "pip", "hatchling")
    tools.write_index()
    Stage0Recipe.from_file(RECIPE).run_build(
        render_config=RenderConfig(PlatformConfig(experimental=True)),
        channels=[tools.url],
        output_dir=folder / "built",
        progress_callback=log,
        no_include_recipe=True,  # it would name channels and folders that are gone
    )
    shutil.rmtree(channel / "noarch", ignore_errors=True)
    shutil.copytree(folder / "built" / "noarch", channel / "noarch")


def main() -> int:
    """Build, and tell how to install what comes out."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("channel", nargs="?", default=ROOT / "dist" / "channel")
    channel = Path(parser.parse_args().channel).absolute()
    log = Log()
    with tempfile.TemporaryDirectory(prefix="s3-sync-package-") as folder:
        try:
            build(channel, Path(folder), log)
        except RattlerBuildError as error:
            reason = f"the package cannot be built: {error}"
            print(*log.lines, reason, sep="\n", file=sys.stderr)
            return 1
    (package,) = channel.glob("noarch/*.conda")
    print(f"{package}\n\nTo install it:\n")
    print(f"    conda install -n base -c {channel.as_uri()} conda-s3-sync-plugin")
    return 0


if __name__ == "__main__":
    sys.exit(main())
