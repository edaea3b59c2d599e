"""The drawings of docs/concepts, as SVG: plain shapes, computed so that what they claim is so."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from html import escape
from itertools import product

INK, GREY, FAINT = "#1f2933", "#7b8794", "#d5dbe1"
BLUE, ORANGE, GREEN, RED = "#2b6cb0", "#dd6b20", "#2f855a", "#c53030"
PALE = {BLUE: "#dbeafe", ORANGE: "#feebc8", GREEN: "#d7f2e0", RED: "#fde0e0", GREY: "#eef1f4"}


@dataclass
class Drawing:
    """An SVG that is filled shape by shape."""

    width: int
    height: int
    title: str
    parts: list[str] = field(default_factory=list)

    def box(self, x: float, y: float, w: float, h: float, **style: object) -> None:
        """Draw a rectangle."""
        self._add("rect", x=x, y=y, width=w, height=h, **{"fill": "none", "stroke": INK, **style})

    def line(self, x1: float, y1: float, x2: float, y2: float, **style: object) -> None:
        """Draw a line; ``arrow=True`` gives it a head."""
        if style.pop("arrow", False):
            style["marker_end"] = "url(#head)"
        self._add("line", x1=x1, y1=y1, x2=x2, y2=y2, **{"stroke": INK, "stroke_width": 1.5, **style})

    def shape(self, points: Iterable[tuple[float, float]], **style: object) -> None:
        """Draw a polygon."""
        self._add("polygon", points=" ".join(f"{x:g},{y:g}" for x, y in points), **style)

    def say(self, x: float, y: float, text: str, **style: object) -> None:
        """Write a line of text, in the middle of x unless ``anchor`` says otherwise."""
        anchor = style.pop("anchor", "middle")
        look = {"font_size": 14, "fill": INK, "text_anchor": anchor, **style}
        attributes = _attributes({"x": x, "y": y, **look})
        self.parts.append(f"<text {attributes}>{escape(text)}</text>")

    def svg(self) -> str:
        """Give the file's text."""
        size = f'viewBox="0 0 {self.width} {self.height}" width="{self.width}" height="{self.height}"'
        head = (
            '<defs><marker id="head" viewBox="0 0 10 10" refX="9" refY="5" markerWidth="7" markerHeight="7" '
            f'orient="auto"><path d="M0 0 L10 5 L0 10 z" fill="{INK}"/></marker></defs>'
        )
        font = "font-family=\"'DejaVu Sans', Verdana, sans-serif\""
        return "\n".join(
            [
                f'<svg xmlns="http://www.w3.org/2000/svg" {size} {font} role="img">',
                f"<title>{escape(self.title)}</title>",
                head,
                f'<rect width="{self.width}" height="{self.height}" rx="8" fill="#ffffff"/>',
                *self.parts,
                "</svg>\n",
            ]
        )

    def _add(self, name: str, **attributes: object) -> None:
        self.parts.append(f"<{name} {_attributes(attributes)}/>")


def _attributes(values: dict[str, object]) -> str:
    written = []
    for key, value in values.items():
        text = f"{value:g}" if isinstance(value, float) else value
        written.append(f'{key.replace("_", "-")}="{text}"')
    return " ".join(written)


def drawings() -> dict[str, str]:
    """Give each drawing by name."""
    made = {
        "line": line,
        "lattice": lattice,
        "sweep": sweep,
        "blocks": blocks,
        "publish": publish,
        "pipeline": pipeline,
    }
    return {name: draw().svg() for name, draw in made.items()}


