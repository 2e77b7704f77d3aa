"""Geodetic positions in a local frame: east, north, up of a datum on WGS 84.

Formulas: B. Hofmann-Wellenhof, H. Lichtenegger, E. Wasle, "GNSS" (2008), section 8.2.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

_EQUATOR = 6378137.0
_FLATTENING = 1.0 / 298.257223563
_ECCENTRICITY_SQUARED = _FLATTENING * (2.0 - _FLATTENING)

Vector = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Datum:
    """Where the local frame's origin lies: degrees, degrees, metres above the ellipsoid."""

    latitude: float
    longitude: float
    altitude: float

    def __post_init__(self) -> None:
        """Check ranges.

        Raises:
            ValueError: There is no such place.
        """
        if not (abs(self.latitude) <= 90.0 and abs(self.longitude) <= 360.0):
            raise ValueError(f"{self.latitude}, {self.longitude} is no latitude and longitude")
        if not math.isfinite(self.altitude):
            raise ValueError(f"altitude {self.altitude} is not finite")

    def enu(self, place: Datum) -> Vector:
        """Return east, north, up (3,) of `place`, m."""
        lat, lon = math.radians(self.latitude), math.radians(self.longitude)
        slat, clat, slon, clon = math.sin(lat), math.cos(lat), math.sin(lon), math.cos(lon)
        axes = np.array(
            [
                [-slon, clon, 0.0],
                [-slat * clon, -slat * slon, clat],
                [clat * clon, clat * slon, slat],
            ]
        )
        return np.asarray(axes @ (place.ecef() - self.ecef()))

    def ecef(self) -> Vector:
        """Return the place (3,) in the frame that turns with the earth, m."""
        lat, lon = math.radians(self.latitude), math.radians(self.longitude)
        normal = _EQUATOR / math.sqrt(1.0 - _ECCENTRICITY_SQUARED * math.sin(lat) ** 2)
        across = (normal + self.altitude) * math.cos(lat)
        up = (normal * (1.0 - _ECCENTRICITY_SQUARED) + self.altitude) * math.sin(lat)
        return np.array([across * math.cos(lon), across * math.sin(lon), up])
