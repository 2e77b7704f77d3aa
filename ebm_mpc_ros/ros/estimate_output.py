"""Estimates in the terms of ROS messages, and the transform that goes with them. No rclpy here."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.linalg.lapack import dpotrf

from ebm_mpc_ros.estimation.frames import Transform, bare
from ebm_mpc_ros.estimation.recursion import Sampled
from ebm_mpc_ros.estimation.time import nanoseconds, seconds
from ebm_mpc_ros.models import CANONICAL_STATES, Model, rotation

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ebm_mpc_ros.estimation.history import Estimate
    from ebm_mpc_ros.ros.frame_lookup import Lookup

Vector = NDArray[np.float64]
Matrix = NDArray[np.float64]

ABSENT_VARIANCE = 1e-6
"""Variance of a coordinate that the model holds at zero."""
_STATES = len(CANONICAL_STATES)


class Odometry(NamedTuple):
    """An estimate as nav_msgs/Odometry has it: stamp (ns), pose in the world, twist in the body."""

    stamp: int
    position: Vector
    quaternion: Vector
    pose_covariance: Matrix
    linear: Vector
    angular: Vector
    twist_covariance: Matrix


class Acceleration(NamedTuple):
    """An estimate as geometry_msgs/AccelWithCovarianceStamped has it, in the body."""

    stamp: int
    linear: Vector
    angular: Vector
    covariance: Matrix


class Broadcast(NamedTuple):
    """The pose of frame `child` in frame `parent`, and its stamp (ns)."""

    parent: str
    child: str
    pose: Transform
    stamp: int


class Samples(NamedTuple):
    """Some of an estimate's particles: stamp (ns), positions (S, 3), quaternions (S, 4)."""

    stamp: int
    positions: Matrix
    quaternions: Matrix


class EstimateOutput:
    """From beliefs of a model to messages' numbers."""

    def __init__(self, model: Model) -> None:
        """Output estimates of `model`."""
        self._model = model
        # Where each output lies among the canonical fifteen; biases come after them.
        self._index = [
            CANONICAL_STATES.index(name) for name in model.output_names if name in CANONICAL_STATES
        ]
        self._block = np.ix_(self._index, self._index)
        self._last_rates: tuple[int, Vector] | None = None

    def reset(self) -> None:
        """Forget the last angular velocity."""
        self._last_rates = None

    def odometry(self, estimate: Estimate) -> Odometry:
        """Return the estimate in the terms of nav_msgs/Odometry; coordinates not held are 0."""
        values, covariance = self._canonical(estimate)
        attitude = np.asarray(rotation.from_rpy(*values[3:6]))
        return Odometry(
            estimate.stamp,
            values[:3],
            attitude,
            _semidefinite(covariance[:6, :6]),
            values[6:9],
            values[9:12],
            _semidefinite(covariance[6:12, 6:12]),
        )

    def acceleration(self, estimate: Estimate) -> Acceleration:
        """Return the estimate's acceleration, the angular one since the last time it was asked."""
        values, P = self._canonical(estimate)
        rates, angular = values[9:12], np.zeros(3)
        covariance = np.zeros((6, 6))
        covariance[:3, :3] = P[12:15, 12:15]
        if self._last_rates is not None and estimate.stamp > self._last_rates[0]:
            dt = seconds(estimate.stamp - self._last_rates[0])
            angular = (rates - self._last_rates[1]) / dt
            covariance[3:, 3:] = 2.0 * P[9:12, 9:12] / dt**2
        self._last_rates = estimate.stamp, rates
        return Acceleration(estimate.stamp, values[12:15], angular, covariance)

    def samples(self, estimate: Estimate, most: int) -> Samples | None:
        """Return poses of at most so many particles, as often as they weigh; None of a Gaussian."""
        belief = estimate.belief
        if not isinstance(belief, Sampled):
            return None
        states, weights, _ = belief.particles
        size = min(most, len(states))
        upper = np.cumsum(weights)
        places = (np.arange(size) + 0.5) / size * upper[-1]
        outputs = self._model.h(states[np.searchsorted(upper, places)])
        values = np.zeros((size, _STATES))
        values[:, self._index] = outputs[:, : len(self._index)]
        attitudes = np.asarray(rotation.from_rpy(*values[:, 3:6].T))
        return Samples(estimate.stamp, values[:, :3], attitudes)

    def _canonical(self, estimate: Estimate) -> tuple[Vector, Matrix]:
        """Return the fifteen values and their covariance; what the model lacks is 0."""
        x, P = estimate.belief
        values, covariance = np.zeros(_STATES), np.diag(np.full(_STATES, ABSENT_VARIANCE))
        k = len(self._index)
        values[self._index] = self._model.h(x)[:k]
        spread = self._model.spread(x, P)[:k, :k]
        covariance[self._block] = 0.5 * (spread + spread.T)
        return values, covariance


def _semidefinite(C: Matrix) -> Matrix:
    """Return a symmetric matrix without the negative eigenvalues that rounding has left."""
    if not dpotrf(C, lower=1)[1]:
        return C
    eigenvalues, axes = np.linalg.eigh(C)
    clipped = (axes * np.maximum(eigenvalues, 0.0)) @ axes.T
    return np.asarray(0.5 * (clipped + clipped.T))


def world_transform(values: Mapping[str, Any], odometry: Odometry, lookup: Lookup) -> Broadcast:
    """Return what ekf_node broadcasts: world -> base_link, or, in the map, map -> odom.

    Args:
        values: The node's parameters.
        odometry: The estimate.
        lookup: Returns the pose of odom in base_link, which somebody else broadcasts.

    Raises:
        UnknownFrameError: That is not known.
    """
    map_frame, odom_frame = bare(values["map_frame"]), bare(values["odom_frame"])
    base = bare(values["base_link_frame"])
    parent = bare(values["world_frame"]) or odom_frame
    child = bare(values["base_link_frame_output"]) or base
    pose = Transform(odometry.position, odometry.quaternion)
    if parent == map_frame != odom_frame:
        child = odom_frame
        pose @= lookup(base, odom_frame, 0)
    stamp = odometry.stamp + nanoseconds(values["transform_time_offset"])
    return Broadcast(parent, child, pose, stamp)
