"""Plots as SVG: panels with two logarithmic axes, on which what grows in proportion is a straight line of one slope."""

import dataclasses
import math

WIDTH, HEIGHT = 400, 290
# Around a panel's axes.
LEFT, RIGHT, TOP, BOTTOM = 62, 34, 48, 46
COLOURS = ["#0b6bcb", "#c2410c", "#15803d"]


@dataclasses.dataclass
class Panel:
    """One pair of axes."""

    title: str
    across: str
    up: str
    # Each a name and its points; what is measured.
    series: list
    # Each a name and its points; what is measured by.
    guides: list

    def axes(self):
        """The powers of ten that the points lie between, across and up."""
        points = [point for _, line in self.series + self.guides for point in line]
        return [(math.floor(math.log10(min(values))), math.ceil(math.log10(max(values)))) for values in zip(*points)]

    def legend(self):
        """What the lines are called."""
        yield from (f'<tspan fill="{colour}">●&#160;{name}</tspan>' for colour, (name, _) in zip(COLOURS, self.series))
        yield from (f'<tspan fill="#777">- -&#160;{name}</tspan>' for name, _ in self.guides)

    def draw(self, left, top):
        """Its elements, moved to their place."""
        (x0, x1), (y0, y1) = self.axes()
        inner_width, inner_height = WIDTH - LEFT - RIGHT, HEIGHT - TOP - BOTTOM

        def x(value):
            return LEFT + (math.log10(value) - x0) / (x1 - x0) * inner_width

        def y(value):
            return TOP + (1 - (math.log10(value) - y0) / (y1 - y0)) * inner_height

        yield f'<g transform="translate({left},{top})">'
        yield text(WIDTH / 2, 18, self.title, size=14)
        yield text(LEFT + inner_width / 2, HEIGHT - 8, self.across)
        yield text(14, TOP + inner_height / 2, self.up, turned=True)
        for power in range(x0, x1 + 1):
            yield line([(x(10**power), TOP), (x(10**power), TOP + inner_height)], "#ddd")
            yield text(x(10**power), TOP + inner_height + 16, tick(power))
        for power in range(y0, y1 + 1):
            yield line([(LEFT, y(10**power)), (LEFT + inner_width, y(10**power))], "#ddd")
            yield text(LEFT - 6, y(10**power) + 4, tick(power), anchor="end")
        yield text(LEFT + inner_width / 2, 36, " &#160; ".join(self.legend()))
        for _, points in self.guides:
            places = [(x(a), y(b)) for a, b in points]
            yield line(places, "#999", dashed=True)
        for colour, (_, points) in zip(COLOURS, self.series):
            places = [(x(a), y(b)) for a, b in points]
            yield line(places, colour)
            yield from (f'<circle cx="{a:.1f}" cy="{b:.1f}" r="3.5" fill="{colour}"/>' for a, b in places)
        yield "</g>"


def line(points, colour, dashed=False):
    """A line through points."""
    places = " ".join(f"{a:.1f},{b:.1f}" for a, b in points)
    dashes = ' stroke-dasharray="5 4"' if dashed else ""
    return f'<polyline points="{places}" fill="none" stroke="{colour}" stroke-width="1.5"{dashes}/>'


def text(x, y, content, colour="#222", anchor="middle", size=11, turned=False):
    """Words."""
    turn = f' transform="rotate(-90 {x:.1f} {y:.1f})"' if turned else ""
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" font-size="{size}" fill="{colour}"{turn}>{content}</text>'


def tick(power):
    """A power of ten as people read it."""
    return f"{10**power:,}" if power >= 0 else f"{10**power:.{-power}f}"


def svg(rows):
    """A whole picture of rows of panels."""
    width, height = WIDTH * max(len(row) for row in rows), HEIGHT * len(rows)
    yield f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" font-family="sans-serif">'
    yield f'<rect width="{width}" height="{height}" fill="white"/>'
    for down, row in enumerate(rows):
        for across, panel in enumerate(row):
            yield from panel.draw(across * WIDTH, down * HEIGHT)
    yield "</svg>"
