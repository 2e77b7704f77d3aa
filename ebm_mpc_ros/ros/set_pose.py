"""A pose that somebody sets, as a belief to go on from."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from ebm_mpc_ros.estimation.belief import start
from ebm_mpc_ros.estimation.frames import Transform, bare
from ebm_mpc_ros.estimation.poses import PosePart
from ebm_mpc_ros.estimation.sensors import BadMeasurementError, SensorSettings
from ebm_mpc_ros.estimation.time import seconds
from ebm_mpc_ros.models import CANONICAL_STATES
from ebm_mpc_ros.ros.conversion import quaternion, square, stamp_of, vector
from ebm_mpc_ros.ros.estimate_output import ABSENT_VARIANCE, EstimateOutput

if TYPE_CHECKING:
    from ebm_mpc_ros.estimation.ekf import Belief
    from ebm_mpc_ros.estimation.filter import Filter
    from ebm_mpc_ros.ros.frame_lookup import Frames

_POSE = (True,) * 6 + (False,) * 9


def placed(filter_: Filter, frames: Frames, message: Any, now: int) -> tuple[int, Belief]:
    """Return the stamp (ns) of a PoseWithCovarianceStamped and the belief of a robot at rest there.

    What is known of biases stays. A pose in the robot's own frame is seen from where it is.

    Raises:
        UnknownFrameError: No transform to the message's frame is known.
        BadMeasurementError: It can't be used.
    """
    model, stamp = filter_.settings.model, stamp_of(message)
    if seconds(stamp - now) > filter_.settings.future_limit:
        raise BadMeasurementError("stamp in the future")
    frame = _frame(filter_, frames, message.header.frame_id, stamp)
    sensor = SensorSettings(
        name="set_pose",
        model=model,
        mask=_POSE,
        default_variance=np.full(len(CANONICAL_STATES), ABSENT_VARIANCE),
    )
    found = PosePart(sensor).measurement(
        stamp,
        vector(message.pose.pose.position),
        quaternion(message.pose.pose.orientation),
        square(message.pose.covariance, 6),
        frame,
    )
    if found is None:
        raise BadMeasurementError("the model has no pose")
    return stamp, start(model, *_at_rest(filter_), found)


def _at_rest(filter_: Filter) -> tuple[Any, Any]:
    """Return outputs (p,) and covariance (n, n) of a robot that stands, with its biases."""
    s, last = filter_.settings, filter_.estimate
    names = s.model.state_names
    outputs, P = s.initial_state.copy(), s.initial_covariance
    if last is not None:
        outputs, P = s.model.h(last.belief.state).copy(), last.belief.covariance
    measured = s.model.output_names
    outputs[[i for i, name in enumerate(measured) if name in CANONICAL_STATES]] = 0.0
    own = set(measured).difference(CANONICAL_STATES)
    biases = [i for i, name in enumerate(names) if name in own]
    covariance = np.eye(len(names)) * ABSENT_VARIANCE
    covariance[np.ix_(biases, biases)] = P[np.ix_(biases, biases)]
    return outputs, covariance


def _frame(filter_: Filter, frames: Frames, name: str, stamp: int) -> Transform:
    if bare(name) == frames.base and filter_.estimate is not None:
        here = EstimateOutput(filter_.settings.model).odometry(filter_.estimate)
        return Transform(here.position, here.quaternion)
    frames.patient = False
    return frames.pose(frames.world, name, stamp)
