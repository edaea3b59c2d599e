"""``gw track``: what is found in each tile of a heatmap."""

from __future__ import annotations

import click

from gw_cli import options
from gw_cli.lazy import command as gw_command
from gw_cli.session import Session
from gw_cli.values import COUNT, DATE, NAMES

#: Shorter work is silent.
_WORTH_TELLING_S = 2

_PX = click.IntRange(min=0)
_SCORE = click.FloatRange(0, 1)

_WHAT = options.combine(
    options.option(
        "--mode",
        type=click.Choice(["footprint", "linked", "polygons"]),
        help="One mask from all dates, a mask a date linked to the next, or each class of each date. "
        "Left out: footprint; for one date polygons, for objects linked.",
    ),
    options.option(
        "--classes",
        type=NAMES,
        help="Classes to look for. Left out: Site Preparation and Active Construction, else all but the background.",
    ),
    options.option("--head", metavar="NAME", help="Head to track, of scores or of boxes, where there are several."),
    options.option(
        "--objects", metavar="FILE", help="Track the boxes of a table with time, class and score, not a heatmap."
    ),
    options.option("--start", type=DATE, help="First day to look at."),
    options.option("--end", type=DATE, help="Last day to look at."),
)
_WHERE = options.combine(
    options.option(
        "--low", type=_SCORE, metavar="SCORE", help="Score that a pixel must reach, 0 to 1. Left out: 0.3; polygons 0."
    ),
    options.option(
        "--high", type=_SCORE, metavar="SCORE", help="Score that a site's best pixel must reach. Left out: 0.5."
    ),
    options.option(
        "--aggregate",
        metavar="HOW",
        help="How scores of all dates become one: mean, max, median or norm:P.  [default: mean]",
    ),
    options.option(
        "--smooth-time",
        metavar="DAYS|DATES",
        help="Moving mean over time: days such as 90d, or a number of dates such as 5.",
    ),
    options.option(
        "--smooth-px",
        type=click.FloatRange(min=0),
        metavar="PX",
        help="Gaussian over space: deviation.  [default: 0.0]",
    ),
    options.option("--open-px", type=_PX, metavar="PX", help="Remove what is narrower: radius.  [default: 0]"),
    options.option("--close-px", type=_PX, metavar="PX", help="Fill gaps that are narrower: radius.  [default: 0]"),
    options.option(
        "--connectivity",
        type=click.Choice(["4", "8"]),
        help="Pixels that meet at a corner are two pieces (4) or one (8).  [default: 4]",
    ),
    options.option(
        "--link-days",
        type=click.IntRange(min=1),
        metavar="DAYS",
        help="Link what was missed: pieces up to so many days apart although dates between saw none there.",
    ),
    options.flag("--subpixel", help="Keep where between pixels the threshold lies, for smooth outlines."),
    options.option(
        "--coarse", type=COUNT, metavar="PX", help="Look at means over cells of this side first.  [default: 1]"
    ),
    options.option(
        "--split-days",
        type=COUNT,
        metavar="DAYS",
        help="Split a footprint between neighbours that were active this far apart in time. Left out: one site.",
    ),
)
_WORK = options.combine(
    options.option(
        "--workers", type=COUNT, help="Worker processes; 1 works in this process. Left out: one a core for long work."
    ),
    options.scheduler,
    options.shard,
    options.flag("--allow-gaps", help="Go on although tiles of the heatmap are missing; track.json lists them."),
)


@gw_command(
    "track",
    config="geowatch.stages.track:TrackConfig",
    examples="""
    gw track
    gw track --aggregate max --smooth-time 90d --low 0.4 --high 0.6 --open-px 1
    gw track --mode polygons --classes cloud,shadow --connectivity 8
    gw track --mode linked --link-days 45
    gw track --start 2020-01-01 --end 2021-12-31 --shard 1/8
    """,
)
@options.run
@_WHAT
@_WHERE
@_WORK
@options.fsync
@options.dry_run
@options.common
@click.pass_context
def command(ctx: click.Context, /, **given: object) -> None:
    """Find what stands out in a heatmap, tile by tile.

    Leaves track.json and fragments/ in the run folder, and goes on where it was stopped. `gw consolidate` joins
    the fragments to sites; whatever concerns a whole site (its area, its dates) is decided there.
    """
    from geowatch.stages.track import track

    session: Session = ctx.obj
    if given.get("connectivity") is not None:
        given["connectivity"] = int(str(given["connectivity"]))
    config = session.configure(ctx, given)
    done = track(config, session.events)
    if config.dry_run:
        looked = f"{done.mode} of {', '.join(done.salient)} in {done.planes} planes"
        session.made(f"{done.tiles - done.done_before} of {done.tiles} tiles left: {looked}")
        return
    if done.summary and done.figures["seconds"] > _WORTH_TELLING_S:
        session.events.note(done.summary)
    session.made(done.folder)
