"""``gw dataset``: what imagery there is, and how it is made ready."""

from __future__ import annotations

from gw_cli.lazy import LazyGroup

command = LazyGroup(
    name="dataset",
    commands_help={
        "search": "Find imagery of a region in a STAC API.",
        "scan": "List the imagery of folders, catalogs and bundles.",
        "stats": "Count mean, deviation and range of each band, by domain.",
        "subset": "Take a part of a dataset: days, sensors, place, bands, cloud.",
        "union": "Put several datasets into one.",
        "split": "Split a dataset into parts such that nothing leaks.",
        "convert": "Bring labels from COCO, masks or GeoJSON into kwcoco, or back.",
        "show": "Draw a contact sheet: a thumbnail for each day of a series.",
        "validate": "Find what is wrong with a kwcoco bundle.",
        "export": "Write what a run found as a kwcoco bundle.",
        "align": "Put a run's frames on disk as a cube, cropped and resampled to its grid.",
    },
    package="gw_cli.commands",
    help="Look at imagery and labels, and make them ready.",
)
