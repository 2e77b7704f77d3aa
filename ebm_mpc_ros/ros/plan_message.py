"""policy/plan: states and inputs over a horizon as a MultiDOFJointTrajectory."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from builtin_interfaces.msg import Duration
from geometry_msgs.msg import Transform, Twist
from numpy.typing import NDArray
from trajectory_msgs.msg import MultiDOFJointTrajectory, MultiDOFJointTrajectoryPoint

from ebm_mpc_ros.control import Trajectory
from ebm_mpc_ros.estimation.frames import bare
from ebm_mpc_ros.models import rotation
from ebm_mpc_ros.ros.conversion import plausible, quaternion, stamp_of
from ebm_mpc_ros.ros.messages import to_time, yaw_quaternion

if TYPE_CHECKING:
    from collections.abc import Sequence

Floats = NDArray[np.float64]

_ACCELERATIONS = ("ax", "ay", "alpha")


class BadPlanError(ValueError):
    """A plan message can't be used; its text says why."""


class PlanMessage(NamedTuple):
    """A plan: stamp (ns) of the state it starts from, and its states by time."""

    stamp: int
    trajectory: Trajectory


def to_plan(
    stamp: int,
    frame: str,
    child: str,
    dt: float,
    planar: Floats,
    inputs: Floats,
    input_names: Sequence[str],
) -> MultiDOFJointTrajectory:
    """Return planar states (N+1, 6) and inputs (N, m), `dt` s apart, as a message.

    Accelerations are the inputs ax, ay and alpha; those that are none are the twist's change.
    """
    message = MultiDOFJointTrajectory(joint_names=[child])
    message.header.frame_id = frame
    message.header.stamp = to_time(stamp)
    accelerations = np.zeros((len(planar), 3))
    accelerations[:-1] = np.diff(planar[:, 3:], axis=0) / dt
    for column, name in enumerate(_ACCELERATIONS):
        if name in input_names:
            accelerations[:-1, column] = inputs[:, list(input_names).index(name)]
    for k, (state, rates) in enumerate(zip(planar.tolist(), accelerations.tolist(), strict=True)):
        transform, velocity, acceleration = Transform(), Twist(), Twist()
        transform.translation.x, transform.translation.y = state[:2]
        transform.rotation = yaw_quaternion(state[2])
        velocity.linear.x, velocity.linear.y, velocity.angular.z = state[3:]
        acceleration.linear.x, acceleration.linear.y, acceleration.angular.z = rates
        elapsed = round(k * dt * 1e9)
        message.points.append(
            MultiDOFJointTrajectoryPoint(
                transforms=[transform],
                velocities=[velocity],
                accelerations=[acceleration],
                time_from_start=Duration(
                    sec=elapsed // 1_000_000_000, nanosec=elapsed % 1_000_000_000
                ),
            )
        )
    return message


def from_plan(message: Any, frame: str, child: str) -> PlanMessage:
    """Return the plan in a message.

    Raises:
        BadPlanError: It is in another frame, of another body, incomplete or not finite.
    """
    if bare(message.header.frame_id) != frame:
        raise BadPlanError(f"frame {message.header.frame_id!r} is not {frame!r}")
    if list(message.joint_names) != [child]:
        raise BadPlanError(f"joint_names {list(message.joint_names)} is not [{child!r}]")
    try:
        rows = [_row(point) for point in message.points]
    except IndexError:
        raise BadPlanError("a point lacks its transform, velocity or acceleration") from None
    if len(rows) < 2:
        raise BadPlanError(f"{len(rows)} points are no plan")
    table = np.array(rows)
    if not plausible(table[:, :3], table[:, 3:]):
        raise BadPlanError("not finite, or absurdly far or fast")
    try:
        trajectory = Trajectory(table[:, 0], table[:, 1:7])
    except ValueError as error:
        raise BadPlanError(str(error)) from error
    return PlanMessage(stamp_of(message), trajectory)


def _row(point: Any) -> list[float]:
    transform, velocity = point.transforms[0], point.velocities[0]
    attitude = quaternion(transform.rotation)
    if not abs(float(np.linalg.norm(attitude)) - 1.0) < 0.1:
        raise BadPlanError("quaternion not of unit length")
    acceleration, elapsed = point.accelerations[0], point.time_from_start
    return [
        elapsed.sec + elapsed.nanosec * 1e-9,
        transform.translation.x,
        transform.translation.y,
        float(rotation.heading(attitude)),
        velocity.linear.x,
        velocity.linear.y,
        velocity.angular.z,
        acceleration.linear.x,
        acceleration.linear.y,
        acceleration.angular.z,
    ]
