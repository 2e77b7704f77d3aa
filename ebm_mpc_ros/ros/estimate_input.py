"""odometry/filtered as the controller and the policy read it."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

import numpy as np
from nav_msgs.msg import Odometry

from ebm_mpc_ros.control import Actuation
from ebm_mpc_ros.estimation.frames import bare
from ebm_mpc_ros.models import CANONICAL_STATES, Model, rotation
from ebm_mpc_ros.ros import qos
from ebm_mpc_ros.ros.conversion import plausible, quaternion, stamp_of, vector

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from ebm_mpc_ros.ros.node import ManagedNode

    Vector = NDArray[np.float64]

_FROZEN_CLOCK = 0.5
_JUMP = 1.0
_JUMP_SPEED = 5.0
_SLOW = 0.1
"""Speed (m/s) below which the odometry's noise hides what no output tells, such as steering."""


class EstimateInput:
    """The newest state estimate, and why it can't be used when it can't."""

    def __init__(
        self, node: ManagedNode, model: Model, *, frame: str, child: str, timeout: float
    ) -> None:
        """Subscribe; estimates must be in `frame`, of `child`, and younger than `timeout` s."""
        self.dropped: Counter[str] = Counter()
        self.stamp = 0
        self.state: Vector | None = None
        self._node, self._model = node, model
        self._frame, self._child, self._timeout = frame, child, timeout
        actuation = Actuation(model)
        self._hidden = [(k, actuation.indices[k]) for k in actuation.hidden]
        self._speed = model.output_names.index("vx")
        self._index = [CANONICAL_STATES.index(name) for name in model.output_names]
        self._arrival = 0
        self._slow = False
        self._place = np.zeros(2)
        self.jumped = False
        """Whether the position has jumped, which odometry does not do; for the reader to clear."""
        node.listen(Odometry, "odometry/filtered", self._take, qos.NEWEST)

    def reset(self) -> None:
        """Forget the estimate."""
        self.state = None
        self.jumped = False

    def fault(self) -> str:
        """Return why there is no estimate to act on; empty if there is one."""
        if self.state is None:
            if self.dropped:
                return f"estimate unusable: {self.dropped.most_common(1)[0][0]}"
            return "no estimate on odometry/filtered yet"
        age = (self._node.now - self.stamp) * 1e-9
        if age > self._timeout:
            return f"estimate is more than {self._timeout:g} s old"
        if age < -self._timeout:
            return f"estimate is stamped more than {self._timeout:g} s in the future"
        silent = (self._node.steady_now - self._arrival) * 1e-9
        if silent > max(_FROZEN_CLOCK, self._timeout):
            return "no new estimate, and the node's clock stands still"
        return ""

    def completed(self, command: Sequence[float] | None = None) -> Vector:
        """Return the estimated state (state_size,) at its stamp.

        Below 0.1 m/s what no output tells, such as the steering angle of a standing robot, is what
        was commanded last.

        Args:
            command: What `Driver` sent last (m,); None where others drive the robot.
        """
        assert self.state is not None  # noqa: S101  the caller has seen an empty fault()
        state = self.state.copy()
        if command is not None and self._slow:
            for k, index in self._hidden:
                state[index] = command[k]
        return state

    def _take(self, message: Any) -> None:
        reason = self._refusal(message)
        if reason:
            self.dropped[reason] += 1
            return
        pose, twist = message.pose.pose, message.twist.twist
        attitude = quaternion(pose.orientation)
        values = np.concatenate(
            (
                vector(pose.position),
                rotation.to_rpy(attitude / np.linalg.norm(attitude)),
                vector(twist.linear),
                vector(twist.angular),
                np.zeros(3),
            )
        )
        if not plausible(values[:6], values[6:]):
            self.dropped["not finite, or absurdly far or fast"] += 1
            return
        stamp = stamp_of(message)
        if self.state is not None:
            gap = abs(stamp - self.stamp) * 1e-9
            moved = float(np.linalg.norm(values[:2] - self._place))
            self.jumped |= moved > _JUMP + _JUMP_SPEED * gap
        self._place = values[:2]
        outputs = values[self._index]
        self._slow = abs(outputs[self._speed]) < _SLOW
        self.state = np.asarray(self._model.state(outputs))
        self.stamp = stamp
        self._arrival = self._node.steady_now

    def _refusal(self, message: Any) -> str:
        if bare(message.header.frame_id) != self._frame:
            return f"frame {message.header.frame_id!r} is not {self._frame!r}"
        if bare(message.child_frame_id) != self._child:
            return f"child frame {message.child_frame_id!r} is not {self._child!r}"
        norm = float(np.linalg.norm(quaternion(message.pose.pose.orientation)))
        return "" if abs(norm - 1.0) < 0.1 else "quaternion not of unit length"