def line() -> Drawing:
    """The straight line from a region to maps."""
    drawing = Drawing(860, 190, "From a region to maps: tile, predict, stitch")
    stages = [
        ("Region", "what you ask for", BLUE),
        ("Plan", "tiles and their cost", BLUE),
        ("Heatmap", "scores of every pixel", ORANGE),
        ("Maps", "COG, picture, coverage", GREEN),
    ]
    for at, (name, about, colour) in enumerate(stages):
        x = 20 + at * 220
        drawing.box(x, 50, 160, 64, rx=8, fill=PALE[colour], stroke=colour, stroke_width=1.5)
        drawing.say(x + 80, 79, name, font_size=17, font_weight="bold")
        drawing.say(x + 80, 100, about, font_size=12, fill=GREY)
    for at, verb in enumerate(["gw tile", "gw predict", "gw stitch"]):
        x = 180 + at * 220
        drawing.line(x + 4, 82, x + 56, 82, arrow=True)
        drawing.say(x + 30, 40, verb, font_size=13, font_weight="bold")
    for x, text in ((490, "Imagery"), (570, "Package")):
        drawing.say(x - 100, 160, text, font_size=13)
    drawing.line(395, 146, 424, 90, arrow=True, stroke=GREY)
    drawing.line(465, 146, 432, 90, arrow=True, stroke=GREY)
    return drawing


def lattice() -> Drawing:
    """Two ways to cut one region; the windows stay where they are."""
    drawing = Drawing(860, 420, "Windows stand on the lattice, wherever tiles are cut")
    for panel, (tile, name) in enumerate([(4, "tiles of 4 x 4"), (6, "tiles of 6 x 6")]):
        _lattice_panel(drawing, 60 + panel * 410, tile, name)
    text = "Windows of 5 every 4, counted from the lattice's origin: the orange one is the same in both."
    drawing.say(430, 408, text, font_size=12, fill=GREY)
    return drawing


PX, SIDE, STRIDE, WINDOW = 26, 12, 4, 5
"""Size of a drawn pixel, pixels a side of the drawing, and the windows of the example."""


def _lattice_panel(drawing: Drawing, left: float, tile: int, name: str) -> None:
    """Draw 12 x 12 pixels: the region, the tiles, the windows' places, one window in colour."""
    top = 60
    drawing.say(left + SIDE * PX / 2, top - 28, name, font_size=15, font_weight="bold")
    for at in range(SIDE + 1):
        drawing.line(left + at * PX, top, left + at * PX, top + SIDE * PX, stroke=FAINT, stroke_width=1)
        drawing.line(left, top + at * PX, left + SIDE * PX, top + at * PX, stroke=FAINT, stroke_width=1)
    region = [(2.2, 1.4), (9.6, 0.6), (11.3, 6.2), (7.4, 10.8), (1.1, 8.3)]
    look = {"fill": PALE[BLUE], "stroke": BLUE, "stroke_width": 1.5, "fill_opacity": 0.75}
    drawing.shape([(left + x * PX, top + y * PX) for x, y in region], **look)
    for x, y in product(range(0, SIDE, tile), repeat=2):
        drawing.box(left + x * PX, top + y * PX, tile * PX, tile * PX, stroke=INK, stroke_width=2.2)
    _windows(drawing, left, top)
    drawing.line(left - 14, top - 14, left - 2, top - 2, arrow=True)
    drawing.say(left - 18, top - 18, "0, 0", font_size=12, anchor="middle")


def _windows(drawing: Drawing, left: float, top: float) -> None:
    """Draw each window, dashed where it is not the one that is talked of."""
    dashed = {"stroke": ORANGE, "stroke_width": 1, "stroke_dasharray": "3 3"}
    for ky, kx in product(range(3), repeat=2):
        x, y = left + kx * STRIDE * PX, top + ky * STRIDE * PX
        if (ky, kx) != (1, 1):
            width, height = (min(WINDOW * PX, end + SIDE * PX - at + 8) for at, end in ((x, left), (y, top)))
            drawing.box(x + 3, y + 3, width - 6, height - 6, **dashed)
    x, y = left + STRIDE * PX, top + STRIDE * PX
    filled = {"fill": PALE[ORANGE], "stroke": ORANGE, "stroke_width": 2.5, "fill_opacity": 0.8}
    drawing.box(x, y, WINDOW * PX, WINDOW * PX, **filled)
    drawing.say(x + WINDOW * PX / 2, y + WINDOW * PX / 2 + 5, "window 1, 1", font_size=12)


DONE, BAND = 120, 62
"""Drawn height of what a sweep has finished, and of its band of rows."""

