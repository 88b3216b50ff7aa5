"""What the map of a report is drawn on: coverage, buildings, zones, sites, and the paths of one seed."""

from __future__ import annotations

from dataclasses import dataclass
from io import BytesIO
from typing import Any

import numpy as np
from matplotlib.image import imsave
from numpy.typing import NDArray

from pyagent.plots.data import MissingDataError, read_preview, read_scenario
from pyagent.plots.terrain import best_server, shade_limits
from pyagent.report.files import Run
from pyagent.report.markup import png_uri, rounded
from pyagent.scenario.preview import Frame, HeatMap, Preview, frame_m
from pyagent.scenario.schema import Environment
from pyagent.scenario.schema.environment import Cuboid

MOVING_SHOWN = 12
"""Other UEs that a map shows on their way, at most."""
SAMPLES_SHOWN = 250
_GREY = 0.5
_DARKEST = 0.6


@dataclass(frozen=True, eq=False)
class Ground:
    """A map in metres.

    Attributes:
        frame: west, east, south, north.
        sites: name and place of each.
        environment: its buildings and zones; empty where the scenario can't be read.
        heat: mean SNR of the best site without fading; None where there are no sites.
        seen: the episode that ns-3 showed; None where none was kept.
    """

    frame: Frame
    sites: tuple[tuple[str, float, float], ...]
    environment: Environment
    heat: HeatMap | None
    seen: Preview | None

    def to_json(self) -> dict[str, Any]:
        """As the page's script reads it; paths in seconds and metres."""
        return {
            "frame": rounded(self.frame),
            "sites": [{"name": name, "x": x, "y": y} for name, x, y in self.sites],
            "buildings": [_sides(cuboid) for cuboid in self.environment.buildings],
            "zones": [{"name": zone.name, "sides": _sides(zone)} for zone in self.environment.zones],
            "heat": _heat_json(self.heat) if self.heat else None,
            "paths": _paths_json(self.seen) if self.seen else None,
        }


def read_ground(run: Run, places_m: NDArray[np.float64]) -> Ground | None:
    """What is known of the ground around some places.

    Args:
        run: whose preview.json and config.yaml are looked at.
        places_m: float64 [places, 2], what the map must show.

    Returns:
        None where there is nothing to draw a map of: nobody moves, and the link has no sites.
    """
    seen = read_preview(run.path)
    sites_m = seen.sites_m if seen else np.zeros((0, 3))
    if seen:
        places_m = np.concatenate([places_m, seen.ues_m[0, :, :2]])
    there = places_m[np.isfinite(places_m).all(axis=1)]
    if not len(there) or (not len(sites_m) and not np.ptp(there, axis=0).any()):
        return None
    try:
        environment = read_scenario(run.path).environment
    except MissingDataError:
        environment = Environment()
    names = seen.site_names if seen else ()
    return Ground(
        frame=frame_m(np.concatenate([there, sites_m[:, :2]])),
        sites=tuple((name, float(x), float(y)) for name, (x, y, _) in zip(names, sites_m, strict=True)),
        environment=environment,
        heat=seen.heat if seen else None,
        seen=seen,
    )


def _sides(cuboid: Cuboid) -> list[float | None]:
    return rounded((*cuboid.x_m, *cuboid.y_m))


def _heat_json(heat: HeatMap) -> dict[str, Any]:
    """Grey that grows denser as the signal grows weaker, so that it reads on a light and on a dark page."""
    snr_db = best_server(heat.signal.snr_db)
    low, high = shade_limits(snr_db)
    weak = 1 - np.clip((np.nan_to_num(snr_db, nan=low) - low) / max(high - low, 1e-9), 0, 1)
    pixels = np.full((*snr_db.shape, 4), _GREY)
    pixels[..., 3] = _DARKEST * weak
    stream = BytesIO()
    imsave(stream, pixels[::-1], format="png")  # the first row of a picture is its top
    half_x, half_y = (float(places[1] - places[0]) / 2 for places in (heat.x_m, heat.y_m))
    west, east, south, north = heat.frame_m
    return {
        "uri": png_uri(stream.getvalue()),
        "frame": rounded((west - half_x, east + half_x, south - half_y, north + half_y)),
        "low_db": round(low, 1),
        "high_db": round(high, 1),
    }


def _paths_json(seen: Preview) -> dict[str, Any]:
    step = max(1, len(seen.time_s) // SAMPLES_SHOWN)
    movers = [ue for ue in range(1, len(seen.ues_m)) if seen.moving[ue]][:MOVING_SHOWN]
    standing = [ue for ue in range(1, len(seen.ues_m)) if not seen.moving[ue]]
    paths = [
        {"x": rounded(path[::step, 0]), "y": rounded(path[::step, 1])}
        for path in seen.ues_m[[0, *movers, *standing[: MOVING_SHOWN - len(movers)]]]
    ]
    return {"seed": seen.seed, "t": rounded(seen.time_s[::step], 5), "agent": paths[0], "others": paths[1:]}
