"""What husky.bag tells of the robot's motion, at the stamps of the wheels' messages."""

from __future__ import annotations

from typing import NamedTuple

from report import ROOT

# Only `report` puts the package on the path.
# isort: split
import numpy as np
from numpy.typing import NDArray

from ebm_mpc_ros.learning.bags import open_bag
from ebm_mpc_ros.learning.recording import Recording, Track
from ebm_mpc_ros.models import rotation
from ebm_mpc_ros.ros.conversion import quaternion, stamp_of, vector

Floats = NDArray[np.float64]
Places = NDArray[np.int64]

_WHEELS, _IMU = "/husky_velocity_controller/odom", "/imu/data"
# base_link to imu_link: the bag carries no TF.
_MOUNTING = rotation.matrix(rotation.from_rpy(*np.array([np.pi / 2.0, 0.0, -np.pi / 2.0])))
_GAP = 1.5
_SPAN = 2
"""Messages over which the pose's change is a speed, for readings swing from one to the next."""
_FEWEST = 10


class Drive(NamedTuple):
    """A drive at the wheels' messages, `period` s apart.

    The twist in those messages is the mean of the last ten steps' speeds, so 0.45 s old: it is
    that to 0.6 mrad/s. The change of their pose tells the speeds themselves.

    Attributes:
        period: s, the median; messages are taken to be that far apart.
        states: x, y, yaw, vx, vyaw (k, 5): place and heading by the wheels' travel along the
            gyro's heading, vx of the wheels, vyaw the gyro's last sample. Its bias, 0.3 mrad/s at
            rest, is left in.
        wheels: vx and vyaw (k, 2) of the wheels.
        unbroken: Number (k,) of the part without a message missing.
    """

    period: float
    states: Floats
    wheels: Floats
    unbroken: Places

    def share(self, begin: float, end: float) -> Drive:
        """Return what lies between two shares of the drive."""
        part = slice(round(begin * len(self.states)), round(end * len(self.states)))
        return self._replace(
            states=self.states[part], wheels=self.wheels[part], unbroken=self.unbroken[part]
        )

    def with_wheels(self) -> Drive:
        """Return the drive with the wheels' twist as two more states."""
        return self._replace(states=np.hstack((self.states, self.wheels)))

    def starts(self, messages: int) -> Places:
        """Return the messages after which so many follow without one missing."""
        return np.flatnonzero(self.unbroken[messages:] == self.unbroken[:-messages])

    def inputs(self, begin: Places, messages: int) -> Floats:
        """Return u (k, 2) over so many messages: the change of the wheels' twist, per second."""
        change = self.wheels[begin + messages] - self.wheels[begin]
        return np.asarray(change / (messages * self.period))

    def transitions(self, messages: int) -> tuple[Floats, Floats, Floats]:
        """Return x, u, x' over so many messages."""
        begin = self.starts(messages)
        return self.states[begin], self.inputs(begin, messages), self.states[begin + messages]

    def recordings(self, messages: int) -> list[Recording]:
        """Return the drive every so many messages, beginning with each of the first ones."""
        step, found = round(1e9 * messages * self.period), []
        for part in np.unique(self.unbroken):
            rows = np.flatnonzero(self.unbroken == part)
            for phase in range(messages):
                chosen = rows[phase::messages]
                if len(chosen) < _FEWEST:
                    continue
                stamps, twists = step * np.arange(len(chosen)), np.zeros((len(chosen), 6))
                twists[:, [0, 5]] = self.wheels[chosen]
                found.append(
                    Recording(
                        name=f"husky.bag, part {part} from its message {phase}",
                        states=Track(stamps, self.states[chosen]),
                        twists=Track(stamps, twists),
                    )
                )
        return found


def husky(*, published: bool) -> Drive:
    """Return the drive, the wheels' twist as it was published or as their pose changed.

    Of the speed that u is the change of nothing would be left to learn, so the state's vx is the
    other one.
    """
    with open_bag(ROOT / "test" / "data" / "husky.bag") as bag:
        odometry = [message for _, _, message in bag.messages([_WHEELS])]
        imu = [message for _, _, message in bag.messages([_IMU])]
    begin = stamp_of(odometry[0])
    stamps = np.array([stamp_of(m) - begin for m in odometry]) * 1e-9
    sampled = np.array([stamp_of(m) - begin for m in imu]) * 1e-9
    turning = np.array([vector(m.angular_velocity) for m in imu]) @ _MOUNTING[2]
    turned = np.cumsum(np.r_[0.0, np.diff(sampled) * (turning[1:] + turning[:-1]) / 2.0])
    heading = np.interp(stamps, sampled, turned)

    places = np.array([vector(m.pose.pose.position)[:2] for m in odometry]) @ [1.0, 1.0j]
    facing = rotation.heading(np.array([quaternion(m.pose.pose.orientation) for m in odometry]))
    facing = np.unwrap(facing)
    travel = (np.diff(places) * np.exp(-1j * _middle(facing))).real
    track = np.cumsum(np.r_[0.0, travel * np.exp(1j * _middle(heading))])

    way = np.column_stack((np.r_[0.0, np.cumsum(travel)], facing))
    own = np.zeros_like(way)
    own[_SPAN:] = (way[_SPAN:] - way[:-_SPAN]) / (stamps[_SPAN:] - stamps[:-_SPAN])[:, None]
    said = np.array([(m.twist.twist.linear.x, m.twist.twist.angular.z) for m in odometry])
    wheels, other = (said, own) if published else (own, said)
    last = np.searchsorted(sampled, stamps, side="right") - 1
    states = np.column_stack((track.real, track.imag, heading, other[:, 0], turning[last]))
    period = float(np.median(np.diff(stamps)))
    missing = np.cumsum(np.r_[0, np.diff(stamps) > _GAP * period])
    known = slice(max(int(np.argmax(last >= 0)), _SPAN), None)
    return Drive(period, states[known], wheels[known], missing[known])


def _middle(angles: Floats) -> Floats:
    return np.asarray((angles[1:] + angles[:-1]) / 2.0)
