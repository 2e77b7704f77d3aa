"""Rigid transforms between named frames, static ones."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ebm_mpc_ros.models import rotation

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

Vector = NDArray[np.float64]


class Transform(NamedTuple):
    """Pose of a child frame in its parent: translation (3,) in m, quaternion (4,) xyzw."""

    translation: Vector
    quaternion: Vector

    @classmethod
    def from_rpy(cls, values: Sequence[float]) -> Transform:
        """Return the transform of x, y, z (m), roll, pitch, yaw (rad).

        Raises:
            ValueError: There are not six finite numbers.
        """
        numbers = np.asarray(values, dtype=float)
        if numbers.shape != (6,) or not np.isfinite(numbers).all():
            raise ValueError(f"transform {list(values)}: must be six finite numbers")
        return cls(numbers[:3], rotation.from_rpy(numbers[3], numbers[4], numbers[5]))

    @property
    def matrix(self) -> Vector:
        """Rotation matrix (3, 3) that turns vectors of the child into the parent."""
        return np.asarray(rotation.matrix(self.quaternion))

    def inverse(self) -> Transform:
        """Return the parent's pose in the child."""
        back = rotation.conjugate(self.quaternion)
        return Transform(-(rotation.matrix(back) @ self.translation), back)

    def __matmul__(self, other: Transform) -> Transform:
        """Return the pose of `other`'s child in this one's parent."""
        return Transform(
            self.translation + self.matrix @ other.translation,
            rotation.normalize(rotation.multiply(self.quaternion, other.quaternion)),
        )


IDENTITY = Transform(np.zeros(3), np.array([0.0, 0.0, 0.0, 1.0]))


class UnknownFrameError(LookupError):
    """Two frames are not connected by known transforms."""


class StaticTransforms:
    """A forest of static transforms. A leading slash of a frame's name means nothing."""

    def __init__(self, edges: Iterable[tuple[str, str, Transform]] = ()) -> None:
        """Take (parent, child, pose of the child in the parent)."""
        self._neighbours: dict[str, dict[str, Transform]] = {}
        self._parents: dict[str, str] = {}
        self._found: dict[tuple[str, str], Transform | None] = {}
        for parent, child, transform in edges:
            self.add(parent, child, transform)

    def add(self, parent: str, child: str, transform: Transform) -> None:
        """Set the pose of `child` in `parent`, in place of its pose in any other parent."""
        parent, child = bare(parent), bare(child)
        former = self._parents.get(child, parent)
        if former != parent:
            self._neighbours[former].pop(child, None)
            self._neighbours[child].pop(former, None)
        self._parents[child] = parent
        self._found.clear()
        self._neighbours.setdefault(parent, {})[child] = transform
        self._neighbours.setdefault(child, {})[parent] = transform.inverse()

    def lookup(self, target: str, source: str) -> Transform:
        """Return the pose of `source` in `target`.

        Raises:
            UnknownFrameError: No chain of transforms joins them.
        """
        target, source = bare(target), bare(source)
        pair = target, source
        if pair not in self._found:
            self._found[pair] = self._search(target, source)
        found = self._found[pair]
        if found is None:
            raise UnknownFrameError(f"no transform from {source!r} to {target!r}")
        return found

    def _search(self, target: str, source: str) -> Transform | None:
        found = {target: IDENTITY}
        border = [target]
        while border and source not in found:
            frame = border.pop()
            for neighbour, transform in self._neighbours.get(frame, {}).items():
                if neighbour not in found:
                    found[neighbour] = found[frame] @ transform
                    border.append(neighbour)
        return found.get(source)


def bare(frame: str) -> str:
    """Return a frame's name without the leading slash of old bags."""
    return frame.lstrip("/")


def parse_transform(text: str) -> tuple[str, str, Transform]:
    """Return parent, child and transform of "PARENT CHILD X Y Z ROLL PITCH YAW" (m, rad).

    Raises:
        ValueError: The text is not of that form.
    """
    words = text.split()
    try:
        parent, child, *numbers = words
        transform = Transform.from_rpy([float(number) for number in numbers])
    except ValueError as error:
        raise ValueError(
            f"static transform {text!r}: must be 'PARENT CHILD X Y Z ROLL PITCH YAW' (m, rad)"
        ) from error
    if bare(parent) == bare(child):
        raise ValueError(f"static transform {text!r}: parent and child must differ")
    return parent, child, transform
