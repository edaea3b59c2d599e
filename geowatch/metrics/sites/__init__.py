"""Site metrics as the IARPA SMART programme defines them, pure: sites in, matches and figures out.

The line of work: `reading` (a site as it is scored), `taking_part` (which sites, with which status), `comparing`
(truth against proposals, date by date), `bas` (which were found, and figures of merit), `activity` (phases and
onsets of those found), `tables` (what is written down). `evaluation` goes through all of it for a region. Quirks of
the programme's own code that change figures are kept, and named where they stand.
"""

from __future__ import annotations

from geowatch.metrics.sites.evaluation import RegionScores, SubsetScores, evaluate_region
from geowatch.metrics.sites.taking_part import SUBSETS
from geowatch.metrics.sites.thresholds import Filters, Sweep, Thresholds

__all__ = ["SUBSETS", "Filters", "RegionScores", "SubsetScores", "Sweep", "Thresholds", "evaluate_region"]
