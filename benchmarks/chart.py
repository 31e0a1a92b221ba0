"""Bars in an SVG, for light and for dark pages."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING
from xml.sax.saxutils import escape

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

WIDTH, LABELS, ROW = 760, 270, 22
AREA = WIDTH - LABELS - 120  # the rest is for what is written behind the bars

#: To be seen on white and on black.
COLOURS = (
    *("#0969da", "#bc4c00", "#8250df", "#1a7f37"),
    *("#bf8700", "#cf222e", "#1b7c83", "#8c959f"),
)

STYLE = """
text { font: 12px sans-serif; fill: #1f2328 }
.title { font-weight: bold; font-size: 13px }
.axis { stroke: #8c959f; stroke-width: 1 }
@media (prefers-color-scheme: dark) { text { fill: #e6edf3 } }
"""


@dataclass
class Bar:
    """A row of the chart: a label, and what is written behind it.

    `parts`: how long the bar is, from the left; several are one behind the other.
    """

    label: str
    parts: Sequence[float]
    told: str


@dataclass
class Group:
    """Bars with a title; `logarithmic`: from 1 on, each step is as many times more."""

    title: str
    bars: Sequence[Bar]
    logarithmic: bool = False
    legend: Sequence[str] = ()


def draw(groups: Iterable[Group]) -> str:
    """Return the chart."""
    lines: list[str] = []
    y = 8
    for group in groups:
        y += ROW
        lines.append(text(8, y, group.title, "title"))
        scale = _scale(group)
        for bar in group.bars:
            y += ROW
            lines.append(text(LABELS - 8, y, bar.label, anchor="end"))
            x = float(LABELS)
            for part, colour in zip(bar.parts, COLOURS, strict=False):
                width = scale(part)
                lines.append(
                    f'<rect x="{x:.1f}" y="{y - 12}" width="{width:.1f}" height="15" '
                    f'fill="{colour}"/>'
                )
                x += width
            lines.append(text(x + 6, y, bar.told))
        top, bottom = y - (len(group.bars) - 1) * ROW - 16, y + 7
        lines.append(
            f'<path class="axis" d="M{LABELS} {top}V{bottom}" fill="none"/>',
        )
        y += _legend(lines, group.legend, y) + 12
    size = f'width="{WIDTH}" height="{y}" viewBox="0 0 {WIDTH} {y}"'
    body = "\n".join(lines)
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" {size} role="img">\n'
        f"<style>{STYLE}</style>\n{body}\n</svg>\n"
    )


def _scale(group: Group) -> Callable[[float], float]:
    if group.logarithmic:
        longest = max(max(bar.parts) for bar in group.bars)
        unit = AREA / math.log(max(longest, 2))
        return lambda ratio: max(unit * math.log(max(ratio, 1)), 2)
    longest = max(sum(bar.parts) for bar in group.bars)
    return lambda length: AREA * length / longest


def _legend(lines: list[str], names: Sequence[str], y: int) -> int:
    """Write what the colours mean; return how high that is."""
    x = 8
    for name, colour in zip(names, COLOURS, strict=False):
        lines.append(
            f'<rect x="{x}" y="{y + 14}" width="10" height="10" fill="{colour}"/>'
        )
        lines.append(text(x + 14, y + 23, name))
        x += 26 + 7 * len(name)
    return ROW if names else 0


def text(x: float, y: int, words: str, kind: str = "", anchor: str = "start") -> str:
    """Return words at a place."""
    attributes = f' class="{kind}"' if kind else ""
    place = f'x="{x:.1f}" y="{y}" text-anchor="{anchor}"'
    return f"<text {place}{attributes}>{escape(words)}</text>"
