"""The drawings of docs/concepts, as SVG: plain shapes, computed so that what they claim is so."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from html import escape

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
    made = {"line": line, "lattice": lattice, "sweep": sweep, "blocks": blocks, "publish": publish}
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


def _lattice_panel(drawing: Drawing, left: float, tile: int, name: str) -> None:
    """Draw 12 x 12 pixels: tiles that the region touches, the windows' places, one window in colour."""
    top, px, side, stride, window = 60, 26, 12, 4, 5
    region = [(2.2, 1.4), (9.6, 0.6), (11.3, 6.2), (7.4, 10.8), (1.1, 8.3)]
    drawing.say(left + side * px / 2, top - 28, name, font_size=15, font_weight="bold")
    for at in range(side + 1):
        drawing.line(left + at * px, top, left + at * px, top + side * px, stroke=FAINT, stroke_width=1)
        drawing.line(left, top + at * px, left + side * px, top + at * px, stroke=FAINT, stroke_width=1)
    drawing.shape(
        [(left + x * px, top + y * px) for x, y in region],
        fill=PALE[BLUE],
        stroke=BLUE,
        stroke_width=1.5,
        fill_opacity=0.75,
    )
    for iy in range(side // tile):
        for ix in range(side // tile):
            drawing.box(
                left + ix * tile * px,
                top + iy * tile * px,
                tile * px,
                tile * px,
                stroke=INK,
                stroke_width=2.2,
            )
    for ky in range(3):
        for kx in range(3):
            x, y = left + kx * stride * px, top + ky * stride * px
            if (ky, kx) != (1, 1):
                size = min(window * px, left + side * px - x + 8), min(window * px, top + side * px - y + 8)
                drawing.box(
                    x + 3,
                    y + 3,
                    size[0] - 6,
                    size[1] - 6,
                    stroke=ORANGE,
                    stroke_width=1,
                    stroke_dasharray="3 3",
                )
    drawing.box(
        left + stride * px,
        top + stride * px,
        window * px,
        window * px,
        fill=PALE[ORANGE],
        stroke=ORANGE,
        stroke_width=2.5,
        fill_opacity=0.8,
    )
    drawing.say(left + (stride + window / 2) * px, top + (stride + window / 2) * px + 5, "window 1, 1", font_size=12)
    drawing.line(left - 14, top - 14, left - 2, top - 2, arrow=True)
    drawing.say(left - 18, top - 18, "0, 0", font_size=12, anchor="middle")


def sweep() -> Drawing:
    """A sweep runs down its tiles with a band of rows in memory."""
    drawing = Drawing(860, 400, "A sweep of tiles and the band of rows that it holds")
    left, top, tile = 60, 60, 96
    drawing.say(left + 1.5 * tile, 38, "a sweep of 3 x 3 tiles", font_size=15, font_weight="bold")
    done = int(1.25 * tile)
    band = 62
    drawing.box(left, top, 3 * tile, done, fill=PALE[GREEN], stroke="none")
    drawing.box(left, top + done, 3 * tile, band, fill=PALE[ORANGE], stroke="none")
    for at in range(4):
        drawing.line(left + at * tile, top, left + at * tile, top + 3 * tile, stroke_width=2)
        drawing.line(left, top + at * tile, left + 3 * tile, top + at * tile, stroke_width=2)
    for at in range(7):
        x = left - 22 + at * 46
        drawing.box(x, top + done, 58, band, stroke=ORANGE, stroke_width=1.2, stroke_dasharray="4 3")
    drawing.line(left - 34, top + done - 20, left - 34, top + done + band + 30, arrow=True)
    notes = [
        (
            done / 2,
            GREEN,
            "finished rows",
            "each pixel has seen all of its windows;",
            "full tiles are encoded and published",
        ),
        (
            done + band / 2,
            ORANGE,
            "the band in memory",
            "window height x sweep width x (classes + 1), float32;",
            "its size does not follow the region",
        ),
        (
            done + band + 66,
            GREY,
            "still to come",
            "each window of the sweep is computed once,",
            "row by row, for all tiles that it touches",
        ),
    ]
    for below, colour, name, first, second in notes:
        y = top + below
        drawing.line(left + 3 * tile + 8, y, left + 3 * tile + 44, y, stroke=colour, stroke_width=2)
        drawing.say(left + 3 * tile + 56, y - 6, name, anchor="start", font_weight="bold", fill=colour)
        drawing.say(left + 3 * tile + 56, y + 12, first, anchor="start", font_size=12.5)
        drawing.say(left + 3 * tile + 56, y + 28, second, anchor="start", font_size=12.5)
    drawing.say(
        left + 1.5 * tile,
        top + 3 * tile + 30,
        "windows (dashed) overlap and reach into the neighbours",
        font_size=12,
        fill=GREY,
    )
    return drawing


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
