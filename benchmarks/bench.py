"""Measure conda-s3-sync beside what else there is, and write docs/benchmarks.*.

    make bench                              everything: about half an hour
    make bench ARGS="restore floor -k 3"    some sections; the others stay as they were

The numbers are kept in docs/benchmarks.json, from which page and chart are made.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from pathlib import Path

from lab import ROOT, Lab, compile_package  # isort: skip

from page import surroundings, write_page
from s3server import S3Server
from sections import SECTIONS

DATA = ROOT / "docs" / "benchmarks.json"

#: A part of another section.
PARTS = {"original": "requests", "floor": "parts"}


def main() -> int:
    """Measure, keep, and write."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("sections", nargs="*", metavar="SECTION", help=str([*SECTIONS]))
    parser.add_argument("-k", type=int, default=5, help="runs of each (default: 5)")
    parser.add_argument("--most", type=int, default=50, help="for the original")
    parser.add_argument("--page", action="store_true", help="only write the page")
    options = parser.parse_args()
    results = json.loads(DATA.read_text()) if DATA.exists() else {}
    chosen = [] if options.page else options.sections or [*SECTIONS]
    compile_package()
    for name in chosen:
        results.pop(name, None)
        results.pop(PARTS.get(name), None)
        with tempfile.TemporaryDirectory() as folder, S3Server() as server:
            lab = Lab(Path(folder), server, results, options.k, options.most)
            try:
                SECTIONS[name](lab)
            finally:
                results["surroundings"] = surroundings()
                DATA.write_text(f"{json.dumps(results, indent=1)}\n")
    write_page(results)
    return 0


if __name__ == "__main__":
    sys.exit(main())
