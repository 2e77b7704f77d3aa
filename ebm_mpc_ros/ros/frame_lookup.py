"""The poses of the frames that messages name."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from ebm_mpc_ros.estimation.frames import IDENTITY, Transform, UnknownFrameError, bare

if TYPE_CHECKING:
    from ebm_mpc_ros.estimation.frames import StaticTransforms

Lookup = Callable[[str, str, int], Transform]
"""Returns the pose of a source frame in a target frame at a stamp (ns), at 0 the latest.

Raises UnknownFrameError where there is none. Equal poses had better be one object, by which
inputs know that nothing has changed.
"""


class Frames:
    """Static transforms first, then a lookup such as tf2's."""

    def __init__(
        self, world: str, base: str, static: StaticTransforms, lookup: Lookup | None = None
    ) -> None:
        """Name the frame of the estimated pose, `world`, and the robot's own, `base`."""
        self.world, self.base = world, base
        self.patient = False
        """Whether to insist on the pose at the stamp; where there is none the latest serves."""
        self._static, self._lookup = static, lookup

    def pose(self, target: str, source: str, stamp: int) -> Transform:
        """Return the pose of `source`, by default `target` itself, in `target` at `stamp` (ns).

        Raises:
            UnknownFrameError: It is not known, or, for the patient, not yet.
        """
        source = bare(source) or target
        if source == target:
            return IDENTITY
        try:
            return self._static.lookup(target, source)
        except UnknownFrameError:
            if self._lookup is None:
                raise
        try:
            return self._lookup(target, source, stamp)
        except UnknownFrameError:
            if self.patient:
                raise
        return self._lookup(target, source, 0)
