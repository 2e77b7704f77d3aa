"""plan and goal_pose: a path to follow, as references over a horizon."""

from __future__ import annotations

from collections import Counter
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
from geometry_msgs.msg import PoseStamped
from nav_msgs.msg import Path
from rclpy.serialization import deserialize_message

from ebm_mpc_ros.control import (
    FollowerSettings,
    PathFollower,
    ReferencePath,
    Standing,
    TimedFollower,
    goal_path,
    model_reference,
    planar_outputs,
    split_path,
    timed_path,
)
from ebm_mpc_ros.estimation.frames import IDENTITY, Transform, UnknownFrameError, bare
from ebm_mpc_ros.models import Model, rotation
from ebm_mpc_ros.ros import qos
from ebm_mpc_ros.ros.conversion import plausible, quaternion, vector
from ebm_mpc_ros.ros.driver import ARRIVED
from ebm_mpc_ros.ros.path_message import PathMessage, Signature, from_path, signature
from ebm_mpc_ros.ros.twins import Twins

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from ebm_mpc_ros.ros.node import ManagedNode
    from ebm_mpc_ros.ros.transforms import Transforms

_TOO_FAST = 10.0
_SAME = 1e-6


class ReferenceInput:
    """The newest of plan and goal_pose, and why there is none to follow when there is none.

    A plan whose stamps increase is followed in time, unless they leave it less than a tenth of
    the time that it takes at the cruise speed somewhere, as where each pose was stamped when it
    was made. Any other is followed at the speeds that the settings allow. Where its orientations
    say so it is driven backwards. One whose poses are all in one place is a goal.

    Plans are heard while the node is not active too: they are told once. The one in force may
    come again: with the same stamp it changes nothing, with another it is driven on from where
    the robot is, or anew where that has arrived.
    """

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
        """What was refused or left out, and how often."""
        self._node, self._model, self._settings = node, model, settings
        self._transforms, self._frame = transforms, frame
        self._follower: PathFollower | TimedFollower | None = None
        self._plan: Signature | None = None
        self._path: PathMessage | None = None
        self._goal: NDArray[np.float64] | None = None
        self._standing, self._off = Standing(), ""
        self._twins = Twins()
        # Planners such as Nav2's publish volatile, which a transient-local reader never hears.
        for number, quality in enumerate((qos.LATCHED, qos.NEWEST_RELIABLE)):
            node.listen_raw(Path, "plan", partial(self._hear_plan, number), quality)
        node.listen(PoseStamped, "goal_pose", self._take_goal, qos.NEWEST_RELIABLE)

    def fault(self) -> str:
        """Return why there is nothing to follow; empty if there is."""
        if self._follower is None and self._goal is None:
            return self.refusal or "no plan or goal_pose yet"
        return ""

    @property
    def finished(self) -> bool:
        """Whether the robot has arrived; then it stays so."""
        return self._follower is not None and self._follower.finished

    @property
    def ended(self) -> str:
        """Why to stop: it is `ARRIVED`, or stands off the end; empty where it is to drive."""
        return ARRIVED if self.finished else self._off

    def change(self, settings: FollowerSettings) -> Callable[[], None]:
        """Prepare for other settings; return what follows with them, on from where the robot is.

        Raises:
            ValueError: They forbid driving backwards, which what is left of the path needs.
        """
        follower = self._follower
        if follower is not None and not follower.finished:
            follower = follower.with_settings(settings)

        def apply() -> None:
            self._settings, self._follower = settings, follower

        return apply

    def reference(
        self, state: NDArray[np.float64], dt: float, horizon: int, ahead: float = 0.0
    ) -> NDArray[np.float64]:
        """Return the states (horizon + 1, state_size) to track from `state` (state_size,) on.

        Args:
            state: State of the robot.
            dt: Step in s.
            horizon: Number of steps.
            ahead: Time from now to that of the state in s.
        """
        planar = planar_outputs(self._model, state)
        if self._goal is not None:
            self._start_towards(planar[:3], self._goal)
        follower = self._follower
        assert follower is not None  # noqa: S101  the caller has seen an empty fault()
        if isinstance(follower, TimedFollower):
            rows = follower.reference(planar, dt, horizon, ahead)
        else:
            rows = follower.reference(planar, dt, horizon)
        self._off = ""
        if follower.left is not None and self._standing.seen(follower.left, self._node.now):
            self._off = (
                f"passed the end: {self._standing.distance:.2f} m off, and no nearer for 2 s"
            )
        return model_reference(self._model, rows)

    def _start_towards(self, pose: NDArray[np.float64], goal: NDArray[np.float64]) -> None:
        self._goal = None
        if np.hypot(*(goal[:2] - pose[:2])) > self._settings.goal_tolerance:
            path = goal_path(pose, goal, radius=self._settings.turning_radius)
        else:
            ahead = np.array([np.cos(pose[2]), np.sin(pose[2])])
            path = ReferencePath([pose[:2] - 1e-2 * ahead, pose[:2]])
        self._follower = PathFollower(path, self._settings)

    def _hear_plan(self, subscription: int, data: bytes) -> None:
        # A long plan takes longer to deserialise than all else: only once.
        if not self._twins.second(data, subscription):
            self._take_plan(deserialize_message(data, Path))

    def _take_plan(self, message: Any) -> None:
        plan = signature(message)
        if not message.poses:
            self._follower = self._plan = self._path = self._goal = None
            self.refusal = "the plan was cancelled by an empty one"
            return
        same = plan == self._plan
        if same and (plan.stamp or plan.length == 1):
            self.refusal = ""
            return
        try:
            path = from_path(message, self._into_frame(message.header.frame_id))
            if np.ptp(path.points, axis=0).max() <= _SAME:
                self._aim(message.header.frame_id, message.poses[-1].pose)
                self._plan = plan
                return
            again = self._path is not None and self._path.is_again(path)
            if not again or (self.finished and not same):
                self._follower = self._follower_of(path)
        except (ValueError, UnknownFrameError) as error:
            self._refuse("plan", error)
            return
        self._plan, self._path, self._goal, self.refusal = plan, path, None, ""

    def _follower_of(self, path: PathMessage) -> PathFollower | TimedFollower:
        if self._timed(path):
            return self._timed_follower(path)
        follower = PathFollower(split_path(path.points, path.headings), self._settings)
        if follower.turns_on_the_spot and "vyaw" not in self._model.state_names:
            raise ValueError("it turns round on the spot, which this robot can't")
        return follower

    def _timed(self, path: PathMessage) -> bool:
        """Whether the plan's stamps can be kept; where there are some but no use, warn."""
        if path.stamps is None:
            return False
        spans = np.diff(path.stamps) * 1e-9
        if np.any(spans <= 0.0):
            reason = "plan without its stamps: they do not increase"
        else:
            fastest = float(np.max(np.hypot(*np.diff(path.points, axis=0).T) / spans))
            if fastest <= _TOO_FAST * self._settings.cruise_speed:
                return True
            reason = f"plan without its stamps: they ask for {fastest:.3g} m/s"
        self.dropped[reason] += 1
        self._node.get_logger().warning(f"following the {reason}")
        return False

    def _timed_follower(self, path: PathMessage) -> TimedFollower:
        assert path.stamps is not None  # noqa: S101  the caller has looked
        first = path.stamps[0]
        over = (self._node.now - path.stamps[-1]) * 1e-9
        if over > 0.0:
            raise ValueError(f"its last stamp passed {over:.3g} s ago")
        trajectory = timed_path(
            [(stamp - first) * 1e-9 for stamp in path.stamps],
            path.points,
            path.headings,
            sideways="vy" in self._model.state_names,
        )
        return TimedFollower(trajectory, lambda: (self._node.now - first) * 1e-9, self._settings)

    def _take_goal(self, message: Any) -> None:
        try:
            self._aim(message.header.frame_id, message.pose)
        except (ValueError, UnknownFrameError) as error:
            self._refuse("goal_pose", error)

    def _aim(self, frame: str, pose: Any) -> None:
        """Drive to a pose from where the robot is at the next reference."""
        moved = self._into_frame(frame)
        attitude = rotation.multiply(moved.quaternion, quaternion(pose.orientation))
        position = moved.matrix @ vector(pose.position) + moved.translation
        goal = np.array([position[0], position[1], float(rotation.heading(attitude))])
        norm = float(np.linalg.norm(attitude))
        if not (plausible(goal) and abs(norm - 1.0) < 0.1):
            raise ValueError("not finite, absurdly far, or its quaternion not of unit length")
        self._follower = self._plan = self._path = None
        self._goal, self.refusal = goal, ""

    def _into_frame(self, frame: str) -> Transform:
        if bare(frame) == self._frame:
            return IDENTITY
        return self._transforms.lookup(self._frame, frame)

    def _refuse(self, topic: str, reason: object) -> None:
        self.refusal = f"{topic} refused: {reason}"
        self.dropped[self.refusal] += 1
        self._node.get_logger().warning(self.refusal)
