"""The tables of docs/benchmarks.rst, and its chart, out of what was measured."""

from __future__ import annotations

import importlib.metadata
import os
import platform
import re
import statistics
from typing import TYPE_CHECKING, Any

from lab import OURS, ROOT  # isort: skip

from chart import Bar, Group, draw
from request_counts import COSTS

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    Columns = Mapping[str, Sequence[float]]
    Rows = Iterable[Sequence[str]]

PLUGIN, ORIGINAL = "conda s3-sync", "original"


def write_page(results: Mapping[str, Any]) -> None:
    """Write the tables of what was measured between their marks, and the chart."""
    page = ROOT / "docs" / "benchmarks.rst"
    text = page.read_text()
    parts = {"requests": requests(), "surroundings": results["surroundings"] + "\n"}
    parts |= {name: tell(results) for name, tell in TABLES.items() if name in results}
    for name, part in parts.items():
        marked = re.compile(rf"(\.\. begin {name}\n).*(\.\. end {name}\n)", re.DOTALL)
        text = marked.sub(rf"\g<1>\n{part}\n\g<2>", text)
    page.write_text(text)
    page.with_suffix(".svg").write_text(draw(groups(results)))


def surroundings() -> str:
    """Return what the numbers depend on."""
    versions = (
        f"{name} {importlib.metadata.version(name)}" for name in ("conda", "boto3")
    )
    return (
        f"Measured on {os.cpu_count()} cores of {platform.system()} "
        f"{platform.machine()}, with python\n{platform.python_version()}, "
        f"{', '.join(versions)}, at a load of {os.getloadavg()[0]:.1f}."
    )


def median(columns: Columns, name: str) -> float:
    """Return what something takes."""
    return statistics.median(columns[name])


def ratio(columns: Columns, name: str, to: str) -> float:
    """Return how many times more something takes than another thing."""
    return median(columns, name) / median(columns, to)


def spread(values: Sequence[float]) -> str:
    """Return the median, and in which range all are."""
    middle = f"{statistics.median(values):.2f}"
    if len(values) == 1:
        return middle
    return f"{middle} ({min(values):.2f} to {max(values):.2f})"


def times(value: float) -> str:
    """Return a ratio, with as many digits as it has."""
    digits = 2 if value < 0.995 else 1 if value < 9.95 else 0
    return f"{value:.{digits}f}"


def table(titles: Sequence[str], rows: Rows) -> str:
    """Return a table."""
    lines = [titles, *rows]
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    rule = "  ".join("=" * width for width in widths)
    head, *body = ("  ".join(map(str.ljust, line, widths)).rstrip() for line in lines)
    return "\n".join([rule, head, rule, *body, rule, ""])


def original(results: Mapping[str, Any]) -> str:
    """Tell how much faster it is than the original."""
    rows = []
    for row, columns in results["original"].items():
        what, number, delay = row.rsplit(" ", 2)
        asked = results["requests"][row]
        rows.append(
            (
                f"{what}, {number}" + (f", +{delay} ms" if delay != "0" else ""),
                times(ratio(columns, ORIGINAL, PLUGIN)),
                *(spread(columns[name]) for name in (ORIGINAL, *OURS)),
                *(f"{median(asked, name):.0f}" for name in (ORIGINAL, PLUGIN)),
            )
        )
    titles = ("what, of how many", "times faster", ORIGINAL, *OURS, "requests", "ours")
    return table(titles, rows)


def startup(results: Mapping[str, Any]) -> str:
    """Tell what other commands of conda have to pay."""
    told = results["startup"]
    rows = []
    for row in ("seconds", "seconds of CPU"):
        columns = told[row]
        more = 1000 * (median(columns, "with") - median(columns, "without"))
        values = [spread(columns[name]) for name in ("without", "with")]
        rows.append((row, *values, f"{more:+.1f} ms"))
    shown = table(("conda info", "without", "with", "difference"), rows)
    imports = min(told["imports, in ms"]["with"])
    number = median(told["modules"], "with")
    return f"{shown}\nIts own imports are {imports:.1f} ms of that, {number} modules.\n"


