"""What the figures must be, and the tables that say whether they are."""

import dataclasses
from typing import Optional

MIB = 1 << 20


@dataclasses.dataclass
class Row:
    """A figure with its bar (it must not be worse) and its aim (nobody need try further)."""

    what: str
    ours: object
    other: Optional[object]
    # "x": nex's time over the limit's; "x faster": the peer's over nex's; "ms": nex's time.
    unit: str
    bar: Optional[float] = None
    aim: Optional[float] = None
    # What every program has to do at least.
    least: Optional[object] = None

    @property
    def figure(self):
        """In `unit`."""
        if self.unit == "ms":
            return self.ours.median * 1000
        ratio = self.ours.median / self.other.median
        return 1 / ratio if self.unit == "x faster" else ratio

    def cells(self):
        """The row of the table."""
        other = f"{self.other.name}: {seconds(self.other.median)}" if self.other else "-"
        figures = [shown(value, self.unit) for value in (self.figure, self.bar, self.aim)]
        kept = met(self.figure, self.bar, self.aim, self.unit == "x faster")
        if self.least and self.other.median / self.bar < self.least.median:
            kept += f": {self.least.name} alone takes more than the bar leaves ({seconds(self.other.median / self.bar)})"
        return [self.what, seconds(self.ours.median), other, *figures, kept]


def met(figure, bar, aim, more_is_better=False):
    """Which of the two a figure keeps."""
    if bar is None:
        return "-"
    keeps = (lambda limit: figure >= limit) if more_is_better else (lambda limit: figure <= limit)
    return "aim" if keeps(aim) else "bar" if keeps(bar) else "no"


def shown(value, unit):
    """A figure with its unit."""
    if value is None:
        return "-"
    return f"{value:.0f} ms" if unit == "ms" and value >= 20 else f"{value:.1f} ms" if unit == "ms" else f"{value:.2f}{unit}"


def seconds(value):
    """A time: three digits that mean something, or the last of a millisecond."""
    return f"{value:.2f} s" if value >= 1 else f"{value * 1000:.0f} ms" if value >= 0.02 else f"{value * 1000:.1f} ms"


def markdown(head, rows, texts=1):
    """A table; all columns but the first, or so many, stand on the right."""
    lines = [head, ["---"] * texts + ["---:"] * (len(head) - texts), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def figures(rows):
    """The table of what is asked for."""
    return markdown(["what", "nex", "limit or peer", "measured", "bar", "aim", "met"], [row.cells() for row in rows])


def memory(ways):
    """The table of peaks: `ways` has the title of an image, its build, and its number of entries."""

    def cells(title, way, entries):
        bar, aim = 64 * MIB + 200 * entries, 32 * MIB + 120 * entries
        sizes = [f"{value / MIB:.0f} MiB" for value in (way.peak, bar, aim)]
        return [title, f"{entries:,}", *sizes, met(way.peak, bar, aim)]

    return markdown(["cold build of", "entries", "peak", "bar", "aim", "met"], [cells(*way) for way in ways])


def every_way(groups):
    """The table of all that was run: `groups` has the title of an image and its ways."""

    def cells(title, way):
        times = [f"{value:.3f}" for value in (way.median, min(way.seconds), max(way.seconds))]
        processor = sorted(way.processor)[len(way.processor) // 2]
        return [title, way.name, *times, f"{processor:.3f}", f"{way.peak / MIB:.0f}"]

    rows = [cells(title, way) for title, ways in groups for way in ways]
    return markdown(["image", "way", "median s", "least s", "most s", "processor s", "peak MiB"], rows, 2)
