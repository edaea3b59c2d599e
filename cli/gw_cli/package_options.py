"""What ``gw model package`` and ``gw model import`` are told of a network that its file does not say."""

from __future__ import annotations

import click

from gw_cli.options import bands, blend, combine, flag, option, overlap
from gw_cli.series_options import series
from gw_cli.values import BYTES, COUNT, FLOATS, NAMES, PAIR, SIZE_PX

__all__ = ["described", "output"]

output = option("-o", "--output", metavar="DIR", help="Folder of the package to make.")
boxes = combine(
    option("--boxes-tensor", metavar="NAME", help="Output that holds boxes, for a network that finds objects."),
    option("--scores-tensor", metavar="NAME", help="Output of their scores. Left out: columns beside the boxes."),
    option(
        "--labels-tensor",
        metavar="NAME",
        help="Output of their classes as numbers; that of the boxes for a column. Left out: a score a class.",
    ),
    option(
        "--box-format",
        type=click.Choice(["xyxy", "yxyx", "xywh", "cxcywh"]),
        help="Numbers of a box: two corners, a corner and a size, or a centre and a size.  [default: xyxy]",
    ),
    option(
        "--box-units",
        type=click.Choice(["px", "share"]),
        help="What they count: pixels of the window, or shares of its sides.  [default: px]",
    ),
    option("--background", metavar="CLASS", help="Class that is no object, where there is one."),
    option("--min-score", type=float, metavar="SCORE", help="Boxes with a lower score are dropped.  [default: 0.3]"),
    option(
        "--max-overlap",
        type=float,
        metavar="SHARE",
        help="Of boxes of a class that overlap by this share of their union the best stays.  [default: 0.5]",
    ),
    option("--most-boxes", type=COUNT, help="Most objects of a window, where their number is free. Left out: 300."),
)
"""How a network says where objects are."""

described = combine(
    bands,
    option("--classes", type=NAMES, help="Classes in the order of the network's output."),
    option("--window", type=SIZE_PX, help="Window in pixels: 256, or 256x320 (height x width)."),
    option("--dates", type=COUNT, help="Dates that the network sees at once.  [default: 1]"),
    option("--mean", type=FLOATS, help="Mean of each channel, subtracted after the steps."),
    option("--std", type=FLOATS, help="Standard deviation of each channel, divided by."),
    option(
        "--stats",
        metavar="FILE",
        help="JSON file of means and deviations by domain, from gw dataset stats; --scale and --offset apply to them.",
    ),
    option(
        "--unknown-domain",
        type=click.Choice(["refuse", "default"]),
        help="Imagery of a domain without statistics: refuse it, or use --mean and --std.  [default: refuse]",
    ),
    series,
    option("--scale", type=float, help="First step: multiply physical values by this.  [default: 1.0]"),
    option("--offset", type=float, help="Second step: add this.  [default: 0.0]"),
    option("--clip", type=PAIR, metavar="LOW,HIGH", help="Third step: limit to this range."),
    flag("--log1p", help="Fourth step: natural logarithm of 1 + x."),
    option("--indices", type=NAMES, help="Last step: append these indices, such as ndvi,nbr."),
    option(
        "--layout",
        type=click.Choice(["auto", "NCHW", "NHWC", "NTCHW", "NCTHW", "NTHWC"]),
        help="Order of the axes: N window, T date, C channel.  [default: auto]",
    ),
    option(
        "--input-tensors",
        type=NAMES,
        metavar="NAME,...",
        help="Inputs of the graph, that of the oldest date first. Left out: in the graph's order.",
    ),
    option("--output-tensor", metavar="NAME", help="Output to use, where the graph has several."),
    option(
        "--activation",
        type=click.Choice(["auto", "softmax", "sigmoid", "binary", "none", "labels"]),
        help="How output becomes probabilities; auto runs the network to find it.  [default: auto]",
    ),
    boxes,
    option("--colors", type=NAMES, metavar="#RRGGBB,...", help="Colour of each class on maps."),
    overlap,
    blend,
    option("--resolution", type=float, metavar="M", help="Metres a pixel that the network was trained for."),
    option("--name", help="Name of the model. Left out: the file's."),
    option("--version", metavar="TEXT", help="The model's own version.  [default: 1]"),
    option("--license", metavar="SPDX", help="Licence of the weights."),
    option("--description", metavar="TEXT", help="One paragraph for people."),
    option("--spec", metavar="FILE", help="YAML file with `inputs`, `heads` and `boxes` in full, for several."),
    option("--max-bytes", type=BYTES, help="Largest file that is taken."),
)
"""What a network takes and gives, as far as its file does not say so."""