def floor(results: Mapping[str, Any]) -> str:
    """Tell how near it is to the least there could be."""
    names = ("conda info", "boto3 alone", *OURS)
    rows = []
    for delay, columns in results["floor"].items():
        least = sum(median(columns, name) for name in names[:2])
        share = times(median(columns, PLUGIN) / least)
        rows.append((f"+{delay}", share, *(spread(columns[name]) for name in names)))
    return table(("delay", "ratio", *names), rows)


def parts(results: Mapping[str, Any]) -> str:
    """Tell where the time goes."""
    spent = results["parts"]
    rows = [
        (part, *(f"{median(spent[name], part):.0f}" for name in OURS))
        for part in spent[PLUGIN]
    ]
    return table(("part", *OURS), rows)


def restore(results: Mapping[str, Any]) -> str:
    """Tell how long it takes to get an environment."""
    columns = results["restore"]["100 packages"]
    rows = [
        (name, times(ratio(columns, name, PLUGIN)), spread(columns[name]))
        for name in sorted(columns, key=lambda name: median(columns, name))
    ]
    return table(("how", "ratio", "seconds"), rows)


def scale(results: Mapping[str, Any]) -> str:
    """Tell what 20 times as many environments cost."""
    told = results["scale"]
    quiet, memory = told["nothing to do"], told["MiB"]
    rows = []
    for column, values in quiet.items():
        more = median(memory, column) - median(memory, "conda info")
        few = f"{column.rpartition(' ')[0]} 50"
        rows.append(
            (
                column,
                spread(values),
                times(ratio(quiet, column, few)),
                f"{median(told['requests'], column):.0f}",
                f"{median(memory, column):.0f} ({more:+.0f})",
                spread(told["first push"][column]),
            )
        )
    titles = ("environments", "nothing to do", "ratio", "requests", "MiB", "first push")
    return table(titles, sorted(rows, key=lambda row: row[0].split()[-1], reverse=True))


def big(results: Mapping[str, Any]) -> str:
    """Tell how much of a first push is to read what is installed."""
    told = results["big"]
    rows = []
    for name in OURS:
        read, push = (median(told[row], name) for row in ("reading", "first push"))
        rows.append(
            (name, f"{read / push:.0%}", *(spread(told[row][name]) for row in told))
        )
    return table(("command", "share", *told), rows)


def requests() -> str:
    """Tell what the tests hold: how many requests there are."""

    def told(counts: Mapping[str, int]) -> str:
        return ", ".join(f"{count} {verb}" for verb, count in counts.items()) or "none"

    rows = [(what, told(cost.run), told(cost.each)) for what, cost in COSTS.items()]
    return table(("what", "once", "each"), rows)


TABLES = {
    "startup": startup,
    "original": original,
    "floor": floor,
    "parts": parts,
    "restore": restore,
    "scale": scale,
    "big": big,
}


def groups(results: Mapping[str, Any]) -> list[Group]:
    """Return the bars of the chart."""
    faster, slower, spent = [], [], []
    for row, columns in results.get("original", {}).items():
        what, number, delay = row.rsplit(" ", 2)
        if delay == "0":
            value = ratio(columns, ORIGINAL, PLUGIN)
            faster.append(Bar(f"{what}, {number}", [value], f"{times(value)} times"))
    columns = results.get("restore", {}).get("100 packages", {})
    for name in sorted(columns, key=lambda name: median(columns, name)):
        value = ratio(columns, name, PLUGIN)
        slower.append(Bar(name, [value], times(value)))
    for name, columns in results.get("parts", {}).items():
        values = [median(columns, part) for part in columns]
        spent.append(Bar(name, values, f"{sum(values):.0f} ms of CPU"))
    names = [*results.get("parts", {}).get(PLUGIN, ())]
    found = [
        Group(
            "how many times faster than the original, by environments (logarithmic)",
            faster,
            True,
        ),
        Group("time to get an environment of 100 packages; ours is 1", slower),
        Group("where the time goes with nothing to do", spent, legend=names),
    ]
    return [group for group in found if group.bars]
