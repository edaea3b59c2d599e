"""The drawings that explain tracking, as SVG: plain shapes, computed so that what they claim is so."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import pairwise, product

import numpy as np
from drawings import BLUE, FAINT, GREEN, GREY, INK, ORANGE, PALE, RED, Drawing
from numpy.typing import NDArray

from geowatch.consolidate.phases import CONSTRUCTION, PhaseModel, likeliest, strongest

Pixel = tuple[int, int]
Place = Callable[[float, float], tuple[float, float]]

SCORES = (
    "..............",
    "..34...........",
    ".4676......33..",
    ".36885....3443.",
    "..4678754..33..",
    "...3556864.....",
    ".......46753...",
    "........3543...",
)
"""Scores in tenths of a small heatmap; a dot is nothing."""
ROWS, COLUMNS, SEAM_ROW, SEAM_COLUMN = 8, 15, 4, 7
LOW, HIGH = 3, 7


def tracking_drawings() -> dict[str, Drawing]:
    """Give each drawing by name."""
    return {
        "hysteresis": hysteresis(),
        "fragments": fragments(),
        "linking": linking(),
        "phases": phases(),
        "going-on": going_on(),
    }


def _score(y: int, x: int) -> int:
    text = SCORES[y]
    return int(text[x]) if x < len(text) and text[x] != "." else 0


def _pieces(box: tuple[int, int, int, int]) -> list[set[Pixel]]:
    """List the connected pixels at or above the low threshold within rows y0 to y1 and columns x0 to x1."""
    y0, x0, y1, x1 = box
    left = {(y, x) for y, x in product(range(y0, y1), range(x0, x1)) if _score(y, x) >= LOW}
    found = []
    while left:
        piece, front = set[Pixel](), [min(left)]
        while front:
            pixel = front.pop()
            if pixel in left:
                left.discard(pixel)
                piece.add(pixel)
                front += [(pixel[0] + dy, pixel[1] + dx) for dy, dx in ((0, 1), (0, -1), (1, 0), (-1, 0))]
        found.append(piece)
    return found


def _strong(piece: set[Pixel]) -> int:
    return sum(_score(y, x) >= HIGH for y, x in piece)


def _edges(piece: set[Pixel]) -> Iterator[tuple[int, int, int, int]]:
    """Yield the sides (x1, y1, x2, y2) of pixels that have no neighbour of the piece beyond them."""
    for y, x in sorted(piece):
        if (y - 1, x) not in piece:
            yield x, y, x + 1, y
        if (y + 1, x) not in piece:
            yield x, y + 1, x + 1, y + 1
        if (y, x - 1) not in piece:
            yield x, y, x, y + 1
        if (y, x + 1) not in piece:
            yield x + 1, y, x + 1, y + 1


def _outline(drawing: Drawing, piece: set[Pixel], place: Place, colour: str) -> None:
    for x1, y1, x2, y2 in _edges(piece):
        drawing.line(*place(x1, y1), *place(x2, y2), stroke=colour, stroke_width=2.5, stroke_linecap="round")


def hysteresis() -> Drawing:
    """One low and one high threshold: weak pixels count where they hang on to strong ones."""
    px, top = 26, 56
    drawing = Drawing(900, 330, "A low threshold draws the outline, a high one decides whether it counts")
    panels = [(40, "scores in tenths"), (490, f"connected from {LOW / 10:g}, kept with {HIGH / 10:g} somewhere")]
    for panel, (left, title) in enumerate(panels):
        drawing.say(left + COLUMNS * px / 2, 34, title, font_size=15, font_weight="bold")
        for y, x in product(range(ROWS), range(COLUMNS)):
            score = _score(y, x)
            shade = {"fill": ORANGE, "fill_opacity": score / 11} if score else {"fill": "none"}
            drawing.box(left + x * px, top + y * px, px, px, **{**shade, "stroke": FAINT})
            if score:
                look = {"font_weight": "bold"} if score >= HIGH else {"fill": "#52606d"}
                drawing.say(left + (x + 0.5) * px, top + (y + 0.68) * px, str(score), font_size=12, **look)
        for piece in _pieces((0, 0, ROWS, COLUMNS)) if panel else []:
            colour = GREEN if _strong(piece) else GREY
            _outline(drawing, piece, lambda x, y, left=left: (left + x * px, top + y * px), colour)
    drawing.say(490 + 3 * px, 296, "kept: it holds strong pixels", fill=GREEN, font_size=13)
    drawing.say(490 + 12 * px, 296, "dropped: weak all over", fill=GREY, font_size=13)
    return drawing


def fragments() -> Drawing:
    """A site across four tiles: pieces with sums that add up, joined at the seams."""
    px, top, gap = 26, 62, 26
    drawing = Drawing(900, 400, "Tiles leave pieces with sums; what they add up to does not depend on the cut")
    drawing.say(40 + (COLUMNS * px + gap) / 2, 34, "four tiles, tracked one by one", font_size=15, font_weight="bold")
    names = iter("abcdefgh")
    rows = []
    for y0, y1 in ((0, SEAM_ROW), (SEAM_ROW, ROWS)):
        for x0, x1 in ((0, SEAM_COLUMN), (SEAM_COLUMN, COLUMNS)):
            rows += _tile(drawing, (y0, x0, y1, x1), (40, top, px, gap), names)
    _sums(drawing, rows)
    return drawing


def _tile(
    drawing: Drawing, box: tuple[int, int, int, int], at: tuple[int, int, int, int], names: Iterator[str]
) -> list[tuple[str, int, int]]:
    """Draw a tile and its pieces; give each piece's name, pixels and strong pixels."""
    left, top, px, gap = at

    def place(x: float, y: float) -> tuple[float, float]:
        return left + x * px + gap * (box[1] > 0), top + y * px + gap * (box[0] > 0)

    for y, x in product(range(box[0], box[2]), range(box[1], box[3])):
        drawing.box(*place(x, y), px, px, stroke=FAINT)
    corner = place(box[1], box[0])
    drawing.box(*corner, (box[3] - box[1]) * px, (box[2] - box[0]) * px, stroke=INK, stroke_width=1.5)
    rows = []
    for piece in _pieces(box):
        name = next(names)
        for y, x in sorted(piece):
            drawing.box(*place(x, y), px, px, fill=PALE[ORANGE], stroke="#f6d9b0")
        _outline(drawing, piece, place, ORANGE)
        y, x = sorted(piece)[len(piece) // 2]
        drawing.say(*place(x + 0.5, y + 0.7), name, font_weight="bold", font_size=15)
        rows.append((name, len(piece), _strong(piece)))
    return rows


def _sums(drawing: Drawing, rows: list[tuple[str, int, int]]) -> None:
    """List what the fragments say, and what it adds up to."""
    left, y = 520, 66
    drawing.say(left, 34, "what they say, and its sum", font_size=15, font_weight="bold", anchor="start")
    for x, text in ((left, "piece"), (left + 90, "pixels"), (left + 180, "strong")):
        drawing.say(x, y, text, anchor="start", font_size=13, fill=GREY)
    whole = {frozenset(p): p for p in _pieces((0, 0, ROWS, COLUMNS))}
    for name, area, strong in rows:
        y += 22
        for x, text in ((left, name), (left + 90, str(area)), (left + 180, str(strong))):
            drawing.say(x, y, text, anchor="start")
    y += 14
    for piece in sorted(whole.values(), key=len, reverse=True):
        y += 28
        strong = _strong(piece)
        colour = GREEN if strong else GREY
        text = f"joined across seams: {len(piece)} pixels, {strong} strong"
        drawing.say(left, y, text, anchor="start", fill=colour, font_weight="bold")
    y += 34
    notes = (
        "Pieces that touch across a seam are one site.",
        "Whole numbers add up exactly, so every other",
        "cut of the same pixels gives the same sums,",
        "and each decision waits until they are whole.",
    )
    for line in notes:
        drawing.say(left, y, line, anchor="start", font_size=12.5, fill=GREY)
        y += 18


BLOBS = (
    # (time, y, height): shapes on the planes, and which of the next plane they overlap
    (0, 70, 40, (2,)),
    (0, 200, 34, (3,)),
    (1, 62, 56, (4, 5)),
    (1, 196, 44, (6,)),
    (2, 50, 32, (7,)),
    (2, 104, 30, (8,)),
    (2, 190, 52, ()),
    (3, 46, 38, (9,)),
    (3, 100, 40, (9,)),
    (4, 52, 90, ()),
)
"""Shapes of five planes: (plane, top, height, shapes of the next plane that they overlap)."""


def linking() -> Drawing:
    """Pieces of consecutive dates that overlap are one site; splits and merges are noted."""
    drawing = Drawing(900, 330, "Pieces that overlap from one date to the next are one site")
    step, left, wide = 164, 70, 84
    for time in range(5):
        x = left + time * step + wide / 2
        drawing.say(x, 30, f"date {time + 1}", font_size=14, font_weight="bold")
        drawing.line(x, 40, x, 268, stroke=FAINT, stroke_width=1)
    for time, top, high, following in BLOBS:
        for number in following:
            _, top2, high2, _ = BLOBS[number]
            x1, x2 = left + time * step + wide, left + (time + 1) * step
            band = [(x1, top), (x2, top2), (x2, top2 + high2), (x1, top + high)]
            drawing.shape(band, fill=PALE[BLUE] if top < 150 else PALE[GREEN], fill_opacity=0.75)
    for time, top, high, _ in BLOBS:
        colour = BLUE if top < 150 else GREEN
        drawing.box(left + time * step, top, wide, high, rx=6, fill=PALE[colour], stroke=colour, stroke_width=2)
    gone = left + 3 * step, 190, wide, 52  # where site 2 was last, seen again
    drawing.box(*gone, rx=6, fill="none", stroke=GREEN, stroke_width=1.5, stroke_dasharray="4 4")
    drawing.say(gone[0] + wide / 2, 221, "nothing", font_size=13, fill=GREY)
    events = ((0, 136, "birth"), (2, 154, "split"), (4, 166, "merge"), (0, 258, "birth"), (3, 264, "end"))
    for time, y, text in events:
        drawing.say(left + time * step + wide / 2, y, text, font_size=13, fill=RED)
    drawing.say(left + 4 * step + wide + 8, 100, "site 1", anchor="start", fill=BLUE, font_weight="bold")
    drawing.say(left + 3 * step + wide + 8, 221, "site 2", anchor="start", fill=GREEN, font_weight="bold")
    text = "Overlaps are counted in pixels tile by tile and added up; the oldest piece gives the site its name."
    drawing.say(450, 308, text, font_size=13, fill=GREY)
    return drawing


PHASE_COLOURS = (GREY, ORANGE, RED, BLUE)
SEEN = (
    (0.90, 0.06, 0.02, 0.02),
    (0.84, 0.10, 0.03, 0.03),
    (0.88, 0.07, 0.02, 0.03),
    (0.30, 0.62, 0.05, 0.03),
    (0.18, 0.64, 0.15, 0.03),
    (0.20, 0.36, 0.41, 0.03),
    (0.56, 0.24, 0.15, 0.05),
    (0.08, 0.18, 0.70, 0.04),
    (0.05, 0.42, 0.38, 0.15),
    (0.04, 0.12, 0.74, 0.10),
    (0.05, 0.08, 0.45, 0.42),
    (0.10, 0.03, 0.22, 0.65),
    (0.34, 0.03, 0.08, 0.55),
    (0.58, 0.02, 0.05, 0.35),
    (0.30, 0.02, 0.06, 0.62),
)
"""Mean scores of a site's pixels at its dates: no activity, preparation, construction, after construction."""


def phases() -> Drawing:
    """Scores over time, the strongest class at each date, and the likeliest sequence."""
    drawing = Drawing(900, 400, "From the scores of a site to its phases and dates")
    left, top, high, step = 150, 60, 150, 48
    scores = np.array(SEEN)
    for number, (name, colour) in enumerate(zip(CONSTRUCTION, PHASE_COLOURS, strict=True)):
        at = [(left + (t + 0.5) * step, top + high * (1 - scores[t, number])) for t in range(len(scores))]
        for (x1, y1), (x2, y2) in pairwise(at):
            drawing.line(x1, y1, x2, y2, stroke=colour, stroke_width=2.2, stroke_linecap="round")
        drawing.box(left + number * 180, 24, 14, 14, fill=colour, stroke="none", rx=3)
        drawing.say(left + 20 + number * 180, 36, name, anchor="start", font_size=13)
    drawing.line(left, top + high, left + step * len(scores), top + high, stroke=FAINT)
    drawing.say(left - 12, top + high / 2, "mean score", anchor="end", font_size=13)
    _bars(drawing, "strongest", strongest(scores), (left, 236, step))
    owner = np.zeros(len(scores), np.int64)
    sequence = likeliest(owner, scores, PhaseModel.of_construction())
    _bars(drawing, "likeliest sequence", sequence, (left, 282, step))
    active = np.flatnonzero((sequence == 1) | (sequence == 2))
    ends = ((active[0], "start"), (active[-1] + 1, "end"))
    for at, text in ends:
        x = left + at * step
        drawing.line(x, top, x, 326, stroke=INK, stroke_dasharray="4 3")
        drawing.say(x, 344, text, font_size=13, font_weight="bold")
    text = "One strange date does not turn time back: phases follow their order, weighed against what each date says."
    drawing.say(450, 380, text, font_size=13, fill=GREY)
    return drawing


#: Where sites are active, by date: in the earlier run's dates (0 to 5) and in those that are new (6 to 11).
COURSES = (
    ("had ended: stays", ((1, 4),)),
    ("goes on, and ends", ((3, 8),)),
    ("was too young: now a site", ((5, 10),)),
    ("active again: a new site", ((0, 2), (7, 12))),
)


def going_on() -> Drawing:
    """Sites of two runs that follow each other, and what is decided on which dates."""
    drawing = Drawing(900, 330, "What goes on from an earlier run to a later one")
    left, step, dates = 260, 48, 12
    cut = left + 6 * step
    drawing.box(left, 46, 6 * step, 230, fill=PALE[GREY], stroke="none")
    drawing.say(left + 3 * step, 32, "dates of the earlier run: scores frozen", font_size=13, fill=GREY)
    drawing.say(left + 9 * step, 32, "new dates", font_size=13, fill=GREY)
    for date in range(dates):
        drawing.line(left + (date + 0.5) * step, 270, left + (date + 0.5) * step, 276, stroke=GREY)
    for row, (name, spans) in enumerate(COURSES):
        y = 66 + 52 * row
        drawing.say(left - 14, y + 19, name, anchor="end", font_size=13)
        for begin, end in spans:
            colour = BLUE if end <= 6 else ORANGE
            drawing.box(
                left + begin * step + 2, y, (end - begin) * step - 4, 28, fill=PALE[colour], stroke=colour, rx=4
            )
    drawing.line(cut, 46, cut, 284, stroke=INK, stroke_dasharray="4 3")
    drawing.say(cut, 302, "cut", font_size=13, font_weight="bold")
    text = "What crosses the cut is decided on all of its dates; what ended before it is never touched again."
    drawing.say(450, 322, text, font_size=13, fill=GREY)
    return drawing


def _bars(drawing: Drawing, name: str, found: NDArray[np.int64], at: tuple[int, int, int]) -> None:
    left, top, step = at
    drawing.say(left - 12, top + 21, name, anchor="end", font_size=13)
    for t, phase in enumerate(found.tolist()):
        colour = PHASE_COLOURS[phase]
        drawing.box(left + t * step + 1, top, step - 2, 32, fill=PALE[colour], stroke=colour, stroke_width=1.5)
        drawing.say(left + (t + 0.5) * step, top + 21, "NPCA"[phase], font_size=13, fill=colour, font_weight="bold")
