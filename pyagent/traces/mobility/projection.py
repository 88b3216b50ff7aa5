"""From degrees to local metres."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from pyagent.traces.mobility.samples import Samples
from pyagent.traces.mobility.source import Source
from pyagent.traces.mobility.tracks import FloatArray

# WGS 84: equatorial radius and first eccentricity squared.
SEMI_MAJOR_AXIS_M = 6378137.0
ECCENTRICITY_SQUARED = 6.69437999014e-3

MAX_SCALE_ERROR = 0.01
# By speeds nodes go this many times as far as by places in degrees: 111 km a degree of latitude.
DEGREES_FACTOR = 1000.0


@dataclass(frozen=True)
class LocalProjection:
    """Equirectangular about an origin: x eastwards, y northwards, in metres.

    With M and N the radii of curvature of the WGS-84 ellipsoid along and across the meridian at the
    origin's latitude p: x = N cos(p) dlon, y = M dlat. Eastward lengths are off by tan(p) dlat in
    proportion, dlat being the distance from the origin's latitude: 0.16 % at 45 degrees 10 km away.

    Attributes:
        latitude_deg, longitude_deg: the origin.
    """

    latitude_deg: float
    longitude_deg: float

    def metres(self, longitudes_deg: FloatArray, latitudes_deg: FloatArray) -> FloatArray:
        """Places [n, 2]; longitudes may cross the 180th meridian."""
        latitude = math.radians(self.latitude_deg)
        bulge = 1 - ECCENTRICITY_SQUARED * math.sin(latitude) ** 2
        across_m = SEMI_MAJOR_AXIS_M / math.sqrt(bulge)
        along_m = SEMI_MAJOR_AXIS_M * (1 - ECCENTRICITY_SQUARED) / bulge**1.5
        east = np.radians(_wrapped(longitudes_deg - self.longitude_deg))
        north = np.radians(latitudes_deg - self.latitude_deg)
        return np.stack([across_m * math.cos(latitude) * east, along_m * north], axis=1)

    def scale_error(self, latitudes_deg: FloatArray) -> float:
        """The largest error of an eastward length at some latitudes, in proportion."""
        here = math.cos(math.radians(self.latitude_deg))
        return float(np.abs(np.cos(np.radians(latitudes_deg)) / here - 1).max())


def about_middle(longitudes_deg: FloatArray, latitudes_deg: FloatArray) -> LocalProjection:
    """The projection about the middle of the box around some places."""
    first = float(longitudes_deg[0])
    east = _wrapped(longitudes_deg - first)
    middle = first + float(east.min() + east.max()) / 2
    return LocalProjection(float(latitudes_deg.min() + latitudes_deg.max()) / 2, middle)


def project(source: Source, nodes: Sequence[Samples]) -> list[FloatArray]:
    """The table of each node, [n, 4], its places in metres instead of longitudes and latitudes.

    All nodes share one origin, the middle of the box around them.

    Raises:
        TraceError: a place isn't on Earth, or they are too far apart for one plane.
    """
    tables = [samples.table for samples in nodes]
    for samples, table in zip(nodes, tables, strict=True):
        for column, what, limit in ((1, "longitude", 180), (2, "latitude", 90)):
            outside = np.abs(table[:, column]) > limit
            if outside.any():
                at = int(np.argmax(outside))
                raise source.bad(
                    samples.lines[at],
                    what,
                    float(table[at, column]),
                    f"not on Earth; valid: -{limit} to {limit} degrees",
                )
    every = np.concatenate(tables)
    latitudes = every[:, 2]
    plane = about_middle(every[:, 1], latitudes)
    error = plane.scale_error(latitudes)
    if error > MAX_SCALE_ERROR:
        at = int(np.argmax(np.abs(latitudes - np.median(latitudes))))
        line = int(np.concatenate([samples.lines for samples in nodes])[at])
        raise source.bad(
            line,
            "latitude",
            float(latitudes[at]),
            f"of {latitudes.min():g} to {latitudes.max():g} in the file, over which one plane is off by "
            f"{100 * error:.2g} %; valid: at most {100 * MAX_SCALE_ERROR:g} %",
        )
    return [
        np.column_stack([table[:, 0], plane.metres(table[:, 1], table[:, 2]), table[:, 3]])
        for table in tables
    ]


def within_degrees(places: FloatArray) -> bool:
    """Whether all places [n, 2] could be degrees of one neighbourhood: in range, and within one degree."""
    farthest = np.abs(places).max(axis=0)
    return bool(farthest.max() <= 180 and farthest.min() <= 90 and np.ptp(places, axis=0).max() < 1)


def _wrapped(degrees: FloatArray) -> FloatArray:
    return (degrees + 180) % 360 - 180