SWEEP_NOTES = (
    (DONE / 2, GREEN, "finished rows"),
    (0, INK, "each pixel has seen all of its windows;"),
    (0, INK, "full tiles are encoded and published"),
    (DONE + BAND / 2, ORANGE, "the band in memory"),
    (0, INK, "window height x sweep width x (classes + 1), float32;"),
    (0, INK, "its size does not follow the region"),
    (DONE + BAND + 66, GREY, "still to come"),
    (0, INK, "each window of the sweep is computed once,"),
    (0, INK, "row by row, for all tiles that it touches"),
)
"""Lines beside the sweep: height below its top where a note begins, colour, text."""


def sweep() -> Drawing:
    """A sweep runs down its tiles with a band of rows in memory."""
    drawing = Drawing(860, 400, "A sweep of tiles and the band of rows that it holds")
    left, top, tile = 60, 60, 96
    right = left + 3 * tile
    drawing.say(left + 1.5 * tile, 38, "a sweep of 3 x 3 tiles", font_size=15, font_weight="bold")
    drawing.box(left, top, 3 * tile, DONE, fill=PALE[GREEN], stroke="none")
    drawing.box(left, top + DONE, 3 * tile, BAND, fill=PALE[ORANGE], stroke="none")
    for at in range(4):
        drawing.line(left + at * tile, top, left + at * tile, top + 3 * tile, stroke_width=2)
        drawing.line(left, top + at * tile, right, top + at * tile, stroke_width=2)
    for at in range(7):
        x = left - 22 + at * 46
        drawing.box(x, top + DONE, 58, BAND, stroke=ORANGE, stroke_width=1.2, stroke_dasharray="4 3")
    drawing.line(left - 34, top + DONE - 20, left - 34, top + DONE + BAND + 30, arrow=True)
    _sweep_notes(drawing, right, top)
    below = "windows (dashed) overlap and reach into the neighbours"
    drawing.say(left + 1.5 * tile, top + 3 * tile + 30, below, font_size=12, fill=GREY)
    return drawing


def _sweep_notes(drawing: Drawing, right: float, top: float) -> None:
    y = 0.0
    for below, colour, text in SWEEP_NOTES:
        if below:
            y = top + below - 6
            drawing.line(right + 8, y + 6, right + 44, y + 6, stroke=colour, stroke_width=2)
            drawing.say(right + 56, y, text, anchor="start", font_weight="bold", fill=colour)
        else:
            y += 17
            drawing.say(right + 56, y, text, anchor="start", font_size=12.5)


def blocks() -> Drawing:
    """Whoever reads a pixel computes the same whole block."""
    drawing = Drawing(860, 380, "Reading a part equals reading the whole")
    reads = {"one window reads": (1.4, 1.3, 1.2, 1.5), "another reads": (2.1, 0.5, 2.3, 1.6)}
    touched = [_touched(read) for read in reads.values()]
    shared = touched[0] & touched[1]
    px, top = 56, 70
    for panel, (name, (x, y, w, h)) in enumerate(reads.items()):
        left = 70 + panel * 410
        drawing.say(left + 2.5 * px, 42, name, font_size=15, font_weight="bold")
        for row in range(4):
            for column in range(5):
                fill = PALE[BLUE] if (row, column) in touched[panel] else "none"
                fill = "#a9cdf8" if (row, column) in shared else fill
                drawing.box(left + column * px, top + row * px, px, px, stroke=GREY, fill=fill)
        drawing.box(left + x * px, top + y * px, w * px, h * px, stroke=ORANGE, stroke_width=2.5)
    for y, text in (
        (
            326,
            "Resampling happens in fixed blocks of the lattice, always whole, with one kernel scale a scene.",
        ),
        (348, "What is asked for (orange) is cut out of the blocks that it touches (blue);"),
        (368, "both compute the darker blocks, and get the same bytes."),
    ):
        drawing.say(430, y, text, font_size=13)
    return drawing


