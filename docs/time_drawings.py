"""The drawings that explain time, as SVG; what they show is picked by the code that predict uses."""

from __future__ import annotations

from drawings import BLUE, FAINT, GREEN, GREY, INK, ORANGE, PALE, RED, Drawing

from geowatch.grid.timeline import SAMPLINGS, Picking, Series, day_range, step_axis

#: Days of a series with gaps, as clouds leave them, over nearly three years.
DAYS = (
    12, 30, 41, 66, 95, 160, 172, 180, 197, 215, 232, 250, 268, 301, 390, 402, 431, 455, 470, 520, 533, 546, 560, 578,
    590, 611, 640, 660, 733, 760, 781, 806, 830, 840, 899, 925, 951,
)  # fmt: skip
PLANE, SPAN, SLOTS = 900, 800, 6


def time_drawings() -> dict[str, Drawing]:
    """Give each drawing by name."""
    return {"samplings": samplings(), "time-blocks": time_blocks()}


def samplings() -> Drawing:
    """What a plane sees of a series, by sampling."""
    drawing = Drawing(860, 400, "What a plane sees of a series")
    series = Series(DAYS, ("s2",) * len(DAYS))
    first, last = day_range(PLANE, SPAN, 1.0)
    left, right = _x(first or 0), _x((last or 0) + 1)
    drawing.box(left, 46, right - left, 294, fill=PALE[BLUE], stroke="none")
    drawing.say((left + right) / 2, 30, f"span: {SPAN} days, the plane at its end (anchor 1)", fill=BLUE)
    for row, sampling in enumerate(SAMPLINGS):
        y = 76 + 58 * row
        drawing.say(14, y + 5, sampling, anchor="start")
        drawing.line(_x(0), y, _x(970), y, stroke=FAINT)
        picks = Picking(sampling, SLOTS, SPAN).pick(series, PLANE)
        for place, day in sorted(enumerate(DAYS), key=lambda each: each[0] in picks):
            _mark(drawing, _x(day), y, taken=place in picks)
        empty = picks.count(None)
        drawing.say(_x(970) + 10, y + 5, f"{empty} empty" if empty else "full", anchor="start", font_size=12, fill=GREY)
    drawing.line(_x(PLANE), 46, _x(PLANE), 340, stroke=RED, stroke_width=2)
    drawing.say(_x(PLANE), 362, "plane", fill=RED)
    for year, day in enumerate((0, 365, 730)):
        drawing.line(_x(day), 340, _x(day), 346, stroke=GREY)
        drawing.say(_x(day), 362, f"year {year + 1}", font_size=12, fill=GREY)
    _mark(drawing, 20, 384, taken=True)
    drawing.say(34, 389, "picked for one of six dates", anchor="start", font_size=12)
    _mark(drawing, 240, 384, taken=False)
    drawing.say(254, 389, "observed, not picked", anchor="start", font_size=12)
    return drawing


def _x(day: float) -> float:
    return 150 + day * 0.66


def _mark(drawing: Drawing, x: float, y: float, *, taken: bool) -> None:
    side = 12 if taken else 6
    look = {"fill": ORANGE, "stroke": INK} if taken else {"fill": "#ffffff", "stroke": GREY}
    drawing.box(x - side / 2, y - side / 2, side, side, **look)


def time_blocks() -> Drawing:
    """The same blocks in a series and in a longer one, and which planes new dates change."""
    drawing = Drawing(860, 330, "Blocks of planes in a series and in a longer one")
    step, block, span = 30, 4, 75
    rows = (("a series", 100, 400, 40), ("with later dates", 100, 520, 180))
    for name, first, last, y in rows:
        axis = step_axis(first, last, step, block)
        drawing.say(14, y + 32, name, anchor="start")
        for number, places in enumerate(axis.blocks):
            start, stop = _time(axis.days[places[0]] - step / 2), _time(axis.days[places[-1]] + step / 2)
            colour = (GREEN, BLUE)[(axis.days[places[0]] // (step * block)) % 2]
            drawing.box(start + 2, y, stop - start - 4, 54, fill=PALE[colour], stroke=colour)
            drawing.say((start + stop) / 2, y + 46, f"block {number}", font_size=12, fill=colour)
        for day in axis.days:
            low, high = day_range(day, span, 1.0)
            new = name != "a series" and (high or 0) > 400 and day <= 420
            drawing.box(_time(day) - 3, y + 10, 6, 18, fill=RED if new else INK, stroke="none")
            if day == 420:
                drawing.line(_time(low or 0), y + 62, _time(high or 0), y + 62, stroke=RED if new else GREY)
        for seen in range(first, last + 1, 17):
            drawing.box(_time(seen) - 2.5, y + 72, 5, 5, fill=RED if seen > 400 else GREY, stroke="none")
    drawing.say(14, 116, "observations", anchor="start", font_size=12, fill=GREY)
    drawing.say(14, 256, "observations", anchor="start", font_size=12, fill=GREY)
    notes = (
        "Planes stand at multiples of 30 days from 1970, blocks at multiples of 120: any series has the same ones.",
        "Of the planes of both, only the one whose span (red line) reaches a new date (red) changes.",
    )
    for row, note in enumerate(notes):
        drawing.say(430, 300 + 18 * row, note, font_size=12)
    return drawing


def _time(day: float) -> float:
    return 165 + day * 1.17
