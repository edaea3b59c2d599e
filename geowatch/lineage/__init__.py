"""Lineage: what made an artifact."""

from geowatch.lineage.records import Made, Source, dump, load

__all__ = ["Made", "Source", "dump", "load"]