def _touched(read: tuple[float, float, float, float]) -> set[tuple[int, int]]:
    """List the blocks (row, column) that a part x, y, w, h touches."""
    x, y, w, h = read
    places = ((row, column) for row in range(4) for column in range(5))
    return {(r, c) for r, c in places if c < x + w and c + 1 > x and r < y + h and r + 1 > y}


def publish() -> Drawing:
    """What a kill at any moment leaves."""
    drawing = Drawing(860, 300, "A tile is done when its marker says so")
    steps = [
        ("compute", "in memory", GREY),
        ("encode", "in memory", GREY),
        ("write", "temporary name", ORANGE),
        ("rename", "one atomic step", BLUE),
        ("marker", "only if absent", GREEN),
    ]
    for at, (name, about, colour) in enumerate(steps):
        x = 24 + at * 166
        drawing.box(x, 60, 130, 62, rx=8, fill=PALE[colour], stroke=colour, stroke_width=1.5)
        drawing.say(x + 65, 87, name, font_weight="bold")
        drawing.say(x + 65, 107, about, font_size=12, fill=GREY)
        if at < len(steps) - 1:
            drawing.line(x + 134, 91, x + 162, 91, arrow=True)
    drawing.say(430, 36, "one tile, from its scores to done", font_size=15, font_weight="bold")
    spans = [
        (24, 486, "killed here: nothing is visible, the tile runs again", RED),
        (526, 650, "here: it runs again, same bytes", ORANGE),
        (692, 818, "here: done, never again", GREEN),
    ]
    for row, (start, end, text, colour) in enumerate(spans):
        y = 156 + row * 42
        drawing.line(start, y, end, y, stroke=colour, stroke_width=4)
        middle = (start + end) / 2 if row == 0 else end
        drawing.say(middle, y + 21, text, font_size=13, fill=colour, anchor="middle" if row == 0 else "end")
    return drawing


def pipeline() -> Drawing:
    """Rows of windows on their way through the four stages, at the times that bounded queues give them."""
    drawing = Drawing(860, 300, "Four stages overlap: the network never waits")
    lanes = ("read ahead", "network", "add up", "publish")
    colours = (BLUE, ORANGE, GREEN, RED)
    left, unit, top, high = 120, 13.0, 44, 44
    for lane, (name, colour) in enumerate(zip(lanes, colours, strict=True)):
        y = top + lane * (high + 12)
        drawing.say(left - 12, y + 28, name, anchor="end", font_weight="bold")
        drawing.line(left, y + high + 5, left + 55 * unit, y + high + 5, stroke=FAINT)
        for row, (start, end) in _timeline()[lane]:
            drawing.box(left + start * unit, y, (end - start) * unit - 2, high, rx=4, fill=PALE[colour], stroke=colour)
            drawing.say(left + (start + end) / 2 * unit - 1, y + 28, row, font_size=13)
    drawing.line(left, 276, left + 55 * unit, 276, arrow=True, stroke=GREY)
    drawing.say(
        left + 27 * unit,
        293,
        "time; numbers are rows of windows, letters rows of finished tiles",
        font_size=12,
        fill=GREY,
    )
    return drawing


def _timeline() -> list[list[tuple[str, tuple[float, float]]]]:
    """Return what each stage does when: (name, (start, end)). One row is read ahead; two rows fill a row of tiles."""
    read: list[tuple[float, float]] = []
    net: list[tuple[float, float]] = []
    add: list[tuple[float, float]] = []
    for row in range(8):
        taken = net[row - 2][0] if row > 1 else 0.0  # a strip is read when the one before the last is taken
        start = max(read[-1][1] if read else 0.0, taken)
        read.append((start, start + 3.5))
        start = max(net[-1][1] if net else 0.0, read[row][1])
        net.append((start, start + 5.5))
        start = max(add[-1][1] if add else 0.0, net[row][1])
        add.append((start, start + 1.6))
    write = [(add[row][1], add[row][1] + 4.2) for row in range(1, 8, 2)]
    numbers = [[(str(row + 1), span) for row, span in enumerate(lane)] for lane in (read, net, add)]
    return [*numbers, [("ABCD"[k], span) for k, span in enumerate(write)]]
