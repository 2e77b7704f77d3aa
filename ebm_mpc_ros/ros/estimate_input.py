"""odometry/filtered as the controller and the policy read it."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

import numpy as np
from nav_msgs.msg import Odometry

from ebm_mpc_ros.control import Actuation
from ebm_mpc_ros.estimation.frames import bare
from ebm_mpc_ros.models import CANONICAL_STATES, Model, rotation
from ebm_mpc_ros.models.base import wrap_angle
from ebm_mpc_ros.ros import qos
from ebm_mpc_ros.ros.clocks import StandstillWatch
from ebm_mpc_ros.ros.conversion import plausible, quaternion, stamp_of, vector

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray

    from ebm_mpc_ros.ros.node import ManagedNode

    Vector = NDArray[np.float64]

# How far a robot gets at once, and in a second: its position (m), heading (rad), speed (m/s) and
# turn rate (rad/s). A robot that runs into something loses its speed at once.
_JUMPS = np.array([1.0, 1.0, 2.0, 3.0])
_JUMP_RATES = np.array([5.0, 5.0, 20.0, 50.0])
# rad: a turn by more could as well be one the other way round.
_TURN = 2.5
# s: a stop has begun so long after an estimate is too old; from then on it only gets slower.
_STOPPING = 0.2
# ns: where a clock is set back by more, an estimator starts over.
_STEP_BACK = 500_000_000
_SLOW = 0.1
"""Speed (m/s) below which the odometry's noise hides what no output tells, such as steering."""


class EstimateInput:
    """The newest state estimate, and why it can't be used when it can't."""

    def __init__(
        self,
        node: ManagedNode,
        model: Model,
        *,
        frame: str,
        child: str,
        timeout: float,
        simulated: bool = False,
        taken: Callable[[], None] | None = None,
    ) -> None:
        """Subscribe; estimates must be in `frame`, of `child`, and younger than `timeout` s.

        With the clock of a simulation (`simulated`) the robot starts over, too: that is no jump.
        `taken` is called after each estimate that is used.
        """
        self.dropped: Counter[str] = Counter()
        self.stamp = 0
        self.state: Vector | None = None
        self._node, self._model = node, model
        self._frame, self._child, self._timeout = frame, child, timeout
        self._actuation = actuation = Actuation(model)
        self._hidden = [(k, actuation.indices[k]) for k in actuation.hidden]
        self._speed = model.output_names.index("vx")
        self._index = [CANONICAL_STATES.index(name) for name in model.output_names]
        self._standstill = StandstillWatch(node)
        self._simulated = simulated
        self._lag = self._arrival = 0
        self._publishers = 0
        self._taken = taken
        self._slow = False
        self._values = np.zeros(len(CANONICAL_STATES))
        self.jumped = False
        """Whether pose or speed has jumped, which odometry does not do, or may have: another
        estimator is at work, or the clock was set back; for the reader to clear."""
        node.listen(
            Odometry, "odometry/filtered", self._take, qos.NEWEST, matched=self._note_publisher
        )

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
        if self._publishers > 1:
            return f"odometry/filtered has {self._publishers} publishers, or one that died just now"
        return self._fault_of_time()

    def _fault_of_time(self) -> str:
        age = (self._node.now - self.stamp) * 1e-9
        if age > self._timeout:
            return f"estimate is more than {self._timeout:g} s old"
        if age < -self._timeout:
            return f"estimate is stamped more than {self._timeout:g} s in the future"
        if self._standstill.stands_still():
            return "no new estimate, and the node's clock stands still"
        # A system clock that is set back makes an old estimate young.
        silence = (self._node.steady_now - self._arrival) * 1e-9
        if not self._simulated and silence > self._timeout:
            return f"no estimate for more than {self._timeout:g} s"
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

    def rolling(self, command: Sequence[float]) -> Vector | None:
        """Return the command (m,) that the robot's motion amounts to; None where it isn't known.

        Args:
            command: What `Driver` sent last (m,).
        """
        if self.jumped or self.fault():
            return None
        return self._actuation.of(self.completed(command))

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
        arrival = self._node.steady_now
        lag = arrival - self._node.now
        if self.state is not None:
            again = self._from_before_a_jump_of_the_clock()
            if stamp < self.stamp and not again:
                self.dropped["stamped before the one held"] += 1
                return
            if not (again and self._simulated):
                self.jumped |= self._is_jump(values, (stamp - self.stamp) * 1e-9)
            if not self._simulated:
                self.jumped |= lag - self._lag > _STEP_BACK
        self._lag, self._arrival = lag, arrival
        self._values = values
        outputs = values[self._index]
        self._slow = abs(outputs[self._speed]) < _SLOW
        self.state = np.asarray(self._model.state(outputs))
        self.stamp = stamp
        if self._taken is not None:
            self._taken()

    def _is_jump(self, values: Vector, elapsed: float) -> bool:
        """Return whether no robot gets so far in that time (s), after which it stands.

        A clock that was set back tells nothing of the time: a negative one counts as none.
        """
        moving = min(max(elapsed, 0.0), self._timeout + _STOPPING)
        most = _JUMPS + _JUMP_RATES * moving
        most[1] = min(most[1], _TURN)
        return bool((_moved(self._values, values) > most).any())

    def _note_publisher(self, info: Any) -> None:
        """Distrust an estimator that takes the place of one: where it begins, nobody knows.

        So does one that starts over, for it makes its publisher anew. Two at once are a fault.
        """
        self._publishers = info.current_count
        if info.total_count > 1 and info.total_count_change > 0 and self.state is not None:
            self.jumped = True

    def _from_before_a_jump_of_the_clock(self) -> bool:
        """Return whether the estimate held is from a future that the clock has left."""
        return (self.stamp - self._node.now) * 1e-9 > self._timeout

    def _refusal(self, message: Any) -> str:
        if bare(message.header.frame_id) != self._frame:
            return f"frame {message.header.frame_id!r} is not {self._frame!r}"
        if bare(message.child_frame_id) != self._child:
            return f"child frame {message.child_frame_id!r} is not {self._child!r}"
        norm = float(np.linalg.norm(quaternion(message.pose.pose.orientation)))
        return "" if abs(norm - 1.0) < 0.1 else "quaternion not of unit length"


def _moved(before: Vector, after: Vector) -> Vector:
    """Return the distance, turn and changes of speed and turn rate (4,) between two estimates."""
    change = after - before
    names = CANONICAL_STATES.index
    return np.abs(
        [
            np.hypot(change[names("x")], change[names("y")]),
            float(wrap_angle(change[names("yaw")])),
            np.hypot(change[names("vx")], change[names("vy")]),
            change[names("vyaw")],
        ]
    )
