"""The plan as a document: what ``plan.json`` holds, validated on the way in, canonical on the way out."""

from __future__ import annotations

import base64
import json
from typing import Annotated, Any, Literal, cast

import shapely
from pydantic import BaseModel, BeforeValidator, ConfigDict, ValidationError

from geowatch.errors import DamagedError, PlanError, RegionError
from geowatch.grid.crs import Area
from geowatch.grid.estimate import Estimate, Workload
from geowatch.grid.lattice import Lattice, PixelBox
from geowatch.grid.plan import Grid, GridTiles, Plan, plan_id
from geowatch.grid.region import Region

__all__ = ["SCHEMA_VERSION", "PlanDocument"]

SCHEMA_VERSION = "1"


def _int_pair(value: object) -> object:
    return tuple(value) if isinstance(value, list) else value


class _Document(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class GridDocument(_Document):
    """One grid."""

    id: str
    """Name of the grid."""
    lattice: Lattice
    """CRS, pixel size and phase."""
    tile_px: int
    """Side of a tile."""
    bounds: tuple[int, int, int, int]
    """First row, first column, row after the last, column after the last."""
    cover_wkb: str | None
    """Outline in the grid's CRS: well-known binary in base64."""
    tiles: GridTiles
    """Number of tiles and their digest."""

    @classmethod
    def of(cls, grid: Grid, tiles: GridTiles) -> GridDocument:
        """Describe a grid."""
        wkb = None if grid.cover is None else base64.b64encode(shapely.to_wkb(grid.cover, byte_order=1)).decode()
        return cls(
            id=grid.id,
            lattice=grid.lattice,
            tile_px=grid.tile_px,
            bounds=cast("tuple[int, int, int, int]", tuple(grid.bounds.to_list())),
            cover_wkb=wkb,
            tiles=tiles,
        )

    def to_grid(self) -> Grid:
        """Return the grid."""
        cover = None if self.cover_wkb is None else cast("Area", shapely.from_wkb(base64.b64decode(self.cover_wkb)))
        return Grid(self.id, self.lattice, self.tile_px, PixelBox(*self.bounds), cover)


class PlanDocument(_Document):
    """A plan on disk."""

    schema_version: Literal["1"] = "1"
    """Version of this form."""
    id: str
    """The plan's id; it must be what the content gives."""
    region: dict[str, Any] | None
    """The region as a GeoJSON Feature."""
    region_notes: tuple[str, ...]
    """What was repaired in the region."""
    grids: tuple[GridDocument, ...]
    """Grids."""
    sweep_tiles: Annotated[tuple[int, int], BeforeValidator(_int_pair)]
    """Greatest (rows, columns) of tiles in a sweep."""
    load: Workload
    """What is done at each place."""
    estimate: Estimate
    """What it costs."""
    notes: tuple[str, ...]
    """What was repaired or decided."""

    @classmethod
    def of(cls, plan: Plan) -> PlanDocument:
        """Describe a plan."""
        return cls(
            id=plan.id,
            region=None if plan.region is None else plan.region.to_feature(),
            region_notes=() if plan.region is None else plan.region.notes,
            grids=tuple(GridDocument.of(*pair) for pair in zip(plan.grids, plan.tiles, strict=True)),
            sweep_tiles=plan.sweep_tiles,
            load=plan.load,
            estimate=plan.estimate,
            notes=plan.notes,
        )

    def to_plan(self) -> Plan:
        """Return the plan. Raises DamagedError where its id is not that of its content."""
        try:
            region = None if self.region is None else Region.from_feature(self.region, self.region_notes)
            grids = tuple(grid.to_grid() for grid in self.grids)
        except (KeyError, ValueError, TypeError, RegionError, shapely.errors.ShapelyError) as error:
            raise DamagedError(f"the plan is damaged: {error}", hint="make it again with gw tile") from error
        tiles = tuple(grid.tiles for grid in self.grids)
        if plan_id(region, grids, tiles) != self.id:
            raise DamagedError(
                f"the plan is damaged: its id {self.id} is not that of its content",
                hint="make it again with gw tile",
            )
        return Plan(self.id, region, grids, tiles, self.sweep_tiles, self.load, self.estimate, self.notes)

    def to_json(self) -> bytes:
        """Return the canonical bytes: keys sorted, one top-level key a line, floats in full."""
        content = self.model_dump(mode="json")
        lines = (f"{json.dumps(key)}: {_dumped(content[key])}" for key in sorted(content))
        return ("{\n" + ",\n".join(lines) + "\n}\n").encode()

    @classmethod
    def from_json(cls, content: bytes) -> PlanDocument:
        """Read a document. Raises PlanError for another version, DamagedError for what is no plan."""
        try:
            parsed = json.loads(content)
        except ValueError as error:
            raise DamagedError(f"the plan is not JSON: {error}", hint="make it again with gw tile") from error
        version = parsed.get("schema_version") if isinstance(parsed, dict) else None
        if version != SCHEMA_VERSION:
            raise PlanError(
                f"the plan has version {version!r}, this gw reads {SCHEMA_VERSION!r}",
                hint="use the gw that made it, or plan again in another run folder",
            )
        try:
            return cls.model_validate(parsed)
        except ValidationError as error:
            first = error.errors()[0]
            raise DamagedError(
                f"the plan is damaged: {'.'.join(map(str, first['loc']))}: {first['msg']}",
                hint="make it again with gw tile",
            ) from error


def _dumped(value: object) -> str:
    return json.dumps(value, sort_keys=True, separators=(",", ":"))
