"""plan and goal_pose: a path to follow, as references over a horizon."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

import numpy as np
from geometry_msgs.msg import PoseStamped
from nav_msgs.msg import Path

from ebm_mpc_ros.control import (
    FollowerSettings,
    PathFollower,
    ReferencePath,
    goal_path,
    model_reference,
)
from ebm_mpc_ros.control.reference import PLANAR_STATES
from ebm_mpc_ros.estimation.frames import IDENTITY, Transform, UnknownFrameError, bare
from ebm_mpc_ros.models import Model, rotation
from ebm_mpc_ros.ros import qos
from ebm_mpc_ros.ros.conversion import plausible, quaternion, vector

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from ebm_mpc_ros.ros.node import ManagedNode
    from ebm_mpc_ros.ros.transforms import Transforms


class ReferenceInput:
    """The newest of plan and goal_pose, and why there is none to follow when there is none."""

    def __init__(
        self,
        node: ManagedNode,
        model: Model,
        settings: FollowerSettings,
        transforms: Transforms,
        frame: str,
    ) -> None:
        """Subscribe; paths in another frame than `frame` need tf2."""
        self.refusal = ""
        """Why the last plan or goal was refused; empty where it was taken."""
        self.dropped: Counter[str] = Counter()
        self._last_plan: Any = None
        self._node, self._model, self._settings = node, model, settings
        self._transforms, self._frame = transforms, frame
        self._columns = [model.state_names.index(name) for name in PLANAR_STATES]
        self._follower: PathFollower | None = None
        self._goal: NDArray[np.float64] | None = None
        # Planners such as Nav2's publish volatile, which a transient-local reader never hears.
        for quality in (qos.LATCHED, qos.NEWEST_RELIABLE):
            node.listen(Path, "plan", self._take_plan, quality)
        node.listen(PoseStamped, "goal_pose", self._take_goal, qos.NEWEST_RELIABLE)

    def fault(self) -> str:
        """Return why there is nothing to follow; empty if there is."""
        if self._follower is None and self._goal is None:
            return self.refusal or "no plan or goal_pose yet"
        return ""

    @property
    def finished(self) -> bool:
        """Whether the end of the path is reached."""
        return self._follower is not None and self._follower.finished

    def reference(self, state: NDArray[np.float64], dt: float, horizon: int) -> NDArray[np.float64]:
        """Return the states (horizon + 1, state_size) to track from `state` on."""
        planar = state[self._columns]
        if self._goal is not None:
            self._start_towards(planar[:3], self._goal)
        assert self._follower is not None  # noqa: S101  the caller has seen an empty fault()
        return model_reference(self._model, self._follower.reference(planar, dt, horizon))

    def _start_towards(self, pose: NDArray[np.float64], goal: NDArray[np.float64]) -> None:
        self._goal = None
        if np.hypot(*(goal[:2] - pose[:2])) > self._settings.goal_tolerance:
            self._follower = PathFollower(goal_path(pose, goal), self._settings)
        else:
            ahead = np.array([np.cos(pose[2]), np.sin(pose[2])])
            here = ReferencePath([pose[:2] - 1e-2 * ahead, pose[:2]])
            self._follower = PathFollower(here, self._settings)

    def _take_plan(self, message: Any) -> None:
        if message == self._last_plan:
            return
        self._last_plan = message
        if not message.poses:
            self._follower = self._goal = None
            self.refusal = "the plan was cancelled by an empty one"
            return
        try:
            moved = self._into_frame(message.header.frame_id)
            points = np.array([vector(pose.pose.position) for pose in message.poses]).reshape(-1, 3)
            if not plausible(points):
                raise ValueError("a point is not finite, or absurdly far")  # noqa: TRY301
            path = ReferencePath(_moved(moved, points)[:, :2])
        except (ValueError, UnknownFrameError) as error:
            self._refuse("plan", error)
            return
        self._goal, self.refusal = None, ""
        self._follower = PathFollower(path, self._settings)

    def _take_goal(self, message: Any) -> None:
        try:
            moved = self._into_frame(message.header.frame_id)
        except UnknownFrameError as error:
            self._refuse("goal_pose", error)
            return
        attitude = rotation.multiply(moved.quaternion, quaternion(message.pose.orientation))
        position = _moved(moved, vector(message.pose.position))
        goal = np.array([position[0], position[1], float(rotation.heading(attitude))])
        norm = float(np.linalg.norm(attitude))
        if not (plausible(goal) and abs(norm - 1.0) < 0.1):
            reason = "not finite, absurdly far, or its quaternion not of unit length"
            self._refuse("goal_pose", reason)
            return
        self._goal, self.refusal = goal, ""

    def _into_frame(self, frame: str) -> Transform:
        if bare(frame) == self._frame:
            return IDENTITY
        return self._transforms.lookup(self._frame, frame)

    def _refuse(self, topic: str, reason: object) -> None:
        self.refusal = f"{topic} refused: {reason}"
        self.dropped[self.refusal] += 1
        self._node.get_logger().warning(self.refusal)


def _moved(frame: Transform, points: NDArray[np.float64]) -> NDArray[np.float64]:
    return points @ frame.matrix.T + frame.translation
