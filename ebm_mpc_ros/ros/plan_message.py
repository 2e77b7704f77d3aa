"""policy/plan: states and inputs over a horizon as a MultiDOFJointTrajectory."""

from __future__ import annotations

from typing import Any, NamedTuple

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

Floats = NDArray[np.float64]


class BadPlanError(ValueError):
    """A plan message can't be used; its text says why."""


class PlanMessage(NamedTuple):
    """A plan: stamp (ns) of the state it starts from, and its states by time."""

    stamp: int
    trajectory: Trajectory


def to_plan(
    stamp: int, frame: str, child: str, dt: float, states: Floats, inputs: Floats
) -> MultiDOFJointTrajectory:
    """Return planar states (N+1, 5) and inputs (N, 2), `dt` s apart, as a message."""
    message = MultiDOFJointTrajectory(joint_names=[child])
    message.header.frame_id = frame
    message.header.stamp = to_time(stamp)
    held = np.vstack((inputs, np.zeros((1, 2))))
    for k, ((x, y, yaw, speed, rate), (linear, angular)) in enumerate(
        zip(states.tolist(), held.tolist(), strict=True)
    ):
        transform, velocity, acceleration = Transform(), Twist(), Twist()
        transform.translation.x, transform.translation.y = x, y
        transform.rotation = yaw_quaternion(yaw)
        velocity.linear.x, velocity.angular.z = speed, rate
        acceleration.linear.x, acceleration.angular.z = linear, angular
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
        trajectory = Trajectory(table[:, 0], table[:, 1:6])
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
        velocity.angular.z,
        acceleration.linear.x,
        acceleration.angular.z,
    ]
